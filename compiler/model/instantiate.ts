// resolved + config.json -> the module tree: every module, parameter and size of the model by role path, before any graph.
// Cheap (no nodes), so patterns, coverage, counts and bytes are known for an 80-layer model in milliseconds.

import type * as tree from "../../grammar/tree.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { DType } from "../../spec/job.ts";
import type { Amendment } from "../adapters/amend.ts";
import { bindArguments } from "../blocks/arguments.ts";
import type { Library } from "../blocks/resolve.ts";
import type { Dim } from "../values/dims.ts";
import { asked, type Context, evaluate, reportThrough } from "../values/expressions.ts";
import { asDim, describe, dimOf, number, type Scope, sameValues, scopeOf, type Value } from "../values/values.ts";
import { moved } from "./alike.ts";
import type { FormatPlan } from "./format.ts";
import { type Face, readFaces } from "./interfaces.ts";

export interface Draw {
  readonly distribution: "zeros" | "ones" | "uniform" | "normal" | "constant" | "distinct";
  readonly args: readonly number[];
}

export interface ParamSpec {
  /** Role path, e.g. "layers.0.attn.q.weight"; unique in the model. */
  readonly path: string;
  readonly shape: readonly Dim[];
  readonly draw: Draw;
  /** How many alike modules have their parameter in this one, along its first axis: one per expert. */
  readonly stack?: Dim;
  /** Tensor name in the checkpoint; of one that lies there in parts, what the running model calls it. */
  readonly tensor: string;
  /** The equal tensors that it lies in, one after the other in row-major order, where they are several. */
  readonly parts?: { readonly names: readonly string[]; readonly shape: readonly Dim[] };
  readonly transposed: boolean;
  /** Set when the value is another parameter's: the tied weight of a head. */
  readonly tiedTo?: ParamSpec;
  /** Paths of parameters that are tied to this one. */
  tiedBy?: string[];
  /** Set when the value is computed from another parameter's: a part of a fused projection. */
  readonly view?: { readonly expr: tree.Expr; readonly of: ParamSpec };
  /** How the checkpoint stores it, once headers are read. */
  stored?: DType;
  /** Whether it is drawn although the base is a checkpoint: the checkpoint has no such head. */
  fresh?: boolean;
  /** How it is kept in memory, where the base says so; else as f32. */
  format?: FormatPlan;
  /** Whether the checkpoint holds it in that format already. */
  packed?: boolean;
}

export interface Instance {
  readonly path: string;
  readonly definition: tree.ModuleDef | tree.ArchitectureDef | tree.InterfaceDef;
  readonly sizes: ReadonlyMap<string, Value>;
  /** Its name in the running model: the checkpoint's, unless the text says otherwise. */
  readonly checkpoint: string;
  /** Whether that is the name of a parameter, with no module of its own there. */
  readonly parameter: boolean;
  /** How many alike modules it stands for. */
  readonly stack?: Dim;
  /** undefined: an optional parameter that is absent. */
  readonly params: ReadonlyMap<string, ParamSpec | undefined>;
  readonly children: ReadonlyMap<string, Instance | readonly Instance[]>;
  /** The interfaces the module claims, by name. */
  readonly faces: ReadonlyMap<string, Face>;
  /** What adapters rebind here, in order; filled by inject. */
  readonly amendments: Amendment[];
}

export interface Place {
  readonly path: string;
  /** In the running model. */
  readonly checkpoint: string;
  /** In the file: several where parameters lie in parts; `{index}` stands for the place in a stack. */
  readonly stored: readonly string[];
  readonly parameter?: boolean;
  /** Whether the checkpoint has it as a parameter too: its weight lies under the name itself. */
  readonly bare?: boolean;
  readonly stack?: { readonly count: Dim; readonly index: string };
  readonly transposed: boolean;
  /** Definitions that are being unfolded, outermost first: none may come again. */
  readonly within?: readonly (tree.ModuleDef | tree.ArchitectureDef | tree.InterfaceDef)[];
}

/** Unfolds an architecture. `config` holds the keys of config.json as values. */
export const instantiate = (
  architecture: tree.ArchitectureDef,
  config: ReadonlyMap<string, Value>,
  library: Library,
  context: Context,
): Instance => {
  const root: Place = { path: "", checkpoint: "", stored: [""], transposed: false };
  return build(architecture, config, root, library, context);
};

const join = (...parts: string[]): string => parts.filter((part) => part !== "").join(".");

export const build = (
  definition: tree.ModuleDef | tree.ArchitectureDef | tree.InterfaceDef,
  given: ReadonlyMap<string, Value>,
  place: Place,
  library: Library,
  context: Context,
): Instance => {
  // A `let` of the definition is a size computed from the others.
  const sizes = new Map(given);
  const scope = scopeOf(sizes);
  for (const member of definition.members) if (member.kind === "let") sizes.set(member.name.text, evaluate(member.value, scope, context));
  const children = new Map<string, Instance | readonly Instance[]>();
  const params = new Map<string, ParamSpec | undefined>();
  for (const member of definition.members) {
    if (member.kind === "param")
      for (const name of member.names) params.set(name.text, buildParam(member, name.text, sizes, scope, place, context));
    if (member.kind === "child") {
      const child = isThere(member, scope, context)
        ? buildChild(member, scope, { ...place, within: [...(place.within ?? []), definition] }, children, library, context)
        : undefined;
      if (child && children.has(member.name.text))
        reportThrough(context, member.at, (at, details) => diagnostics.duplicate_name(at, { name: member.name.text }, details), {
          help: "the conditions of two children of one name must exclude each other",
        });
      if (child) children.set(member.name.text, child);
    }
  }
  const instance = {
    path: place.path,
    definition,
    sizes,
    checkpoint: place.checkpoint,
    parameter: place.parameter === true,
    ...(place.stack && { stack: place.stack.count }),
    params,
    children,
    amendments: [],
  };
  return { ...instance, faces: readFaces((definition.kind !== "interface" && definition.is) || [], instance, library, context) };
};

/** `when` decides at compile time; what is not known yet counts as there. */
const isThere = (member: tree.ChildMember, scope: Scope, context: Context): boolean => {
  const when = member.when && evaluate(member.when, scope, context);
  return !(when?.kind === "bool" && !when.value);
};

const buildParam = (
  member: tree.ParamMember,
  name: string,
  sizes: ReadonlyMap<string, Value>,
  scope: Scope,
  place: Place,
  context: Context,
): ParamSpec | undefined => {
  // `param bias?` exists when the setting of the same name says so.
  const present = sizes.get(name);
  const given = present?.kind === "open" ? asked({ key: present.name }, present.name, context) : present?.kind === "bool" && present.value;
  if (member.optional && !given) return undefined;
  const own = evaluateShape(member.shape, scope, context);
  const { stack } = place;
  const where = storedUnder(place, name, own);
  if (where.parts && place.transposed)
    reportThrough(context, member.at, (at, details) =>
      diagnostics.cannot_stack(at, { problem: "it is stored transposed, and in parts" }, details),
    );
  return {
    path: join(place.path, name),
    shape: stack ? [stack.count, ...own] : own,
    ...(stack && { stack: stack.count }),
    draw: member.draw ? evaluateDraw(member.draw, scope, context) : { distribution: "zeros", args: [] },
    ...where,
    transposed: place.transposed && member.shape.length === 2,
  };
};

/** Where a parameter lies: one tensor, or parts in the order they follow each other. */
const storedUnder = (
  { checkpoint, stored, parameter, bare, stack }: Place,
  name: string,
  own: readonly Dim[],
): Pick<ParamSpec, "tensor" | "parts"> => {
  const mark = stack && `{${stack.index}}`;
  const apart = mark !== undefined && stored.some((one) => one.includes(mark));
  if (!apart && stored.length === 1) return { tensor: bare ? bareName(stored[0]!, name) : join(stored[0]!, name) };
  const count = apart && typeof stack!.count === "number" ? stack!.count : 1;
  const names = Array.from({ length: count }, (_, i) => stored.map((one) => join(mark ? one.replaceAll(mark, String(i)) : one, name)));
  const shape = own.map((dim, axis) => (axis === 0 && typeof dim === "number" ? dim / stored.length : dim));
  return { tensor: parameter ? bareName(checkpoint, name) : join(checkpoint, name), parts: { names: names.flat(), shape } };
};

/** What a parameter of a module is called that is no module there: the weight has the name itself. */
const bareName = (of: string, name: string): string => (name === "weight" ? of : `${of}_${name}`);

/** Sizes of a declared shape; 1 where one could not be computed, which was reported. */
export const evaluateShape = (shape: readonly tree.Expr[], scope: Scope, context: Context): Dim[] =>
  shape.map((expr) => {
    const value = evaluate(expr, scope, context);
    const dim = asDim(value);
    if (dim !== undefined && (typeof dim !== "number" || dim > 0)) return dim;
    if (value.kind !== "unknown")
      reportThrough(context, expr.at, (at, details) => diagnostics.bad_size(at, { found: describe(value) }, details), {
        help: "a size is a whole number of at least 1",
      });
    return 1;
  });

const distributions: Readonly<Record<Draw["distribution"], number>> = {
  zeros: 0,
  ones: 0,
  uniform: 2,
  normal: 1,
  constant: 1,
  distinct: 1,
};

export const evaluateDraw = (expr: tree.Expr, scope: Scope, context: Context): Draw => {
  const name = expr.kind === "ref" ? expr.name : expr.kind === "call" && expr.callee.kind === "ref" ? expr.callee.name : "";
  const args = expr.kind === "call" ? expr.args.map((argument) => evaluate(argument.value, scope, context)) : [];
  const count = distributions[name as Draw["distribution"]];
  const numbers = args.flatMap((arg) => (arg.kind === "number" && !arg.unit ? [arg.value] : []));
  if (count === undefined || count !== args.length) {
    reportThrough(context, expr.at, (at, details) => diagnostics.unknown_distribution(at, { name: name || "this" }, details), {
      help: "write zeros, ones, constant(value), uniform(low, high), normal(standard deviation) or, for whole numbers, distinct(below)",
    });
    return { distribution: "zeros", args: [] };
  }
  for (const [i, arg] of args.entries())
    if (dimOf(arg) === undefined && arg.kind !== "unknown")
      reportThrough(context, (expr as tree.Call).args[i]!.at, (at, details) =>
        diagnostics.wrong_operand(at, { op: name, what: describe(arg) }, details),
      );
  // While a definition is checked by itself nothing is drawn.
  return numbers.length === args.length
    ? { distribution: name as Draw["distribution"], args: numbers }
    : { distribution: "zeros", args: [] };
};

/** Deeper than any model there is; a count above it is a slip, and would be unfolded one by one. */
const mostRepeats = 10_000;

const buildChild = (
  member: tree.ChildMember,
  scope: Scope,
  place: Place,
  siblings: ReadonlyMap<string, Instance | readonly Instance[]>,
  library: Library,
  context: Context,
): Instance | readonly Instance[] | undefined => {
  const callee = member.module.callee;
  const name = callee.kind === "ref" ? callee.name : "";
  const definition = library.find("module", name);
  if (!definition) {
    reportThrough(context, callee.at, (at, details) => diagnostics.unknown_module(at, { name }, details), {
      notes: [{ message: `modules: ${library.names("module").join(", ")}` }],
    });
    return undefined;
  }
  const within = place.within ?? [];
  if (within.includes(definition)) {
    const cycle = [...within.slice(within.indexOf(definition)), definition].map((own) => own.name.text).join(" -> ");
    reportThrough(context, callee.at, (at, details) => diagnostics.recursive_module(at, { cycle }, details), {
      help: "what is computed again and again is written with `repeat`",
    });
    return undefined;
  }
  let before: { readonly place: Place; readonly sizes: ReadonlyMap<string, Value>; readonly made: Instance } | undefined;
  const one = (index?: number): Instance => {
    const indexed = index === undefined ? scope : scopeOf(new Map([[member.repeat!.index.text, number(index)]]), scope);
    const sizes = bindArguments(
      { what: `module ${name}`, at: member.at, parameters: definition.parameters },
      member.module.args,
      indexed,
      context,
    );
    const bare = member.named?.kind === "parameter" && !member.checkpoint;
    const names = (member.checkpoint ?? (bare ? [member.named!] : [member.name])).map(({ text }) =>
      index === undefined ? text : text.replaceAll(`{${member.repeat!.index.text}}`, String(index)),
    );
    const own: Place = {
      path: join(place.path, member.name.text, index === undefined ? "" : String(index)),
      checkpoint: join(place.checkpoint, runningName(member, names, index)),
      stored: place.stored.flatMap((outer) => names.map((name) => join(outer, name))),
      transposed: member.transposed,
      within,
      ...(member.named?.kind === "parameter" && { parameter: true }),
      ...(bare && { bare }),
      ...(stack ? { stack } : place.stack && { stack: place.stack }),
    };
    // Only the place tells it from the one before: its own names, since ties and parts reach beyond it.
    if (before && member.ties.length === 0 && own.stored.length === 1 && sameValues(before.sizes, sizes))
      return moved(before.made, before.place, own);
    const made = tie(member, build(definition, sizes, own, library, context), indexed, siblings, context);
    before = { place: own, sizes, made };
    return made;
  };
  let stack: Place["stack"];
  if (!member.repeat) return one();
  const count = evaluate(member.repeat.count, scope, context);
  if (member.repeat.stacked) {
    if (place.stack) {
      reportThrough(context, member.at, (at, details) => diagnostics.cannot_stack(at, { problem: "it is in a stack already" }, details));
      return undefined;
    }
    const dim = asDim(count);
    if (dim !== undefined && (typeof dim !== "number" || dim > 0)) {
      stack = { count: dim, index: member.repeat.index.text };
      return one();
    }
  }
  if (count.kind === "number" && count.value > mostRepeats) {
    reportThrough(context, member.repeat.count.at, (at, details) =>
      diagnostics.too_many_repeats(at, { count: count.value, limit: mostRepeats }, details),
    );
    return undefined;
  }
  if (count.kind === "number" && Number.isInteger(count.value) && count.value >= 1)
    return Array.from({ length: count.value }, (_, i) => one(i));
  if (count.kind === "size") return [one(0)]; // checked without a checkpoint: one stands for all
  if (count.kind !== "unknown")
    reportThrough(context, member.repeat.count.at, (at, details) => diagnostics.bad_size(at, { found: describe(count) }, details));
  return undefined;
};

/** What the running model calls a child: a stack is one module there, without the index. */
const runningName = ({ named, repeat }: tree.ChildMember, stored: readonly string[], index: number | undefined): string =>
  named?.text.replaceAll(`{${repeat?.index.text}}`, String(index)) ??
  (repeat?.stacked ? stored[0]!.replace(`.{${repeat.index.text}}`, "") : stored[0]!);

/** `tied weight = embed.weight when cond`: the parameter is the sibling's. Any other expression is a view of the one it reads. */
const tie = (
  member: tree.ChildMember,
  instance: Instance,
  scope: Scope,
  siblings: ReadonlyMap<string, Instance | readonly Instance[]>,
  context: Context,
): Instance => {
  const params = new Map(instance.params);
  for (const tied of member.ties) {
    const when = tied.when ? evaluate(tied.when, scope, context) : undefined;
    if (when && !(when.kind === "bool" && when.value)) continue;
    const name = tied.param.text;
    // A parameter that is absent here needs no other's value.
    if (instance.params.has(name) && !instance.params.get(name)) continue;
    const own = instance.params.get(name);
    const sources = readBy(tied.to, siblings);
    const [source] = sources;
    const whole = tied.to.kind === "member" && tied.to.of.kind === "ref";
    if (!own || !source || sources.length > 1 || (whole && source.shape.join() !== own.shape.join())) {
      reportThrough(context, tied.at, (at, details) => diagnostics.bad_tie(at, { name }, details), {
        help: whole
          ? "tie to a parameter of an earlier child that has the same shape"
          : "a view reads one parameter of an earlier child, like `slice(qkv.weight, 0, width, axis: 0)`",
      });
      continue;
    }
    if (whole) source.tiedBy = [...(source.tiedBy ?? []), own.path];
    params.set(name, { ...own, ...(whole ? { tiedTo: source } : { view: { expr: tied.to, of: source } }) });
  }
  return { ...instance, params };
};

/** The siblings' parameters that an expression reads. */
const readBy = (expr: tree.Expr, siblings: ReadonlyMap<string, Instance | readonly Instance[]>): ParamSpec[] => {
  const found = new Set<ParamSpec>();
  const visit = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    const node = value as Partial<tree.Expr>;
    if (node.kind === "member" && node.of?.kind === "ref") {
      const sibling = siblings.get(node.of.name);
      const param = sibling && !Array.isArray(sibling) ? (sibling as Instance).params.get(node.name!.text) : undefined;
      if (param) found.add(param);
    }
    for (const part of Object.values(value)) visit(part);
  };
  visit(expr);
  return [...found];
};

/** Whether a parameter holds numbers of its own, and is not another's. */
export const isOwn = (param: ParamSpec | undefined): param is ParamSpec => param !== undefined && !param.tiedTo && !param.view;

/** Every module, parents first. */
export const modulesOf = (root: Instance): readonly Instance[] => {
  const modules: Instance[] = [];
  const visit = (instance: Instance): void => {
    modules.push(instance);
    for (const child of instance.children.values()) {
      if (Array.isArray(child)) for (const one of child as readonly Instance[]) visit(one);
      else visit(child as Instance);
    }
  };
  visit(root);
  return modules;
};

/** Every parameter that exists of its own, in order. */
export const parametersOf = function* (root: Instance): Generator<ParamSpec> {
  for (const instance of modulesOf(root)) for (const param of instance.params.values()) if (isOwn(param)) yield param;
};
