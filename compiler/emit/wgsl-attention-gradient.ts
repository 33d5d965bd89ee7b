// Prints the gradient of attention, with the probabilities recomputed as exp(score - lse):
//   rows            δ = Σ dout·out of every query, beside its lse
//   queries         the forward walk again, with dq += scale·p·(dout·v - δ)·k
//   keys, values    one workgroup per (row, key head, 32 slots), walking the queries of every head of its group: nothing is added
//                   from two places, so there are no atomics and the bits are the same every time
// (Dao et al. 2022 and 2023.)

import type { Node } from "../graph/graph.ts";
import { anchorOf, formOf, outputOf } from "../kernels/kernels.ts";
import { product } from "../values/dims.ts";
import {
  across,
  down,
  eachResult,
  memoryOf,
  perColumn,
  perLine,
  printAccumulate,
  printLimit,
  printLines,
  printPlaces,
  printResult,
  printScores,
  type Sight,
  type Source,
  scoreOf,
  scoreStride,
  seesSlot,
  shapesOf,
  shareChunks,
  sightOf,
  threads,
  tile,
} from "./wgsl-attention-tile.ts";
import { type Block, createBlock, type KernelScope } from "./wgsl-elements.ts";
import { linearGroup, type Printed } from "./wgsl-map.ts";

/** lse and δ of one query, from what the rows kernel left. */
export const printRowValues = (block: Block, scope: KernelScope, lse: Node, i: number, query: string): void => {
  const { shape } = lse.type;
  const value = scope.kernel.extra.find((e) => e.role === "rows")!.value;
  const at = block.flat({ shape, groups: ["row", query, "head"].map((text) => ({ rank: 1, at: text })) });
  block.line(`let lse${i} = ${scope.load(value, "f32", at)};`);
  block.line(`let delta${i} = ${scope.load(value, "f32", `${scope.size(product(shape))} + ${at}`)};`);
};

/** Per query and head: lse, and after all of those δ = Σ dout·out; eight threads each. */
export const printGradientRows = (scope: KernelScope): Printed => {
  const { out, lse, dout, d } = gradientParts(scope);
  const { shape } = lse.type;
  const count = product(shape);
  const value = scope.kernel.extra.find((e) => e.role === "rows")!.value;
  const block = createBlock(scope, "  ");
  const memory = `${scope.entry}_partial`;
  block.line("let part = lane % 8u;");
  block.line(`let wanted = (${linearGroup}) * 32u + lane / 8u;`);
  block.line(`let line = min(wanted, ${scope.size(count)} - 1u);`);
  block.line("var sum = 0.0;");
  block.line(`for (var c = part; c < ${d}u; c += 8u) {`);
  const inner = block.inner();
  const index = {
    shape: out.type.shape,
    groups: [
      { rank: 3, at: "line" },
      { rank: 1, at: "c" },
    ],
  };
  inner.line(`sum += ${inner.value(out, index)} * ${inner.value(dout, index)};`);
  block.lines.push(...inner.lines);
  block.line("}");
  block.line(`${memory}[lane] = sum;`);
  block.line("workgroupBarrier();");
  block.line(`if (part == 0u && wanted < ${scope.size(count)}) {`);
  const tail = block.inner();
  const binding = scope.bind(value, "f32", "write");
  tail.line(`${binding.name}[wanted] = ${tail.value(lse, { shape, flat: "wanted" })};`);
  tail.line(
    `${binding.name}[${scope.size(count)} + wanted] = ${[0, 1, 2, 3, 4, 5, 6, 7].map((k) => `${memory}[lane + ${k}u]`).join(" + ")};`,
  );
  block.lines.push(...tail.lines);
  block.line("}");
  return { declarations: `var<workgroup> ${memory}: array<f32, 256>;`, workgroup: 256, body: block.lines, workgroups: [[count, 32]] };
};

export const gradientParts = (scope: KernelScope) => {
  const anchor = anchorOf(scope.kernel.anchor!);
  const form = formOf(anchor);
  if (form?.form !== "attention_gradient") throw new Error(`${anchor.op} is not the gradient of attention`);
  const [query, key, value, seen, out, lse, dout, bias] = anchor.inputs as [Node, Node, Node, Node, Node, Node, Node, Node?];
  const shapes = shapesOf(query, key);
  const wants = form.outputs(anchor.attrs);
  const stored = (what: "query" | "key" | "value" | "bias"): Node | undefined =>
    scope.kernel.stores.find(({ node }) => wants[outputOf(node)] === what)?.node;
  return {
    query,
    key,
    value,
    sees: { node: seen, memory: form.memory(anchor.attrs) },
    out,
    lse,
    dout,
    bias,
    ...shapes,
    causal: form.causal(anchor.attrs),
    scoring: { scale: form.scale(anchor.attrs, shapes.d), softcap: form.softcap(anchor.attrs), bias, zero: anchor.attrs.zero as number },
    stored,
  };
};

export const printGradientOfQuery = (scope: KernelScope): Printed => {
  const { query, key, value, sees, lse, dout, bias, b, t, s, h, d, share, causal, scoring, stored } = gradientParts(scope);
  const memory = memoryOf(scope);
  const block = createBlock(scope, "  ");
  printPlaces(block);
  block.line(`let query0 = group.x * ${tile}u;`);
  block.line("let head = group.y;");
  block.line("let row = group.z;");
  const [T, S] = [block.name(scope.size(t)), block.name(scope.size(s))];
  const kvHead = block.name(`head / ${scope.size(share)}`);
  const queries: Source = { node: query, row: "row", head: "head", line0: "query0", lines: T };
  printLines(block, "query0", T);
  for (let i = 0; i < perLine; i++) printRowValues(block, scope, lse, i, `query0_${i}`);
  const sights = Array.from({ length: perLine }, (_, i) => (causal || bias ? sightOf(block, sees, "row", `query0_${i}`) : undefined));
  const start = printLimit(block, memory, sees, "row", "query0", T, S, causal);
  eachResult(d, (i, j) => block.line(`var o${i}_${j} = vec4<f32>(0.0);`));
  block.line(`for (var slot0 = ${start}; slot0 < limit; slot0 += ${tile}u) {`);
  const loop = block.inner();
  const keys: Source = { node: key, row: "row", head: kvHead, line0: "slot0", lines: S };
  const chunks = { a: memory.chunks, b: `${memory.chunks}_b` };
  printScores(loop, "s", chunks, queries, keys, d);
  printScores(loop, "g", chunks, { ...queries, node: dout }, { ...keys, node: value }, d);
  for (let i = 0; i < perLine; i++)
    for (let j = 0; j < perColumn; j++) {
      loop.line(`let slot${i}_${j} = slot0 + across + ${j * across}u;`);
      const seen = `slot${i}_${j} < ${S}${causal ? ` && ${seesSlot(`slot${i}_${j}`, sights[i]!)}` : ""}`;
      const { score, slope } = scoreOf(loop, scoring, `s${i}_${j}`, `slot${i}_${j}`, "head", sights[i]);
      loop.line(
        `${memory.scores}[(down + ${i * down}u) * ${scoreStride}u + across + ${j * across}u] = select(0.0, exp(${score} - lse${i}) * (g${i}_${j} - delta${i})${slope && ` * ${slope}`}, ${seen});`,
      );
    }
  loop.line("workgroupBarrier();");
  printAccumulate(loop, "o", memory.scores, memory.chunks, keys, d);
  block.lines.push(...loop.lines);
  block.line("}");
  printResult(block, scope, stored("query")!, "o", "row", "head", "query0", T, d, () => `f32(${scoring.scale})`);
  return {
    declarations: memory.text,
    workgroup: threads,
    body: shareChunks(block.lines, memory.chunks),
    workgroups: [
      [t, tile],
      [h, 1],
      [b, 1],
    ],
  };
};

export const printGradientOfKeyValue = (scope: KernelScope): Printed => {
  const { query, key, value, sees, lse, dout, bias, b, t, s, g, d, share, causal, scoring, stored } = gradientParts(scope);
  const [dkey, dvalue] = [stored("key"), stored("value")];
  const memory = memoryOf(scope);
  const block = createBlock(scope, "  ");
  printPlaces(block);
  block.line(`let slot0 = group.x * ${tile}u;`);
  block.line("let kvHead = group.y;");
  block.line("let row = group.z;");
  const [T, S] = [block.name(scope.size(t)), block.name(scope.size(s))];
  const keys: Source = { node: key, row: "row", head: "kvHead", line0: "slot0", lines: S };
  printLines(block, "slot0", S);
  if (dkey) eachResult(d, (i, j) => block.line(`var k${i}_${j} = vec4<f32>(0.0);`));
  if (dvalue) eachResult(d, (i, j) => block.line(`var v${i}_${j} = vec4<f32>(0.0);`));
  block.line(`for (var query0 = 0u; query0 < ${T}; query0 += ${tile}u) {`);
  const walk = block.inner();
  // Queries that see none of these slots are passed over, all threads together.
  const start = printLimit(walk, memory, sees, "row", "query0", T, S, causal);
  walk.line(`if (limit <= slot0${start === "0u" ? "" : ` || slot0 < ${start}`}) { continue; }`);
  const sights: (Sight | undefined)[] = [];
  for (let j = 0; j < perColumn; j++) {
    walk.line(`let asked${j} = min(query0 + across + ${j * across}u, ${T} - 1u);`);
    walk.line(`let there${j} = query0 + across + ${j * across}u < ${T};`);
    sights.push(causal || bias ? sightOf(walk, sees, "row", `asked${j}`) : undefined);
  }
  walk.line(`for (var head = kvHead * ${scope.size(share)}; head < (kvHead + 1u) * ${scope.size(share)}; head++) {`);
  const loop = walk.inner();
  const queries: Source = { node: query, row: "row", head: "head", line0: "query0", lines: T };
  const douts: Source = { ...queries, node: dout };
  const chunks = { a: memory.chunks, b: `${memory.chunks}_b` };
  const tileAt = (i: number, j: number) => `${memory.scores}[(down + ${i * down}u) * ${scoreStride}u + across + ${j * across}u]`;
  printScores(loop, "s", chunks, keys, queries, d);
  for (let j = 0; j < perColumn; j++) printRowValues(loop, scope, lse, j, `asked${j}`);
  const slopes = new Map<string, string>();
  for (let i = 0; i < perLine; i++)
    for (let j = 0; j < perColumn; j++) {
      const slot = `slot0 + down + ${i * down}u`;
      const seen = `there${j}${causal ? ` && ${seesSlot(slot, sights[j]!)}` : ""}`;
      const { score, slope } = scoreOf(loop, scoring, `s${i}_${j}`, slot, "head", sights[j]);
      slopes.set(`${i}_${j}`, slope && ` * ${slope}`);
      loop.line(`let p${i}_${j} = select(0.0, exp(${score} - lse${j}), ${seen});`);
    }
  if (dvalue) {
    for (let i = 0; i < perLine; i++) for (let j = 0; j < perColumn; j++) loop.line(`${tileAt(i, j)} = p${i}_${j};`);
    loop.line("workgroupBarrier();");
    printAccumulate(loop, "v", memory.scores, memory.chunks, douts, d);
  }
  if (dkey) {
    printScores(loop, "g", chunks, { ...keys, node: value }, douts, d);
    for (let i = 0; i < perLine; i++)
      for (let j = 0; j < perColumn; j++) loop.line(`${tileAt(i, j)} = p${i}_${j} * (g${i}_${j} - delta${j})${slopes.get(`${i}_${j}`)};`);
    loop.line("workgroupBarrier();");
    printAccumulate(loop, "k", memory.scores, memory.chunks, queries, d);
  }
  walk.lines.push(...loop.lines);
  walk.line("}");
  block.lines.push(...walk.lines);
  block.line("}");
  if (dkey) printResult(block, scope, dkey, "k", "row", "kvHead", "slot0", S, d, () => `f32(${scoring.scale})`);
  if (dvalue) printResult(block, scope, dvalue, "v", "row", "kvHead", "slot0", S, d, () => "1.0");
  return {
    declarations: memory.text,
    workgroup: threads,
    body: shareChunks(block.lines, memory.chunks),
    workgroups: [
      [s, tile],
      [g, 1],
      [b, 1],
    ],
  };
};
