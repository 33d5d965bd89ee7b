// A PEFT configuration -> a method of the library and its settings. No method is known here by name: each says in its `interop`
// block which configuration it is, and that block is read backwards.

import { beginningsOf } from "../../compiler/adapters/match-interop.ts";
import type { Library } from "../../compiler/blocks/resolve.ts";
import { type Context, evaluate } from "../../compiler/values/expressions.ts";
import { number, type Scope, scopeOf, type Value } from "../../compiler/values/values.ts";
import type { Entry, Expr, InteropMember, MethodDef } from "../../grammar/tree.ts";
import { numberText, textLiteral } from "./rows.ts";

export interface Found {
  readonly method: MethodDef;
  /** Settings to write, as text, by parameter. */
  readonly settings: ReadonlyMap<string, string>;
  /** Keys of the configuration that the settings, or the method itself, stand for. */
  readonly covered: ReadonlySet<string>;
  /** Keys whose value the method cannot take, and why. */
  readonly differing: ReadonlyMap<string, string>;
  /** The parameter that a key sets, for keys like `rank_pattern` that set it by place. */
  readonly patterns: ReadonlyMap<string, string>;
  /** The switch that a key turns on for the targets it lists. */
  readonly switches: ReadonlyMap<string, string>;
}

const quiet: Context = { report: () => {}, through: [] };

const interopOf = (method: MethodDef, type: string): InteropMember | undefined =>
  method.members.find(
    (member): member is InteropMember => member.kind === "interop" && member.library.text === "peft" && member.type.text === type,
  );

/** The method that fits best, by the constants its block demands; or what each that stands for this type demands instead. */
export const methodFor = (
  type: string,
  config: ReadonlyMap<string, unknown>,
  explicit: ReadonlySet<string>,
  library: Library,
): Found | { readonly demands: readonly string[] } => {
  const candidates = library.names("method").flatMap((name) => {
    const method = library.find("method", name);
    const interop = method && interopOf(method, type);
    return method && interop ? [{ method, interop, ...demandsOf(interop.config, config) }] : [];
  });
  const fitting = candidates
    .filter(({ unmet }) => unmet.length === 0)
    .sort((a, b) => b.met - a.met || beginningsOf(a.method) - beginningsOf(b.method));
  const [best] = fitting;
  return best ? read(best.method, best.interop, config, explicit) : { demands: [...new Set(candidates.flatMap(({ unmet }) => unmet))] };
};

const demandsOf = (
  entries: readonly Entry[],
  config: ReadonlyMap<string, unknown>,
): { readonly met: number; readonly unmet: readonly string[] } => {
  let met = 0;
  const unmet: string[] = [];
  for (const { key, value } of entries) {
    const constant = constantOf(value);
    if (constant === undefined) continue;
    const has = config.get(key.text) ?? null;
    if (same(constant, has)) met++;
    else unmet.push(`${key.text}: ${JSON.stringify(constant)}`);
  }
  return { met, unmet };
};

/** Absent, empty and off are one thing to PEFT. */
const same = (a: unknown, b: unknown): boolean => JSON.stringify(normal(a)) === JSON.stringify(normal(b));
const normal = (value: unknown): unknown =>
  value === null || value === false || (typeof value === "object" && Object.keys(value as object).length === 0) ? null : value;

/** What a block demands rather than takes; undefined for a value that depends on a parameter. */
const constantOf = (expr: Expr): unknown => {
  if (expr.kind === "number") return expr.value;
  if (expr.kind === "string") return expr.value;
  if (expr.kind === "unary" && expr.op === "-" && expr.value.kind === "number") return -expr.value.value;
  if (expr.kind === "ref" && (expr.name === "true" || expr.name === "false")) return expr.name === "true";
  if (expr.kind === "ref" && expr.name === "none") return null;
  if (expr.kind === "list") {
    const items = expr.items.map(constantOf);
    return items.includes(undefined) ? undefined : items;
  }
  return undefined;
};

const read = (method: MethodDef, interop: InteropMember, config: ReadonlyMap<string, unknown>, explicit: ReadonlySet<string>): Found => {
  const settings = new Map<string, string>();
  const covered = new Set<string>();
  const differing = new Map<string, string>();
  const patterns = new Map<string, string>();
  const switches = new Map<string, string>();
  const values = new Map<string, Value>();
  const computed: Entry[] = [];
  const said = new Set<string>();
  for (const entry of interop.config) {
    const { key, value } = entry;
    const parameter = value.kind === "ref" ? method.parameters.find(({ name }) => name.text === value.name) : undefined;
    const negated = value.kind === "unary" && value.op === "not" && value.value.kind === "ref" ? value.value.name : undefined;
    const byPlace =
      value.kind === "call" && value.callee.kind === "ref" && value.args[0]?.value.kind === "ref" ? value.args[0].value.name : undefined;
    const how = byPlace !== undefined && value.kind === "call" && value.callee.kind === "ref" ? value.callee.name : undefined;
    if (constantOf(value) !== undefined) covered.add(key.text);
    else if (how === "pattern") patterns.set(key.text, byPlace!);
    else if (how === "targets") switches.set(key.text, byPlace!);
    else if (negated !== undefined && typeof config.get(key.text) === "boolean") {
      covered.add(key.text);
      settings.set(negated, String(!config.get(key.text)));
      if (explicit.has(key.text)) said.add(negated);
    } else if (!parameter) computed.push(entry);
    else {
      covered.add(key.text);
      const given = config.get(key.text);
      const text = valueText(given, parameter.type?.text);
      if (text === undefined) differing.set(key.text, `\`${parameter.name.text}\` is ${parameter.type?.text ?? "something else"}`);
      else if (text !== "") {
        settings.set(parameter.name.text, text);
        if (explicit.has(key.text)) said.add(parameter.name.text);
        if (typeof given === "number") values.set(parameter.name.text, number(given));
      }
    }
  }
  // What the file does not say and the method has by itself need not be written.
  for (const { name, value } of method.parameters) {
    if (said.has(name.text)) continue;
    const fallback = value && evaluated(value, scopeOf(values));
    const own = values.get(name.text);
    if (fallback?.kind === "number" && own?.kind === "number" && fallback.value === own.value) settings.delete(name.text);
    else if (value && settings.get(name.text) === literalText(value)) settings.delete(name.text);
  }
  // What a block computes from settings must come out as the file says it.
  for (const { key, value } of computed) {
    covered.add(key.text);
    const result = evaluated(value, scopeOf(defaulted(method, values)));
    const given = config.get(key.text);
    if (!result) {
      if (explicit.has(key.text)) differing.set(key.text, "it follows from other settings in a way that is not read backwards");
    } else if (result.kind === "number" && typeof given === "number") {
      if (Math.abs(result.value - given) > 1e-9 * Math.abs(given)) differing.set(key.text, `here it is ${result.value}`);
    } else if ((result.kind === "bool" || result.kind === "text") && !same(result.value, given ?? null))
      differing.set(key.text, `here it is ${result.value}`);
  }
  return { method, settings, covered, differing, patterns, switches };
};

const defaulted = (method: MethodDef, values: ReadonlyMap<string, Value>): ReadonlyMap<string, Value> => {
  const all = new Map(values);
  for (const { name, value } of method.parameters) {
    const fallback = value && !all.has(name.text) ? evaluated(value, scopeOf(all)) : undefined;
    if (fallback) all.set(name.text, fallback);
  }
  return all;
};

const evaluated = (expr: Expr, scope: Scope): Value | undefined => {
  const value = evaluate(expr, scope, quiet);
  return value.kind === "unknown" ? undefined : value;
};

const literalText = (expr: Expr): string | undefined =>
  expr.kind === "string"
    ? textLiteral(expr.value)
    : expr.kind === "ref"
      ? expr.name
      : expr.kind === "number"
        ? numberText(expr.value)
        : undefined;

/** A value as the language writes it; empty when the method's default stands for it, undefined when the type is another. */
const valueText = (value: unknown, type: string | undefined): string | undefined => {
  if (value === null || value === undefined) return "";
  if (typeof value === "boolean") return type === undefined || type === "bool" ? String(value) : undefined;
  if (typeof value === "number") {
    if (type === "int" && !Number.isInteger(value)) return undefined;
    return type === undefined || type === "int" || type === "float" ? numberText(value) : undefined;
  }
  if (typeof value === "string") return type === undefined || type === "string" || type === "path" ? textLiteral(value) : undefined;
  if (Array.isArray(value) && !scalars.has(type ?? "")) {
    const items = value.map((item) => valueText(item, undefined));
    return items.every((item): item is string => item !== undefined && item !== "") ? `[${items.join(", ")}]` : undefined;
  }
  return undefined;
};

const scalars = new Set(["int", "float", "bool", "string", "path"]);
