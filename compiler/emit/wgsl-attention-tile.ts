// What the attention kernels share: a 32 x 32 tile of scores made by 128 threads, 16 across by 8 down. A thread has four lines
// of the tile and every 16th column of scores, or vector of four of the result. The long axis d passes through workgroup
// memory in chunks of 32, so 16 KiB is enough for any d.

import type { Node } from "../graph/graph.ts";
import { partsOf } from "../ops/attention.ts";
import { type Dim, divide } from "../values/dims.ts";
import { type Block, fourths, type Index, type KernelScope } from "./wgsl-elements.ts";
import { chosen, opaqueZero } from "./wgsl-map.ts";
import { storedValue } from "./wgsl-reduce.ts";

export const threads = 128;
export const tile = 32;
export const across = 16;
export const down = 8;
export const perLine = tile / down;
export const perColumn = tile / across;
/** Elements of d in workgroup memory at once, and vectors per line with the stride that spreads banks. */
export const chunk = 32;
export const stride = chunk / 4 + 1;
export const scoreStride = tile + 1;

export interface Shapes {
  readonly b: Dim;
  readonly t: Dim;
  readonly s: Dim;
  readonly h: Dim;
  readonly g: Dim;
  readonly d: number;
  /** Query heads per key head. */
  readonly share: Dim;
}

export const shapesOf = (query: Node, key: Node): Shapes => {
  const [b, t, h, d] = query.type.shape as [Dim, Dim, Dim, Dim];
  const [, s, g] = key.type.shape as [Dim, Dim, Dim, Dim];
  if (typeof d !== "number") throw new Error("attention needs a head width that is known when it is compiled");
  return { b, t, s, h, g, d, share: divide(h, g)! };
};

/** Where element c of a line is: [row, line, head, c]. */
export const place = (node: Node, row: string, line: string, head: string, c: string): Index => ({
  shape: node.type.shape,
  groups: [row, line, head, c].map((at) => ({ rank: 1, at })),
});

export interface Source {
  readonly node: Node;
  readonly row: string;
  readonly head: string;
  /** First line of the tile and how many lines there are. */
  readonly line0: string;
  readonly lines: string;
}

/** Four elements of a line from c, zero past the end of d. */
export const fourOf = (block: Block, { node, row, head }: Source, line: string, c: string, d: number): string => {
  const lane = (i: number) => (i ? block.name(`${c} + ${i}u`) : c);
  const values = block.four(node, (i) => place(node, row, line, head, lane(i)), fourths(node.type.shape));
  return `vec4<f32>(${values.map((value, i) => (d % 4 === 0 ? value : `select(0.0, ${value}, ${lane(i)} < ${d}u)`)).join(", ")})`;
};

/** Fills `memory` with a chunk of a tile: 32 lines from c0, vectors of four along d. */
export const loadChunk = (block: Block, memory: string, source: Source, d: number, c0: number): void => {
  const quads = Math.min(chunk, Math.ceil((d - c0) / 4) * 4) / 4;
  block.line(`for (var slot = lane; slot < ${tile * quads}u + zero; slot += ${threads}u) {`);
  const body = block.inner();
  const line = body.name(`min(${source.line0} + slot / ${quads}u, ${source.lines} - 1u)`);
  const c = body.name(`(slot % ${quads}u) * 4u + ${c0}u`);
  body.line(`${memory}[(slot / ${quads}u) * ${stride}u + slot % ${quads}u] = ${fourOf(body, source, line, c, d)};`);
  block.lines.push(...body.lines);
  block.line("}");
};

/** name_i_j = Σ_c lines[i, c] · columns[j, c] over the tile. */
export const printScores = (
  block: Block,
  name: string,
  memory: { a: string; b: string },
  lines: Source,
  columns: Source,
  d: number,
): void => {
  for (let i = 0; i < perLine; i++) for (let j = 0; j < perColumn; j++) block.line(`var ${name}${i}_${j} = 0.0;`);
  for (let c0 = 0; c0 < d; c0 += chunk) {
    const quads = Math.min(chunk, Math.ceil((d - c0) / 4) * 4) / 4;
    loadChunk(block, memory.a, lines, d, c0);
    loadChunk(block, memory.b, columns, d, c0);
    block.line("workgroupBarrier();");
    block.line(`for (var q = 0u; q < ${quads}u + zero; q++) {`);
    for (let j = 0; j < perColumn; j++) block.line(`  let y${j} = ${memory.b}[(across + ${j * across}u) * ${stride}u + q];`);
    for (let i = 0; i < perLine; i++) {
      block.line(`  let x${i} = ${memory.a}[(down + ${i * down}u) * ${stride}u + q];`);
      for (let j = 0; j < perColumn; j++) {
        const s = `${name}${i}_${j}`;
        block.line(`  ${s} = fma(x${i}.w, y${j}.w, fma(x${i}.z, y${j}.z, fma(x${i}.y, y${j}.y, fma(x${i}.x, y${j}.x, ${s}))));`);
      }
    }
    block.line("}");
    block.line("workgroupBarrier();");
  }
};

/** Vectors of the result one thread has per line. */
export const vectorsOf = (d: number): number => Math.ceil(d / 4 / across);

export const eachResult = (d: number, visit: (i: number, j: number) => void): void => {
  for (let i = 0; i < perLine; i++) for (let j = 0; j < vectorsOf(d); j++) visit(i, j);
};

/** result_i_j += Σ_k tile[i, k] · source[k, j..j+3]; the source's lines pass through memory a few at a time. */
export const printAccumulate = (block: Block, result: string, scores: string, memory: string, source: Source, d: number): void => {
  const quads = Math.ceil(d / 4);
  let lines = tile;
  while (lines * quads > 2 * tile * stride) lines /= 2;
  if (lines < 1) throw new Error(`attention: a head of width ${d} does not fit in workgroup memory`);
  block.line(`for (var k0 = 0u; k0 < ${tile}u + zero; k0 += ${lines}u) {`);
  const outer = block.inner();
  outer.line(`for (var slot = lane; slot < ${lines * quads}u + zero; slot += ${threads}u) {`);
  const body = outer.inner();
  const line = body.name(`min(${source.line0} + k0 + slot / ${quads}u, ${source.lines} - 1u)`);
  const c = body.name(`(slot % ${quads}u) * 4u`);
  body.line(`${memory}[slot] = ${fourOf(body, source, line, c, d)};`);
  outer.lines.push(...body.lines);
  outer.line("}");
  outer.line("workgroupBarrier();");
  outer.line(`for (var k = 0u; k < ${lines}u + zero; k++) {`);
  for (let j = 0; j < vectorsOf(d); j++)
    outer.line(`  let y${j} = ${memory}[k * ${quads}u + min(across + ${j * across}u, ${quads - 1}u)];`);
  for (let i = 0; i < perLine; i++) {
    outer.line(`  let x${i} = ${scores}[(down + ${i * down}u) * ${scoreStride}u + k0 + k];`);
    for (let j = 0; j < vectorsOf(d); j++) outer.line(`  ${result}${i}_${j} += x${i} * y${j};`);
  }
  outer.line("}");
  outer.line("workgroupBarrier();");
  block.lines.push(...outer.lines);
  block.line("}");
};

/** Writes result_i_j, each line times its factor, to [row, line, head, ..]. */
export const printResult = (
  block: Block,
  scope: KernelScope,
  node: Node,
  result: string,
  row: string,
  head: string,
  line0: string,
  lines: string,
  d: number,
  factor: (i: number) => string,
): void => {
  const binding = scope.bind(storedValue(scope, node), node.type.dtype, "write");
  const all = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));
  block.line("{");
  const outer = block.inner();
  outer.line(`for (var i = 0u; i < ${perLine}u + zero; i++) {`);
  const inner = outer.inner();
  inner.line(`let line = ${line0} + down + i * ${down}u;`);
  inner.line(`let factor = ${chosen("i", all(perLine, factor))};`);
  for (let j = 0; j < vectorsOf(d); j++)
    inner.line(
      `let part${j} = ${chosen(
        "i",
        all(perLine, (i) => `${result}${i}_${j}`),
      )};`,
    );
  const at = inner.flat(place(node, row, "line", head, "0u"));
  inner.line(`for (var j = 0u; j < ${vectorsOf(d)}u + zero; j++) {`);
  inner.line(`  let c = (across + j * ${across}u) * 4u;`);
  inner.line(
    `  let vector = ${chosen(
      "j",
      all(vectorsOf(d), (j) => `part${j}`),
    )} * factor;`,
  );
  inner.line("  for (var k = 0u; k < 4u + zero; k++) {");
  inner.line(`    if (line < ${lines} && c + k < ${d}u) { ${binding.name}[${at} + c + k] = vector[k]; }`);
  inner.line("  }");
  inner.line("}");
  outer.lines.push(...inner.lines);
  outer.line("}");
  block.lines.push(...outer.lines);
  block.line("}");
};

export const memoryOf = (scope: KernelScope) => {
  const { entry } = scope;
  return {
    chunks: `${entry}_chunks`,
    scores: `${entry}_scores`,
    columns: `${entry}_columns`,
    limit: `${entry}_limit`,
    text: [
      // Both chunks lie in one array, so that a result's lines can use the whole of it.
      `var<workgroup> ${entry}_chunks: array<vec4<f32>, ${2 * tile * stride}>;`,
      `var<workgroup> ${entry}_scores: array<f32, ${tile * scoreStride}>;`,
      `var<workgroup> ${entry}_columns: array<f32, ${threads}>;`,
      `var<workgroup> ${entry}_limit: vec2<i32>;`,
    ].join("\n"),
  };
};

/** What queries see: the node that says it, and how many slots in front everything sees. */
export interface Sees {
  readonly node: Node;
  readonly memory: number;
}

/** What a query sees: names of its first slot (absent: 0), its last, and its own position, all counted with the memory in front. */
export interface Sight {
  readonly first?: string;
  readonly last: string;
  readonly position: string;
  readonly memory: number;
}

export const sightOf = (block: Block, { node: sees, memory }: Sees, row: string, line: string): Sight => {
  const parts = partsOf(sees.type);
  const behind = memory > 0 ? ` + ${memory}` : "";
  const at = (part: number): string => {
    const groups = [row, line, ...(parts.count > 1 ? [`${part}u`] : [])].map((text) => ({ rank: 1, at: text }));
    return block.name(`i32(${block.value(sees, { shape: sees.type.shape, groups })})${behind}`);
  };
  return { ...(parts.first !== undefined && { first: at(parts.first) }), last: at(parts.last), position: at(parts.position), memory };
};

/** Whether a query of this sight sees a slot, both of them being there. */
export const seesSlot = (slot: string, { first, last, memory }: Sight): string => {
  const from = memory > 0 ? `(i32(${slot}) >= ${first} || i32(${slot}) < ${memory})` : `i32(${slot}) >= ${first}`;
  return `i32(${slot}) <= ${last}${first === undefined ? "" : ` && ${from}`}`;
};

/** How a product of query and key becomes a score. */
export interface Scoring {
  readonly scale: number;
  readonly softcap: number;
  readonly bias: Node | undefined;
  /** Element of a bias that belongs to distance 0. */
  readonly zero: number;
}

/** A score, and its slope in scale·q·k ("" when that is 1). */
export const scoreOf = (
  block: Block,
  { scale, softcap, bias, zero }: Scoring,
  product: string,
  slot: string,
  head: string,
  sight: Sight | undefined,
): { readonly score: string; readonly slope: string } => {
  const turned = softcap ? block.name(`tanh(clamp(${product} * ${scale / softcap}, -15.0, 15.0))`) : "";
  let score = softcap ? `${turned} * ${softcap.toFixed(6)}` : `${product} * ${scale}`;
  if (bias) {
    const end = block.scope.size(bias.type.shape[1]!);
    const at = block.name(`u32(clamp(i32(${slot}) - ${sight!.position} + ${zero}, 0, i32(${end}) - 1))`);
    const groups = [head, at].map((text) => ({ rank: 1, at: text }));
    score = `${score} + ${block.value(bias, { shape: bias.type.shape, groups })}`;
  }
  return { score, slope: softcap ? `(1.0 - ${turned} * ${turned})` : "" };
};

/**
 * `limit` = 1 + the last slot that any of the 32 queries from query0 sees; the same for all threads, so that loops may end there.
 * Returns what the first tile of slots is, likewise.
 */
export const printLimit = (
  block: Block,
  memory: ReturnType<typeof memoryOf>,
  sees: Sees,
  row: string,
  query0: string,
  queries: string,
  slots: string,
  causal: boolean,
): string => {
  if (!causal) {
    block.line(`let limit = ${slots};`);
    return "0u";
  }
  const from = partsOf(sees.node.type).first !== undefined && sees.memory === 0;
  block.line("if (lane == 0u) {");
  block.line("  var furthest = 0;");
  if (from) block.line(`  var nearest = i32(${slots});`);
  block.line(`  for (var i = ${query0}; i < min(${query0} + ${tile}u, ${queries}); i++) {`);
  const body = block.inner().inner();
  const { first, last } = sightOf(body, sees, row, "i");
  body.line(`furthest = max(furthest, ${last} + 1);`);
  if (from) body.line(`nearest = min(nearest, max(${first}, 0));`);
  block.lines.push(...body.lines);
  block.line("  }");
  block.line(`  ${memory.limit}[0] = furthest;`);
  if (from) block.line(`  ${memory.limit}[1] = nearest;`);
  block.line("}");
  block.line(`let ends = workgroupUniformLoad(&${memory.limit});`);
  block.line(`let limit = min(u32(ends.x), ${slots});`);
  return from ? `u32(ends.y) / ${tile}u * ${tile}u` : "0u";
};

export const printPlaces = (block: Block): void => {
  block.line(opaqueZero);
  block.line(`let across = lane % ${across}u;`);
  block.line(`let down = lane / ${across}u;`);
};

/** Clamped numbers of a thread's four lines. */
export const printLines = (block: Block, line0: string, lines: string): void => {
  for (let i = 0; i < perLine; i++) block.line(`let ${line0}_${i} = min(${line0} + down + ${i * down}u, ${lines} - 1u);`);
};

/** The second chunk is the second half of the array. */
export const shareChunks = (lines: readonly string[], chunks: string): string[] =>
  lines.map((line) => line.replaceAll(`${chunks}_b[`, `${chunks}[${tile * stride}u + `));
