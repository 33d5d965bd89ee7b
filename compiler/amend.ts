// A method and one module (or parameter) -> the parameters it adds there and what it rebinds. Sizes come from the module, from
// the method's settings, and for a shared parameter from all targets at once.

import type * as tree from "../grammar/tree.ts";
import { nearest } from "../spec/diagnostic.ts";
import { diagnostics } from "../spec/diagnostics.generated.ts";
import type { Dim } from "./dims.ts";
import { type Context, evaluate, reportThrough } from "./expressions.ts";
import { type Draw, evaluateDraw, evaluateShape, type Instance } from "./instantiate.ts";
import type { Target } from "./paths.ts";
import { asDim, type Scope, scopeOf, size, unknown, type Value } from "./values.ts";

/** A parameter that an adapter adds or takes over. */
export interface AdapterParam {
  /** "menu:layers.0.attn.q.a"; "menu:a" when all targets share it. */
  readonly name: string;
  readonly shape: readonly Dim[];
  readonly trained: boolean;
  readonly source: Draw | { readonly copyOf: string };
  /** Module it sits on; of a shared parameter the first target. */
  readonly module: Instance;
  /** Its name there. */
  readonly local: string;
  readonly shared: boolean;
}

/** What one adapter does to one module. */
export interface Amendment {
  readonly adapter: string;
  /** The method's call in the user's file; undefined while the method is checked by itself. */
  readonly at: tree.Span | undefined;
  readonly method: tree.MethodDef;
  readonly settings: ReadonlyMap<string, Value>;
  /** Parameters by the name the method gives them; for a selective method by the module's own names. */
  readonly params: ReadonlyMap<string, AdapterParam>;
}

/** One line of an adapter: a method with its settings. */
export interface Applied {
  readonly adapter: string;
  readonly at: tree.Span | undefined;
  readonly method: tree.MethodDef;
  readonly settings: ReadonlyMap<string, Value>;
}

/** Adds the method's parameters to each module. */
export const amend = (applied: Applied, modules: readonly Instance[], context: Context): AdapterParam[] => {
  const { adapter, method, settings } = applied;
  const first = modules[0]!;
  for (const member of method.members) {
    const beyond = notYet(member);
    if (beyond) reportThrough(context, member.at, (place, details) => diagnostics.unsupported_block(place, { what: beyond }, details));
  }
  const shared = new Map<string, AdapterParam>();
  const everywhere = aggregating(settings, modules, context);
  for (const member of method.members)
    if (member.kind === "param" && member.modifiers.includes("shared"))
      for (const name of member.names)
        shared.set(name.text, declared(member, name.text, `${adapter}:${name.text}`, first, everywhere, context));
  return [
    ...shared.values(),
    ...modules.flatMap((module) => {
      const scope = scopeOf(settings, scopeOf(module.sizes));
      const own = new Map<string, AdapterParam>();
      for (const member of method.members) {
        if (member.kind === "bind" && member.target.length === 1) checkRebinding(method, member, module, context);
        if (member.kind === "param" && !member.modifiers.includes("shared"))
          for (const name of member.names)
            own.set(name.text, declared(member, name.text, `${adapter}:${module.path}.${name.text}`, module, { scope, context }, context));
      }
      module.amendments.push({ ...applied, params: new Map([...shared, ...own]) });
      return [...own.values()];
    }),
  ];
};

interface Sizes {
  readonly scope: Scope;
  readonly context: Context;
}

const declared = (
  member: tree.ParamMember,
  local: string,
  name: string,
  module: Instance,
  { scope, context: inner }: Sizes,
  context: Context,
): AdapterParam => ({
  name,
  shape: evaluateShape(member.shape, scope, inner),
  trained: !member.modifiers.includes("frozen"),
  source: member.draw ? evaluateDraw(member.draw, scope, { ...inner, through: context.through }) : { distribution: "zeros", args: [] },
  module,
  local,
  shared: member.modifiers.includes("shared"),
});

/** Sizes of a shared parameter: `max(in)`, `min(in)` and `sum(in)` range over the targets; a size by itself must be the same in all. */
const aggregating = (settings: ReadonlyMap<string, Value>, modules: readonly Instance[], context: Context): Sizes => {
  const scopes = modules.map((module) => scopeOf(settings, scopeOf(module.sizes)));
  const over = (expr: tree.Expr): Value[] => scopes.map((scope) => evaluate(expr, scope, context));
  const scope: Scope = {
    find: (name, at) => {
      const values = scopes.map((one) => one.find(name, at));
      const sizes = new Set(values.map((value) => (value ? String(asDim(value) ?? "") : "")));
      if (sizes.size < 2) return values[0];
      return reportThrough(context, at, (place, details) => diagnostics.sizes_differ(place, { name }, details), {
        label: `${[...sizes].join(", ")} here`,
        help: `say which: \`max(${name})\` or \`min(${name})\``,
      });
    },
    names: scopes[0]!.names,
  };
  const special: Context["special"] = (name, call) => {
    const [argument, more] = call.args;
    if ((name !== "max" && name !== "min" && name !== "sum") || !argument || more) return undefined;
    const dims = over(argument.value).map(asDim);
    if (dims.some((dim) => typeof dim !== "number")) return dims.length === 1 && dims[0] !== undefined ? size(dims[0]) : unknown;
    const numbers = dims as number[];
    return size(name === "sum" ? numbers.reduce((a, b) => a + b) : name === "max" ? Math.max(...numbers) : Math.min(...numbers));
  };
  return { scope, context: { ...context, special } };
};

/** What the grammar reads and this version does not compute: refused, never passed over. */
const notYet = (member: tree.Member): string | undefined => {
  if (member.kind === "param" && member.value) return "a parameter that starts from an expression";
  if (member.kind === "bind" && (member.target.length > 1 || member.sign === "+="))
    return `\`${member.target.map((name) => name.text).join(".")} ${member.sign}\``;
  return member.kind === "state" || member.kind === "forward" || member.kind === "child" ? `\`${member.kind}\` in a method` : undefined;
};

/** A rebound name must be the module's: a parameter, a `let` of its forward, or `out`, its result. */
const checkRebinding = (method: tree.MethodDef, member: tree.BindMember, module: Instance, context: Context): void => {
  const forward = module.definition.members.find((own) => own.kind === "forward");
  const lets = forward?.kind === "forward" ? forward.lets.map((own) => own.name.text) : [];
  const names = [...module.params.keys(), ...lets, "out"];
  const name = member.target[0]!;
  if (names.includes(name.text)) return;
  const near = nearest(name.text, names);
  reportThrough(
    context,
    name.at,
    (at, details) =>
      diagnostics.unused_rebinding(at, { method: method.name.text, name: name.text, module: module.definition.name.text }, details),
    {
      notes: [{ message: `${module.definition.name.text} names: ${names.join(", ")}` }],
      ...(near && { help: `did you mean \`${near}\`?` }),
    },
  );
};

/** A selective method takes over a parameter of the base: a trained copy of it. */
export const take = (applied: Applied, { param, module }: Target & { kind: "param" }): AdapterParam => {
  const local = [...module.params].find(([, own]) => own === param)![0];
  const taken: AdapterParam = {
    name: `${applied.adapter}:${param.path}`,
    shape: param.shape,
    trained: true,
    source: { copyOf: param.path },
    module,
    local,
    shared: false,
  };
  const existing = module.amendments.find(
    ({ adapter, method, at }) => adapter === applied.adapter && method === applied.method && at === applied.at,
  );
  if (existing) (existing.params as Map<string, AdapterParam>).set(local, taken);
  else module.amendments.push({ ...applied, params: new Map([[local, taken]]) });
  return taken;
};
