// The PEFT configuration that a draft has gathered -> the lines of an adapter, and what became of each of its keys.

import type { Library } from "../../compiler/blocks/resolve.ts";
import type { Draft } from "./draft.ts";
import { isEmpty, shown } from "./given.ts";
import { type Found, methodFor } from "./methods.ts";
import { carried, dropped, lost, type Outcome, outside, settled, unset } from "./outcome.ts";
import { peftConfigs, peftVersion } from "./peft-configs.generated.ts";
import { endingPatterns, ranges, regexPatterns } from "./targets.ts";

export interface Line {
  /** `lora(r: 8)`. */
  readonly call: string;
  /** Behind the base's name and a point: `layers.**`, `"**.q_proj"`; empty for the base itself. */
  readonly paths: readonly string[];
}

export interface Adapter {
  /** Empty when the library has no method for it. */
  readonly lines: readonly Line[];
  /** By PEFT's key. */
  readonly outcomes: ReadonlyMap<string, Outcome>;
}

const callOf = ({ method, settings }: Found, more: ReadonlyMap<string, string> = new Map()): string =>
  `${method.name.text}(${[...new Map([...settings, ...more])].map(([name, text]) => `${name}: ${text}`).join(", ")})`;

export const adapterOf = (draft: Draft, library: Library): Adapter => {
  const type = String(draft.peft.get("peft_type")?.value ?? "LORA");
  const defaults = peftConfigs[type] ?? {};
  const given = new Map([...draft.peft].map(([key, { value }]) => [key, value] as const));
  const config = new Map([...Object.entries(defaults), ...[...given].filter(([, value]) => value !== null)]);
  const outcomes = new Map<string, Outcome>();
  const found = methodFor(type, config, new Set([...given].flatMap(([key, value]) => (value === null ? [] : [key]))), library);
  if ("demands" in found) {
    const why = found.demands.length
      ? `the library's method for ${type} asks for ${found.demands.join(", ")}`
      : `the library has no method for PEFT's type ${type}`;
    for (const key of given.keys())
      outcomes.set(key, isEmpty(given.get(key)) ? unset : { ...lost("there is no method to carry it"), along: "peft_type" });
    outcomes.set("peft_type", lost(why));
    return { lines: [], outcomes };
  }
  for (const [key, value] of given) outcomes.set(key, fateOf(key, value, found, defaults, type));
  outcomes.set("peft_type", carried(`\`${found.method.name.text}(…)\``));

  const lines: Line[] = [];
  const targets = targetsOf(config, found, "target_modules" in defaults, outcomes);
  const byPattern = patternLines(config, given, found, targets, outcomes);
  if (byPattern.rest.length) lines.push({ call: callOf(found), paths: byPattern.rest });
  lines.push(...byPattern.lines);
  const saved = config.get("modules_to_save");
  if (Array.isArray(saved) && saved.length && given.has("modules_to_save")) {
    lines.push({ call: "tune()", paths: saved.map((name) => moduleByName(String(name))) });
    outcomes.set("modules_to_save", carried("`tune()` into them, as lines of the same adapter"));
  }
  return { lines, outcomes };
};

/** Modules that have no other above them in a checkpoint; a name that ends with a point before it would not find them. */
const atTheTop = new Set(["lm_head", "score", "classifier", "embed_out"]);
const moduleByName = (name: string): string => (atTheTop.has(name) ? `"${name}"` : endingPatterns([name])[0]!);

const structural = new Set([
  "target_modules",
  "layers_to_transform",
  "layers_pattern",
  "modules_to_save",
  "rank_pattern",
  "alpha_pattern",
  "peft_type",
]);

/** What PEFT writes of the model an adapter was made for. */
const ofTheModel = new Set(["num_layers", "num_attention_heads", "token_dim"]);

const fateOf = (key: string, value: unknown, found: Found, defaults: Readonly<Record<string, unknown>>, type: string): Outcome => {
  const name = found.method.name.text;
  if (ofTheModel.has(key) && !isEmpty(value)) return settled("it follows from the base");
  const differing = found.differing.get(key);
  if (differing !== undefined) return lost(`\`${name}\` cannot take it: ${differing}`);
  if (found.covered.has(key)) return carried(`\`${name}(…)\``);
  if (key === "fan_in_fan_out") return settled("it follows from the architecture");
  if (isEmpty(value)) return unset;
  if (structural.has(key)) return carried(`PEFT's \`${key}\``); // said again where its part is written
  if (key === "runtime_config" || key === "megatron_core") return outside("about PEFT's own runtime");
  if (!(key in defaults)) return dropped(`PEFT ${peftVersion} has no \`${key}\` for ${type}; it leaves it out with a warning`);
  if (JSON.stringify(value) === JSON.stringify(defaults[key])) return settled("it is PEFT's default, and what the method does");
  return lost(`\`${name}\` has no such setting`);
};

/** Paths behind the base. Where PEFT would choose by the kind of model, what it chooses for most is written. */
const targetsOf = (
  config: ReadonlyMap<string, unknown>,
  found: Found,
  takesTargets: boolean,
  outcomes: Map<string, Outcome>,
): readonly string[] => {
  const wanted = config.get("target_modules");
  const layers = config.get("layers_to_transform");
  const chosen = Array.isArray(layers)
    ? layers.filter((one): one is number => Number.isInteger(one))
    : Number.isInteger(layers)
      ? [layers as number]
      : undefined;
  if (chosen) outcomes.set("layers_to_transform", carried(`layers ${ranges(chosen).join(", ")}`));
  if (!isEmpty(config.get("layers_pattern"))) outcomes.set("layers_pattern", settled("`layers` is the architecture's list of layers"));
  if (!takesTargets || found.method.amends?.text !== "Linear") {
    if (!isEmpty(wanted))
      outcomes.set("target_modules", lost(`\`${found.method.name.text}\` amends every ${found.method.amends?.text ?? "parameter"}`));
    return ["**"];
  }
  if (isEmpty(wanted)) {
    outcomes.set(
      "target_modules",
      lost("PEFT chooses by the kind of model when it loads it; `q_proj` and `v_proj`, its choice for most, are written"),
    );
    return withLayers(["q_proj", "v_proj"], chosen);
  }
  if (wanted === "all-linear") {
    outcomes.set("target_modules", carried("`layers.**`: every linear layer but the head"));
    return chosen ? ranges(chosen).map((range) => `layers.${range}.**`) : ["layers.**"];
  }
  if (Array.isArray(wanted)) {
    const paths = withLayers(wanted.map(String), chosen);
    outcomes.set("target_modules", carried(`\`${paths.slice(0, 4).join(", ")}${paths.length > 4 ? ", …" : ""}\``));
    return paths;
  }
  const patterns = regexPatterns(String(wanted));
  outcomes.set(
    "target_modules",
    patterns
      ? carried(`\`${patterns.slice(0, 3).join(", ")}${patterns.length > 3 ? ", …" : ""}\``)
      : lost(`paths cannot say \`${shown(wanted)}\`; \`layers.**\` is written`),
  );
  return patterns ?? ["layers.**"];
};

const withLayers = (names: readonly string[], layers: readonly number[] | undefined): readonly string[] =>
  layers ? layers.flatMap((layer) => names.map((name) => `"**.${layer}.**.${name}"`)) : names.map(moduleByName);

/** `rank_pattern: { q_proj: 16 }`: a line of its own for the targets with that name. */
const patternLines = (
  config: ReadonlyMap<string, unknown>,
  given: ReadonlyMap<string, unknown>,
  found: Found,
  targets: readonly string[],
  outcomes: Map<string, Outcome>,
): { readonly rest: readonly string[]; readonly lines: readonly Line[] } => {
  const exceptions = new Map<string, Map<string, string>>();
  for (const key of ["rank_pattern", "alpha_pattern"]) {
    const table = config.get(key);
    if (isEmpty(table) || typeof table !== "object" || !given.has(key)) continue;
    const parameter = found.patterns.get(key);
    const entries = Object.entries(table as object);
    const simple =
      parameter !== undefined && entries.every(([name, value]) => targets.includes(moduleByName(name)) && typeof value === "number");
    outcomes.set(
      key,
      simple ? carried("a line of its own for each") : lost("its names are no targets by themselves; write a line for each"),
    );
    if (simple)
      for (const [name, value] of entries) {
        const path = moduleByName(name);
        exceptions.set(path, (exceptions.get(path) ?? new Map<string, string>()).set(parameter, String(value)));
      }
  }
  for (const [key, parameter] of found.switches) {
    const listed = config.get(key);
    if (isEmpty(listed) || !Array.isArray(listed)) continue;
    const paths = listed.map((name) => moduleByName(String(name)));
    const simple = paths.every((path) => targets.includes(path));
    outcomes.set(
      key,
      simple
        ? carried(`\`${parameter}: true\` for them, in a line of their own`)
        : lost("its names are no targets by themselves; write a line for them"),
    );
    if (simple) for (const path of paths) exceptions.set(path, (exceptions.get(path) ?? new Map<string, string>()).set(parameter, "true"));
  }
  const byCall = new Map<string, string[]>();
  for (const [path, more] of exceptions) byCall.set(callOf(found, more), [...(byCall.get(callOf(found, more)) ?? []), path]);
  return { rest: targets.filter((path) => !exceptions.has(path)), lines: [...byCall].map(([call, paths]) => ({ call, paths })) };
};
