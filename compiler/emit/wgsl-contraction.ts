// Prints a sum of products of matrices: C = Σ_terms A·B, tiled through workgroup memory into registers, with an epilogue.
//
// All terms share one K loop: tiles of the first term's axis, then of the second's ([x | s·h]·[W | B]ᵀ). Both operands lie in
// workgroup memory as vectors of four along the summed axis, whatever their layout outside: an operand contiguous along it is
// loaded as vectors, any other one by neighbouring threads. Rows have an odd stride of vectors, so that neighbouring threads meet
// different banks. Where operands are rounded to f16 they lie in the tile so, half as large; a product of two is exact in f32, and sums
// are f32. Row and column numbers are clamped, not tested: the surplus is computed and not stored.
// (Register tiling: Volkov 2008; the layout by trial, see reference kernels of tfjs and ggml.)

import type { Node } from "../graph/graph.ts";
import { formOf, isBatched, isHalf, type ProductTerm } from "../kernels/kernels.ts";
import { type Dim, multiply, product } from "../values/dims.ts";
import { strideOf, threadsOf } from "./tiles.ts";
import { type Block, contiguousAxis, createBlock, fourths, type Index, type KernelScope } from "./wgsl-elements.ts";
import { chosen, opaqueZero, type Printed } from "./wgsl-map.ts";
import { storedValue } from "./wgsl-reduce.ts";

/** Where operand elements are: at (line, k), line being the output row or column. */
interface Operand {
  readonly node: Node;
  readonly index: (block: Block, line: string, k: string) => Index;
  /** The axis of the node that the sum walks. */
  readonly summed: number;
}

interface Term {
  readonly a: Operand;
  readonly b: Operand;
  readonly depth: Dim;
  readonly scales: readonly Node[];
}

export const printContraction = (scope: KernelScope): Printed => {
  const { kernel } = scope;
  const plan = kernel.plan!;
  const { rows, columns, perRow, perColumn, depth } = plan;
  const threads = threadsOf(plan);
  const across = columns / perColumn;
  const down = rows / perRow;
  const stride = strideOf(depth);
  const first = kernel.terms[0]!.node;
  const shape = first.type.shape;
  const batched = isBatchedNode(first);
  const m: Dim = batched ? shape.at(-2)! : product(shape.slice(0, -1));
  const n: Dim = shape.at(-1)!;
  const batch: Dim = batched ? product(shape.slice(0, -2)) : 1;
  const terms = kernel.terms.map((term) => operandsOf(term, batched));
  const half = isHalf(first);
  const held = half ? "f16" : "f32";
  const wide = (text: string): string => (half ? `vec4<f32>(${text})` : text);
  const [memoryA, memoryB] = [`${scope.entry}_a`, `${scope.entry}_b`];

  const outer = createBlock(scope, "  ");
  const M = outer.name(`u32(${scope.size(m)})`);
  const N = outer.name(`u32(${scope.size(n)})`);
  outer.line(opaqueZero);
  outer.line(`let across = lane % ${across}u;`);
  outer.line(`let down = lane / ${across}u;`);
  outer.line(`let row0 = group.y * ${rows}u;`);
  outer.line(`let column0 = group.x * ${columns}u;`);
  for (let i = 0; i < perRow; i++) for (let j = 0; j < perColumn; j++) outer.line(`var c${i}_${j} = 0.0;`);

  // Tiles of each term, one after the other; a split sum gives each part an equal share of whole tiles.
  const tiles: string[] = [];
  let share = "";
  if (kernel.parts > 1) {
    const K = scope.size(terms[0]!.depth);
    outer.line(`let share = (${K} + ${depth * kernel.parts - 1}u) / ${depth * kernel.parts}u;`);
    share = "group.z * share";
    outer.line(`let begin = ${share};`);
    outer.line(`let finish = min(begin + share, (${K} + ${depth - 1}u) / ${depth}u);`);
    outer.line("for (var tile = begin; tile < finish; tile++) {");
  } else {
    terms.forEach((term, i) => {
      const count =
        typeof term.depth === "number" ? `${Math.ceil(term.depth / depth)}u` : `(${scope.size(term.depth)} + ${depth - 1}u) / ${depth}u`;
      outer.line(`let end${i} = ${i ? `end${i - 1} + ` : ""}${count};`);
      tiles.push(`end${i}`);
    });
    outer.line(`for (var tile = 0u; tile < end${terms.length - 1}; tile++) {`);
  }
  const loop = outer.inner();
  terms.forEach((term, i) => {
    const begin = i === 0 ? "tile" : `tile - end${i - 1}`;
    if (terms.length > 1) loop.line(`${i ? "} else " : ""}${i < terms.length - 1 ? `if (tile < ${tiles[i]}) ` : ""}{`);
    const body = terms.length > 1 ? loop.inner() : loop;
    body.line(`let k0_${i} = (${begin}) * ${depth}u;`);
    printLoad(body, held, memoryA, term.a, rows, depth, threads, stride, "row0", M, term.depth, `k0_${i}`, term.scales);
    printLoad(body, held, memoryB, term.b, columns, depth, threads, stride, "column0", N, term.depth, `k0_${i}`, []);
    if (body !== loop) loop.lines.push(...body.lines);
  });
  if (terms.length > 1) loop.line("}");
  loop.line("workgroupBarrier();");
  loop.line(`for (var q = 0u; q < ${depth / 4}u + zero; q++) {`);
  const inner = loop.inner();
  for (let j = 0; j < perColumn; j++) inner.line(`let b${j} = ${wide(`${memoryB}[(across + ${j * across}u) * ${stride}u + q]`)};`);
  for (let i = 0; i < perRow; i++) {
    inner.line(`let a${i} = ${wide(`${memoryA}[(down + ${i * down}u) * ${stride}u + q]`)};`);
    for (let j = 0; j < perColumn; j++) {
      const c = `c${i}_${j}`;
      inner.line(`${c} = fma(a${i}.w, b${j}.w, fma(a${i}.z, b${j}.z, fma(a${i}.y, b${j}.y, fma(a${i}.x, b${j}.x, ${c}))));`);
    }
  }
  loop.lines.push(...inner.lines);
  loop.line("}");
  loop.line("workgroupBarrier();");
  outer.lines.push(...loop.lines);
  outer.line("}");

  // The epilogue is a function of the element. It is called in one place, in a loop that picks the accumulator: written out for
  // each, it would be most of the kernel's text and of its compilation.
  const store = printStore(scope, m, n, batched);
  outer.line(`for (var i = 0u; i < ${perRow}u + zero; i++) {`);
  for (let j = 0; j < perColumn; j++) outer.line(`  let line${j} = ${chosen("i", column(j, perRow))};`);
  outer.line(`  for (var j = 0u; j < ${perColumn}u + zero; j++) {`);
  outer.line(
    `    let sum = ${chosen(
      "j",
      Array.from({ length: perColumn }, (_, j) => `line${j}`),
    )};`,
  );
  outer.line(`    ${scope.entry}_store(row0 + down + i * ${down}u, column0 + across + j * ${across}u, group.z, sum);`);
  outer.line("  }");
  outer.line("}");
  return {
    declarations: [
      `var<workgroup> ${memoryA}: array<vec4<${held}>, ${rows * stride}>;`,
      `var<workgroup> ${memoryB}: array<vec4<${held}>, ${columns * stride}>;`,
      store,
    ].join("\n"),
    workgroup: threads,
    body: outer.lines,
    workgroups: [
      [n, columns],
      [m, rows],
      [kernel.parts > 1 ? kernel.parts : batch, 1],
    ],
  };
};

/** The accumulators of one column of a thread's block. */
const column = (j: number, rows: number): string[] => Array.from({ length: rows }, (_, i) => `c${i}_${j}`);

const isBatchedNode = (node: Node): boolean => {
  const form = formOf(node);
  if (form?.form !== "contraction" || form.over === "leading") return false;
  return isBatched(node.inputs[0]!.type.shape, node.inputs[1]!.type.shape, form.transposed?.(node.attrs).a ?? false);
};

const operandsOf = ({ node, scales }: ProductTerm, batched: boolean): Term => {
  const form = formOf(node);
  if (form?.form !== "contraction") throw new Error(`${node.op} is not a contraction`);
  const [a, b] = node.inputs as [Node, Node];
  if (form.over === "leading") {
    const operand = (x: Node): Operand => {
      const rank = x.type.shape.length;
      const lead = rank - 1;
      // Over [.., m] the summed axis is all leading ones at once: never contiguous.
      return {
        node: x,
        index: (_, line, k) => ({ shape: x.type.shape, groups: [...(lead ? [{ rank: lead, at: k }] : []), { rank: 1, at: line }] }),
        summed: -1,
      };
    };
    return { a: operand(a), b: operand(b), depth: product(a.type.shape.slice(0, -1)), scales };
  }
  const transposed = form.transposed?.(node.attrs) ?? { a: false, b: false };
  const operand = (x: Node, summedLast: boolean): Operand => {
    const { shape } = x.type;
    const rank = shape.length;
    return {
      node: x,
      summed: summedLast ? rank - 1 : rank - 2,
      index: (block, line, k) => {
        const pair = summedLast ? [line, k] : [k, line];
        if (!batched)
          return {
            shape,
            groups: [
              { rank: rank - 1, at: pair[0]! },
              { rank: 1, at: pair[1]! },
            ],
          };
        // Batch axes broadcast like any others.
        const out = node.type.shape.slice(0, -2);
        const lead = rank - 2;
        const groups = shape
          .slice(0, lead)
          .map((dim, i) => ({ rank: 1, at: dim === 1 ? "0u" : block.axis({ shape: out, flat: "group.z" }, out.length - lead + i) }));
        return { shape, groups: [...groups, { rank: 1, at: pair[0]! }, { rank: 1, at: pair[1]! }] };
      },
    };
  };
  const depth = a.type.shape.at(transposed.a ? -2 : -1)!;
  return { a: operand(a, !transposed.a), b: operand(b, transposed.b), depth, scales };
};

/** Fills one operand's tile: `lines` x `depth` elements, as vectors of four along the summed axis. */
const printLoad = (
  block: Block,
  held: "f16" | "f32",
  memory: string,
  operand: Operand,
  lines: number,
  depth: number,
  threads: number,
  stride: number,
  line0: string,
  extent: string,
  length: Dim,
  k0: string,
  scales: readonly Node[],
): void => {
  const { scope } = block;
  const quads = depth / 4;
  const slots = lines * quads;
  const along = operand.summed >= 0 && contiguousAxis(operand.node, scope.kernel) === operand.summed;
  const aligned = along && operand.summed === operand.node.type.shape.length - 1 && fourths(operand.node.type.shape);
  const whole = typeof length === "number" && length % depth === 0;
  for (let slot = 0; slot < slots; slot += threads) {
    const at = slot ? `(lane + ${slot}u)` : "lane";
    const partial = slots - slot < threads;
    if (partial) block.line(`if (${at} < ${slots}u) {`);
    const body = partial ? block.inner() : block;
    const line = body.name(along ? `${at} / ${quads}u` : `${at} % ${lines}u`);
    const quad = body.name(along ? `${at} % ${quads}u` : `${at} / ${lines}u`);
    const clamped = body.name(`min(${line0} + ${line}, ${extent} - 1u)`);
    const k = body.name(`${k0} + ${quad} * 4u`);
    const lane = (i: number) => (i ? body.name(`${k} + ${i}u`) : k);
    let values = body.four(operand.node, (i) => operand.index(body, clamped, lane(i)), aligned);
    for (const scale of scales) {
      const factor = body.value(scale, { shape: scale.type.shape, flat: "0u" });
      values = values.map((value) => body.name(`${value} * ${factor}`));
    }
    if (!whole) values = values.map((value, i) => `select(0.0, ${value}, ${lane(i)} < ${scope.size(length)})`);
    body.line(
      `${memory}[${line} * ${stride}u + ${quad}] = vec4<${held}>(${values.map((value) => (held === "f16" ? `f16(${value})` : value)).join(", ")});`,
    );
    if (partial) {
      block.lines.push(...body.lines);
      block.line("}");
    }
  }
};

const printStore = (scope: KernelScope, m: Dim, n: Dim, batched: boolean): string => {
  const { kernel } = scope;
  const block = createBlock(scope, "  ");
  block.line(`if (row >= ${scope.size(m)} || column >= ${scope.size(n)}) { return; }`);
  const size = scope.size(multiply(m, n));
  const place = block.name(`row * ${scope.size(n)} + column`);
  if (kernel.parts > 1) {
    const binding = scope.bind(kernel.extra.find((e) => e.role === "parts")!.value, "f32", "write");
    block.line(`${binding.name}[layer * ${size} + ${place}] = sum;`);
  } else {
    const at = batched ? block.name(`layer * ${size} + ${place}`) : place;
    const { shape } = kernel.anchor!.type;
    const index: Index = {
      shape,
      flat: at,
      groups: batched
        ? [
            { rank: shape.length - 2, at: "layer" },
            { rank: 1, at: "row" },
            { rank: 1, at: "column" },
          ]
        : [
            { rank: shape.length - 1, at: "row" },
            { rank: 1, at: "column" },
          ],
    };
    const addends = kernel.addends.map((node) => block.value(node, index));
    block.registers.set(kernel.anchor!, { name: block.name(["sum", ...addends].join(" + ")), at });
    const stores: string[] = [];
    elementsIn(block, index, at, (node, value) =>
      stores.push(`${scope.bind(storedValue(scope, node), node.type.dtype, "write").name}[${at}] = ${value};`),
    );
    for (const store of stores) block.line(store);
  }
  return `fn ${scope.entry}_store(row: u32, column: u32, layer: u32, sum: f32) {\n${block.lines.join("\n")}\n}`;
};

/** As `elementsAt`, but values of the product's own shape are indexed by row and column, without dividing. */
const elementsIn = (block: Block, index: Index, at: string, store: (node: Node, value: string) => void): void => {
  for (const { node } of block.scope.kernel.stores) {
    const same = node.type.shape.length === index.shape.length && node.type.shape.every((dim, i) => dim === index.shape[i]);
    store(node, block.value(node, same ? index : { shape: node.type.shape, flat: at }));
  }
};
