// A base block -> its module tree, checked against config.json and the checkpoint's header. No weight is read.

import type * as tree from "../../grammar/tree.ts";
import { type Diagnostic, instead, nearest } from "../../spec/diagnostic.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import { turnedShape } from "../../spec/turned.ts";
import { bindArguments } from "../blocks/arguments.ts";
import type { Library } from "../blocks/resolve.ts";
import { parameter } from "../blocks/settings.ts";
import type { CompileHost, StoredTensor } from "../host.ts";
import { pictureOf } from "../unfold/sequence.ts";
import type { Dim } from "../values/dims.ts";
import { type Context, evaluate } from "../values/expressions.ts";
import { bool, describe, none, number, type Scope, scopeOf, unknown, type Value } from "../values/values.ts";
import { type Instance, instantiate, parametersOf } from "./instantiate.ts";
import { nearestArchitecture, type Tried } from "./nearest-architecture.ts";
import { packedReader } from "./packed.ts";
import { applyStores, type Stored } from "./store.ts";

export interface BasePlan {
  readonly name: string;
  readonly root: Instance;
  /** What its `store` lines cover. */
  readonly stores: readonly Stored[];
  readonly architecture: tree.ArchitectureDef;
  /** As written. */
  readonly place: string;
  /** The same; of a place of the hub, with the commit that was read. */
  readonly path: string;
  readonly weights: "checkpoint" | "drawn";
  readonly seed: number;
  /** Rows of the table that ids are looked up in, where the architecture says so: else as many as there are logits. */
  readonly vocabulary?: number;
  /** What a decoder begins from, where an encoder reads the prompt. */
  readonly start?: number;
  /** Channels, height and width of what it looks at, where it looks at pictures. */
  readonly picture?: readonly number[];
  /** Longest sequence the positions allow. */
  readonly context: number;
  readonly parameters: number;
  /** Digests of config.json and of the checkpoint's headers: asked for when a job or a lock is written. */
  readonly configHash: () => string;
  readonly headerHash?: () => string;
}

export const baseSources: Readonly<Record<string, readonly tree.Parameter[]>> = {
  /** A Hugging Face folder with weights. */
  checkpoint: [parameter("path", "path"), parameter("classes", "int", 0)],
  /** config.json and a tokenizer; the parameters are drawn as the modules say. */
  blank: [parameter("path", "path"), parameter("seed", "int", 0), parameter("classes", "int", 0)],
};

/** Undefined after a report. */
export const readBase = async (
  item: tree.Base,
  file: string,
  library: Library,
  scope: Scope,
  host: CompileHost,
  context: Context,
): Promise<BasePlan | undefined> => {
  const { report } = context;
  const call = item.source;
  const kind = call.kind === "call" && call.callee.kind === "ref" ? call.callee.name : "";
  if (call.kind !== "call" || !baseSources[kind]) {
    const near = nearest(kind, Object.keys(baseSources));
    report(
      diagnostics.unknown_definition(
        call.at,
        { kind: "base source", name: kind || "this" },
        near && call.kind === "call"
          ? instead(call.callee.at, near)
          : { help: 'write `checkpoint("folder/")` or `blank("folder/", seed: 1)`' },
      ),
    );
    return undefined;
  }
  const args = bindArguments({ what: kind, at: call.at, parameters: baseSources[kind]! }, call.args, scope, context);
  const path = args.get("path");
  const seed = args.get("seed");
  if (path?.kind !== "text") return undefined;
  const at = call.args[0]?.value.at ?? call.at;
  const hub = path.value.startsWith(hubScheme) ? host.hub?.(path.value, kind === "checkpoint") : undefined;
  if (hub?.problem) {
    report({ ...hub.problem, at });
    return undefined;
  }
  const folder = host.resolve(file, path.value);
  const text = host.read(host.resolve(`${folder}/`, "config.json"));
  if (text === undefined) {
    const names = host.list(folder);
    report(
      names
        ? diagnostics.missing_config(
            at,
            { folder: path.value },
            {
              notes: [{ message: `the folder holds: ${names.slice(0, 8).join(", ") || "nothing"}` }],
              help: "a base is a Hugging Face folder: config.json, *.safetensors, tokenizer.json",
            },
          )
        : diagnostics.missing_folder(at, { folder: path.value }, { help: orOnHub(path.value) }),
    );
    return undefined;
  }
  const config = parseConfig(text, at, path.value, context);
  if (!config) return undefined;
  const architecture = findArchitecture(config, library);
  if (!architecture) {
    const header = kind === "checkpoint" ? await host.headers(folder) : undefined;
    const tensors = header && "tensors" in header ? header.tensors : new Map<string, StoredTensor>();
    reportUnknown(config, tensors, at, library, context);
    return undefined;
  }
  const classes = args.get("classes");
  const asked = new Map<string, Value>([
    ["class", { kind: "text", value: architecture.name }],
    ["classes", classes?.kind === "number" ? classes : number(0)],
  ]);
  const sizes = readConfig(architecture.definition, config, asked, at, context);
  if (!sizes) return undefined;
  let failed = false;
  const watch: Context = {
    ...context,
    through: [at],
    report: (diagnostic) => {
      failed ||= diagnostic.severity === "error";
      report(diagnostic);
    },
  };
  const root = instantiate(architecture.definition, sizes, library, watch);
  const longest = root.sizes.get("context") ?? number(Number.MAX_SAFE_INTEGER);
  if (failed || longest.kind !== "number") return undefined;
  const stores = applyStores(item, root, library, scope, context);

  const parameters = [...parametersOf(root)].reduce((sum, param) => sum + param.shape.reduce<number>((n, dim) => n * Number(dim), 1), 0);
  const plan = {
    name: item.name.text,
    root,
    stores,
    architecture: architecture.definition,
    ...(root.sizes.get("vocabulary")?.kind === "number" && { vocabulary: (root.sizes.get("vocabulary") as { value: number }).value }),
    ...(root.sizes.get("start")?.kind === "number" && { start: (root.sizes.get("start") as { value: number }).value }),
    ...(pictureOf(root.sizes) && { picture: pictureOf(root.sizes)! }),
    place: path.value,
    path: hub?.exact ?? path.value,
    seed: seed?.kind === "number" ? seed.value : 0,
    context: longest.value,
    parameters,
    configHash: () => host.sha256(text),
  };
  if (kind === "blank") return { ...plan, weights: "drawn" };
  const header = await host.headers(folder);
  if ("diagnostics" in header) {
    for (const diagnostic of header.diagnostics) report({ ...diagnostic, at: diagnostic.at ?? at });
    return undefined;
  }
  if (!checkHeader(root, header.tensors, at, path.value, library, context, classes?.kind === "number" && classes.value > 0))
    return undefined;
  return { ...plan, weights: "checkpoint", headerHash: header.sha256 };
};

const hubScheme = "hf://";

/** What to do about a folder that is not there, which may be meant as a model's name. */
const orOnHub = (path: string): string => {
  const help = "the path is taken from the folder of this file";
  return /^\w[\w.-]*\/\w[\w.-]*$/.test(path) ? `${help}; a model of the hub is named \`${hubScheme}${path}\`` : help;
};

const parseConfig = (text: string, at: tree.Span, folder: string, { report }: Context): Record<string, unknown> | undefined => {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) return parsed as Record<string, unknown>;
    report(diagnostics.bad_config(at, { folder, problem: "it is not an object" }));
  } catch (error) {
    report(diagnostics.bad_config(at, { folder, problem: error instanceof Error ? error.message : "it is not JSON" }));
  }
  return undefined;
};

const classesOf = ({ architectures }: Record<string, unknown>): readonly string[] =>
  Array.isArray(architectures) ? architectures.filter((name): name is string => typeof name === "string") : [];

const findArchitecture = (
  config: Record<string, unknown>,
  library: Library,
): { readonly definition: tree.ArchitectureDef; readonly name: string } | undefined => {
  for (const name of classesOf(config)) {
    const definition = library.architecture(name);
    if (definition) return { definition, name };
  }
  return undefined;
};

/** No architecture reads it: says which comes nearest and in what it differs. */
const reportUnknown = (
  config: Record<string, unknown>,
  tensors: ReadonlyMap<string, StoredTensor>,
  at: tree.Span,
  library: Library,
  { report }: Context,
): void => {
  const classes = classesOf(config);
  const tried = library.classNames().flatMap((name): Tried[] => {
    const definition = library.architecture(name);
    if (!definition) return [];
    const problems: Diagnostic[] = [];
    const quiet: Context = { report: (diagnostic) => void problems.push(diagnostic), through: [] };
    const asked = new Map<string, Value>([
      ["class", { kind: "text", value: name }],
      ["classes", number(0)],
    ]);
    const sizes = readConfig(definition, config, asked, at, quiet);
    const root = sizes && instantiate(definition, sizes, library, quiet);
    const reads = definition.config.filter((key) => lookUp(config, key) !== undefined).length;
    return [{ name, problems, reads, ...(root && { root }) }];
  });
  const near = classes[0] === undefined ? undefined : nearest(classes[0], library.classNames());
  report(
    diagnostics.unknown_architecture(
      at,
      { name: classes[0] ?? "none named" },
      {
        notes: [...nearestArchitecture(tried, tensors), `known: ${library.classNames().join(", ")}`].map((message) => ({ message })),
        help: near
          ? `did it mean ${near}? An architecture is one file: see stdlib/architectures`
          : "an architecture is one file in the language: see stdlib/architectures",
      },
    ),
  );
};

/** A default that says that there is none: the key must be there. */
const needed: Value = { kind: "text", value: "needed" };

/** config.json's keys as the architecture types them. Newer checkpoints keep some one level down, in an object of their own. */
const readConfig = (
  architecture: tree.ArchitectureDef,
  config: Record<string, unknown>,
  asked: ReadonlyMap<string, Value>,
  at: tree.Span,
  context: Context,
): Map<string, Value> | undefined => {
  const sizes = new Map(asked);
  const inner: Context = { ...context, through: [at] };
  let ok = true;
  for (const key of architecture.config) {
    const name = key.name.text;
    const label = key.paths.find(({ text }) => valueAt(config, text) !== undefined)?.text ?? name;
    const raw = lookUp(config, key);
    if (raw === undefined || (raw === null && (key.optional || key.value))) {
      const value: Value = key.value
        ? evaluate(key.value, scopeOf(new Map([...sizes, ["needed", needed]])), inner)
        : key.optional
          ? none
          : needed;
      if (value === needed) {
        const place = key.paths[0]?.text ?? name;
        context.report(diagnostics.missing_config_key(at, { key: place, architecture: architecture.name.text }));
        ok = false;
        sizes.set(name, unknown);
        continue;
      }
      const problem = value.kind === "none" ? undefined : misfit(key, value, sizes, inner);
      if (problem) {
        context.report(
          diagnostics.unsupported_config(
            at,
            { key: label, found: describe(value), wanted: problem },
            { help: `it follows from other keys of config.json, which do not fit together` },
          ),
        );
        ok = false;
      }
      sizes.set(name, value);
      continue;
    }
    const value = "text" in key.type && key.type.text === "count" && isObject(raw) ? number(Object.keys(raw).length) : fromJson(raw);
    const problem = misfit(key, value, sizes, inner);
    if (problem) {
      context.report(
        diagnostics.unsupported_config(
          at,
          { key: label, found: JSON.stringify(raw) ?? "nothing", wanted: problem },
          { help: `${architecture.name.text} reads ${label} as ${problem}; this checkpoint asks for something it cannot do` },
        ),
      );
      ok = false;
    }
    sizes.set(name, value);
  }
  return ok ? sizes : undefined;
};

/** The value at `a.b` of an object in an object. */
const valueAt = (config: Record<string, unknown>, path: string): unknown =>
  path.split(".").reduce<unknown>((value, part) => (isObject(value) && Object.hasOwn(value, part) ? value[part] : undefined), config);

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);

const lookUp = (config: Record<string, unknown>, { name: { text: name }, paths }: tree.ConfigKey): unknown => {
  if (paths.length > 0) return paths.map(({ text }) => valueAt(config, text)).find((value) => value !== undefined);
  if (name in config) return config[name];
  for (const value of Object.values(config)) if (isObject(value) && name in value) return value[name];
  return undefined;
};

const fromJson = (raw: unknown): Value => {
  if (typeof raw === "number") return number(raw);
  if (typeof raw === "boolean") return bool(raw);
  if (typeof raw === "string") return { kind: "text", value: raw };
  if (raw === null) return none;
  if (Array.isArray(raw)) return { kind: "list", items: raw.map(fromJson) };
  return { kind: "record", name: "an object", fields: () => undefined, names: () => [] };
};

/** What the key must be, when the value is not that. */
const misfit = (key: tree.ConfigKey, value: Value, sizes: ReadonlyMap<string, Value>, context: Context): string | undefined => {
  if ("oneOf" in key.type) {
    const allowed = key.type.oneOf.map((expr) => evaluate(expr, scopeOf(sizes), context));
    return allowed.some((candidate) => describe(candidate) === describe(value)) ? undefined : allowed.map(describe).join(" or ");
  }
  switch (key.type.text) {
    case "count":
      return value.kind === "number" ? undefined : "an object whose entries are counted";
    case "int":
      return value.kind === "number" && Number.isInteger(value.value) ? undefined : "a whole number";
    case "float":
      return value.kind === "number" ? undefined : "a number";
    case "bool":
      return value.kind === "bool" ? undefined : "true or false";
    case "string":
      return value.kind === "text" ? undefined : "text";
    case "list":
      return value.kind === "list" ? undefined : "a list";
    default:
      return undefined;
  }
};

/** The dtypes, by the file's own names, that weights are read from. */
const readable: ReadonlySet<string> = new Set(["F32", "F16", "BF16"]);

/** What is wrong with one stored tensor: a line, or none. */
const misplaced = (name: string, wanted: readonly Dim[], tensors: ReadonlyMap<string, StoredTensor>): string[] => {
  const found = tensors.get(name);
  const near = found ? undefined : nearest(name, tensors.keys());
  if (!found) return [`${name}: missing${near ? ` (there is ${near})` : ""}`];
  if (found.shape.join() === wanted.join()) return [];
  return [`${name}: config.json says [${wanted.join(", ")}], the file has [${found.shape.join(", ")}]`];
};

/** Every parameter is there with its shape; what the checkpoint has beyond that is said. */
const checkHeader = (
  root: Instance,
  tensors: ReadonlyMap<string, StoredTensor>,
  at: tree.Span,
  folder: string,
  library: Library,
  context: Context,
  fresh: boolean,
): boolean => {
  const { report } = context;
  const problems: string[] = [];
  const unread = new Map<string, string>();
  const read = (name: string): void => {
    const raw = tensors.get(name)?.raw;
    if (raw !== undefined && !readable.has(raw)) unread.set(name, raw);
  };
  const packed = packedReader(tensors, library, context, at);
  const used = new Set<string>();
  for (const param of parametersOf(root)) {
    if (param.parts) {
      const { names, shape } = param.parts;
      for (const name of names) used.add(name);
      problems.push(...names.flatMap((name) => misplaced(name, shape, tensors)));
      names.forEach(read);
      const [dtype, another] = new Set(names.map((name) => tensors.get(name)?.dtype));
      if (another) problems.push(`${names[0]} and the other parts of ${param.tensor} are of different dtypes`);
      else if (dtype) param.stored = dtype;
      continue;
    }
    const found = tensors.get(param.tensor);
    const wanted = param.transposed ? turnedShape(param.shape) : param.shape;
    used.add(param.tensor);
    if (!found) {
      // A head that was asked for may be new.
      if (param.path.startsWith("classify.") && fresh) {
        param.fresh = true;
        continue;
      }
      problems.push(...misplaced(param.tensor, wanted, tensors));
      continue;
    }
    const inPieces = found.raw === "U8" || found.raw === "I8" ? packed(param) : undefined;
    if (inPieces) {
      for (const name of inPieces.names) used.add(name);
      if (param.format && param.format.label !== inPieces.format.label)
        problems.push(`${param.tensor}: the file holds it as ${inPieces.format.label}, \`store\` asks for ${param.format.label}`);
      param.format = inPieces.format;
      param.packed = true;
    } else if (found.shape.join() !== wanted.join()) problems.push(...misplaced(param.tensor, wanted, tensors));
    else {
      read(param.tensor);
      param.stored = found.dtype;
    }
  }
  if (unread.size > 0)
    report(
      diagnostics.unread_dtype(
        at,
        { folder, count: unread.size, dtype: [...new Set(unread.values())].join(" and ") },
        {
          notes: [...unread].slice(0, 8).map(([name, raw]) => ({ message: `${name}: ${raw}` })),
          help: "take the checkpoint in F32, F16 or BF16; a `store` line packs weights as they are loaded",
        },
      ),
    );
  if (problems.length > 0) {
    report(
      diagnostics.config_mismatch(
        at,
        { folder, count: problems.length },
        {
          notes: problems.slice(0, 8).map((message) => ({ message })),
          help: "config.json and the weights belong to different models, or a file is missing",
        },
      ),
    );
    return false;
  }
  if (unread.size > 0) return false;
  const unused = [...tensors.keys()].filter((name) => !used.has(name));
  if (unused.length > 0)
    report(
      diagnostics.unused_tensors(
        at,
        { count: unused.length, folder },
        {
          notes: [{ message: unused.slice(0, 6).join(", ") + (unused.length > 6 ? ", …" : "") }],
          help: "the architecture has no parameter for them; the model is computed without them",
        },
      ),
    );
  return true;
};
