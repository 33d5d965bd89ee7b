// What the text of a method means at one module: `base.NAME` is a value before the method rebinds it, other names are the
// method's own, the face's points and sizes, and those of the module above for an `each`; what is called is a child.

import type * as tree from "../../grammar/tree.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { AdapterObserved, AdapterParam, Amendment } from "../adapters/amend.ts";
import type { Instance } from "../model/instantiate.ts";
import { namesOf } from "../model/interfaces.ts";
import { open as unresolved } from "../ops/shape.ts";
import { type Context, evaluate, reportThrough } from "./expressions.ts";
import { none, type Scope, type TensorValue, type Value } from "./values.ts";

/** What one call of a module has computed so far, and what each amendment found where it rebound something. */
export interface Frame {
  readonly locals: Map<string, Value>;
  readonly before: Map<Amendment, ReadonlyMap<string, Value>>;
}

export const noFrame = (): Frame => ({ locals: new Map(), before: new Map() });

/** A child of a module by name. */
export const childOf = (instance: Instance, name: string): Value | undefined => {
  const child = instance.children.get(name);
  if (!child) return undefined;
  return Array.isArray(child) ? { kind: "repeat", instances: child } : { kind: "module", instance: child as Instance };
};

/** How elaboration gives parameters their nodes, and where it reports. */
export interface Tools {
  readonly adapterParam: (param: AdapterParam) => Value;
  readonly plainParam: (instance: Instance, name: string) => Value | undefined;
  readonly contextOf: (amendment: Amendment) => Context;
  /** Whether what a method keeps of its training is there by itself, and not made of what is trained. */
  readonly settled: (param: AdapterParam) => boolean;
  /** While first values are computed: what the adapters that are combined change of the module's weight [members, out, in], and their weights. */
  readonly changes?: (instance: Instance, of: "deltas" | "weights") => Value;
  /** While first values are computed: those there are, and the base's parameters as the lines before leave them. */
  readonly first?: {
    readonly values: ReadonlyMap<string, Value>;
    readonly base: (instance: Instance, name: string) => Value | undefined;
    readonly observed: (observed: AdapterObserved) => Value;
  };
}

/** What a method's expressions may name where it amends one module; `rebinding` is the binding they stand in. */
export const methodScope = (tools: Tools, instance: Instance, amendment: Amendment, frame: Frame, rebinding?: tree.BindMember): Scope => {
  const inner = (): Context => tools.contextOf(amendment);
  // Of an interface a method sees the points; of a module everything it names.
  const points = amendment.face?.definition.kind === "interface" ? new Set(namesOf(amendment.face)) : undefined;
  const base: Value = {
    kind: "record",
    name: "base",
    fields: (name) => {
      const before = frame.before.get(amendment)?.get(name);
      if (before || (points && !points.has(name))) return before;
      if (tools.first) return tools.first.base(instance, name);
      const value = frame.locals.get(name) ?? tools.plainParam(instance, name);
      if (value || !rebinding || !amendment.face || !namesOf(amendment.face).includes(name)) return value;
      return reportThrough(inner(), rebinding.at, (place, details) =>
        diagnostics.not_computed_yet(place, { name, rebound: rebinding.target[0]!.text }, details),
      );
    },
    names: () => (points ? [...points] : [...frame.locals.keys(), ...instance.params.keys()]),
  };
  const above = amendment.outer && methodScope(tools, amendment.outer.module, amendment.outer, noFrame());
  const lets = new Map<string, Value>();
  // What is made of itself is not known in its own value.
  const open = new Set<string>();
  const computedOnce = (name: string, expr: tree.Expr): Value | undefined => {
    if (open.has(name)) return undefined;
    if (!lets.has(name)) {
      open.add(name);
      lets.set(name, evaluate(expr, scope, inner()));
      open.delete(name);
    }
    return lets.get(name);
  };
  const scope: Scope = {
    find: (name, at) => {
      if (name === "base") return base;
      if (amendment.combines && tools.changes && (name === "deltas" || name === "weights")) return tools.changes(instance, name);
      const param = amendment.params.get(name);
      const computed = tools.first?.values.get(name) ?? lets.get(name);
      if (param && computed) return computed;
      if (param && "kept" in param.source && !tools.settled(param)) return computedOnce(name, param.source.kept);
      if (param) return tools.adapterParam(param);
      if (amendment.absent.has(name)) return none;
      const observed = amendment.observed.get(name);
      if (observed && tools.first) return tools.first.observed(observed);
      if (observed) return reportThrough(inner(), at, (place, details) => diagnostics.observed_too_late(place, { name }, details));
      const member = amendment.members.find((m) => m.kind === "let" && m.name.text === name);
      if (member?.kind === "let") return computedOnce(name, member.value);
      const point = !points || points.has(name) ? frame.locals.get(name) : undefined;
      return point ?? amendment.settings.get(name) ?? amendment.face?.sizes.get(name) ?? above?.find(name, at);
    },
    names: () => [
      ...[
        "base",
        ...amendment.params.keys(),
        ...amendment.observed.keys(),
        ...amendment.settings.keys(),
        ...(amendment.face?.sizes.keys() ?? []),
      ],
      ...(above?.names() ?? []),
    ],
    callee: (name) => childOf(instance, name),
  };
  return scope;
};

/** A rebound value has the shape it had. */
export const checkRebound = (name: string, before: TensorValue, after: TensorValue, member: tree.BindMember, inner: Context): void => {
  const [was, is] = [before.node.type, after.node.type];
  if (
    was.dtype === is.dtype &&
    was.shape.length === is.shape.length &&
    is.shape.every((dim, i) => dim === was.shape[i] || unresolved(dim, was.shape[i]!))
  )
    return;
  const problem = `\`${name}\` is ${was.dtype}[${was.shape.join(", ")}], and what it is rebound to is ${is.dtype}[${is.shape.join(", ")}]`;
  reportThrough(inner, member.at, (place, details) => diagnostics.shapes_do_not_fit(place, { problem }, details));
};
