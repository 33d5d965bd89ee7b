// Prints kernels with one thread per element (or per 32-bit word of a packed result): maps, and the second stage of a split sum.

import type { Node } from "../graph/graph.ts";
import { type Dim, product } from "../values/dims.ts";
import { isPacked, packedFunctions, packWord, perWord } from "./dtypes.ts";
import { type Block, createBlock, type KernelScope } from "./wgsl-elements.ts";

export interface Printed {
  /** Module-level text beside the bindings: workgroup memory and functions. */
  readonly declarations: string;
  readonly workgroup: number;
  readonly body: readonly string[];
  readonly workgroups: readonly (readonly [Dim, number])[];
}

const threads = 256;

/** The kernel's number among all workgroups: the device folds what exceeds one dimension over the second. */
export const linearGroup = "group.x + group.y * groups.x";

/**
 * Always 0, which no compiler can tell. Added to the bound of an inner loop whose body is long already, it keeps drivers from
 * unrolling: that gains a few percent there and multiplies the time to compile (on Mesa's llvmpipe by four).
 */
export const opaqueZero = "let zero = groups.x >> 31u;";

/** The i-th of some names, without an array: registers cannot be indexed. */
export const chosen = (i: string, names: readonly string[]): string =>
  names.slice(1).reduce((text, name, k) => `select(${text}, ${name}, ${i} == ${k + 1}u)`, names[0]!);

export const printMap = (scope: KernelScope): Printed => {
  const { kernel } = scope;
  const count = product(kernel.domain);
  const per = Math.max(1, ...kernel.stores.map((store) => perWord(store.node.type.dtype)));
  const outer = createBlock(scope, "  ");
  if (kernel.kind === "combine") outer.line(opaqueZero);
  outer.line(`let first = ((${linearGroup}) * ${threads}u + lane)${per > 1 ? ` * ${per}u` : ""};`);
  outer.line(`if (first >= ${scope.size(count)}) { return; }`);
  const values = new Map<Node, string[]>(kernel.stores.map((store) => [store.node, []]));
  for (let lane = 0; lane < per; lane++) {
    const at = lane === 0 ? "first" : outer.name(`min(first + ${lane}u, ${scope.size(count)} - 1u)`);
    if (kernel.kind === "combine") outer.registers.set(kernel.anchor!, { name: combined(outer, at), at });
    elementsAt(outer, at, (node, value) => values.get(node)!.push(value));
  }
  for (const { node, value } of kernel.stores) {
    const { dtype } = node.type;
    const binding = scope.bind(value, dtype, "write");
    const lanes = values.get(node)!;
    const words = perWord(dtype);
    if (dtype === "bf16") scope.preludes.add(packedFunctions);
    if (per === 1) outer.line(`${binding.name}[first] = ${lanes[0]};`);
    else if (!isPacked(dtype))
      for (let lane = 0; lane < per; lane++)
        outer.line(
          `${lane ? `if (first + ${lane}u < ${scope.size(count)}) { ` : ""}${binding.name}[first + ${lane}u] = ${lanes[lane]};${lane ? " }" : ""}`,
        );
    else
      for (let word = 0; word < per / words; word++) {
        const text = `${binding.name}[first / ${words}u + ${word}u] = ${packWord(dtype, lanes.slice(word * words, (word + 1) * words))};`;
        outer.line(word ? `if (first + ${word * words}u < ${scope.size(count)}) { ${text} }` : text);
      }
  }
  return { declarations: "", workgroup: threads, body: outer.lines, workgroups: [[count, threads * per]] };
};

/** Computes what a kernel stores at one element, in the order of its members, and hands each value over. */
export const elementsAt = (block: Block, at: string, store: (node: Node, value: string) => void): void => {
  for (const { node } of block.scope.kernel.stores) store(node, block.value(node, { shape: node.type.shape, flat: at }));
};

/** The sum of an element's parts, in order, with the mean's division. */
const combined = (block: Block, at: string): string => {
  const { scope } = block;
  const { kernel } = scope;
  const binding = scope.bind(kernel.extra.find((e) => e.role === "parts")!.value, "f32", "read");
  const sum = `sum_${at}`;
  block.line(`var ${sum} = 0.0;`);
  block.line(
    `for (var p = 0u; p < ${kernel.parts}u + zero; p++) { ${sum} += ${binding.name}[p * ${scope.size(product(kernel.domain))} + ${at}]; }`,
  );
  const addends = kernel.addends.map((node) => block.value(node, { shape: kernel.domain, flat: at }));
  return block.name([sum, ...addends].join(" + "));
};
