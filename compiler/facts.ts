// What `plan` prints and `require` holds: counts and bytes that follow from the module tree and the memory plan.

import type * as tree from "../grammar/tree.ts";
import { nearest } from "../spec/diagnostic.ts";
import { diagnostics } from "../spec/diagnostics.generated.ts";
import type { AdapterFiles } from "../spec/job.ts";
import type { BasePlan } from "./base.ts";
import type { Context } from "./expressions.ts";
import { evaluate } from "./expressions.ts";
import type { AdapterPlan } from "./inject.ts";
import type { Scope } from "./values.ts";

const units: Readonly<Record<string, number>> = {
  "": 1,
  "%": 0.01,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

/** Bytes of adapter_model.safetensors: eight bytes of length, the padded header, the tensors. */
export const adapterFileBytes = (files: AdapterFiles, shapes: ReadonlyMap<string, readonly number[]>): number => {
  let offset = 0;
  const header: Record<string, unknown> = { __metadata__: { format: "pt" } };
  for (const { key, parameter, transposed } of files.tensors) {
    const shape = shapes.get(parameter)!;
    const bytes = 4 * shape.reduce((a, b) => a * b, 1);
    header[key] = { dtype: "F32", shape: transposed ? [...shape].reverse() : shape, data_offsets: [offset, offset + bytes] };
    offset += bytes;
  }
  return 8 + Math.ceil(JSON.stringify(header).length / 8) * 8 + offset;
};

export interface Facts {
  readonly base: BasePlan;
  readonly adapters: ReadonlyMap<string, AdapterPlan>;
  /** Adapters that the file names; one that could not be planned was reported. */
  readonly declared: ReadonlySet<string>;
  readonly fileBytes: (adapter: string) => number;
  /** Bytes that training the adapter needs; undefined when the file does not train it. */
  readonly trainMemory: (adapter: string) => number | undefined;
}

export const knownFacts = ["trainable", "memory", "file"];

/** Checks every constraint of a `require` block. */
export const checkRequire = (item: tree.Require, facts: Facts, scope: Scope, context: Context): void => {
  for (const constraint of item.constraints) {
    const { report } = context;
    const name = constraint.fact.text;
    if (!knownFacts.includes(name)) {
      const near = nearest(name, knownFacts);
      report(
        diagnostics.unknown_fact(
          constraint.fact.at,
          { name },
          { notes: [{ message: `facts: ${knownFacts.join(", ")}` }], ...(near && { help: `did you mean \`${near}\`?` }) },
        ),
      );
      continue;
    }
    const adapter = facts.adapters.get(constraint.subject.text);
    if (!adapter && facts.declared.has(constraint.subject.text)) continue;
    if (!adapter) {
      const near = nearest(constraint.subject.text, facts.adapters.keys());
      report(
        diagnostics.unknown_adapter(
          constraint.subject.at,
          { name: constraint.subject.text },
          near ? { help: `did you mean \`${near}\`?` } : {},
        ),
      );
      continue;
    }
    const bound = evaluate(constraint.bound, scope, context);
    const factor = bound.kind === "number" ? units[bound.unit ?? ""] : undefined;
    const share = bound.kind === "number" && bound.unit === "%";
    if (bound.kind !== "number" || factor === undefined || (share && name !== "trainable")) {
      if (bound.kind !== "unknown")
        report(
          diagnostics.bad_bound(constraint.bound.at, {
            fact: name,
            found: bound.kind === "number" ? `${bound.value} ${bound.unit ?? ""}`.trim() : bound.kind,
          }),
        );
      continue;
    }
    const value =
      name === "trainable"
        ? share
          ? adapter.trainable / facts.base.parameters
          : adapter.trainable
        : name === "file"
          ? facts.fileBytes(adapter.name)
          : facts.trainMemory(adapter.name);
    if (value === undefined) {
      report(
        diagnostics.require_failed(constraint.at, {
          fact: `memory(train ${adapter.name})`,
          found: "not known: the file does not train it",
          compare: constraint.compare,
          bound: `${bound.value} ${bound.unit ?? ""}`.trim(),
        }),
      );
      continue;
    }
    const limit = bound.value * factor;
    const holds = { "<": value < limit, "<=": value <= limit, ">": value > limit, ">=": value >= limit, "==": value === limit }[
      constraint.compare
    ];
    if (holds) continue;
    const text =
      bound.kind === "number" && constraint.bound.kind === "number"
        ? `${constraint.bound.text}${bound.unit === "%" ? "%" : bound.unit ? ` ${bound.unit}` : ""}`
        : String(bound.value);
    const found = share
      ? `${(100 * value).toPrecision(3)}%`
      : bound.unit
        ? `${(value / factor).toPrecision(4)} ${bound.unit}`
        : String(value);
    report(
      diagnostics.require_failed(
        constraint.at,
        {
          fact: `${name}(${constraint.verb ? `${constraint.verb.text} ` : ""}${adapter.name})`,
          found,
          compare: constraint.compare,
          bound: text,
        },
        {
          notes: [{ message: `${adapter.name} trains ${adapter.trainable} of ${facts.base.parameters} parameters`, at: adapter.at }],
          help: "lower the rank, cover fewer modules, or raise the bound",
        },
      ),
    );
  }
};
