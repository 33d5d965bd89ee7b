// The adapters of a file -> their plans, each after what it stands on or is made of, whatever the order they are written in.

import type * as tree from "../../grammar/tree.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { Library } from "../blocks/resolve.ts";
import type { Instance } from "../model/instantiate.ts";
import type { Context } from "../values/expressions.ts";
import type { Scope, Value } from "../values/values.ts";
import { compose, makerOf, namesIn } from "./compose.ts";
import { type AdapterPlan, type FoundSizes, inject } from "./inject.ts";
import { type AdapterFolder, loadOf, planLoaded } from "./load-adapter.ts";

export interface AdapterSources {
  /** The model that each base's name stands for. */
  readonly bases: ReadonlyMap<string, Instance>;
  readonly library: Library;
  /** Definitions with mistakes of their own; what uses them is left out. */
  readonly wrong: ReadonlySet<tree.Item>;
  readonly scope: Scope;
  /** What lies in the folders that adapters are loaded from. */
  readonly folders: ReadonlyMap<tree.Adapter, AdapterFolder>;
  /** Sizes that were measured. */
  readonly found: FoundSizes;
}

export const readAdapters = (items: readonly tree.Adapter[], sources: AdapterSources, context: Context): Map<string, AdapterPlan> => {
  const { bases, library, wrong, scope, folders, found } = sources;
  const declared = new Set(items.map((item) => item.name.text));
  const settings: Value & { kind: "record" } = {
    kind: "record",
    name: "the file",
    fields: (name) => scope.find(name, { file: "", start: 0, end: 0 }),
    names: scope.names,
  };
  const adapters = new Map<string, AdapterPlan>();
  const places = new Map(bases);
  /** Where an adapter goes into another's model, its base is that one's. */
  const standing = (planned: AdapterPlan): AdapterPlan => {
    if (bases.has(planned.base)) return planned;
    const root = places.get(planned.base);
    return { ...planned, under: planned.base, base: [...bases].find(([, model]) => model === root)![0] };
  };
  const plan = (item: tree.Adapter): void => {
    const uses = item.injections.map(({ method }) =>
      method.kind === "call" && method.callee.kind === "ref" ? library.find("method", method.callee.name) : undefined,
    );
    if (uses.some((method) => method && wrong.has(method))) return;
    const planned = loadOf(item)
      ? loaded(item, folders.get(item), places, library, context)
      : makerOf(item)
        ? compose(item, adapters, declared, library, scope, context)
        : onOneModel(item, places, settings, library, found, context);
    if (!planned) return;
    adapters.set(planned.name, standing(planned));
    const root = places.get(planned.base);
    if (root) places.set(planned.name, root);
  };
  const waiting = new Set(items);
  for (let before = -1; waiting.size !== before; ) {
    before = waiting.size;
    for (const item of waiting) {
      const blocked = namesIn(item).some((name) => [...waiting].some((other) => other.name.text === name));
      if (blocked) continue;
      waiting.delete(item);
      plan(item);
    }
  }
  const [first] = waiting;
  if (first)
    context.report(
      diagnostics.adapter_circle(
        first.name.at,
        { names: [...waiting].map((item) => item.name.text).join(", ") },
        { help: "let one of them stand on the base" },
      ),
    );
  return adapters;
};

/** Every line of an adapter goes into one model: the base, or the model that another adapter makes. */
const onOneModel = (
  item: tree.Adapter,
  places: ReadonlyMap<string, Instance>,
  settings: Value & { kind: "record" },
  library: Library,
  found: FoundSizes,
  context: Context,
): AdapterPlan | undefined => {
  const heads = item.injections.flatMap(({ into }) =>
    into.flatMap(({ segments: [first] }) => (first?.kind === "name" && places.has(first.text) ? [first] : [])),
  );
  const other = heads.find((head) => head.text !== heads[0]!.text);
  if (other) {
    context.report(
      diagnostics.two_models(
        other.at,
        { adapter: item.name.text, first: heads[0]!.text, second: other.text },
        {
          help: `write \`${heads[0]!.text}\` here too, or declare a second adapter`,
          notes: [{ message: "the first is here", at: heads[0]!.at }],
        },
      ),
    );
    return undefined;
  }
  return inject(item, places, library, settings, found, context);
};

/** `load("folder/")` goes into the file's base; `load("folder/") into menu` into the model that `menu` makes. */
const loaded = (
  item: tree.Adapter,
  folder: AdapterFolder | undefined,
  places: ReadonlyMap<string, Instance>,
  library: Library,
  context: Context,
): AdapterPlan | undefined => {
  const { into } = item.injections[0]!;
  const [head, more] = into[0]?.segments ?? [];
  if (into.length > 1 || more || (head && (head.kind !== "name" || !places.has(head.text)))) {
    context.report(
      diagnostics.cannot_load(
        into[0]!.at,
        { folder: folder?.path ?? "the folder", problem: "`into` may only name the model that it was made for" },
        { help: `leave it out, or write \`into ${[...places.keys()][0] ?? "base"}\`: the folder says which places are amended` },
      ),
    );
    return undefined;
  }
  const name = head?.kind === "name" ? head.text : [...places.keys()][0];
  if (!folder || name === undefined) return undefined;
  return planLoaded(item, folder, { name, root: places.get(name)! }, library, context);
};
