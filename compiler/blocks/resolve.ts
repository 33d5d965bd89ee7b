// tree -> resolved: every file that the pipeline imports, its items by kind, and a library that finds definitions by name.
// The standard library is in scope by default and parsed one file at a time, when a name in it is first asked for.

import { parse } from "../../grammar/parse.ts";
import type * as tree from "../../grammar/tree.ts";
import type { Diagnostic } from "../../spec/diagnostic.ts";
import { instead, nearest } from "../../spec/diagnostic.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { CompileHost } from "../host.ts";
import { type Declared, declaredIn } from "./declared.ts";

export type Definition =
  | tree.ModuleDef
  | tree.InterfaceDef
  | tree.ArchitectureDef
  | tree.MethodDef
  | tree.OptimizerDef
  | tree.ScheduleDef
  | tree.FormatDef;
type DefinitionKind = Definition["kind"];

export interface Library {
  readonly find: <K extends DefinitionKind>(kind: K, name: string) => Extract<Definition, { kind: K }> | undefined;
  readonly names: (kind: DefinitionKind) => readonly string[];
  /** The architecture that reads `architectures: [name]` of a config.json. */
  readonly architecture: (className: string) => tree.ArchitectureDef | undefined;
  /** All class names any architecture reads. */
  readonly classNames: () => readonly string[];
}

export interface Resolved {
  readonly file: string;
  readonly library: Library;
  readonly items: readonly tree.Item[];
  /** Definitions written by the user, to be checked even if unused. */
  readonly own: readonly Definition[];
  /** Source text by file, for code frames. */
  readonly texts: ReadonlyMap<string, string>;
  /** Syntax trees of the user's files. */
  readonly trees: ReadonlyMap<string, tree.File>;
}

const definitionKinds = new Set<string>(["module", "interface", "architecture", "method", "optimizer", "schedule", "format"]);
const isDefinition = (item: tree.Item): item is Definition => definitionKinds.has(item.kind);
const namedKinds = new Set<string>(["input", "base", "adapter", "data"]);

export const resolve = (file: string, host: CompileHost, report: (diagnostic: Diagnostic) => void): Resolved | undefined => {
  const texts = new Map<string, string>();
  const trees = new Map<string, tree.File>();
  const items: tree.Item[] = [];
  const own: Definition[] = [];
  const stdImports: tree.Import[] = [];
  const loading: string[] = [];
  const done = new Set<string>();

  const load = (path: string, from?: tree.Span): boolean => {
    if (done.has(path)) return true;
    if (loading.includes(path)) {
      report(diagnostics.import_cycle(from, { cycle: [...loading.slice(loading.indexOf(path)), path].join(" -> ") }));
      return false;
    }
    const text = host.read(path);
    if (text === undefined) {
      if (!from) report(diagnostics.missing_source(undefined, { path }));
      else report(diagnostics.missing_import(from, { path }, { help: "the path is taken from the folder of the file that imports it" }));
      return false;
    }
    loading.push(path);
    texts.set(path, text);
    const parsed = parse(text, path);
    trees.set(path, parsed.file);
    for (const diagnostic of parsed.diagnostics) report(diagnostic);
    if (!parsed.file.version && parsed.diagnostics.length === 0)
      report(
        diagnostics.missing_version(
          { file: path, start: 0, end: 0 },
          {
            help: "put `peft 1` on the first line",
            fixes: [{ at: { file: path, start: 0, end: 0 }, insert: "peft 1\n\n", title: "say the language version" }],
          },
        ),
      );
    else if (parsed.file.version && parsed.file.version.value !== 1)
      report(
        diagnostics.unknown_version(
          parsed.file.version.at,
          { version: parsed.file.version.value },
          { help: "this compiler reads version 1" },
        ),
      );
    for (const item of parsed.file.items) {
      if (item.kind === "import") {
        if (item.from.kind === "file") load(host.resolve(path, item.from.path), item.from.at);
        else stdImports.push(item);
      } else {
        items.push(item);
        if (isDefinition(item)) own.push(item);
      }
    }
    loading.pop();
    done.add(path);
    return true;
  };
  if (!load(file)) return undefined;

  // One name, one meaning: pipeline names share a space; definitions one per kind.
  const seen = new Map<string, tree.Name>();
  for (const item of items) {
    // A method amends a module or an interface, so the two share their names.
    const kind = item.kind === "interface" ? "module" : item.kind;
    const named = namedKinds.has(item.kind) ? "pipeline" : isDefinition(item) ? kind : undefined;
    if (!named || !("name" in item)) continue;
    const key = `${named} ${item.name.text}`;
    const first = seen.get(key);
    if (first)
      report(
        diagnostics.duplicate_name(
          item.name.at,
          { name: item.name.text },
          { notes: [{ message: "first declared here", at: first.at }], help: "give one of them another name" },
        ),
      );
    else seen.set(key, item.name);
  }

  const library = createLibrary(own, host, texts, report);
  for (const definition of own)
    if (library.inStd(definition.kind, definition.name.text))
      report(
        diagnostics.shadows_std(
          definition.name.at,
          { kind: definition.kind, name: definition.name.text },
          { help: "this file's definition is used; rename it if that is not meant" },
        ),
      );
  checkStdImports(stdImports, library, report);
  return { file, library, items, own, texts, trees };
};

interface StdIndex extends Declared {
  /** Files read so far: trees are never changed, so every compilation shares them. */
  readonly trees: Map<string, ReturnType<typeof parse>>;
}

const indexes = new WeakMap<ReadonlyMap<string, string>, StdIndex>();

/** What a library's files declare, found once however many pipelines are compiled. */
const indexOf = ({ std, stdDeclares }: Pick<CompileHost, "std" | "stdDeclares">): StdIndex => {
  const done = indexes.get(std);
  if (done) return done;
  const made = { ...(stdDeclares ?? declaredIn(std)), trees: new Map() };
  indexes.set(std, made);
  return made;
};

const createLibrary = (
  own: readonly Definition[],
  host: Pick<CompileHost, "std" | "stdTrees" | "stdDeclares">,
  texts: Map<string, string>,
  report: (diagnostic: Diagnostic) => void,
): Library & { readonly inStd: (kind: DefinitionKind, name: string) => boolean } => {
  const { std, stdTrees } = host;
  const { definitions: index, classes: known, trees } = indexOf(host);
  const classes = new Map(known);
  const table = new Map<string, Definition>();
  const parsed = new Set<string>();
  for (const definition of own) {
    table.set(`${definition.kind} ${definition.name.text}`, definition);
    if (definition.kind === "architecture") for (const { text } of definition.classes) classes.set(text, definition.name.text);
  }
  const find: Library["find"] = (kind, name) => {
    const key = `${kind} ${name}`;
    const path = index.get(key);
    if (!table.has(key) && path && !parsed.has(path)) {
      parsed.add(path);
      const file = `std/${path}`;
      texts.set(file, std.get(path)!);
      const read = (): ReturnType<typeof parse> => {
        const ready = stdTrees?.get(path);
        if (ready === undefined) return parse(std.get(path)!, file);
        return { file: typeof ready === "string" ? (JSON.parse(ready) as tree.File) : ready, diagnostics: [] };
      };
      const result = trees.get(path) ?? read();
      trees.set(path, result);
      for (const diagnostic of result.diagnostics) report(diagnostic);
      for (const item of result.file.items) {
        if (isDefinition(item) && !table.has(`${item.kind} ${item.name.text}`)) table.set(`${item.kind} ${item.name.text}`, item);
      }
    }
    return table.get(key) as Extract<Definition, { kind: typeof kind }> | undefined;
  };
  return {
    find,
    names: (kind) =>
      [...new Set([...index.keys(), ...table.keys()])].filter((key) => key.startsWith(`${kind} `)).map((key) => key.slice(kind.length + 1)),
    architecture: (className) => {
      const name = classes.get(className);
      return name === undefined ? undefined : find("architecture", name);
    },
    classNames: () => [...classes.keys()],
    inStd: (kind, name) => index.has(`${kind} ${name}`),
  };
};

/** `import { NAME } from std.methods`: names are checked though std is in scope anyway. */
const checkStdImports = (imports: readonly tree.Import[], library: Library, report: (diagnostic: Diagnostic) => void): void => {
  const named = imports.flatMap((item) => item.names ?? []);
  const known = named.length ? ([...definitionKinds] as DefinitionKind[]).flatMap((kind) => library.names(kind)) : [];
  for (const name of named) {
    if (known.includes(name.text)) continue;
    const near = nearest(name.text, known);
    report(diagnostics.unknown_std_name(name.at, { name: name.text }, instead(name.at, near)));
  }
};
