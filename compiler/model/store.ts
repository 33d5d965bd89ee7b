// The `store PATHS as FORMAT` lines of a base -> the format of each parameter. A pattern covers the matrices below what it matches;
// vectors (biases, norms) are covered only where a pattern names them.

import type * as tree from "../../grammar/tree.ts";
import { nearest } from "../../spec/diagnostic.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { Library } from "../blocks/resolve.ts";
import type { Context } from "../values/expressions.ts";
import type { Scope } from "../values/values.ts";
import { type FormatPlan, readFormat } from "./format.ts";
import { type Instance, modulesOf, type ParamSpec } from "./instantiate.ts";
import { alternatives, match, type Pattern, type Target, whereItStops } from "./paths.ts";

export interface Stored {
  readonly pattern: string;
  readonly format: FormatPlan;
  readonly params: readonly ParamSpec[];
}

/** Sets `format` on every parameter that is covered. */
export const applyStores = (item: tree.Base, root: Instance, library: Library, scope: Scope, context: Context): readonly Stored[] => {
  const owners = new Map<ParamSpec, tree.Span>();
  const stores: Stored[] = [];
  for (const store of item.store) {
    const format = readFormat(store.format, library, scope, context);
    for (const path of store.paths)
      for (const pattern of alternatives(rooted(path, item))) {
        const params = covered(match(root, pattern), pattern, root, context);
        if (!params) continue;
        const twice = params.find((param) => owners.has(param));
        if (twice)
          context.report(
            diagnostics.stored_twice(
              pattern.at,
              { parameter: twice.path },
              { notes: [{ message: "it is stored here first", at: owners.get(twice)! }], help: "let one pattern cover it" },
            ),
          );
        for (const param of params) owners.set(param, owners.get(param) ?? pattern.at);
        if (!format) continue;
        for (const param of params) param.format ??= format;
        stores.push({ pattern: pattern.text, format, params });
      }
  }
  return stores;
};

/** Paths in a base's block start below the base; those of other blocks begin with its name. */
const rooted = (path: tree.Path, item: tree.Base): tree.Path =>
  path.segments[0]?.kind === "name" && path.segments[0].text === item.name.text && path.segments.length > 1
    ? path
    : { ...path, segments: [{ kind: "name", text: item.name.text, at: item.name.at }, ...path.segments] };

/** Undefined after a report. */
const covered = (targets: readonly Target[], pattern: Pattern, root: Instance, context: Context): ParamSpec[] | undefined => {
  if (targets.length === 0) {
    const stop = whereItStops(root, pattern);
    const near = nearest(stop.wanted, stop.has);
    context.report(
      diagnostics.unmatched_target(
        stop.at,
        { pattern: pattern.text },
        {
          label: "no such child",
          notes: stop.has.length ? [{ message: `${stop.reached} has: ${stop.has.join(", ")}` }] : [],
          ...(near && { help: `did you mean \`${near}\`?`, fixes: [{ at: stop.at, insert: near, title: `change to \`${near}\`` }] }),
        },
      ),
    );
    return undefined;
  }
  const named = targets.flatMap((target) => (target.kind === "param" && pattern.exact ? [target.param] : []));
  const below = targets.flatMap((target) =>
    target.kind === "module"
      ? modulesOf(target.module).flatMap((module) => [...module.params.values()].flatMap((param) => (param ? [param] : [])))
      : [target.param],
  );
  // What is tied to another parameter is that one; a part of a fused one is stored with it.
  const own = (param: ParamSpec): ParamSpec => param.tiedTo ?? param.view?.of ?? param;
  const found = [...new Set([...named, ...below.filter((param) => param.shape.length >= 2)].map(own))];
  if (found.length > 0) return found;
  context.report(
    diagnostics.nothing_to_store(
      pattern.at,
      { pattern: pattern.text },
      { help: "name the vectors one by one, like `**.bias`, or a module that holds a matrix" },
    ),
  );
  return undefined;
};
