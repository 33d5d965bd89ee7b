// A method's settings -> another library's configuration, as the entries of the method's `interop` block say. Lines of one method are one
// configuration whose exceptions stand under `pattern(…)` entries.

import type * as tree from "../../grammar/tree.ts";
import { type Instance, modulesOf } from "../model/instantiate.ts";
import { faceOf } from "../model/interfaces.ts";
import { type Context, evaluate } from "../values/expressions.ts";
import { scopeOf, type Value } from "../values/values.ts";
import type { AdapterPlan, InjectionPlan } from "./inject.ts";
import type { Config } from "./layouts.ts";

/** A value as a configuration holds it. */
export const plain = (value: Value): unknown =>
  value.kind === "number" || value.kind === "text" || value.kind === "bool"
    ? value.value
    : value.kind === "list"
      ? value.items.map(plain)
      : value.kind === "op"
        ? value.op.name
        : null;

/** The call that an entry's value is, if it is one of these. */
export const entryCall = (value: tree.Expr, ...names: readonly string[]): tree.Call | undefined =>
  value.kind === "call" && value.callee.kind === "ref" && names.includes(value.callee.name) ? value : undefined;

/** The entry that tells keys which no computation depends on, and what it lists. */
export const isUnread = ({ key }: tree.Entry): boolean => key.text === "unread";

/** Undefined when lines differ in something that has no pattern of exceptions. */
export const configOf = (interop: tree.InteropMember, adapter: AdapterPlan, root: Instance, context: Context): Config | undefined => {
  const config: Record<string, unknown> = {};
  const covered = new Set<string>();
  const [first, ...others] = adapter.injections as readonly [InjectionPlan, ...InjectionPlan[]];
  const at = (expr: tree.Expr, { method, settings, targets }: InjectionPlan): unknown => {
    const face = method.amends && targets[0] ? faceOf(targets[0], method.amends.text) : undefined;
    return plain(evaluate(expr, scopeOf(settings, scopeOf(face?.sizes ?? new Map())), context));
  };
  const alike = (): Instance[] => modulesOf(root).filter((module) => faceOf(module, first.method.amends!.text));
  for (const entry of interop.config) {
    const { key, value } = entry;
    if (isUnread(entry)) continue;
    const call = entryCall(value, "pattern", "targets", "topmost", "elsewhere", "called", "marked");
    const of = call?.args[0]?.value;
    switch (call?.callee.kind === "ref" && call.callee.name) {
      case "pattern":
        for (const { value: named } of call!.args) if (named.kind === "ref") covered.add(named.name);
        config[key.text] = exceptions(adapter, at(call!.args[1]?.value ?? of!, first), (injection) => at(of!, injection));
        break;
      case "targets": {
        if (of?.kind === "ref") covered.add(of.name);
        const chosen = adapter.injections.filter((injection) => at(of!, injection) === true).flatMap((injection) => injection.targets);
        config[key.text] = shortNames(new Set(chosen), modulesOf(root));
        break;
      }
      case "topmost": {
        // The other library counts layers from the top: what is elsewhere has no words there.
        const top = alike().slice(-adapter.targets.length);
        if (!adapter.targets.every((target) => top.includes(target))) return undefined;
        config[key.text] = adapter.targets.length;
        break;
      }
      case "elsewhere":
        config[key.text] = alike().flatMap((module, i) => (adapter.targets.includes(module) ? [] : [i]));
        break;
      case "marked": {
        if (of?.kind === "ref") covered.add(of.name);
        const marks = adapter.injections.flatMap((injection) => marksOf(call!, injection, (expr) => at(expr, injection)));
        if (marks.length > 0) config[key.text] = Object.fromEntries(marks);
        break;
      }
      case "called":
        config[key.text] = calledThere(call!, at(of!, first));
        break;
      default:
        config[key.text] = at(value, first);
    }
  }
  for (const injection of others)
    for (const entry of interop.config) {
      const of = entry.value.kind === "ref" ? entry.value : entryCall(entry.value, "called")?.args[0]?.value;
      if (of?.kind === "ref" && !covered.has(of.name) && JSON.stringify(at(of, injection)) !== JSON.stringify(at(of, first)))
        return undefined;
    }
  return config;
};

/** `marked(count, whole, "TENSOR")`: of each target that has fewer than the whole, which of them there are. */
const marksOf = (
  { args }: tree.Call,
  { targets }: InjectionPlan,
  told: (expr: tree.Expr) => unknown,
): readonly (readonly [string, readonly boolean[]])[] => {
  const [count, whole, tensor] = args.map(({ value }) => told(value));
  if (Number(count) >= Number(whole)) return [];
  const marks = Array.from({ length: Number(whole) }, (_, i) => i < Number(count));
  return targets.map(({ checkpoint }) => [`${checkpoint}.${String(tensor)}`, marks] as const);
};

/** `called(act, swish: silu)`: what is `silu` here is `swish` there, and everything else has one name. */
const calledThere = ({ args }: tree.Call, here: unknown): unknown =>
  args.find(({ name, value }) => name && value.kind === "ref" && value.name === here)?.name?.text ?? here;

/** `{"q_proj": 16}`: the value of each target that differs from the first line's. */
const exceptions = (adapter: AdapterPlan, usual: unknown, of: (injection: InjectionPlan) => unknown): Record<string, unknown> => {
  const byValue = new Map<unknown, Set<Instance>>();
  for (const injection of adapter.injections) {
    const value = of(injection);
    if (value === usual) continue;
    byValue.set(value, new Set([...(byValue.get(value) ?? []), ...injection.targets]));
  }
  return Object.fromEntries([...byValue].flatMap(([value, targets]) => shortNames(targets, adapter.targets).map((name) => [name, value])));
};

/** What a module, or a parameter that is none, is called last. */
export const lastName = ({ checkpoint, parameter }: Instance): string =>
  checkpoint
    .split(".")
    .slice(parameter ? -2 : -1)
    .join(".");

/** The shortest names that select exactly these modules: last parts where no other module ends the same way, else whole names. */
export const shortNames = (targets: ReadonlySet<Instance>, among: Iterable<Instance>): string[] => {
  const clean = new Set([...targets].map(lastName));
  for (const module of among) if (module.checkpoint !== "" && !targets.has(module)) clean.delete(lastName(module));
  return [...new Set([...targets].map((target) => (clean.has(lastName(target)) ? lastName(target) : target.checkpoint)))].sort();
};
