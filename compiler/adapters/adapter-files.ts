// How an adapter is stored: the other library's configuration and tensor names, as the method's `interop` block gives them.
// Lines of one method are one configuration whose exceptions stand under `pattern(…)` entries. What the other library has no
// word for is stored in this project's own way: trained copies under the checkpoint's names, all else under ours.

import type * as tree from "../../grammar/tree.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { AdapterFiles, Fold } from "../../spec/job.ts";
import { type Instance, modulesOf } from "../model/instantiate.ts";
import { faceOf } from "../model/interfaces.ts";
import { type Context, evaluate, reportThrough } from "../values/expressions.ts";
import { scopeOf, type Value } from "../values/values.ts";
import { type AdapterPlan, hasViews, type InjectionPlan } from "./inject.ts";

type Interop = Extract<tree.Member, { kind: "interop" }>;

const plain = (value: Value): unknown =>
  value.kind === "number" || value.kind === "text" || value.kind === "bool"
    ? value.value
    : value.kind === "list"
      ? value.items.map(plain)
      : value.kind === "op"
        ? value.op.name
        : null;

export const adapterFiles = (adapter: AdapterPlan, root: Instance, context: Context): AdapterFiles => {
  if (adapter.made) return { library: "none", config: {}, tensors: [] };
  const [first, ...others] = adapter.injections as readonly [InjectionPlan, ...InjectionPlan[]];
  const interop = first.method.members.find((member): member is Interop => member.kind === "interop");
  const one = others.every(({ method }) => method === first.method);
  // The other library has no name for a part of a fused projection.
  const part = interop && adapter.targets.find(hasViews);
  if (part)
    context.report(
      diagnostics.parts_stay_here(
        adapter.at,
        { adapter: adapter.name, module: part.path },
        { help: "name the whole projection instead to save it as that library does" },
      ),
    );
  const config = interop && one && !part && holdsAll(interop, adapter) ? configOf(interop, adapter, root, context) : undefined;
  const stack = config && adapter.targets.find(({ stack: count }) => count !== undefined);
  const problem = stack && unfitForStack(interop!, config);
  if (problem)
    context.report(
      diagnostics.stack_stays_here(
        adapter.at,
        { adapter: adapter.name, module: stack.path, problem },
        { help: "leave the stack out, or the setting, to save it as that library does" },
      ),
    );
  return interop && config && !problem ? { library: "peft", config, tensors: tensorsOf(interop, adapter, context) } : own(adapter);
};

/** Why the other library cannot hold such an adapter of a stack: there it is a parameter, and not a module that is called. */
const unfitForStack = (interop: Interop, config: Readonly<Record<string, unknown>>): string | undefined => {
  if (!interop.tensors.every(({ value }) => partsOf(value)?.[0]?.fold)) return "its method is not stored for a stack";
  const dropout = Object.entries(config).find(([key, value]) => key.includes("dropout") && value !== 0);
  return dropout && `there is no dropout in front of it there (\`${dropout[0]}: ${String(dropout[1])}\`)`;
};

/** Whether what the block names is enough to have the adapter again: what it leaves out must follow from the settings alone. */
const holdsAll = ({ tensors }: Interop, { params }: AdapterPlan): boolean => {
  const named = new Set(tensors.flatMap(({ value }) => partsOf(value)?.map(({ name }) => name) ?? []));
  return params.every(({ local, source }) => {
    if (named.has(local)) return true;
    return "init" in source ? !readsBase(source.init) : !("distribution" in source && random.has(source.distribution));
  });
};

const random: ReadonlySet<string> = new Set(["uniform", "normal", "distinct"]);

/** Whether a first value depends on the base's numbers, or draws anew. */
const readsBase = (expr: unknown): boolean => {
  if (typeof expr !== "object" || expr === null) return false;
  const node = expr as Partial<tree.Expr>;
  if (node.kind === "ref" && (node.name === "base" || node.name === "uniform")) return true;
  return Object.values(expr).some(readsBase);
};

const own = ({ injections, params }: AdapterPlan): AdapterFiles => {
  const described = injections.map(({ method, settings, targets }) => ({
    method: method.name.text,
    ...(method.amends && injections.length > 1 && { targets: targets.map(({ checkpoint }) => checkpoint) }),
    ...(method.amends && Object.fromEntries([...settings].map(([name, value]) => [name, plain(value)]))),
  }));
  return {
    library: "none",
    config: { format: "peft-lang", ...(described.length === 1 ? described[0] : { injections: described }) },
    tensors: params.map((param) => {
      const base = "copyOf" in param.source ? param.module.params.get(param.local) : undefined;
      if (base) return { key: base.tensor, parameter: param.name, transposed: base.transposed };
      return { key: param.shared ? param.local : `${param.module.checkpoint}.${param.local}`, parameter: param.name, transposed: false };
    }),
  };
};

const tensorsOf = (interop: Interop, { params, targets }: AdapterPlan, context: Context): AdapterFiles["tensors"] => {
  const places = wrappedPlaces(targets);
  return interop.tensors
    .flatMap(({ key, value }) => {
      const [first, ...others] = partsOf(value) ?? [];
      if (!first) {
        reportThrough(context, value.at, (at, details) => diagnostics.bad_interop(at, { key }, details), {
          help: "write a parameter, or `concat(a, -b, axis: 0)` of parameters",
        });
        return [];
      }
      const axis = value.kind === "call" ? axisOf(value) : 0;
      const partsIn = (module: Instance) =>
        [first, ...others].map(({ name, sign }) => ({
          parameter: params.find((other) => other.local === name && other.module === module)!.name,
          sign,
        }));
      const found = params.filter((param) => param.local === first.name);
      // What lies below the target is one tensor, module after module: a prefix in every layer.
      const [one] = found;
      if (one && !targets.includes(one.module) && !one.shared) {
        const parts = found.flatMap((param) => partsIn(param.module));
        return [{ key, parameter: one.name, transposed: false, joined: { axis, parts } }];
      }
      return found.flatMap((param) => {
        // `*.NAME`: what all targets share is stored again with each of them.
        if (key.startsWith("*."))
          return targets.map((module) => ({
            key: `base_model.model.${module.checkpoint}.${key.slice(2)}`,
            parameter: param.name,
            transposed: false,
          }));
        const place = places.get(param.module) ?? param.module.checkpoint;
        const name = place === "" ? key : param.shared ? `base_model.${key}` : `base_model.model.${place}.${key}`;
        const fold = param.stack === undefined ? undefined : first.fold;
        if (others.length === 0 && first.sign === 1)
          return [{ key: name, parameter: param.name, transposed: false, ...(fold && { fold }) }];
        return [{ key: name, parameter: param.name, transposed: false, joined: { axis, parts: partsIn(param.module) } }];
      });
    })
    .sort((a, b) => (a.key < b.key ? -1 : 1));
};

/**
 * Where the other library keeps what it adds to parameters that are no modules there: at the module that holds them, each wrapped by the
 * next, so that all but the last stand under `base_layer`.
 */
export const wrappedPlaces = (targets: readonly Instance[]): ReadonlyMap<Instance, string> => {
  const byHolder = new Map<string, Instance[]>();
  for (const target of targets)
    if (target.parameter) {
      const holder = target.checkpoint.slice(0, target.checkpoint.lastIndexOf("."));
      byHolder.set(holder, [...(byHolder.get(holder) ?? []), target]);
    }
  return new Map(
    [...byHolder].flatMap(([holder, inside]) =>
      inside.map((target, i) => [target, `${holder}${".base_layer".repeat(inside.length - 1 - i)}`] as const),
    ),
  );
};

interface Part {
  readonly name: string;
  readonly sign: 1 | -1;
  /** How the tensors of a stack become one of as many axes as each has. */
  readonly fold?: Fold;
}

/** `a`, `-a`, `concat(a, -b, axis: 0)`, and of a stack `stacked(a)` or `woven(a)`: what can be read back as it was written. */
const partsOf = (value: tree.Expr): Part[] | undefined => {
  if (value.kind === "ref") return [{ name: value.name, sign: 1 }];
  if (value.kind === "call" && value.callee.kind === "ref" && (value.callee.name === "stacked" || value.callee.name === "woven")) {
    const [only, more] = value.args;
    return only?.value.kind === "ref" && !more ? [{ name: only.value.name, sign: 1, fold: value.callee.name }] : undefined;
  }
  if (value.kind === "unary" && value.op === "-" && value.value.kind === "ref") return [{ name: value.value.name, sign: -1 }];
  if (value.kind !== "call" || value.callee.kind !== "ref" || value.callee.name !== "concat") return undefined;
  const parts = value.args.filter((argument) => !argument.name).map((argument) => partsOf(argument.value));
  return parts.every((part) => part?.length === 1) ? parts.flatMap((part) => part!) : undefined;
};

const axisOf = (call: tree.Call): 0 | 1 => {
  const axis = call.args.find((argument) => argument.name?.text === "axis")?.value;
  return axis?.kind === "number" && axis.value === 0 ? 0 : 1;
};

/** Undefined when lines differ in something that has no pattern of exceptions. */
const configOf = (interop: Interop, adapter: AdapterPlan, root: Instance, context: Context): Record<string, unknown> | undefined => {
  const config: Record<string, unknown> = { peft_type: interop.type.text, task_type: "CAUSAL_LM", bias: "none", inference_mode: true };
  const covered = new Set<string>();
  const [first, ...others] = adapter.injections as readonly [InjectionPlan, ...InjectionPlan[]];
  const at = (expr: tree.Expr, { method, settings, targets }: InjectionPlan): unknown => {
    const face = method.amends && targets[0] ? faceOf(targets[0], method.amends.text) : undefined;
    return plain(evaluate(expr, scopeOf(settings, scopeOf(face?.sizes ?? new Map())), context));
  };
  for (const { key, value } of interop.config) {
    if (value.kind === "call" && value.callee.kind === "ref" && value.callee.name === "pattern") {
      const of = value.args[0]!.value;
      if (of.kind === "ref") covered.add(of.name);
      config[key.text] = exceptions(adapter, at(of, first), (injection) => at(of, injection));
    } else if (value.kind === "call" && value.callee.kind === "ref" && value.callee.name === "targets") {
      const of = value.args[0]!.value;
      if (of.kind === "ref") covered.add(of.name);
      const chosen = adapter.injections.filter((injection) => at(of, injection) === true).flatMap((injection) => injection.targets);
      config[key.text] = names(new Set(chosen), modulesOf(root));
    } else if (value.kind === "call" && value.callee.kind === "ref" && value.callee.name === "topmost") {
      // The other library counts layers from the top: what is elsewhere has no words there.
      const alike = modulesOf(root).filter((module) => faceOf(module, first.method.amends!.text));
      const top = alike.slice(alike.length - adapter.targets.length);
      if (!adapter.targets.every((target) => top.includes(target))) return undefined;
      config[key.text] = adapter.targets.length;
    } else config[key.text] = at(value, first);
  }
  for (const injection of others)
    for (const { value } of interop.config)
      if (value.kind === "ref" && !covered.has(value.name) && JSON.stringify(at(value, injection)) !== JSON.stringify(at(value, first)))
        return undefined;
  // What goes into the whole model names no module.
  if (adapter.targets.some((target) => target.checkpoint === "")) return config;
  const parameters = adapter.targets.filter(({ parameter }) => parameter);
  config.target_modules = names(new Set(adapter.targets.filter(({ parameter }) => !parameter)), modulesOf(root));
  if (parameters.length > 0) config.target_parameters = names(new Set(parameters), modulesOf(root));
  if (interop.config.some(({ value }) => value.kind === "call" && value.callee.kind === "ref" && value.callee.name === "topmost"))
    return { ...config, target_modules: last(adapter.targets[0]!) };
  config.fan_in_fan_out = adapter.targets.some((target) => [...target.params.values()].some((param) => param?.transposed));
  return config;
};

/** `{"q_proj": 16}`: the value of each target that differs from the first line's. */
const exceptions = (adapter: AdapterPlan, usual: unknown, of: (injection: InjectionPlan) => unknown): Record<string, unknown> => {
  const byValue = new Map<unknown, Set<Instance>>();
  for (const injection of adapter.injections) {
    const value = of(injection);
    if (value === usual) continue;
    byValue.set(value, new Set([...(byValue.get(value) ?? []), ...injection.targets]));
  }
  return Object.fromEntries([...byValue].flatMap(([value, targets]) => names(targets, adapter.targets).map((name) => [name, value])));
};

const last = ({ checkpoint, parameter }: Instance): string =>
  checkpoint
    .split(".")
    .slice(parameter ? -2 : -1)
    .join(".");

/** The shortest names that select exactly these modules: last parts where no other module ends the same way, else whole names. */
const names = (targets: ReadonlySet<Instance>, among: Iterable<Instance>): string[] => {
  const clean = new Set([...targets].map(last));
  for (const module of among) if (module.checkpoint !== "" && !targets.has(module)) clean.delete(last(module));
  return [...new Set([...targets].map((target) => (clean.has(last(target)) ? last(target) : target.checkpoint)))].sort();
};
