// A syntax tree and a library -> every name in it that stands for something declared, with the place of the declaration. Hover,
// definition, references and rename read this list and nothing else.
//
// The walk is generic: it visits whatever the tree holds and acts on a few shapes (a reference, a call, a path, a subject), so a
// new kind of block or member is covered as soon as the parser knows it.

import type { Definition, Library } from "../../compiler/blocks/resolve.ts";
import type { Call, Entry, Expr, File, Item, MethodDef, Name, Parameter, Path, Span } from "../../grammar/tree.ts";

export type SymbolKind =
  | Item["kind"]
  | "parameter"
  | "param"
  | "let"
  | "state"
  | "observe"
  | "measure"
  | "child"
  | "key"
  | "forward input"
  | "index"
  | "split";

export interface Declared {
  readonly kind: SymbolKind;
  readonly name: string;
  /** The name where it is declared. */
  readonly at: Span;
  /** The item it is, or the one it belongs to. */
  readonly item: Item;
  /** What declares it, when it is a part of the item. */
  readonly part?: object;
}

export interface Occurrence {
  readonly at: Span;
  readonly symbol: Declared;
  readonly declares: boolean;
}

type Node = Readonly<Record<string, unknown>>;
type Names = Map<string, Declared>;

const definitionKinds = new Set<string>(["module", "interface", "architecture", "method", "optimizer", "schedule", "format"]);
export const isDefinition = (item: Item): item is Definition => definitionKinds.has(item.kind);
const isNode = (value: unknown): value is Node => typeof value === "object" && value !== null;
const isName = (value: unknown): value is Name => isNode(value) && typeof value.text === "string" && isNode(value.at) && !("kind" in value);

/** What a pipeline's blocks may refer to by name: bases, adapters, data and inputs of the file and those it imports. */
export const pipelineNames = (items: readonly Item[]): ReadonlyMap<string, Declared> => {
  const names: Names = new Map();
  for (const item of items)
    if ((item.kind === "base" || item.kind === "adapter" || item.kind === "data" || item.kind === "input") && !names.has(item.name.text))
      names.set(item.name.text, { kind: item.kind, name: item.name.text, at: item.name.at, item });
  return names;
};

export const symbolOf = (definition: Definition): Declared => ({
  kind: definition.kind,
  name: definition.name.text,
  at: definition.name.at,
  item: definition,
});

/** Names that a definition declares for its own expressions. */
export const declaredIn = (definition: Definition): ReadonlyMap<string, Declared> => {
  const names: Names = new Map();
  const add = (kind: SymbolKind, name: Name, part: object): void => {
    if (!names.has(name.text)) names.set(name.text, { kind, name: name.text, at: name.at, item: definition, part });
  };
  for (const parameter of "parameters" in definition ? definition.parameters : []) add("parameter", parameter.name, parameter);
  if (definition.kind === "architecture") for (const key of definition.config) add("key", key.name, key);
  for (const member of "members" in definition ? definition.members : []) {
    if (member.kind === "param") for (const name of member.names) add("param", name, member);
    if (
      member.kind === "let" ||
      member.kind === "state" ||
      member.kind === "observe" ||
      member.kind === "measure" ||
      member.kind === "child"
    )
      add(member.kind, member.name, member);
    if (member.kind === "child" && member.repeat) add("index", member.repeat.index, member);
    if (member.kind === "forward") {
      for (const input of member.inputs) add("forward input", input.name, input);
      for (const own of member.lets) add("let", own.name, own);
    }
  }
  return names;
};

/** The parameters a call of it binds by name. */
const parametersOf = (definition: Definition | undefined): readonly Parameter[] =>
  definition && "parameters" in definition ? definition.parameters : [];

/** Every occurrence in the items of one file, in no particular order. */
export const occurrences = (tree: File, items: readonly Item[], library: Library): readonly Occurrence[] => {
  const found: Occurrence[] = [];
  const pipeline = pipelineNames(items);
  const use = (at: Span, symbol: Declared | undefined): void => {
    if (symbol) found.push({ at, symbol, declares: at.start === symbol.at.start && at.file === symbol.at.file });
  };
  const definition = (name: string, prefer: string | undefined): Definition | undefined => {
    const kinds = ["method", "module", "interface", "optimizer", "schedule", "format", "architecture"] as const;
    const ordered = prefer ? [...kinds].sort((a, b) => Number(b === prefer) - Number(a === prefer)) : kinds;
    // A position that asks for one kind takes no other.
    if (prefer && (kinds as readonly string[]).includes(prefer)) return library.find(prefer as "method", name);
    for (const kind of ordered) {
      const one = library.names(kind).includes(name) ? library.find(kind, name) : undefined;
      if (one) return one;
    }
    return undefined;
  };

  const visitCall = (
    call: Call,
    scope: ReadonlyMap<string, Declared>,
    prefer: string | undefined,
    amended: Definition | undefined,
  ): void => {
    const name = call.callee.kind === "ref" ? call.callee.name : undefined;
    // `q = Linear(…)` calls a module even where a value has its name.
    const preferred = name !== undefined && prefer ? definition(name, prefer) : undefined;
    const local = name === undefined || preferred ? undefined : scope.get(name);
    const target = preferred ?? (name === undefined || local ? undefined : definition(name, undefined));
    if (call.callee.kind !== "ref") visit(call.callee, scope, amended);
    else use(call.callee.at, local ?? (target && symbolOf(target)));
    for (const argument of call.args) {
      const parameter = argument.name && parametersOf(target).find((one) => one.name.text === argument.name!.text);
      if (parameter && target)
        use(argument.name!.at, { kind: "parameter", name: parameter.name.text, at: parameter.name.at, item: target, part: parameter });
      visit(argument.value, scope, amended);
    }
  };

  const visitPath = (path: Path): void => {
    const [first, second] = path.segments;
    if (first?.kind !== "name") return;
    const symbol = pipeline.get(first.text);
    use(first.at, symbol);
    if (symbol?.item.kind === "data" && second?.kind === "name") {
      const split = symbol.item.entries.find((entry) => entry.key.text === second.text);
      if (split) use(second.at, { kind: "split", name: second.text, at: split.key.at, item: symbol.item, part: split });
    }
  };

  const visit = (node: unknown, scope: ReadonlyMap<string, Declared>, amended: Definition | undefined, prefer?: string): void => {
    if (Array.isArray(node)) {
      for (const one of node) visit(one, scope, amended, prefer);
      return;
    }
    if (!isNode(node)) return;
    if (node.kind === "ref") {
      use(node.at as Span, scope.get(node.name as string));
      return;
    }
    if (node.kind === "call") {
      visitCall(node as unknown as Call, scope, prefer, amended);
      return;
    }
    if (node.kind === "path") {
      visitPath(("path" in node ? node.path : node) as Path);
      return;
    }
    if (node.kind === "member") {
      const { of, name } = node as unknown as { of: Expr; name: Name };
      if (of.kind === "ref" && of.name === "base" && amended) use(name.at, declaredIn(amended).get(name.text));
      else visit(of, scope, amended);
      return;
    }
    if (node.kind === "bind") {
      const [target] = node.target as readonly Name[];
      if (target) use(target.at, scope.get(target.text) ?? (amended && declaredIn(amended).get(target.text)));
    }
    for (const [key, value] of Object.entries(node)) {
      if (key === "at" || key === "doc") continue;
      if ((key === "subject" || key === "over") && isName(value)) use(value.at, pipeline.get(value.text));
      else if (key === "subjects") for (const name of value as readonly Name[]) use(name.at, pipeline.get(name.text));
      else if (key === "entries") {
        for (const entry of value as readonly Entry[])
          visit(entry, scope, amended, definitionKinds.has(entry.key.text) ? entry.key.text : undefined);
      } else if (key === "value" && "key" in node) visit(value, scope, amended, prefer);
      else visit(value, scope, amended);
    }
  };

  for (const item of tree.items) {
    if (item.kind === "import") {
      for (const name of item.names ?? []) use(name.at, pipeline.get(name.text) ?? symbolFor(definition(name.text, undefined)));
      continue;
    }
    if (!isDefinition(item)) {
      if ("name" in item) use(item.name.at, pipeline.get(item.name.text));
      if (item.kind === "data")
        for (const entry of item.entries)
          if (entry.value.kind === "call") use(entry.key.at, { kind: "split", name: entry.key.text, at: entry.key.at, item, part: entry });
      // A subject that a sweep, a comparison or a budget names is an adapter; so is a bare name among a comparison's entries.
      if (item.kind === "adapter") {
        for (const { method, into } of item.injections) {
          visit(method, pipeline, undefined, "method");
          visit(into, pipeline, undefined);
        }
      } else if (item.kind === "base") {
        visit(item.source, pipeline, undefined);
        for (const { paths, format } of item.store) {
          visit(format, pipeline, undefined, "format");
          visit(paths, pipeline, undefined);
        }
      } else if (item.kind === "compare") {
        visit(item.on, pipeline, undefined);
        for (const entry of item.entries) {
          visit(entry.value, pipeline, undefined, "method");
          visit(entry.into ?? [], pipeline, undefined);
        }
      } else visit(item, pipeline, undefined);
      continue;
    }
    const own = library.find(item.kind, item.name.text) ?? item;
    use(item.name.at, symbolOf(own));
    const declared = declaredIn(item);
    for (const symbol of declared.values()) use(symbol.at, symbol);
    const amended = item.kind === "method" ? amendedBy(item, library) : undefined;
    if (item.kind === "method" && item.amends) use(item.amends.at, symbolFor(amended));
    const outer = amended ? declaredIn(amended) : new Map<string, Declared>();
    visitDefinition(item, new Map([...outer, ...declared]), amended, visit);
  }
  return found;
};

/** The module or interface that a method amends. */
export const amendedBy = ({ amends }: MethodDef, library: Library): Definition | undefined =>
  amends && (library.find("module", amends.text) ?? library.find("interface", amends.text));

const symbolFor = (definition: Definition | undefined): Declared | undefined => definition && symbolOf(definition);

/** Everything below a definition's own name. */
const visitDefinition = (
  item: Definition,
  scope: ReadonlyMap<string, Declared>,
  amended: Definition | undefined,
  visit: (node: unknown, scope: ReadonlyMap<string, Declared>, amended: Definition | undefined, prefer?: string) => void,
): void => {
  if ("parameters" in item) for (const parameter of item.parameters) visit(parameter.value, scope, amended);
  if (item.kind === "schedule") {
    visit(item.value, scope, amended);
    return;
  }
  if (item.kind === "architecture") for (const key of item.config) visit(key.value, scope, amended);
  for (const member of item.members) {
    if (member.kind === "child") {
      visit(member.repeat?.count, scope, amended);
      visit(member.module, scope, amended, "module");
      visit(member.when, scope, amended);
      for (const tie of member.ties) visit(tie, scope, amended);
    } else if (member.kind === "interop") {
      for (const entry of member.config) visit(entry.value, scope, amended);
      for (const { value } of member.tensors) visit(value, scope, amended);
    } else visit(member, scope, amended);
  }
};

/** The occurrence under the cursor: the narrowest that holds it, its end included, since a cursor stands between characters. */
export const occurrenceAt = (all: readonly Occurrence[], offset: number): Occurrence | undefined =>
  all
    .filter(({ at }) => at.start <= offset && offset <= at.end)
    .sort((a, b) => a.at.end - a.at.start - (b.at.end - b.at.start) || Number(a.declares) - Number(b.declares))[0];

export const sameSymbol = (a: Declared, b: Declared): boolean => a.at.file === b.at.file && a.at.start === b.at.start;
