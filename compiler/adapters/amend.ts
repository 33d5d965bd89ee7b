// A method and one module (or parameter) -> the parameters it adds there and what it rebinds. Sizes come from the module, from
// the method's settings, and for a shared parameter from all targets at once.

import type * as tree from "../../grammar/tree.ts";
import { instead, nearest } from "../../spec/diagnostic.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { DType } from "../../spec/job.ts";
import { type Draw, evaluateDraw, evaluateShape, type Instance, modulesOf } from "../model/instantiate.ts";
import { type Face, faceOf, namesOf } from "../model/interfaces.ts";
import type { Target } from "../model/paths.ts";
import type { Dim } from "../values/dims.ts";
import { type Context, evaluate, reportThrough } from "../values/expressions.ts";
import { asDim, describe, type Scope, scopeOf, size, unknown, type Value } from "../values/values.ts";
import type { Layer } from "./layers.ts";
import { checkMeasures } from "./measure-rules.ts";
import { needsHold } from "./needs.ts";
import { bindTraining, checkKnown, reboundName } from "./training-bindings.ts";

/** A parameter that an adapter adds or takes over. */
export interface AdapterParam {
  /** "menu:layers.0.attn.q.a"; "menu:a" when all targets share it. */
  readonly name: string;
  readonly shape: readonly Dim[];
  /** How many modules of a stack have theirs in it, along its first axis. */
  readonly stack?: Dim;
  readonly dtype: DType;
  readonly trained: boolean;
  /** Drawn, copied from the base, stacked in a bank, given, or computed by the init graph. */
  readonly source:
    | Draw
    | { readonly copyOf: string }
    | { readonly stackOf: readonly string[] }
    | { readonly init: tree.Expr }
    /** Of other parameters while it is trained; afterwards a parameter by itself, and all that is stored. */
    | { readonly kept: tree.Expr }
    | { readonly values: readonly number[] };
  /** Module it sits on; of a shared parameter the first target. */
  readonly module: Instance;
  /** Its name there. */
  readonly local: string;
  readonly shared: boolean;
  /** Its learning rate, as a multiple of the training's; absent: the same. */
  readonly rate?: number;
}

/** What a method keeps from step to step while it is trained. */
export interface AdapterState {
  /** "state(menu:layers.0.attn.q.s)": the value that holds it. */
  readonly name: string;
  readonly shape: readonly Dim[];
  /** As for a parameter. */
  readonly stack?: Dim;
  readonly first: number;
}

/** What a method sums over the data before its first values are computed. */
export interface AdapterObserved {
  /** "observed(menu:layers.0.attn.q.c)": the value that holds it. */
  readonly name: string;
  readonly local: string;
  readonly shape: readonly Dim[];
  readonly dtype: "f32";
}

/** What one adapter does to one module. */
export interface Amendment {
  readonly adapter: string;
  /** The method's call in the user's file; undefined while the method is checked by itself. */
  readonly at: tree.Span | undefined;
  readonly method: tree.MethodDef;
  readonly module: Instance;
  /** How the method sees the module: under the interface or the name that it amends. */
  readonly face: Face | undefined;
  /** What applies to this module: the method's members, or those of an `each` in it. */
  readonly members: readonly tree.Member[];
  /** Of an `each`: what the method does to the module above. Its parameters, `let`s and sizes are seen from here. */
  readonly outer?: Amendment;
  readonly settings: ReadonlyMap<string, Value>;
  readonly tied: boolean;
  /** Adapters whose changes of the weight it may read, as `deltas` and `weights`, in first values. */
  readonly combines?: readonly Weighed[];
  /** Parameters by the name the method gives them; for a selective method by the module's own names. */
  readonly params: ReadonlyMap<string, AdapterParam>;
  /** What it keeps from step to step, by the method's names. */
  readonly states: ReadonlyMap<string, AdapterState>;
  /** What it observes before its first values, by the method's names. */
  readonly observed: ReadonlyMap<string, AdapterObserved>;
  /** Names of parameters that do not exist here: their condition does not hold. */
  readonly absent: ReadonlySet<string>;
}

/** One line of an adapter: a method with its settings. */
export interface Applied {
  readonly adapter: string;
  readonly at: tree.Span | undefined;
  readonly method: tree.MethodDef;
  readonly settings: ReadonlyMap<string, Value>;
  /** `tied: true`: where a parameter is tied to another, both change. */
  readonly tied: boolean;
  readonly combines?: readonly Weighed[];
}

export interface Weighed {
  readonly layers: readonly Layer[];
  readonly weight: number;
}

/** Adds the method's parameters to each module. */
export const amend = (applied: Applied, modules: readonly Instance[], context: Context): AdapterParam[] => {
  const { adapter, method } = applied;
  checkMeasures(method, context);
  const first = modules[0]!;
  const shared = new Map<string, AdapterParam>();
  const everywhere = aggregating(applied, modules, context);
  for (const member of method.members)
    if (member.kind === "param" && member.modifiers.includes("shared") && holds(member.when, everywhere, context))
      for (const name of member.names)
        shared.set(name.text, declared(member, name.text, `${adapter}:${name.text}`, first, everywhere, context));
  // Of modules that differ in their place alone, one is amended and the rest follow (model/alike.ts).
  const known = new Map<Instance["sizes"], Amendment>();
  let quiet = true;
  const watched: Context = {
    ...context,
    report: (diagnostic) => {
      quiet = false;
      context.report(diagnostic);
    },
  };
  const amendments = modules.flatMap((module) => {
    const alike = known.get(module.sizes);
    const whole = alike
      ? amendedAlike(alike, module, method.amends!.text)
      : amendOne(applied, method.members, method.amends!.text, module, shared, undefined, watched);
    if (quiet) known.set(module.sizes, whole);
    return [whole, ...method.members.flatMap((member) => (member.kind === "each" ? amendBelow(applied, member, whole, context) : []))];
  });
  return [...shared.values(), ...amendments.flatMap(({ params }) => [...params.values()].filter((param) => !param.shared))];
};

/** What was found out of one module, at another that is alike. */
const amendedAlike = (of: Amendment, module: Instance, wanted: string): Amendment => {
  const at = (local: string): string => `${of.adapter}:${[module.path, local].filter(Boolean).join(".")}`;
  const made: Amendment = {
    ...of,
    module,
    face: faceOf(module, wanted),
    params: new Map([...of.params].map(([local, param]) => [local, param.shared ? param : { ...param, name: at(local), module }])),
    states: new Map([...of.states].map(([local, state]) => [local, { ...state, name: `state(${at(local)})` }])),
    observed: new Map([...of.observed].map(([local, sum]) => [local, { ...sum, name: `observed(${at(local)})` }])),
  };
  module.amendments.push(made);
  return made;
};

/** What an `each` does to every such module below the amended one. */
const amendBelow = (applied: Applied, member: tree.EachMember, outer: Amendment, context: Context): Amendment[] => {
  const { module } = outer;
  const below = modulesOf(module).filter((inner) => inner !== module);
  const modules = below.filter((inner) => faceOf(inner, member.module.text));
  if (modules.length === 0)
    reportThrough(
      context,
      member.module.at,
      (at, details) => diagnostics.nothing_below(at, { module: module.definition.name.text, wanted: member.module.text }, details),
      {
        ...(below.length && {
          notes: [{ message: `below it are: ${[...new Set(below.map((inner) => inner.definition.name.text))].join(", ")}` }],
        }),
      },
    );
  return modules.map((inner) => amendOne(applied, member.members, member.module.text, inner, new Map(), outer, context));
};

/** Some members of a method on one module. */
export const amendOne = (
  applied: Applied,
  members: readonly tree.Member[],
  wanted: string,
  module: Instance,
  shared: ReadonlyMap<string, AdapterParam>,
  outer: Amendment | undefined,
  context: Context,
): Amendment => {
  const params = new Map(shared);
  const absent = new Set<string>();
  const states = new Map<string, AdapterState>();
  const observed = new Map<string, AdapterObserved>();
  const amendment: Amendment = {
    ...applied,
    module,
    face: faceOf(module, wanted),
    members,
    ...(outer && { outer }),
    params,
    states,
    observed,
    absent,
  };
  const scope = sizesOf(amendment, context);
  if (!needsHold(amendment, (settings) => sizesOf({ ...amendment, settings }, context), context)) return amendment;
  for (const member of members) {
    const beyond = notYet(member, outer !== undefined);
    if (beyond) reportThrough(context, member.at, (at, details) => diagnostics.unsupported_block(at, { what: beyond }, details));
    if (member.kind === "bind" && reboundName(member, members) !== undefined) checkRebinding(amendment, member, context);
    checkKnown(member, members, context);
    if (member.kind === "state") states.set(member.name.text, stateOf(member, `${applied.adapter}:`, module, { scope, context }, context));
    if (member.kind === "observe") {
      const local = member.name.text;
      const path = [module.path, local].filter(Boolean).join(".");
      const name = `observed(${applied.adapter}:${path})`;
      observed.set(local, { name, local, dtype: "f32", shape: evaluateShape(member.shape, scope, context) });
    }
    if (member.kind === "param" && !member.modifiers.includes("shared"))
      for (const name of member.names) {
        if (!holds(member.when, { scope, context }, context)) {
          if (!params.has(name.text)) absent.add(name.text);
          continue;
        }
        if (params.has(name.text))
          reportThrough(context, name.at, (at, details) => diagnostics.duplicate_name(at, { name: name.text }, details), {
            help: "two declarations of one parameter are two choices: let their conditions exclude each other",
          });
        absent.delete(name.text);
        const path = [module.path, name.text].filter(Boolean).join(".");
        params.set(name.text, declared(member, name.text, `${applied.adapter}:${path}`, module, { scope, context }, context));
      }
  }
  bindTraining(members, params, states, scope, context);
  module.amendments.push(amendment);
  return amendment;
};

/** What a shape may name: settings, the method's `let`s, the module's sizes, and the same of what is above. */
export const sizesOf = (amendment: Pick<Amendment, "settings" | "face" | "members" | "outer">, context: Context): Scope => {
  const above = amendment.outer && sizesOf(amendment.outer, context);
  const lets = amendment.members.flatMap((member) => (member.kind === "let" ? [member] : []));
  // A `let` that is made of itself is not known in its own value.
  const open = new Set<string>();
  const scope: Scope = scopeOf(
    amendment.settings,
    scopeOf(amendment.face?.sizes ?? new Map(), {
      find: (name, at) => {
        const own = lets.find((member) => member.name.text === name);
        if (!own || open.has(name)) return above?.find(name, at);
        open.add(name);
        const value = evaluate(own.value, scope, context);
        open.delete(name);
        return value;
      },
      names: () => [...lets.map((member) => member.name.text), ...(above?.names() ?? [])],
    }),
  );
  return scope;
};

interface Sizes {
  readonly scope: Scope;
  readonly context: Context;
}

/** Whether a parameter's condition holds. */
const holds = (when: tree.Expr | undefined, { scope, context: inner }: Sizes, context: Context): boolean => {
  const value = when ? evaluate(when, scope, inner) : undefined;
  if (!when || !value || value.kind === "unknown") return true;
  if (value.kind === "bool") return value.value;
  reportThrough(context, when.at, (at, details) => diagnostics.wrong_operand(at, { op: "when", what: describe(value) }, details));
  return true;
};

const declared = (
  member: tree.ParamMember,
  local: string,
  name: string,
  module: Instance,
  { scope, context: inner }: Sizes,
  context: Context,
): AdapterParam => {
  const whole = member.type?.text === "int";
  if (member.type && !whole)
    reportThrough(context, member.type.at, (at, details) => diagnostics.bad_param_type(at, { type: member.type!.text }, details), {
      help: "leave it out for numbers to compute with, or write `int` for positions",
    });
  const kept = member.modifiers.includes("kept") && keptBy(member, local, context);
  if (whole && !member.modifiers.includes("frozen"))
    reportThrough(context, member.at, (at, details) => diagnostics.bad_param_type(at, { type: "int" }, details), {
      label: "whole numbers are not trained",
      help: "write `frozen param`",
    });
  const own = evaluateShape(member.shape, scope, inner);
  const stack = member.modifiers.includes("shared") ? undefined : module.stack;
  const copies = typeof stack === "number" ? stack : 1;
  if (stack !== undefined && member.draw && evaluateDraw(member.draw, scope, { ...inner, report: () => {} }).distribution === "distinct")
    reportThrough(context, member.draw.at, (at, details) =>
      diagnostics.cannot_stack(at, { problem: "`distinct` draws the positions of one module" }, details),
    );
  return {
    name,
    shape: stack === undefined ? own : [stack, ...own],
    ...(stack !== undefined && { stack }),
    dtype: whole ? "i32" : "f32",
    trained: !member.modifiers.includes("frozen") && !member.modifiers.includes("kept"),
    source: kept
      ? { kept }
      : member.value
        ? (listed(member.value, scope, inner, copies) ?? { init: member.value })
        : member.draw
          ? evaluateDraw(member.draw, scope, { ...inner, through: context.through })
          : { distribution: "zeros", args: [] },
    module,
    local,
    shared: member.modifiers.includes("shared"),
  };
};

/** What a kept parameter is made of; undefined after a report. */
const keptBy = (member: tree.ParamMember, name: string, context: Context): tree.Expr | undefined => {
  const other = member.modifiers.find((modifier) => modifier !== "kept");
  const problem = !member.value ? "is kept, and nothing says what it is" : other ? `is kept, and cannot be \`${other}\` too` : undefined;
  if (problem)
    reportThrough(context, member.at, (at, details) => diagnostics.bad_kept(at, { name, problem }, details), {
      help: `write \`kept param ${name}: [...] = …\`, of parameters that are trained`,
    });
  return problem ? undefined : member.value;
};

/** A state of one module: its shape, and the number that it begins with. */
const stateOf = (
  member: tree.StateMember,
  adapter: string,
  module: Instance,
  { scope, context: inner }: Sizes,
  context: Context,
): AdapterState => {
  const first = evaluate(member.value, scope, inner);
  if (!member.shape || (first.kind !== "number" && first.kind !== "unknown"))
    reportThrough(
      context,
      member.at,
      (at, details) =>
        diagnostics.bad_state(
          at,
          { name: member.name.text, problem: member.shape ? `begins with ${describe(first)}` : "has no shape" },
          details,
        ),
      { help: `write a shape and a number, like \`state ${member.name.text}: [${module.params.size ? "out" : "1"}] = 0\`` },
    );
  const own = evaluateShape(member.shape ?? [], scope, inner);
  return {
    name: `state(${adapter}${[module.path, member.name.text].filter(Boolean).join(".")})`,
    shape: module.stack === undefined ? own : [module.stack, ...own],
    ...(module.stack !== undefined && { stack: module.stack }),
    first: first.kind === "number" ? first.value : 0,
  };
};

/** First values that are written down: a list of numbers, by the name of a setting. */
const listed = (value: tree.Expr, scope: Scope, context: Context, copies: number): { readonly values: readonly number[] } | undefined => {
  const found =
    value.kind === "list" ? evaluate(value, scope, context) : value.kind === "ref" ? scope.find(value.name, value.at) : undefined;
  if (found?.kind === "open" && found.type === "list") return { values: [] };
  if (found?.kind !== "list") return undefined;
  const numbers = found.items.flatMap((item) => (item.kind === "number" ? [item.value] : []));
  return numbers.length === found.items.length ? { values: Array.from({ length: copies }, () => numbers).flat() } : undefined;
};

/** Sizes of a shared parameter: `max(in)`, `min(in)` and `sum(in)` range over the targets; a size by itself must be the same in all. */
const aggregating = ({ method, settings }: Applied, modules: readonly Instance[], context: Context): Sizes => {
  const scopes = modules.map((module) =>
    sizesOf({ settings, face: faceOf(module, method.amends!.text), members: method.members }, context),
  );
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
const notYet = (member: tree.Member, below: boolean): string | undefined => {
  if (below && member.kind === "param" && member.modifiers.includes("shared"))
    return "`shared` in `each`, where the target's own parameters are shared already";
  if (below && member.kind === "each") return "`each` in `each`";
  return member.kind === "forward" || member.kind === "child" ? `\`${member.kind}\` in a method` : undefined;
};

/** A rebound name must be the module's: a parameter, a point or `let` of its forward, or `out`, its result. */
const checkRebinding = ({ method, face, module }: Amendment, member: tree.BindMember, context: Context): void => {
  const names = face ? namesOf(face) : [];
  const whose = (face?.definition ?? module.definition).name.text;
  const name = member.target[0]!;
  if (names.includes(name.text)) return;
  const near = nearest(name.text, names);
  reportThrough(
    context,
    name.at,
    (at, details) => diagnostics.unused_rebinding(at, { method: method.name.text, name: name.text, module: whose }, details),
    {
      notes: [{ message: `${whose} names: ${names.join(", ")}` }],
      ...(name.text === "loss" ? { help: "write `loss += …`: a method adds to the loss" } : instead(name.at, near)),
    },
  );
};

/** A selective method takes over a parameter of the base: a trained copy of it. */
export const take = (applied: Applied, { param, module }: Target & { kind: "param" }): AdapterParam => {
  const local = [...module.params].find(([, own]) => own === param)![0];
  const taken: AdapterParam = {
    name: `${applied.adapter}:${param.path}`,
    shape: param.shape,
    ...(param.stack !== undefined && { stack: param.stack }),
    dtype: "f32",
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
  else
    module.amendments.push({
      ...applied,
      module,
      face: undefined,
      members: [],
      params: new Map([[local, taken]]),
      states: new Map(),
      observed: new Map(),
      absent: new Set(),
    });
  return taken;
};
