// Every name that a pipeline may use, with its signature and what its author says of it: definitions of the standard library from their
// `///` comments, settings and facts from the checker's tables, metrics and ops from where they are defined. `peft explain NAME` prints
// one, docs/ lists them all.

import { reboundName, trainingBinding } from "../../compiler/adapters/training-bindings.ts";
import { generators } from "../../compiler/blocks/evaluate-block.ts";
import type { Definition, Library } from "../../compiler/blocks/resolve.ts";
import { resolve } from "../../compiler/blocks/resolve.ts";
import { factTable } from "../../compiler/check/fact-table.ts";
import { baseSources } from "../../compiler/model/base.ts";
import { ops } from "../../compiler/ops/index.ts";
import type { Member, Parameter, Span } from "../../grammar/tree.ts";
import { compileHost } from "../compile-host.ts";
import { metricSignatures } from "../embedded/metrics.ts";
import { std } from "../embedded/std.ts";
import { blocks, typeOf } from "../language-server/blocks.ts";
import { parameterText, signatureOf } from "../language-server/describe.ts";

export type Kind = Definition["kind"] | "setting" | "fact" | "metric" | "op" | "source" | "generator";

export interface Entry {
  readonly kind: Kind;
  readonly name: string;
  /** As it is written, without its body. */
  readonly signature: string;
  readonly doc: string;
  /** Facts that follow from the definition: `What it rebinds`, and what. */
  readonly facts: readonly (readonly [title: string, text: string])[];
  /** Inside stdlib/. */
  readonly source?: string;
}

const definitionKinds = ["method", "optimizer", "schedule", "format", "architecture", "interface", "module"] as const;

/** In the order of docs/. */
export const entries = (): readonly Entry[] => {
  const library = standardLibrary();
  return [
    ...definitionKinds.flatMap((kind) =>
      [...library.names(kind)].sort().flatMap((name) => {
        const definition = library.find(kind, name);
        return definition ? [definitionEntry(definition)] : [];
      }),
    ),
    ...settingEntries(),
    ...Object.entries(baseSources).map(([name, parameters]) => callEntry("source", name, parameters)),
    ...Object.entries(generators).map(([name, parameters]) => callEntry("generator", name, parameters)),
    ...[...metricSignatures.values()].map((metric): Entry => {
      const settings = metric.parameters.map(({ name, default: value }) => `${name}: ${String(value)}`).join(", ");
      const scores = metric.scores.length > 1 ? [["scores", metric.scores.map((score) => `\`${score}\``).join(", ")] as const] : [];
      const facts = [...scores, ["measured on", metric.of === "text" ? "generated text" : "predicted tokens"] as const];
      return {
        kind: "metric",
        name: metric.name,
        signature: settings ? `${metric.name}(${settings})` : metric.name,
        doc: metric.says,
        facts,
      };
    }),
    ...Object.entries(factTable).map(
      ([name, { says }]): Entry => ({ kind: "fact", name, signature: `require { ${name}(…) <= … }`, doc: says, facts: [] }),
    ),
    ...[...ops.values()]
      .filter(({ call }) => call)
      .map((op): Entry => {
        const attrs = Object.entries(op.call!.attrs ?? {}).map(([key, value]) =>
          value === undefined ? `${key}: …` : `${key}: ${String(value)}`,
        );
        const facts = op.gradient ? [] : [["gradient", "none"] as const];
        return { kind: "op", name: op.name, signature: `${op.name}(${[...op.call!.tensors, ...attrs].join(", ")})`, doc: op.doc, facts };
      }),
  ];
};

const standardLibrary = (): Library => resolve("nothing.peft", compileHost(new Map([["nothing.peft", "peft 1\n"]])), () => {})!.library;

const textOf = ({ file }: Span): string => std.get(file.replace(/^std\//, "")) ?? "";
const textAt = (at: Span): string => textOf(at).slice(at.start, at.end);

const definitionEntry = (definition: Definition): Entry => ({
  kind: definition.kind,
  name: definition.name.text,
  signature: signatureOf(definition, textAt),
  doc: definition.doc ?? "",
  facts: factsOf(definition),
  source: definition.at.file.replace(/^std\//, ""),
});

const factsOf = (definition: Definition): readonly (readonly [string, string])[] => {
  if (definition.kind === "schedule") return [["factor", `\`${oneLine(textAt(definition.value.at))}\``]];
  const members: readonly Member[] = "members" in definition ? definition.members : [];
  const of = <K extends Member["kind"]>(kind: K): readonly Extract<Member, { kind: K }>[] =>
    members.filter((member): member is Extract<Member, { kind: K }> => member.kind === kind);
  const list = (title: string, texts: readonly string[]): readonly (readonly [string, string])[] =>
    texts.length ? [[title, texts.map((text) => `\`${text}\``).join(", ")]] : [];
  if (definition.kind === "method")
    return [
      ...list(
        "adds",
        of("param").map((member) => oneLine(textAt(member.at).replace(/^((frozen|shared)\s+)*param\s+/, "$&"))),
      ),
      ...list(
        "observes",
        of("observe").map(({ name, value }) => `${name.text} = ${oneLine(textAt(value.at))}`),
      ),
      ...list(
        "measures",
        of("measure").map(({ name, least, most }) => `${name.text}: ${oneLine(textAt(least.at))}..${oneLine(textAt(most.at))}`),
      ),
      ...list(
        "rebinds",
        of("bind").flatMap((member) => (reboundName(member, members) === undefined ? [] : oneLine(textAt(member.at)))),
      ),
      ...list(
        "keeps while it is trained",
        of("state").map(({ name }) => name.text),
      ),
      ...list(
        "binds of its training",
        of("bind").flatMap((member) => (trainingBinding(member, members) ? oneLine(textAt(member.at)) : [])),
      ),
      ...list(
        "stored as",
        of("interop").map(({ library, type }) => `${library.text} ${type.text}`),
      ),
    ];
  if (definition.kind === "optimizer")
    return [
      ...list(
        "keeps",
        of("state").map(({ name }) => name.text),
      ),
      ...list(
        "updates",
        of("bind").map((member) => oneLine(textAt(member.at))),
      ),
    ];
  if (definition.kind === "architecture")
    return [
      ["lines of its file", String(textOf(definition.at).trimEnd().split("\n").length)],
      ...list(
        "reads",
        definition.config.map(({ name }) => name.text),
      ),
      ...list(
        "modules",
        of("child").map(({ name }) => name.text),
      ),
    ];
  if (definition.kind === "module" || definition.kind === "interface")
    return [
      ...list(
        "parameters",
        of("param").flatMap(({ names }) => names.map(({ text }) => text)),
      ),
      ...list(
        "modules",
        of("child").map(({ name }) => name.text),
      ),
    ];
  return [];
};

const oneLine = (text: string): string => text.replace(/\s+/g, " ").trim();

const settingEntries = (): readonly Entry[] =>
  Object.entries(blocks).flatMap(([block, { sign, keys }]) =>
    Object.entries(keys).map(
      ([name, setting]): Entry => ({
        kind: "setting",
        name,
        signature: `${block} … { ${name}${sign === ":" ? ":" : " ="} ${typeOf(setting)} }`,
        doc: setting.doc,
        facts: setting.required ? [["needed", `in every \`${block}\` block`]] : [],
      }),
    ),
  );

const callEntry = (kind: Kind, name: string, parameters: readonly Parameter[]): Entry => ({
  kind,
  name,
  // A built-in parameter has no text of its own; its default is a number or none.
  signature: `${name}(${parameters.map((parameter) => builtIn(parameter)).join(", ")})`,
  doc: "",
  facts: [],
});

const builtIn = (parameter: Parameter): string => {
  const { value } = parameter;
  const fallback = value?.kind === "number" ? String(value.value) : value?.kind === "ref" ? value.name : "";
  return value ? `${parameterText({ ...parameter, value }, () => fallback)}` : parameterText(parameter, () => "");
};
