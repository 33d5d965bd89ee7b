// Prints the gradient of attention to the bias of one distance: one workgroup per (head, distance) walks the queries of every row,
// recomputes the score of the slots at that distance and adds up p·(dout·v - δ), in a fixed order. What lies beyond either end of
// the table counts to its end, so those two walk many slots each. Only training the bias itself comes here.

import { isConcrete } from "../values/dims.ts";
import { gradientParts, printRowValues } from "./wgsl-attention-gradient.ts";
import { place, scoreOf, seesSlot, sightOf } from "./wgsl-attention-tile.ts";
import { createBlock, type KernelScope } from "./wgsl-elements.ts";
import type { Printed } from "./wgsl-map.ts";
import { storedValue } from "./wgsl-reduce.ts";

const threads = 64;

export const printGradientOfBias = (scope: KernelScope): Printed => {
  const { query, key, value, sees, lse, dout, bias, b, t, s, h, d, share, causal, scoring, stored } = gradientParts(scope);
  const length = bias!.type.shape[1]!;
  if (!isConcrete(d)) throw new Error("attention needs a head width that is known when it is compiled");
  const block = createBlock(scope, "  ");
  const memory = `${scope.entry}_partial`;
  block.line("let distance = group.x;");
  block.line("let head = group.y;");
  const kvHead = block.name(`head / ${scope.size(share)}`);
  const [T, S, B, end] = [t, s, b, length].map((dim) => block.name(scope.size(dim))) as [string, string, string, string];
  block.line("var sum = 0.0;");
  block.line(`for (var line = lane; line < ${B} * ${T}; line += ${threads}u) {`);
  const each = block.inner();
  each.line(`let row = line / ${T};`);
  each.line(`let query = line % ${T};`);
  const sight = sightOf(each, sees, "row", "query");
  printRowValues(each, scope, lse, 0, "query");
  each.line(`let middle = ${sight.position} + i32(distance) - ${scoring.zero};`);
  each.line(`let least = select(middle, 0, distance == 0u);`);
  each.line(`let most = select(middle, i32(${S}) - 1, distance + 1u == ${end});`);
  each.line(`for (var at = max(least, 0); at <= min(most, i32(${S}) - 1); at++) {`);
  const inner = each.inner();
  inner.line("let slot = u32(at);");
  if (causal) inner.line(`if (!(${seesSlot("slot", sight)})) { continue; }`);
  inner.line("var product = 0.0;");
  inner.line("var along = 0.0;");
  inner.line(`for (var c = 0u; c < ${d}u; c++) {`);
  const width = inner.inner();
  const queryAt = (node: typeof query) => width.value(node, place(node, "row", "query", "head", "c"));
  const keyAt = (node: typeof key) => width.value(node, place(node, "row", "slot", kvHead, "c"));
  width.line(`product += ${queryAt(query)} * ${keyAt(key)};`);
  width.line(`along += ${queryAt(dout)} * ${keyAt(value)};`);
  inner.lines.push(...width.lines);
  inner.line("}");
  const { score } = scoreOf(inner, scoring, "product", "slot", "head", sight);
  inner.line(`sum += exp(${score} - lse0) * (along - delta0);`);
  each.lines.push(...inner.lines);
  each.line("}");
  block.lines.push(...each.lines);
  block.line("}");
  block.line(`${memory}[lane] = sum;`);
  block.line("workgroupBarrier();");
  const result = stored("bias")!;
  const binding = scope.bind(storedValue(scope, result), "f32", "write");
  block.line("if (lane == 0u) {");
  block.line("  var total = 0.0;");
  block.line(`  for (var k = 0u; k < ${threads}u; k++) { total += ${memory}[k]; }`);
  block.line(`  ${binding.name}[head * ${end} + distance] = total;`);
  block.line("}");
  return {
    declarations: `var<workgroup> ${memory}: array<f32, ${threads}>;`,
    workgroup: threads,
    body: block.lines,
    workgroups: [
      [length, 1],
      [h, 1],
      [1, 1],
    ],
  };
};
