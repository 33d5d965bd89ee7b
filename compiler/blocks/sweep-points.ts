// A `sweep` block -> its points. A key is looked for in this order: an `input` of the file, a setting of the adapter's method, a setting
// of the `train` block, a setting of its optimizer, of its schedule. Several keys make a grid: every value with every other.

import type * as tree from "../../grammar/tree.ts";
import { nearest } from "../../spec/diagnostic.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { Context } from "../values/expressions.ts";
import { besideKey } from "./figures.ts";
import { trainTable } from "./pipeline.ts";
import { folderOf, needed, pruned, textOf, withArgument, withEntry } from "./point-items.ts";
import type { Point, PointSet } from "./points.ts";
import type { Resolved } from "./resolve.ts";

/** Puts a value into the items; which place that is was decided by the key. */
type Put = (items: readonly tree.Item[], value: tree.Expr) => readonly tree.Item[];

const most = 1000;

export const sweepPoints = (item: tree.Sweep, resolved: Resolved, { report }: Context): PointSet | undefined => {
  const { items, texts } = resolved;
  const name = item.over.text;
  const adapter = items.find((one): one is tree.Adapter => one.kind === "adapter" && one.name.text === name);
  const train = items.find((one): one is tree.Train => one.kind === "train" && one.subject.text === name);
  if (!adapter) {
    const names = items.flatMap((one) => (one.kind === "adapter" ? [one.name.text] : []));
    const near = nearest(name, names);
    report(
      diagnostics.unknown_adapter(
        item.over.at,
        { name },
        { notes: [{ message: `adapters here: ${names.join(", ") || "none"}` }], ...(near && { help: `did you mean \`${near}\`?` }) },
      ),
    );
    return undefined;
  }
  if (!train) {
    report(diagnostics.point_untrained(item.over.at, { name }, { help: `add \`train ${name} on … { … }\`: a point is one training` }));
    return undefined;
  }
  const places = placesOf(adapter, train, resolved);
  const axes: { key: string; put: Put; values: readonly tree.Expr[] }[] = [];
  const varied = item.entries.filter(({ key }) => key.text !== besideKey);
  for (const entry of varied) {
    const key = entry.key.text;
    const put = places.get(key);
    if (!put) {
      const near = nearest(key, places.keys());
      report(
        diagnostics.unknown_sweep_key(
          entry.key.at,
          { name: key, adapter: name },
          {
            notes: [{ message: `it can vary: ${[...places.keys()].join(", ")}` }],
            ...(near && { help: `did you mean \`${near}\`?`, fixes: [{ at: entry.key.at, insert: near, title: `change to \`${near}\`` }] }),
          },
        ),
      );
      continue;
    }
    const values = entry.value.kind === "list" ? entry.value.items : [entry.value];
    if (values.length === 0)
      report(diagnostics.no_points(entry.at, { name: item.name.text }, { help: `give \`${key}\` values, like \`[1, 2]\`` }));
    axes.push({ key, put, values });
  }
  const count = axes.reduce((product, { values }) => product * values.length, 1);
  if (varied.length === 0)
    report(diagnostics.no_points(item.at, { name: item.name.text }, { help: "say what varies, like `r: [1, 2, 4]`" }));
  if (count > most) {
    report(diagnostics.many_points(item.at, { name: item.name.text, count, most }, { help: "split the grid into several sweeps" }));
    return undefined;
  }
  if (axes.length === 0 || axes.length < varied.length) return undefined;
  const own = pruned(items, needed(items, name), name);
  let grid: { values: Record<string, string>; inputs: string[]; items: readonly tree.Item[] }[] = [{ values: {}, inputs: [], items: own }];
  const inputs = new Set(items.flatMap((one) => (one.kind === "input" ? [one.name.text] : [])));
  for (const { key, put, values } of axes)
    grid = grid.flatMap((point) =>
      values.map((value) => ({
        values: { ...point.values, [key]: textOf(value, texts) },
        inputs: inputs.has(key) ? [...point.inputs, key] : point.inputs,
        items: put(point.items, value),
      })),
    );
  const points = grid.map((point): Point => ({ ...point, id: folderOf(point.values), subject: name }));
  return { kind: "sweep", name: item.name.text, of: name, points };
};

/** Everything that may vary, and how. Earlier places hide later ones of the same name. */
const placesOf = (adapter: tree.Adapter, train: tree.Train, { items, library }: Resolved): ReadonlyMap<string, Put> => {
  const places = new Map<string, Put>();
  const add = (key: string, put: Put): void => {
    if (!places.has(key)) places.set(key, put);
  };
  for (const item of items)
    if (item.kind === "input")
      add(item.name.text, (all, value) =>
        all.map((one) => (one.kind === "input" && one.name.text === item.name.text ? { ...one, value } : one)),
      );
  const calls = adapter.injections.flatMap(({ method }) => {
    const name = method.kind === "call" && method.callee.kind === "ref" ? method.callee.name : undefined;
    return name !== undefined && library.names("method").includes(name) ? [library.find("method", name)!] : [];
  });
  for (const method of calls)
    for (const parameter of method.parameters)
      add(parameter.name.text, (all, value) =>
        all.map((one) =>
          one.kind === "adapter" && one.name.text === adapter.name.text ? withMethod(one, parameter.name.text, value, library) : one,
        ),
      );
  const inTrain = (key: string, change: (entries: readonly tree.Entry[], value: tree.Expr) => readonly tree.Entry[]): void =>
    add(key, (all, value) =>
      all.map((one) =>
        one.kind === "train" && one.subject.text === adapter.name.text ? { ...one, entries: change(one.entries, value) } : one,
      ),
    );
  for (const [key, { type }] of Object.entries(trainTable))
    if (type !== "call") inTrain(key, (entries, value) => withEntry(entries, key, value));
  for (const block of ["optimizer", "schedule"] as const) {
    const call = train.entries.find(({ key }) => key.text === block)?.value;
    const name = call?.kind === "call" && call.callee.kind === "ref" ? call.callee.name : undefined;
    if (name === undefined || !library.names(block).includes(name)) continue;
    const { parameters } = library.find(block, name)!;
    for (const { name: parameter } of parameters)
      inTrain(parameter.text, (entries, value) =>
        entries.map((one) =>
          one.key.text === block && one.value.kind === "call"
            ? { ...one, value: withArgument(one.value, parameters, parameter.text, value) }
            : one,
        ),
      );
  }
  return places;
};

/** The setting in every line of the adapter whose method has it. */
const withMethod = (adapter: tree.Adapter, name: string, value: tree.Expr, library: Resolved["library"]): tree.Adapter => ({
  ...adapter,
  injections: adapter.injections.map((injection) => {
    const { method } = injection;
    const definition =
      method.kind === "call" && method.callee.kind === "ref" && library.names("method").includes(method.callee.name)
        ? library.find("method", method.callee.name)
        : undefined;
    if (method.kind !== "call" || !definition?.parameters.some((parameter) => parameter.name.text === name)) return injection;
    return { ...injection, method: withArgument(method, definition.parameters, name, value) };
  }),
});
