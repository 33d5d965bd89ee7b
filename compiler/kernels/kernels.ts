// The level of fused kernels: what fuse.ts makes and the WGSL emitter prints. Plain data, printable.

import { byteCount, isPacked } from "../emit/dtypes.ts";
import type { Profile } from "../emit/profile.ts";
import type { ContractionPlan } from "../emit/tiles.ts";
import type { WgslForm } from "../emit/wgsl-forms.ts";
import type { Node, TensorType } from "../graph/graph.ts";
import { ops } from "../ops/index.ts";
import { add, type Dim, product } from "../values/dims.ts";

export type KernelKind =
  | "map"
  | "contraction"
  | "combine"
  | "reduce"
  | "row"
  | "scatter"
  | "attention"
  | "attention_gradient"
  | "attention_gradient_rows"
  | "attention_gradient_kv"
  | "attention_gradient_q"
  | "attention_gradient_bias";

/** One term of a contraction: operand a times operand b, times a scalar when there is one. */
export interface ProductTerm {
  readonly node: Node;
  readonly scales: readonly Node[];
}

export interface FusedKernel {
  readonly entry: string;
  readonly kind: KernelKind;
  /** Shape of the elements that `members` compute, one per element. */
  readonly domain: readonly Dim[];
  /** The node that is no expression; absent in a map. */
  readonly anchor?: Node;
  /** Terms of a contraction, in order; their sum is the anchor's value, before `addends`. */
  readonly terms: readonly ProductTerm[];
  readonly addends: readonly Node[];
  readonly plan?: ContractionPlan;
  /** Expressions computed per element, in order. */
  readonly members: readonly Node[];
  /** Nodes read from a buffer. */
  readonly loads: ReadonlyMap<Node, string>;
  /** Nodes written to a buffer. */
  readonly stores: readonly { readonly node: Node; readonly value: string }[];
  /** Scratch that is no node: partial sums ([parts, ..]) and row statistics. `write` when this kernel fills it. */
  readonly extra: readonly { readonly role: string; readonly value: string; readonly write: boolean }[];
  /** Parts of a sum split over workgroups, added in order by the combine kernel that follows. */
  readonly parts: number;
}

export interface KernelGraph {
  readonly segment: string;
  readonly profile: Profile;
  readonly inputs: readonly { readonly name: string; readonly type: TensorType }[];
  readonly outputs: readonly { readonly name: string; readonly type: TensorType }[];
  readonly kernels: readonly FusedKernel[];
  readonly scratch: ReadonlyMap<string, TensorType>;
  /** Output -> the input whose next value it is: the memory plan puts both in one place. */
  readonly replaced: ReadonlyMap<string, string>;
}

export const formOf = (node: Node): WgslForm | undefined => ops.get(node.op)?.wgsl;

/** A node that makes several outputs is one kernel; `pick`s name its outputs. */
export const anchorOf = (node: Node): Node => (node.op === "pick" ? node.inputs[0]! : node);

/** Whether a product rounds its operands to f16. */
export const isHalf = (node: Node): boolean => {
  const form = formOf(node);
  return form?.form === "contraction" && form.half(node.attrs);
};

/** Which output of its anchor a node is. */
export const outputOf = (node: Node): number => (node.op === "pick" ? (node.attrs.index as number) : 0);

export const elementsOf = (node: Node): Dim => product(node.type.shape);

/** One 32-bit number: small enough for a uniform. */
export const isScalar = (node: Node): boolean => elementsOf(node) === 1 && !isPacked(node.type.dtype);

export const sameShape = (a: readonly Dim[], b: readonly Dim[]): boolean => a.length === b.length && a.every((dim, i) => dim === b[i]);

/** Leading axes are rows of one product unless the second operand has them too, or the first is transposed. */
export const isBatched = (a: readonly Dim[], b: readonly Dim[], transposedA: boolean): boolean =>
  b.length > 2 || (transposedA && a.length > 2);

/** The kernels as text, with a header of counters: a lost fusion shows as a changed line. */
export const printKernels = (graph: KernelGraph): string => {
  const types = new Map<string, TensorType>([
    ...graph.scratch,
    ...[...graph.inputs, ...graph.outputs].map(({ name, type }) => [name, type] as const),
  ]);
  const bytes = (values: readonly string[]): Dim => values.reduce<Dim>((sum, value) => add(sum, byteCount(types.get(value)!)), 0);
  const readBytes = (k: FusedKernel) => bytes([...k.loads.values(), ...k.extra.filter((e) => !e.write).map((e) => e.value)]);
  const writtenBytes = (k: FusedKernel) => bytes([...k.stores.map((s) => s.value), ...k.extra.filter((e) => e.write).map((e) => e.value)]);
  const lines = [
    `segment ${graph.segment}: ${graph.kernels.length} kernels`,
    `read ${graph.kernels.map(readBytes).reduce<Dim>(add, 0)}`,
    `written ${graph.kernels.map(writtenBytes).reduce<Dim>(add, 0)}`,
    `scratch ${bytes([...graph.scratch.keys()])}`,
  ];
  for (const kernel of graph.kernels) {
    lines.push("", `${kernel.entry} [${kernel.domain.join(", ")}]`);
    const name = (node: Node): string => {
      const value = kernel.loads.get(node);
      if (value !== undefined) return value;
      if (node.op === "constant") return String(node.attrs.value);
      if (node.op === "input") return String(node.attrs.name);
      if (kernel.members.includes(node) || kernel.anchor === node || anchorOf(node) === kernel.anchor) return `%${node.id}`;
      return `${node.op}(${node.inputs.map(name).join(", ")})`;
    };
    if (kernel.kind === "combine")
      lines.push(
        `  %${kernel.anchor!.id} = sum of ${kernel.parts} parts in ${kernel.extra[0]!.value}${kernel.addends.map((a) => ` + ${name(a)}`).join("")}`,
      );
    else if (kernel.terms.length) {
      const terms = kernel.terms.map(
        (t) => `${t.scales.map((s) => `${name(s)} * `).join("")}${t.node.op}(${t.node.inputs.map(name).join(", ")})`,
      );
      const tile = kernel.plan!;
      lines.push(
        `  %${kernel.anchor!.id} = ${[...terms, ...kernel.addends.map(name)].join(" + ")}   tile ${tile.rows}x${tile.columns}x${tile.depth}${kernel.parts > 1 ? `, ${kernel.parts} parts` : ""}`,
      );
    } else if (kernel.anchor) {
      const anchor = anchorOf(kernel.anchor);
      lines.push(
        `  %${kernel.anchor.id} = ${anchor.op}(${anchor.inputs.map(name).join(", ")})${kernel.parts > 1 ? `   ${kernel.parts} parts` : ""}`,
      );
    }
    for (const member of kernel.members) lines.push(`  %${member.id} = ${member.op}(${member.inputs.map(name).join(", ")})`);
    for (const { role, value, write } of kernel.extra) if (write) lines.push(`  ${value} <- ${role}`);
    for (const { node, value } of kernel.stores) lines.push(`  ${value} <- ${name(node)}`);
  }
  return lines.join("\n") + "\n";
};
