// Finds sums of matrix products that run as one K loop: x·Wᵀ + s·(x·Aᵀ)·Bᵀ is one product over the operands side by side,
// [x | s·h]·[W | B]ᵀ. Scalar factors move onto an operand; other summands are added where the loop ends.

import type { Profile } from "../emit/profile.ts";
import type { Node } from "../graph/graph.ts";
import { elementsOf, formOf, isBatched, isHalf, type ProductTerm, sameShape } from "./kernels.ts";

export interface MergedSum {
  readonly terms: ProductTerm[];
  readonly addends: Node[];
  /** Nodes that now exist only inside the sum. */
  readonly absorbed: Node[];
}

/** Finds sums of matrix products that can run as one K loop, largest first. */
export const mergeProducts = (
  nodes: readonly Node[],
  users: ReadonlyMap<Node, readonly Node[]>,
  outputs: ReadonlySet<Node>,
  profile: Profile,
): Map<Node, MergedSum> => {
  const algebra = (node: Node): "sum" | "product" | undefined => {
    const form = formOf(node);
    return form?.form === "map" ? form.algebra : undefined;
  };
  const once = (node: Node): boolean => (users.get(node)?.length ?? 0) === 1 && !outputs.has(node);
  const isScalar = (node: Node): boolean => elementsOf(node) === 1;
  /** A product of matrices, perhaps times scalars: those are moved onto the operand. */
  const term = (node: Node): { term: ProductTerm; absorbed: Node[] } | undefined => {
    const form = formOf(node);
    if (form?.form === "contraction" && form.over === "matrix") return { term: { node, scales: [] }, absorbed: [node] };
    if (algebra(node) !== "product") return undefined;
    const scalar = node.inputs.find(isScalar);
    const other = node.inputs.find((input) => !isScalar(input));
    if (!scalar || !other || !once(other) || !sameShape(other.type.shape, node.type.shape)) return undefined;
    const inner = term(other);
    return inner && { term: { node: inner.term.node, scales: [...inner.term.scales, scalar] }, absorbed: [...inner.absorbed, node] };
  };
  const buffersOf = (sum: MergedSum): number => {
    const read = new Set<Node>([...sum.addends]);
    for (const t of sum.terms) for (const input of [...t.node.inputs, ...t.scales]) if (input.op !== "constant") read.add(input);
    return read.size + 1;
  };
  const fits = (a: ProductTerm, b: ProductTerm): boolean => geometry(a.node) === geometry(b.node);
  const found = new Map<Node, MergedSum>();
  const flatten = (node: Node, root: boolean): MergedSum | undefined => {
    if (!root && !once(node)) return undefined;
    const single = term(node);
    if (single) return { terms: [single.term], addends: [], absorbed: single.absorbed };
    if (algebra(node) !== "sum") return undefined;
    let total: MergedSum = { terms: [], addends: [], absorbed: [node] };
    for (const input of node.inputs) {
      const part = sameShape(input.type.shape, node.type.shape) ? flatten(input, false) : undefined;
      const joined: MergedSum | undefined = part && {
        terms: [...total.terms, ...part.terms],
        addends: [...total.addends, ...part.addends],
        absorbed: [...total.absorbed, ...part.absorbed],
      };
      // Two buffers are left free, for what the kernel's epilogue may read or write.
      if (joined?.terms.every((t) => fits(t, joined.terms[0]!)) && buffersOf(joined) <= profile.storageBuffers - 1) total = joined;
      else {
        if (part && part.terms.length > 1) found.set(input, part);
        total = { ...total, addends: [...total.addends, input] };
      }
    }
    return total;
  };
  const sums = nodes.filter(
    (node) =>
      algebra(node) === "sum" &&
      !(once(node) && algebra(users.get(node)![0]!) === "sum" && sameShape(users.get(node)![0]!.type.shape, node.type.shape)),
  );
  for (const node of sums.reverse()) {
    const sum = flatten(node, true);
    if (sum && sum.terms.length > 1) found.set(node, sum);
  }
  return found;
};

/** Contractions with equal text compute the same grid of elements and may share a loop. */
const geometry = (node: Node): string => {
  const [a, b] = node.inputs;
  const transposed = (formOf(node) as { transposed?: (attrs: Node["attrs"]) => { a: boolean; b: boolean } }).transposed?.(node.attrs);
  const batched = isBatched(a!.type.shape, b!.type.shape, transposed?.a ?? false);
  return `${node.type.shape.join(",")}:${batched}:${isHalf(node)}`;
};
