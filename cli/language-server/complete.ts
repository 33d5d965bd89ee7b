// What could stand at an offset -> the proposals: keys that the block still lacks, methods with their settings, the modules of the
// checkpoint at hand, files of the folder. Everything comes from where the checker looks it up.

import { readers } from "../../compiler/blocks/data-block.ts";
import { generators } from "../../compiler/blocks/evaluate-block.ts";
import { heldOut } from "../../compiler/blocks/held-out.ts";
import { storedTypes } from "../../compiler/blocks/pipeline.ts";
import type { Definition } from "../../compiler/blocks/resolve.ts";
import { factTable } from "../../compiler/check/fact-table.ts";
import { baseSources } from "../../compiler/model/base.ts";
import type { Instance } from "../../compiler/model/instantiate.ts";
import { modulesOf } from "../../compiler/model/instantiate.ts";
import { match } from "../../compiler/model/paths.ts";
import { ops } from "../../compiler/ops/index.ts";
import { parse } from "../../grammar/parse.ts";
import type { Parameter, Path, PathSegment } from "../../grammar/tree.ts";
import { type Analysis, textAt } from "./analysis.ts";
import { blocks, typeOf } from "./blocks.ts";
import { contextAt, type Wanted } from "./completion-context.ts";
import { definitionText, parameterText } from "./describe.ts";
import { opText } from "./hover.ts";
import { amendedBy, declaredIn, isDefinition, pipelineNames } from "./symbols.ts";

export interface Proposal {
  readonly label: string;
  readonly kind: "keyword" | "setting" | "function" | "class" | "value" | "module" | "file" | "folder" | "operator";
  /** What is written; `$1` and `${1:…}` are places to fill in. The label when absent. */
  readonly insert?: string;
  readonly detail?: string;
  readonly markdown?: string;
}

export interface Completion {
  /** What is chosen replaces the text from here to the cursor. */
  readonly from: number;
  readonly proposals: readonly Proposal[];
}

export const complete = (analysis: Analysis, offset: number): Completion => {
  const { wanted, from } = contextAt(analysis.text, offset);
  return { from, proposals: proposalsFor(wanted, analysis, offset) };
};

const proposalsFor = (wanted: Wanted, analysis: Analysis, offset: number): readonly Proposal[] => {
  const { resolved } = analysis.compiled;
  const named = pipelineNames(resolved?.items ?? analysis.tree.items);
  const names = (...kinds: string[]): Proposal[] =>
    [...named.values()].filter(({ kind }) => kinds.includes(kind)).map(({ name, kind }) => ({ label: name, kind: "value", detail: kind }));
  switch (wanted.kind) {
    case "item":
      return items;
    case "word":
      return wanted.words.map((label) => ({ label, kind: "keyword" }));
    case "key":
      return keys(wanted.block, wanted.given);
    case "value":
      return values(wanted.block, wanted.key, analysis);
    case "list":
      return wanted.key === "metrics"
        ? [...analysis.host.metrics.values()].map(({ name, says }) => ({ label: name, kind: "value", detail: says }))
        : [];
    case "call":
      if (wanted.of === "source") return Object.entries(baseSources).map(([name, parameters]) => callable(name, parameters, ""));
      return wanted.of === "method" ? definitions("method", analysis) : definitions("format", analysis);
    case "argument":
      return settings(wanted, analysis);
    case "path":
      return wanted.segments === "" ? [...names("base"), ...startOfRoles(analysis, offset)] : children(wanted, analysis);
    case "subject":
      return [
        ...names("adapter", ...(wanted.bases ? ["base"] : [])),
        ...(wanted.verbs ? [{ label: "train", kind: "keyword" as const }] : []),
      ];
    case "data":
      return names("data");
    case "split": {
      const data = named.get(wanted.data)?.item;
      const entries = data?.kind === "data" ? data.entries.filter(({ value }) => value.kind === "call") : [];
      return entries.map(({ key, value }) => ({ label: key.text, kind: "value", detail: textAt(analysis, value.at) }));
    }
    case "fact":
      return Object.entries(factTable).map(([label, { says }]) => ({
        label,
        kind: "function",
        insert: `${label}(\${1:adapter}) <= $0`,
        markdown: says,
      }));
    case "dtype":
      return storedTypes.map((label) => ({ label, kind: "value" }));
    case "module":
      return [...definitions("module", analysis, true), ...definitions("interface", analysis, true)];
    case "file":
      return files(wanted.written, analysis);
    case "definition":
      return inDefinition(analysis, offset);
    default:
      return [];
  }
};

const items: readonly Proposal[] = [
  ["base", 'base ${1:name} = checkpoint("${2:folder/}")', "a checkpoint, frozen"],
  ["adapter", "adapter ${1:name} = ${2:method}($3) into ${4:base}.$0", "what is injected and trained"],
  [
    "data",
    'data ${1:name} {\n  train = jsonl("${2:train.jsonl}")\n  prompt = "${3:{question\\}\\n}"\n  answer = "${4:{text\\}}"\n}',
    "rows and templates",
  ],
  [
    "train",
    "train ${1:adapter} on ${2:data} {\n  optimizer: ${3:adamw}(learning_rate: ${4:2e-4})\n  epochs: ${5:3}\n}",
    "how it is trained",
  ],
  ["evaluate", "evaluate ${1:adapter} on ${2:data}.${3:eval} { metrics: [${4:loss}] }", "what is measured"],
  ["merge", 'merge ${1:adapter} into "${2:merged/}"', "the adapter written into the weights"],
  ["require", "require {\n  trainable(${1:adapter}) <= ${2:1}%\n}", "budgets that must hold"],
  ["sweep", "sweep ${1:name} over ${2:adapter} { ${3:r}: [$0] }", "one run per value"],
  ["compare", "compare ${1:name} on ${2:data} { $0 }", "several candidates side by side"],
  ["input", "input ${1:name}: ${2:int} = $0", "a value that --set changes"],
  ["import", 'import "${1:./file.peft}"', "names of another file"],
  ["method", "method ${1:name}($2) amends ${3:Linear} {\n  $0\n}", "a method of one's own"],
  ["module", "module ${1:Name}($2) {\n  $0\n}", "a module of one's own"],
  ["architecture", 'architecture ${1:name} for "${2:SomeForCausalLM}" {\n  config {\n    $0\n  }\n}', "a model of one's own"],
  ["optimizer", "optimizer ${1:name}(learning_rate: float) {\n  p = p - rate * g$0\n}", "an update rule of one's own"],
  ["schedule", "schedule ${1:name}(warmup: span = 0 steps) = $0", "a learning rate over the steps"],
  ["format", "format ${1:name}($2) {\n  $0\n}", "how weights are stored"],
].map(([label, insert, detail]) => ({ label: label!, kind: "keyword", insert: insert!, detail: detail! }));

const keys = (block: string, given: readonly string[]): readonly Proposal[] => {
  const { sign, keys: known } = blocks[block as keyof typeof blocks] ?? { sign: ":", keys: {} };
  const missing = Object.entries(known).filter(([key]) => !given.includes(key));
  const settings = missing.map(
    ([label, setting]): Proposal => ({
      label,
      kind: "setting",
      insert: sign === ":" ? `${label}: ` : `${label} = `,
      detail: typeOf(setting),
      markdown: setting.doc,
    }),
  );
  const splits = ["train", "eval", "test"].filter((name) => !given.includes(name));
  return block === "data"
    ? [
        ...settings,
        ...splits.map(
          (label): Proposal => ({ label, kind: "setting", insert: `${label} = jsonl("\${1:${label}.jsonl}")`, detail: "a split" }),
        ),
      ]
    : settings;
};

const values = (block: string, key: string, analysis: Analysis): readonly Proposal[] => {
  if (key === "optimizer" || key === "schedule") return definitions(key, analysis);
  if (key === "generate") return Object.entries(generators).map(([name, parameters]) => callable(name, parameters, ""));
  if (key === "metrics") return [{ label: "[…]", kind: "value", insert: "[$0]" }];
  if (key === "checkpoint" || key === "log") return [{ label: "every", kind: "keyword", insert: "every ${1:200} steps" }];
  const setting = blocks[block as keyof typeof blocks]?.keys[key];
  if (typeof setting?.type === "object") return setting.type.oneOf.map((label) => ({ label, kind: "value" }));
  if (setting?.type === "bool") return ["true", "false"].map((label) => ({ label, kind: "value" }));
  if (block === "data" && !setting)
    return [
      ...readers.map((name): Proposal => ({ label: name, kind: "function", insert: `${name}("$1")` })),
      { label: heldOut, kind: "function", insert: `${heldOut}(\${1:5%}, of: \${2:train})` },
    ];
  return [];
};

/** A call with the settings that have no default to fill in. */
const callable = (name: string, parameters: readonly Parameter[], markdown: string, detail?: string): Proposal => {
  const needed = parameters.filter(({ value }) => !value);
  const slots = needed.map(({ name: { text }, type }, i) => (type?.text === "path" ? `"\${${i + 1}:folder/}"` : `${text}: \${${i + 1}}`));
  return {
    label: name,
    kind: "function",
    insert: `${name}(${slots.join(", ")}$0)`,
    ...(markdown && { markdown }),
    ...(detail && { detail }),
  };
};

const definitions = (kind: Definition["kind"], analysis: Analysis, bare = false): readonly Proposal[] => {
  const library = analysis.compiled.resolved?.library;
  return (library?.names(kind) ?? []).flatMap((name): Proposal[] => {
    const found = library!.find(kind, name);
    if (!found) return [];
    const markdown = definitionText(found, (at) => textAt(analysis, at));
    const parameters = "parameters" in found ? found.parameters : [];
    return [bare ? { label: name, kind: "class", markdown } : callable(name, parameters, markdown)];
  });
};

const settings = ({ callee, given }: Wanted & { kind: "argument" }, analysis: Analysis): readonly Proposal[] => {
  const library = analysis.compiled.resolved?.library;
  const kinds = ["method", "optimizer", "schedule", "format", "module"] as const;
  const found = kinds.flatMap((kind) => (library?.names(kind).includes(callee) ? [library.find(kind, callee)!] : []))[0];
  const parameters = (found && "parameters" in found ? found.parameters : undefined) ?? generators[callee] ?? [];
  return parameters
    .filter(({ name }) => !given.includes(name.text))
    .map((parameter) => ({
      label: parameter.name.text,
      kind: "setting",
      insert: `${parameter.name.text}: `,
      detail: found ? parameterText(parameter, (at) => textAt(analysis, at)) : (parameter.type?.text ?? ""),
    }));
};

// ---- paths ----------------------------------------------------------------------------------------------------------

/** In a base's own block paths begin with a role. */
const startOfRoles = (analysis: Analysis, offset: number): readonly Proposal[] => {
  const root = analysis.compiled.checked?.base.root;
  const { item } = contextAt(analysis.text, offset);
  return item === "base" && root ? namesBelow([root]) : [];
};

const children = ({ segments }: Wanted & { kind: "path" }, analysis: Analysis): readonly Proposal[] => {
  const checked = analysis.compiled.checked;
  if (!checked) return [];
  const quoted = segments.endsWith('."');
  const [head, ...rest] = (quoted ? segments.slice(0, -2) : segments).split(".");
  const inBase = head === checked.base.name;
  if (quoted) return inBase ? checkpointNames(checked.base.root) : [];
  const written = inBase ? rest.join(".") : segments;
  const places = written === "" ? [checked.base.root] : instancesAt(checked.base.root, written);
  const repeats = written === "" ? [] : repeatsAt(checked.base.root, written);
  const stars: Proposal[] = repeats.length
    ? [
        { label: "*", kind: "operator", detail: `each of ${repeats[0]!.length}` },
        { label: "0", kind: "operator", detail: `0 to ${repeats[0]!.length - 1}` },
      ]
    : [{ label: "**", kind: "operator", detail: "everything below" }];
  return [...namesBelow(places), ...stars];
};

/** The pattern of a path that is written as far as a point, by parsing it in a path's place. */
const patternOf = (written: string): Path["segments"] => {
  const { file } = parse(`adapter a = b() into base.${written}`, "");
  const [item] = file.items;
  return (item?.kind === "adapter" ? item.injections[0]?.into[0]?.segments : undefined) ?? [];
};

const matched = (root: Instance, segments: readonly PathSegment[]): readonly Instance[] =>
  match(root, { segments, at: { file: "", start: 0, end: 0 }, text: "", exact: false }).flatMap((target) =>
    target.kind === "module" ? [target.module] : [],
  );

const instancesAt = (root: Instance, written: string): readonly Instance[] => matched(root, patternOf(written).slice(1));

const repeatsAt = (root: Instance, written: string): readonly (readonly Instance[])[] => {
  const segments = patternOf(written).slice(1);
  const last = segments.at(-1);
  if (last?.kind !== "name") return [];
  const holders = segments.length === 1 ? [root] : matched(root, segments.slice(0, -1));
  return holders.flatMap(({ children: below }) => {
    const child = below.get(last.text);
    return Array.isArray(child) ? [child as readonly Instance[]] : [];
  });
};

const namesBelow = (places: readonly Instance[]): readonly Proposal[] => {
  const found = new Map<string, Proposal>();
  for (const place of places) {
    for (const [name, child] of place.children) {
      const one = Array.isArray(child) ? (child as readonly Instance[])[0] : (child as Instance);
      const times = Array.isArray(child) ? `${child.length} × ` : "";
      found.set(name, { label: name, kind: "module", detail: `${times}${one?.definition.name.text ?? ""}` });
    }
    for (const [name, param] of place.params)
      if (param) found.set(name, { label: name, kind: "value", detail: `[${param.shape.join(", ")}]` });
  }
  return [...found.values()];
};

/** The checkpoint's own names, layers as a star. */
const checkpointNames = (root: Instance): readonly Proposal[] => {
  const names = new Map<string, Proposal>();
  for (const module of modulesOf(root)) {
    const pattern = module.checkpoint.replace(/\.\d+\./g, ".*.").replace(/\.\d+$/, ".*");
    if (pattern && module.params.size) names.set(pattern, { label: pattern, kind: "module", detail: module.definition.name.text });
  }
  return [...names.values()];
};

// ---- files and definitions ------------------------------------------------------------------------------------------

const files = (written: string, { host, file }: Analysis): readonly Proposal[] => {
  const folder = host.resolve(file, written.slice(0, written.lastIndexOf("/") + 1) || "./");
  const before = written.slice(0, written.lastIndexOf("/") + 1);
  return (host.list(folder) ?? [])
    .filter((name) => !name.startsWith("."))
    .map((name) => {
      const inner = host.list(`${folder}/${name}`) !== undefined;
      return { label: `${before}${name}${inner ? "/" : ""}`, kind: inner ? "folder" : "file" };
    });
};

const inDefinition = (analysis: Analysis, offset: number): readonly Proposal[] => {
  const item = analysis.tree.items.find(({ at }) => at.start <= offset && offset <= at.end + 1);
  const library = analysis.compiled.resolved?.library;
  const own = item && isDefinition(item) ? [...declaredIn(item).values()] : [];
  const amended = item?.kind === "method" && library ? amendedBy(item, library) : undefined;
  const outer = amended ? [...declaredIn(amended).values()] : [];
  return [
    ...[...own, ...outer].map(({ name, kind }): Proposal => ({ label: name, kind: "value", detail: kind })),
    ...[...ops.values()]
      .filter(({ call }) => call)
      .map(({ name }): Proposal => ({ label: name, kind: "function", insert: `${name}($0)`, markdown: opText(name) })),
    ...(item?.kind === "method" ? [{ label: "base", kind: "keyword" as const, insert: "base." }] : definitions("module", analysis)),
    ...["let", "param"].map(
      (label): Proposal => ({ label, kind: "keyword", insert: label === "let" ? "let ${1:name} = $0" : "param ${1:name}: [$2] ~ $0" }),
    ),
  ];
};
