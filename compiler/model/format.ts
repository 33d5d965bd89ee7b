// A format of the library and its settings -> how a tensor is stored: the pieces that lie in memory, how they are made from the
// tensor (for the runtime's host, at load), and how the tensor is read back (for the graph). All of it follows from the text.
//
// Invariant: what is read back is table[code] · scale + offset, with scale and offset the same throughout a block. The format may
// write that in any way; format-value.ts finds the three. Nothing here knows a format by name.

import type * as tree from "../../grammar/tree.ts";
import { nearest } from "../../spec/diagnostic.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { Format, FormatNode } from "../../spec/job-formats.ts";
import { bindArguments } from "../blocks/arguments.ts";
import type { Library } from "../blocks/resolve.ts";
import { createGraph, type Graph, type Node, reachable, type TensorType } from "../graph/graph.ts";
import { type Context, evaluate, reportThrough } from "../values/expressions.ts";
import { type Scope, scopeOf, type Value } from "../values/values.ts";
import { readFiles } from "./format-files.ts";
import { type Affine, affineOf } from "./format-value.ts";

/** Codes as they lie in memory: 4 or 8 bits in bytes, or a floating-point dtype of its own. */
export type Code =
  | { readonly kind: "bits"; readonly bits: 4 | 8; readonly signed: boolean; readonly table: readonly number[] }
  | { readonly kind: "plain"; readonly dtype: "f32" | "f16" | "bf16" };

export interface FormatState {
  readonly name: string;
  readonly per: "block" | "tensor";
  /** How the state is stored itself; absent: as f32. */
  readonly format?: FormatPlan;
}

export interface FormatPlan {
  readonly name: string;
  /** As it would be written with every setting: `name(block: 64)`. Equal labels are equal formats. */
  readonly label: string;
  /** Elements of a block; undefined: a block is a row of the last axis. */
  readonly block?: number;
  readonly code: Code;
  readonly states: readonly FormatState[];
  /** How it reads back, over inputs named as the states; absent for plain codes. */
  readonly affine?: Affine;
  /** What the job says: the same as text for the host. */
  readonly job: Format;
}

/** Ops that the host evaluates when a tensor is stored (runtime/formats/evaluate.ts). */
const hostOps = [
  "neg",
  "abs",
  "sqrt",
  "add",
  "sub",
  "mul",
  "div",
  "max",
  "min",
  "round",
  "clamp",
  "largest",
  "mean",
  "nearest",
  "lookup",
  "cast",
];

/** Reads `NAME(settings)` where a format is wanted. Undefined after a report. */
export const readFormat = (expr: tree.Expr, library: Library, scope: Scope, context: Context): FormatPlan | undefined => {
  const callee = expr.kind === "call" ? expr.callee : expr;
  const name = callee.kind === "ref" ? callee.name : "";
  const definition = library.find("format", name);
  if (!definition) {
    const near = nearest(name, library.names("format"));
    reportThrough(
      context,
      callee.at,
      (at, details) => diagnostics.unknown_definition(at, { kind: "format", name: name || "this" }, details),
      {
        notes: [{ message: `formats: ${library.names("format").join(", ")}` }],
        ...(near && { help: `did you mean \`${near}\`?`, fixes: [{ at: callee.at, insert: near, title: `change to \`${near}\`` }] }),
      },
    );
    return undefined;
  }
  return planFormat(definition, expr.kind === "call" ? expr.args : [], expr.at, library, scope, context, 0);
};

/** Formats inside formats end here; one level is all that any needs. */
const deepest = 3;

export const planFormat = (
  definition: tree.FormatDef,
  args: readonly tree.Argument[],
  at: tree.Span,
  library: Library,
  scope: Scope,
  context: Context,
  depth: number,
): FormatPlan | undefined => {
  const settings = bindArguments({ what: `format ${definition.name.text}`, at, parameters: definition.parameters }, args, scope, context);
  const graph = createGraph();
  let failed = false;
  const watched: Context = {
    report: (diagnostic) => {
      failed ||= diagnostic.severity === "error";
      context.report(diagnostic);
    },
    through: [...context.through, at],
  };
  const wrong = (place: tree.Span, problem: string, help?: string): undefined => {
    reportThrough(
      watched,
      place,
      (where, details) => diagnostics.bad_format(where, { format: definition.name.text, problem }, details),
      help ? { help } : {},
    );
    return undefined;
  };
  const block = blockOf(settings);
  if (block === null) return wrong(at, "its block must be a whole number of at least 2 elements");

  const f32 = (...shape: (number | string)[]): TensorType => ({ dtype: "f32", shape });
  const tensor = (node: Node): Value => ({ kind: "tensor", node, stage: 0 });
  const x = graph.input("x", f32("blocks", block ?? "row"));
  const bound = new Map<string, Value>(settings);
  bound.set("x", tensor(x)).set("all", tensor(graph.input("all", f32("elements"))));

  // A state that is stored in a format of its own: `state scale = other(largest)`.
  const stored = new Map<Node, { readonly first: Node; readonly format: FormatPlan }>();
  const special: Context["special"] = (name, call, inner) => {
    const other = library.find("format", name);
    if (!other) return undefined;
    const [first, ...rest] = call.args;
    const value = first && !first.name ? evaluate(first.value, inner, local) : undefined;
    if (value?.kind !== "tensor") {
      if (value?.kind !== "unknown") wrong(call.at, `\`${name}\` stores a tensor, which is its first argument`);
      return { kind: "unknown" };
    }
    if (depth >= deepest) {
      wrong(call.at, "formats store their states in each other without end");
      return { kind: "unknown" };
    }
    const format = planFormat(other, rest, call.at, library, scopeOf(settings, scope), watched, depth + 1);
    if (!format) return { kind: "unknown" };
    const placed = graph.input(`stored ${stored.size}`, value.node.type);
    stored.set(placed, { first: value.node, format });
    return tensor(placed);
  };
  const local: Context = { ...watched, stage: { graph, index: 0 }, special };

  const states: (FormatState & { readonly first: Node })[] = [];
  for (const member of definition.members) {
    if (member.kind === "let") bound.set(member.name.text, evaluate(member.value, scopeOf(bound), local));
    else if (member.kind === "state") {
      if (member.shape)
        reportThrough(local, member.at, (at, details) =>
          diagnostics.bad_state(
            at,
            { name: member.name.text, problem: "of a format takes the shape of what it is computed from" },
            details,
          ),
        );
      const value = evaluate(member.value, scopeOf(bound), local);
      if (value.kind !== "tensor") {
        if (value.kind !== "unknown")
          wrong(member.at, `\`${member.name.text}\` is stored beside the codes, so it must be computed from \`x\` or \`all\``);
        continue;
      }
      const { shape } = value.node.type;
      const per = shape.length === 0 ? "tensor" : isPerBlock(shape) ? "block" : undefined;
      if (!per) {
        wrong(
          member.at,
          `\`${member.name.text}\` is [${shape.join(", ")}]; a state is one number for each block, or one for the tensor`,
          "reduce it, like `largest(abs(x), axes: 1, keep: true)` or `mean(all, axes: 0)`",
        );
        continue;
      }
      const inside = stored.get(value.node);
      states.push({ name: member.name.text, per, first: inside?.first ?? value.node, ...(inside && { format: inside.format }) });
      bound.set(member.name.text, tensor(graph.input(member.name.text, value.node.type)));
    } else if (member.kind === "bind") {
      const name = member.target.map((part) => part.text).join(".");
      if (name !== "code" && name !== "value" && name !== "codebook")
        wrong(member.at, `it binds \`${name}\`; a format binds \`codebook\`, \`code\` and \`value\``);
      else {
        const value = evaluate(member.value, scopeOf(bound), local);
        bound.set(name, value);
        if (name === "code" && value.kind === "tensor")
          bound.set("code", tensor(graph.input("code", value.node.type))).set("code itself", value);
      }
    } else if (member.kind !== "interop") wrong(member.at, `\`${member.kind}\` does not belong in a format`);
  }
  const [code, value] = [bound.get("code itself"), bound.get("value")];
  if (failed) return undefined;
  if (code?.kind !== "tensor" || value?.kind !== "tensor")
    return wrong(
      definition.name.at,
      `it has no ${code?.kind === "tensor" ? "`value`" : "`code`"} computed from a tensor`,
      "say how a number becomes a code and how it reads back: `code = …` and `value = …`",
    );
  const coding = codeOf(code.node, bound.get("codebook"));
  if (typeof coding === "string")
    return wrong(
      definition.name.at,
      coding,
      'end `code` with `nearest(…, codebook)`, `clamp(round(…), low: …, high: …)`, or `cast(…, dtype: "f16")`',
    );
  if (value.node.type.shape.join() !== x.type.shape.join() && value.node.type.shape.length !== 2)
    return wrong(definition.name.at, `its value is [${value.node.type.shape.join(", ")}] where \`x\` is [${x.type.shape.join(", ")}]`);

  const label = `${definition.name.text}(${[...settings].map(([key, of]) => `${key}: ${written(of)}`).join(", ")})`;
  const roots = [...states.map((state) => state.first), code.node, value.node];
  const nested = reachable(roots).find((node) => node.op === "input" && stored.has(node));
  if (nested)
    return wrong(
      definition.name.at,
      "a state that is stored in another format is more than that",
      "make the call of the other format the whole state: `state scale = other(…)`",
    );
  const alien = reachable(roots).find((node) => node.inputs.length > 0 && !hostOps.includes(node.op));
  if (alien)
    return wrong(alien.origin.at(-1) ?? at, `\`${alien.op}\` cannot be used in a format`, `a format computes with ${hostOps.join(", ")}`);
  const odd = reachable(roots).find(
    (node) => (node.op === "largest" && !isPerBlock(node.type.shape)) || (node.op === "mean" && node.type.shape.length > 0),
  );
  if (odd)
    return wrong(
      odd.origin.at(-1) ?? at,
      `\`${odd.op}\` gives [${odd.type.shape.join(", ")}] here`,
      "a format takes the largest of each block, `largest(x, axes: 1, keep: true)`, and the mean of the whole, `mean(all, axes: 0)`",
    );
  const affine = coding.kind === "plain" ? undefined : affineOf(graph, value.node, coding);
  if (typeof affine === "string")
    return wrong(definition.name.at, affine, "a value reads back as `codebook[code] * scale`, or `code * scale + offset`, in any spelling");
  const filed = definition.members.find((member) => member.kind === "interop");
  const known = bound.get("code");
  const files =
    filed?.kind === "interop" && known?.kind === "tensor"
      ? readFiles(
          filed,
          scopeOf(bound),
          known.node,
          {
            stateOf: (node) => states.find((state) => (bound.get(state.name) as { node?: Node }).node === node)?.name,
            filesOf: (state, other) => {
              const inner = states.find((one) => one.name === state)?.format?.job.files;
              return inner?.library === other ? inner : undefined;
            },
          },
          local,
          wrong,
        )
      : undefined;
  if (failed) return undefined;
  const complete = affine && coding.kind === "bits" ? { ...coding, table: affine.table } : coding;
  return {
    name: definition.name.text,
    label,
    ...(block !== undefined && { block }),
    code: complete,
    states: states.map(({ first: _, ...state }) => state),
    ...(affine && { affine }),
    job: { ...jobFormat(label, block, complete, states, roots), ...(files && { files }) },
  };
};

/** One number for each block. */
const isPerBlock = (shape: TensorType["shape"]): boolean => shape.length === 2 && shape[1] === 1;

/** The setting `block`; undefined when there is none, null when it is no size. */
const blockOf = (settings: ReadonlyMap<string, Value>): number | undefined | null => {
  const value = settings.get("block");
  if (value === undefined) return undefined;
  return value.kind === "number" && Number.isInteger(value.value) && value.value >= 2 ? value.value : null;
};

/** What a code's own expression says about how it lies in memory; a sentence when it says nothing. */
const codeOf = (node: Node, codebook: Value | undefined): Code | string => {
  if (node.op === "nearest") {
    const entries = (node.attrs.table as readonly number[]).length;
    if (entries !== 16 && entries !== 256) return `its codebook has ${entries} entries; codes have 4 bits (16 entries) or 8 (256)`;
    if (codebook?.kind !== "list") return "it has no `codebook`";
    return { kind: "bits", bits: entries === 16 ? 4 : 8, signed: false, table: [] };
  }
  if (node.op === "clamp") {
    const [low, high] = [node.attrs.low as number, node.attrs.high as number];
    if (node.inputs[0]!.op !== "round") return "its code is not rounded before it is clamped";
    if (low >= 0 && high <= 15) return { kind: "bits", bits: 4, signed: false, table: [] };
    if (low >= 0 && high <= 255) return { kind: "bits", bits: 8, signed: false, table: [] };
    if (low >= -128 && high <= 127) return { kind: "bits", bits: 8, signed: true, table: [] };
    return `codes from ${low} to ${high} do not fit 8 bits`;
  }
  if (node.op === "cast" && (node.attrs.dtype === "f16" || node.attrs.dtype === "bf16" || node.attrs.dtype === "f32"))
    return { kind: "plain", dtype: node.attrs.dtype };
  return "its `code` is not something that is stored";
};

const written = (value: Value): string =>
  value.kind === "number" || value.kind === "bool" ? String(value.value) : value.kind === "text" ? JSON.stringify(value.value) : value.kind;

const jobFormat = (
  label: string,
  block: number | undefined,
  code: Code,
  states: readonly (FormatState & { readonly first: Node })[],
  roots: readonly Node[],
): Format => {
  const order = reachable(roots);
  const place = new Map(order.map((node, i) => [node, i]));
  const nodes = order.map((node): FormatNode => {
    if (node.op === "input") return { op: "input", inputs: [], name: node.attrs.name as string };
    if (node.op === "constant") return { op: "constant", inputs: [], value: node.attrs.value as number };
    const { table, low, high, dtype } = node.attrs;
    return {
      op: node.op,
      inputs: node.inputs.map((input) => place.get(input)!),
      ...(table !== undefined && { table: table as readonly number[] }),
      ...(low !== undefined && { low: low as number, high: high as number }),
      ...(dtype !== undefined && node.op === "cast" && { dtype: dtype as string }),
    };
  });
  return {
    label,
    ...(block !== undefined && { block }),
    ...(code.kind === "bits"
      ? { dtype: "u8", bits: code.bits, signed: code.signed }
      : { dtype: code.dtype, bits: code.dtype === "f32" ? 32 : 16, signed: true }),
    state: states.map(({ name, per, first, format }) => ({ name, per, first: place.get(first)!, ...(format && { format: format.job }) })),
    nodes,
    code: place.get(roots.at(-2)!)!,
    value: place.get(roots.at(-1)!)!,
  };
};

/** One tensor of a stored parameter, by what is added to the parameter's name. */
export interface Piece {
  readonly suffix: string;
  readonly type: TensorType;
}

/** What lies in memory for a tensor of this shape. */
export const piecesOf = (format: FormatPlan, shape: readonly number[], prefix = ""): Piece[] => {
  const { code, states } = format;
  const elements = shape.reduce((a, b) => a * b, 1);
  if (code.kind === "plain") return [{ suffix: prefix, type: { dtype: code.dtype, shape } }];
  const blocks = Math.ceil(elements / blockSize(format, shape));
  return [
    { suffix: `${prefix}.code`, type: { dtype: "u8", shape: [Math.ceil((elements * code.bits) / 8)] } },
    ...states.flatMap((state): Piece[] => {
      const suffix = `${prefix}.${state.name}`;
      const own = state.per === "block" ? [blocks] : [];
      return state.format ? piecesOf(state.format, own, suffix) : [{ suffix, type: { dtype: "f32", shape: own } }];
    }),
  ];
};

const blockSize = (format: FormatPlan, shape: readonly number[]): number => format.block ?? shape.at(-1) ?? 1;

/** The tensor as it reads back, from its pieces. */
export const decoded = (
  graph: Graph,
  format: FormatPlan,
  shape: readonly number[],
  piece: (suffix: string, type: TensorType) => Node,
  prefix = "",
): Node => {
  const { code, states, affine } = format;
  const types = new Map(piecesOf(format, shape, prefix).map(({ suffix, type }) => [suffix, type]));
  if (code.kind === "plain") {
    const node = piece(prefix, types.get(prefix)!);
    return code.dtype === "f32" ? node : graph.add("cast", [node], { dtype: "f32" });
  }
  const elements = shape.reduce((a, b) => a * b, 1);
  const block = blockSize(format, shape);
  const blocks = Math.ceil(elements / block);
  const values = new Map<string, Node>();
  for (const state of states) {
    const suffix = `${prefix}.${state.name}`;
    const own = state.per === "block" ? [blocks] : [];
    values.set(state.name, state.format ? decoded(graph, state.format, own, piece, suffix) : piece(suffix, types.get(suffix)!));
  }
  const perBlock = (node: Node): Node => {
    const made = rebuilt(graph, node, values);
    return made.type.shape.length === 0 ? graph.add("broadcast", [made], { shape: [blocks] }) : made;
  };
  const codes = piece(`${prefix}.code`, types.get(`${prefix}.code`)!);
  return graph.add("decode", [codes, perBlock(affine!.scale), ...(affine!.offset ? [perBlock(affine!.offset)] : [])], {
    shape,
    block,
    bits: code.bits,
    signed: code.signed,
    table: code.table,
  });
};

/** An expression over states, over these nodes instead. */
const rebuilt = (graph: Graph, node: Node, values: ReadonlyMap<string, Node>): Node => {
  if (node.op === "input") return values.get(node.attrs.name as string)!;
  if (node.op === "constant") return graph.constant(node.attrs.value as number);
  return graph.add(
    node.op,
    node.inputs.map((input) => rebuilt(graph, input, values)),
    node.attrs,
  );
};

/** Bytes of memory for a tensor of this shape. */
export const storedBytes = (format: FormatPlan, shape: readonly number[]): number =>
  piecesOf(format, shape).reduce((sum, { type }) => sum + typeBytes(type), 0);

/** Bits of memory for each element of a tensor of this shape. */
export const bitsPerElement = (format: FormatPlan, shape: readonly number[]): number =>
  (8 * storedBytes(format, shape)) / shape.reduce((a, b) => a * b, 1);

const widths = { f32: 4, i32: 4, u32: 4, f16: 2, bf16: 2, u8: 1 } as const;

export const typeBytes = ({ dtype, shape }: TensorType): number =>
  widths[dtype] * shape.reduce<number>((product, dim) => product * Number(dim), 1);
