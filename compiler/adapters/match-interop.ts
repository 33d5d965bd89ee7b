// A stored configuration -> the library's method that computes it, with its settings. The method's `interop` block is read
// backwards: an entry that is a setting gives that setting its value, an entry that is a literal must be what is stored, and a
// `pattern(…)` holds exceptions by module. A switch that is on there and unknown to the method means that something else is computed.

import type * as tree from "../../grammar/tree.ts";
import type { Library } from "../blocks/resolve.ts";
import { bool, number, size, type Value } from "../values/values.ts";

export interface Line {
  readonly method: tree.MethodDef;
  readonly settings: ReadonlyMap<string, Value>;
  /** Whether this line covers the module with that name in the checkpoint. */
  readonly covers: (checkpoint: string) => boolean;
}

export interface Found {
  readonly lines: readonly Line[];
}

export interface NotFound {
  readonly problem: string;
  readonly help: string;
}

type Interop = Extract<tree.Member, { kind: "interop" }>;
type Config = Readonly<Record<string, unknown>>;

const interopOf = (method: tree.MethodDef): Interop | undefined =>
  method.members.find((member): member is Interop => member.kind === "interop");

/** Of another library's configuration. */
export const methodFor = (config: Config, library: Library): Found | NotFound => {
  const type = config.peft_type;
  if (typeof type !== "string") {
    const hub = typeof config.version === "string" && config.version.startsWith("adapters.");
    return {
      problem: hub ? "it is in AdapterHub's layout, which no method of the library describes" : "its configuration says no `peft_type`",
      help: "load a folder that Hugging Face PEFT or this program saved",
    };
  }
  const methods = library.names("method").flatMap((name) => library.find("method", name) ?? []);
  const ofType = methods.filter((method) => interopOf(method)?.type.text === type);
  const types = [...new Set(methods.flatMap((method) => interopOf(method)?.type.text ?? []))].sort();
  if (ofType.length === 0)
    return { problem: `no method of the library is stored as ${type}`, help: `there are methods for: ${types.join(", ")}` };
  const tried = ofType.map((method) => readBackwards(method, interopOf(method)!, config));
  const fitting = tried.filter((one): one is Fitting => "lines" in one).sort((a, b) => b.certain - a.certain || a.begins - b.begins);
  if (fitting[0]) return { lines: fitting[0].lines };
  const reasons = tried.flatMap((one) => ("reason" in one ? [one.reason] : []));
  return {
    problem: `no method computes what its configuration says: ${[...new Set(reasons)].join("; ")}`,
    help: "save it without that setting, or write the method",
  };
};

/** Keys that say how many layers from the top are covered. */
export const layerCounts = (method: tree.MethodDef): readonly string[] =>
  interopOf(method)?.config.flatMap(({ key, value }) =>
    value.kind === "call" && value.callee.kind === "ref" && value.callee.name === "topmost" ? [key.text] : [],
  ) ?? [];

interface Fitting {
  readonly lines: readonly Line[];
  /** Literals that agree: the more, the more surely it is this method. */
  readonly certain: number;
  /** Members that say how training begins, which a file does not tell: of methods that compute the same, the plainer one. */
  readonly begins: number;
}

const readBackwards = (method: tree.MethodDef, interop: Interop, config: Config): Fitting | { readonly reason: string } => {
  const settings = new Map<string, Value>();
  const patterns: { readonly setting: string; readonly exceptions: ReadonlyMap<string, unknown> }[] = [];
  let certain = 0;
  for (const { key, value } of interop.config) {
    const stored = config[key.text];
    if (value.kind === "ref" && value.name !== "true" && value.name !== "false" && value.name !== "none") {
      const given = settingOf(stored, method, value.name);
      if (given) settings.set(value.name, given);
    } else if (value.kind === "unary" && value.op === "not" && value.value.kind === "ref" && typeof stored === "boolean")
      settings.set(value.value.name, bool(!stored));
    else if (value.kind === "call" && value.callee.kind === "ref" && value.callee.name === "targets") {
      const of = value.args[0]?.value;
      if (of?.kind !== "ref") return { reason: `\`${key.text}\` is computed by ${method.name.text}` };
      patterns.push({
        setting: of.name,
        exceptions: new Map((Array.isArray(stored) ? (stored as string[]) : []).map((name) => [name, true])),
      });
    } else if (value.kind === "call" && value.callee.kind === "ref" && value.callee.name === "pattern") {
      const of = value.args[0]?.value;
      const exceptions = new Map(Object.entries((stored as Record<string, unknown> | null | undefined) ?? {}));
      if (of?.kind === "ref") patterns.push({ setting: of.name, exceptions });
      else if (exceptions.size > 0 || of) return { reason: `\`${key.text}\` is computed by ${method.name.text}` };
    } else if (value.kind === "call" && value.callee.kind === "ref" && value.callee.name === "topmost") {
      // The tensors' names say where it is; load-adapter.ts holds the number to them.
    } else {
      const literal = literalOf(value);
      if (literal === undefined) return { reason: `\`${key.text}\` is computed by ${method.name.text}` };
      if (literal !== (stored ?? defaultOf(literal)))
        return {
          reason: `${method.name.text} needs \`${key.text}: ${JSON.stringify(literal)}\`, it says ${JSON.stringify(stored ?? null)}`,
        };
      certain++;
    }
  }
  const known = new Set(interop.config.map(({ key }) => key.text));
  const beyond = Object.entries(config).find(([key, value]) => !known.has(key) && saysMore(key, value));
  if (beyond) return { reason: `\`${beyond[0]}: ${JSON.stringify(beyond[1])}\` is nothing that ${method.name.text} computes` };
  const begins = method.members.filter((member) => member.kind === "observe" || (member.kind === "param" && member.value)).length;
  return { lines: linesOf(method, settings, patterns), certain, begins };
};

/** Settings beyond the usual ones that change what is computed when they are set. */
const special = new Set(["layer_replication", "alora_invocation_tokens", "modules_to_save", "trainable_token_indices"]);

const saysMore = (key: string, value: unknown): boolean => {
  const empty = value === null || value === false || value === undefined || (typeof value === "object" && Object.keys(value).length === 0);
  if (empty || value === "none") return false;
  return key.startsWith("use_") || key.startsWith("enable_") || key.endsWith("_pattern") || key === "bias" || special.has(key);
};

/** One line for the usual settings, and one for each set of exceptions. The first exception that matches a module counts, as there. */
const linesOf = (
  method: tree.MethodDef,
  settings: ReadonlyMap<string, Value>,
  patterns: readonly { readonly setting: string; readonly exceptions: ReadonlyMap<string, unknown> }[],
): Line[] => {
  const ownOf = (checkpoint: string): string =>
    JSON.stringify(patterns.map(({ exceptions }) => [...exceptions].find(([key]) => matches(key, checkpoint))?.[1] ?? null));
  const kinds = new Map<string, ReadonlyMap<string, Value>>();
  const combine = (at: number, chosen: readonly unknown[]): void => {
    const pattern = patterns[at];
    if (!pattern) {
      const changed = patterns.flatMap(({ setting }, i): [string, Value][] => {
        const value = chosen[i] === null ? undefined : settingOf(chosen[i], method, setting);
        return value ? [[setting, value]] : [];
      });
      kinds.set(JSON.stringify(chosen), new Map([...settings, ...changed]));
      return;
    }
    for (const value of new Set([null, ...pattern.exceptions.values()])) combine(at + 1, [...chosen, value]);
  };
  combine(0, []);
  return [...kinds].map(([kind, own]) => ({ method, settings: own, covers: (checkpoint) => ownOf(checkpoint) === kind }));
};

/** `q_proj` is a module's last name or a regular expression, as in the other library. */
const matches = (key: string, checkpoint: string): boolean => {
  try {
    return new RegExp(`^(.*\\.)?(${key})$`).test(checkpoint);
  } catch {
    return checkpoint === key || checkpoint.endsWith(`.${key}`);
  }
};

/** Of a folder that this program wrote in its own layout. */
export const ownMethods = (config: Config, library: Library): Found | NotFound => {
  const described = Array.isArray(config.injections) ? (config.injections as Config[]) : [config];
  const lines: Line[] = [];
  for (const one of described) {
    const name = String(one.method);
    const method = library.find("method", name);
    if (!method) return { problem: `it was made by the method \`${name}\`, which is not here`, help: "import the file that defines it" };
    const settings = new Map<string, Value>();
    for (const { name: setting } of method.parameters) {
      const value = settingOf(one[setting.text], method, setting.text);
      if (value) settings.set(setting.text, value);
    }
    const targets = Array.isArray(one.targets) ? new Set(one.targets as string[]) : undefined;
    lines.push({ method, settings, covers: (checkpoint) => targets?.has(checkpoint) ?? true });
  }
  return { lines };
};

/** How the keys of the method's tensors begin and end around the module's name. */
export const suffixesOf = ({ lines }: Found): { readonly head: string; readonly tail: string }[] => {
  const suffixes = new Map<string, { readonly head: string; readonly tail: string }>();
  for (const { method } of lines) {
    for (const { key } of interopOf(method)?.tensors ?? [])
      suffixes.set(`peft ${key}`, { head: "base_model.model.", tail: key.replace(/^\*\./, "") });
    for (const member of method.members)
      if (member.kind === "param") for (const { text } of member.names) suffixes.set(`own ${text}`, { head: "", tail: text });
  }
  // The longest ending first: `b.weight` is no `weight`.
  return [...suffixes.values()].sort((a, b) => b.head.length + b.tail.length - a.head.length - a.tail.length);
};

const settingOf = (stored: unknown, method: tree.MethodDef, setting: string): Value | undefined => {
  const type = method.parameters.find(({ name }) => name.text === setting)?.type?.text;
  if (typeof stored === "number") return type === "int" && Number.isInteger(stored) ? size(stored) : number(stored);
  if (typeof stored === "boolean") return bool(stored);
  if (Array.isArray(stored) && stored.every((item) => typeof item === "number"))
    return { kind: "list", items: stored.map((item) => number(item)) };
  return typeof stored === "string" ? { kind: "text", value: stored } : undefined;
};

const literalOf = (expr: tree.Expr): string | number | boolean | undefined => {
  if (expr.kind === "number") return expr.value;
  if (expr.kind === "string") return expr.value;
  if (expr.kind === "ref" && (expr.name === "true" || expr.name === "false")) return expr.name === "true";
  return undefined;
};

/** What a configuration that leaves the key out says. */
const defaultOf = (literal: string | number | boolean): unknown => (typeof literal === "boolean" ? false : literal);
