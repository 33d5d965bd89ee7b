// Prints attention in the flash form: one workgroup per (row, head, 32 queries) walks the slots 32 at a time with a running maximum
// and sum; the probabilities live in one tile and are never stored whole. (Dao et al. 2022; grouped heads: Ainslie et al. 2023.)

import type { Node } from "../graph/graph.ts";
import { anchorOf, formOf, outputOf } from "../kernels/kernels.ts";
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
  type Source,
  scoreOf,
  scoreStride,
  seesSlot,
  shapesOf,
  shareChunks,
  sightOf,
  threads,
  tile,
  vectorsOf,
} from "./wgsl-attention-tile.ts";
import { createBlock, type KernelScope } from "./wgsl-elements.ts";
import type { Printed } from "./wgsl-map.ts";
import { storedValue } from "./wgsl-reduce.ts";

export const printAttention = (scope: KernelScope): Printed => {
  const { kernel } = scope;
  const anchor = kernel.anchor!;
  const form = formOf(anchor);
  if (form?.form !== "attention") throw new Error(`${anchor.op} is not attention`);
  const [query, key, value, seen, bias] = anchor.inputs as [Node, Node, Node, Node, Node?];
  const sees = { node: seen, memory: form.memory(anchor.attrs) };
  const { b, t, s, h, d, share } = shapesOf(query, key);
  const causal = form.causal(anchor.attrs);
  const scoring = { scale: form.scale(anchor.attrs, d), softcap: form.softcap(anchor.attrs), bias, zero: anchor.attrs.zero as number };
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
  const sights = Array.from({ length: perLine }, (_, i) => (causal || bias ? sightOf(block, sees, "row", `query0_${i}`) : undefined));
  const start = printLimit(block, memory, sees, "row", "query0", T, S, causal);
  // Four threads share a line of the score tile: each takes eight slots.
  block.line("let mine = lane / 4u;");
  block.line("let part = lane % 4u;");
  block.line("var top = -3.0e38;");
  block.line("var total = 0.0;");
  eachResult(d, (i, j) => block.line(`var o${i}_${j} = vec4<f32>(0.0);`));
  block.line(`for (var slot0 = ${start}; slot0 < limit; slot0 += ${tile}u) {`);
  const loop = block.inner();
  const keys: Source = { node: key, row: "row", head: kvHead, line0: "slot0", lines: S };
  const values: Source = { ...keys, node: value };
  printScores(loop, "s", { a: memory.chunks, b: `${memory.chunks}_b` }, queries, keys, d);
  for (let i = 0; i < perLine; i++)
    for (let j = 0; j < perColumn; j++) {
      loop.line(`let slot${i}_${j} = slot0 + across + ${j * across}u;`);
      const seen = `slot${i}_${j} < ${S}${causal ? ` && ${seesSlot(`slot${i}_${j}`, sights[i]!)}` : ""}`;
      const { score } = scoreOf(loop, scoring, `s${i}_${j}`, `slot${i}_${j}`, "head", sights[i]);
      loop.line(
        `${memory.scores}[(down + ${i * down}u) * ${scoreStride}u + across + ${j * across}u] = select(-3.0e38, ${score}, ${seen});`,
      );
    }
  loop.line("workgroupBarrier();");
  loop.line("var highest = -3.0e38;");
  loop.line(`for (var k = part; k < ${tile}u + zero; k += 4u) { highest = max(highest, ${memory.scores}[mine * ${scoreStride}u + k]); }`);
  loop.line(`${memory.columns}[lane] = highest;`);
  loop.line("workgroupBarrier();");
  loop.line(`let first = mine * 4u;`);
  loop.line(
    `let newTop = max(top, max(max(${memory.columns}[first], ${memory.columns}[first + 1u]), max(${memory.columns}[first + 2u], ${memory.columns}[first + 3u])));`,
  );
  loop.line("let fade = exp(top - newTop);");
  loop.line("top = newTop;");
  loop.line("total *= fade;");
  loop.line(`for (var k = part; k < ${tile}u + zero; k += 4u) {`);
  loop.line(`  let score = ${memory.scores}[mine * ${scoreStride}u + k];`);
  // What is not seen has probability 0 even where nothing has been seen yet and exp(score - top) would be 1.
  loop.line("  let p = select(0.0, exp(score - top), score > -2.0e38);");
  loop.line(`  ${memory.scores}[mine * ${scoreStride}u + k] = p;`);
  loop.line("  total += p;");
  loop.line("}");
  loop.line("workgroupBarrier();");
  loop.line(`if (part == 0u) { ${memory.columns}[mine] = fade; }`);
  loop.line("workgroupBarrier();");
  for (let i = 0; i < perLine; i++) {
    loop.line(`let fade${i} = ${memory.columns}[down + ${i * down}u];`);
    for (let j = 0; j < vectorsOf(d); j++) loop.line(`o${i}_${j} *= fade${i};`);
  }
  printAccumulate(loop, "o", memory.scores, memory.chunks, values, d);
  block.lines.push(...loop.lines);
  block.line("}");
  block.line(`${memory.columns}[lane] = total;`);
  block.line("workgroupBarrier();");
  for (let i = 0; i < perLine; i++) {
    const at = `(down + ${i * down}u) * 4u`;
    block.line(`let sum${i} = ${[0, 1, 2, 3].map((k) => `${memory.columns}[${at} + ${k}u]`).join(" + ")};`);
  }
  block.line("workgroupBarrier();");
  const store = (index: number): Node | undefined =>
    kernel.stores.find(({ node }) => outputOf(node) === index && anchorOf(node) === anchor)?.node;
  // The largest adds 1 to the sum, so it is 0 where nothing is seen, else 1 or more: a query that sees nothing hears nothing.
  const [out, lse] = [store(0), store(1)];
  if (out) printResult(block, scope, out, "o", "row", "head", "query0", T, d, (i) => `(1.0 / max(sum${i}, 1.0))`);
  if (lse) {
    block.line(`if (part == 0u) { ${memory.columns}[mine] = top; }`);
    block.line("workgroupBarrier();");
    const binding = scope.bind(storedValue(scope, lse), "f32", "write");
    for (let i = 0; i < perLine; i++) {
      const at = block.flat({ shape: lse.type.shape, groups: ["row", `query0_${i}`, "head"].map((text) => ({ rank: 1, at: text })) });
      block.line(
        `if (across == 0u && query0 + down + ${i * down}u < ${T}) { ${binding.name}[${at}] = (${memory.columns}[down + ${i * down}u] + log(max(sum${i}, 1.0))) * min(sum${i}, 1.0); }`,
      );
    }
  }
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
