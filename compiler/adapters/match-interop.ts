// A stored configuration -> the library's method that computes it, with its settings. The method's `interop` block is read
// backwards: an entry that is a setting gives that setting its value, an entry that is a literal must be what is stored, and a
// `pattern(…)` holds exceptions by module. A switch that is on there and unknown to the method means that something else is computed.

import type * as tree from "../../grammar/tree.ts";
import type { Library } from "../blocks/resolve.ts";
import type { Instance } from "../model/instantiate.ts";
import { evaluate } from "../values/expressions.ts";
import { bool, number, scopeOf, size, type Value } from "../values/values.ts";
import { type Config, fillKey, isLayout, type LibraryName, layouts, type Settings, settingsIn, wordsOf } from "./layouts.ts";
import { measuresOf } from "./measured-sizes.ts";
import { entryCall, isUnread } from "./stored-config.ts";

export interface Line {
  readonly method: tree.MethodDef;
  readonly settings: ReadonlyMap<string, Value>;
  /** Whether this line covers the module with that name in the checkpoint. */
  readonly covers: (checkpoint: string) => boolean;
}

export interface Found {
  readonly lines: readonly Line[];
  /** What it is called in its folder, where tensors' names hold that. */
  readonly storedAs?: string;
}

export interface NotFound {
  readonly problem: string;
  readonly help: string;
}

type Interop = tree.InteropMember;

const interopOf = (method: tree.MethodDef, library: LibraryName): Interop | undefined =>
  method.members.find((member): member is Interop => member.kind === "interop" && member.library.text === library);

/** Of another library's configuration. */
export const methodFor = (config: Config, library: Library): Found | NotFound => {
  const stored = settingsIn(config);
  if (!stored)
    return {
      problem: "its configuration says neither `peft_type`, as PEFT's do, nor a `config` and a `name`, as AdapterHub's do",
      help: "load a folder that Hugging Face PEFT, AdapterHub's adapters or this program saved",
    };
  const methods = library.names("method").flatMap((name) => library.find("method", name) ?? []);
  const ofLibrary = methods.flatMap((method) => {
    const block = interopOf(method, stored.library);
    return block ? [{ method, block }] : [];
  });
  const ofType = ofLibrary.filter(({ block }) => block.type.text === stored.type);
  const types = [...new Set(ofLibrary.map(({ block }) => block.type.text))].sort();
  if (ofType.length === 0)
    return { problem: `no method of the library is stored as ${stored.type}`, help: `there are methods for: ${types.join(", ")}` };
  const tried = ofType.map(({ method, block }) => readBackwards(method, block, stored));
  const fitting = tried.filter((one): one is Fitting => "lines" in one).sort((a, b) => b.certain - a.certain || a.begins - b.begins);
  if (fitting[0]) return { lines: fitting[0].lines, ...(stored.name !== undefined && { storedAs: stored.name }) };
  const reasons = tried.flatMap((one) => ("reason" in one ? [one.reason] : []));
  return {
    problem: `no method computes what its configuration says: ${[...new Set(reasons)].join("; ")}`,
    help: "save it without that setting, or write the method",
  };
};

/** Keys that say which layers are covered: what the tensors' names say too. */
export const layerKeys = (method: tree.MethodDef): readonly string[] =>
  method.members.flatMap((member) =>
    member.kind === "interop"
      ? member.config.flatMap(({ key, value }) => (entryCall(value, "topmost", "elsewhere") ? [key.text] : []))
      : [],
  );

interface Fitting {
  readonly lines: readonly Line[];
  /** Literals that agree: the more, the more surely it is this method. */
  readonly certain: number;
  /** Of methods that compute the same, the plainer one is meant. */
  readonly begins: number;
}

/** How many members of a method say how training begins, which no file tells. */
export const beginningsOf = ({ members }: tree.MethodDef): number =>
  members.filter((member) => member.kind === "observe" || (member.kind === "param" && member.value)).length;

const readBackwards = (method: tree.MethodDef, interop: Interop, { library, config }: Settings): Fitting | { readonly reason: string } => {
  const settings = new Map<string, Value>();
  const patterns: { readonly setting: string; readonly exceptions: ReadonlyMap<string, unknown> }[] = [];
  let certain = 0;
  const says = (key: string, stored: unknown): string => `\`${key}: ${JSON.stringify(stored)}\``;
  for (const entry of interop.config) {
    const { key, value } = entry;
    if (isUnread(entry)) continue;
    const stored = config[key.text];
    const call = entryCall(value, "pattern", "targets", "topmost", "elsewhere", "called", "marked");
    const of = call?.args[0]?.value;
    const setting = of?.kind === "ref" ? of.name : undefined;
    const named = call?.callee.kind === "ref" ? call.callee.name : undefined;
    if (value.kind === "ref" && value.name !== "true" && value.name !== "false" && value.name !== "none") {
      const given = settingOf(stored, method, value.name);
      if (given) settings.set(value.name, given);
      else if (stored !== undefined && stored !== null)
        return { reason: `${says(key.text, stored)} is nothing that ${method.name.text} takes as \`${value.name}\`` };
    } else if (named === "called" && setting !== undefined) {
      const given = typeof stored === "string" ? opCalled(call!, stored) : undefined;
      if (given) settings.set(setting, given);
      else if (stored !== undefined && stored !== null) return { reason: `${says(key.text, stored)} is no operation here` };
    } else if (value.kind === "unary" && value.op === "not" && value.value.kind === "ref" && typeof stored === "boolean")
      settings.set(value.value.name, bool(!stored));
    else if (named === "targets") {
      if (setting === undefined) return { reason: `\`${key.text}\` is computed by ${method.name.text}` };
      patterns.push({
        setting,
        exceptions: new Map((Array.isArray(stored) ? (stored as string[]) : []).map((name) => [name, true])),
      });
    } else if (named === "pattern") {
      const exceptions = new Map(Object.entries((stored as Record<string, unknown> | null | undefined) ?? {}));
      if (setting !== undefined) patterns.push({ setting, exceptions });
      else if (exceptions.size > 0 || of) return { reason: `\`${key.text}\` is computed by ${method.name.text}` };
    } else if (named === "marked" && setting !== undefined) patterns.push({ setting, exceptions: markedIn(stored, call!.args[2]?.value) });
    else if (named === "topmost" || named === "elsewhere") {
      // The tensors' names say where it is; load-adapter.ts holds the configuration to them.
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
  const unread = unreadIn(interop);
  const covered = (key: string): boolean => known.has(key) || unread.some((pattern) => pattern.test(key));
  const beyond = Object.entries(config).find(([key, value]) => !covered(key) && layouts[library].saysMore(key, value));
  if (beyond) return { reason: `${says(...beyond)} is nothing that ${method.name.text} computes` };
  return { lines: linesOf(method, settings, patterns), certain, begins: beginningsOf(method) };
};

/** `{"MODULE.TENSOR": [true, false, …]}`: how many are true, by module. */
const markedIn = (stored: unknown, tensor: tree.Expr | undefined): ReadonlyMap<string, number> => {
  const ending = `.${tensor?.kind === "string" ? tensor.value : ""}`;
  return new Map(
    Object.entries((stored as Config | null | undefined) ?? {}).flatMap(([key, marks]): [string, number][] =>
      Array.isArray(marks) && key.endsWith(ending) ? [[key.slice(0, -ending.length), marks.filter((mark) => mark === true).length]] : [],
    ),
  );
};

/** `unread: ["init_*"]`: keys, `*` for any part, that nothing of what is computed depends on. */
const unreadIn = ({ config }: Interop): RegExp[] =>
  config
    .filter(isUnread)
    .flatMap(({ value }) => (value.kind === "list" ? value.items : []))
    .flatMap((item) =>
      item.kind === "string" ? [new RegExp(`^${item.value.replaceAll(/\W/g, (c) => (c === "*" ? ".*" : `\\${c}`))}$`)] : [],
    );

/** `called(act, swish: silu)`: the op that another library calls `swish`, or by its own name. */
const opCalled = ({ args, at }: tree.Call, stored: string): Value | undefined => {
  const alias = args.find(({ name }) => name?.text === stored)?.value;
  return opNamed(alias?.kind === "ref" ? alias.name : stored, at);
};

const opNamed = (name: string, at: tree.Span): Value | undefined => {
  const found = evaluate({ kind: "ref", name, at }, scopeOf(new Map()), { report: () => {}, through: [] });
  return found.kind === "op" ? found : undefined;
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
    for (const { name: setting } of [...method.parameters, ...measuresOf(method)]) {
      const value = settingOf(one[setting.text], method, setting.text);
      if (value) settings.set(setting.text, value);
    }
    const targets = Array.isArray(one.targets) ? new Set(one.targets as string[]) : undefined;
    lines.push({ method, settings, covers: (checkpoint) => targets?.has(checkpoint) ?? true });
  }
  return { lines };
};

export interface Suffix {
  readonly head: string;
  readonly tail: string;
  /** Whether all targets share the tensor: it says of no place that it is one. */
  readonly shared: boolean;
}

/** How the keys of the methods' tensors begin and end around the name of a module of `root`. */
export const suffixesOf = ({ lines, storedAs = "" }: Found, root: Instance): Suffix[] => {
  const suffixes = new Map<string, Suffix>();
  for (const { method } of lines) {
    const shared = new Set(
      method.members.flatMap((member) =>
        member.kind === "param" && member.modifiers.includes("shared") ? member.names.map(({ text }) => text) : [],
      ),
    );
    for (const member of method.members) {
      if (member.kind === "param")
        for (const { text } of member.names) suffixes.set(`own ${text}`, { head: "", tail: text, shared: shared.has(text) });
      if (member.kind !== "interop" || !isLayout(member.library.text)) continue;
      const { head } = layouts[member.library.text];
      const words = wordsOf(root, member.library.text);
      for (const { key, value } of member.tensors) {
        const tail = fillKey(key.replace(/^\*\./, ""), storedAs, words);
        if (tail !== undefined)
          suffixes.set(`${member.library.text} ${key}`, { head, tail, shared: value.kind === "ref" && shared.has(value.name) });
      }
    }
  }
  // The longest ending first: `b.weight` is no `weight`.
  return [...suffixes.values()].sort((a, b) => b.head.length + b.tail.length - a.head.length - a.tail.length);
};

/** A stored value as the setting takes it; undefined where it is none, or of another type. */
const settingOf = (stored: unknown, method: tree.MethodDef, setting: string): Value | undefined => {
  const type = method.parameters.find(({ name }) => name.text === setting)?.type?.text;
  const may = (...types: readonly string[]): boolean => type === undefined || types.includes(type);
  if (typeof stored === "number") {
    if (type === "int") return Number.isInteger(stored) ? size(stored) : undefined;
    return may("float") ? number(stored) : undefined;
  }
  if (typeof stored === "boolean") return may("bool") ? bool(stored) : undefined;
  if (typeof stored === "string" && type === "op") return opNamed(stored, method.at);
  if (typeof stored === "string") return may("string", "path") ? { kind: "text", value: stored } : undefined;
  return Array.isArray(stored) && may("list") && stored.every((item) => typeof item === "number")
    ? { kind: "list", items: stored.map((item) => number(item)) }
    : undefined;
};

const literalOf = (expr: tree.Expr): string | number | boolean | undefined => {
  if (expr.kind === "number") return expr.value;
  if (expr.kind === "string") return expr.value;
  if (expr.kind === "ref" && (expr.name === "true" || expr.name === "false")) return expr.name === "true";
  return undefined;
};

/** What a configuration that leaves the key out says. */
const defaultOf = (literal: string | number | boolean): unknown =>
  typeof literal === "boolean" ? false : typeof literal === "number" ? 0 : undefined;
