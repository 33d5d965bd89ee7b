// Prints sums of rows by id, out[ids[i]] += value[i], without atomics on floats: one workgroup makes one row of the result. It
// reads the ids 64 at a time, marks the ones that are its own as bits (or-ing bits gives the same in any order), and adds the
// marked rows in order. Rows that no id names cost one pass over the ids.

import { formOf } from "../kernels/kernels.ts";
import { type Dim, product } from "../values/dims.ts";
import { createBlock, type KernelScope } from "./wgsl-elements.ts";
import { linearGroup, type Printed } from "./wgsl-map.ts";

const threads = 64;

export const printScatter = (scope: KernelScope): Printed => {
  const { kernel } = scope;
  const anchor = kernel.anchor!;
  const form = formOf(anchor);
  if (form?.form !== "scatter") throw new Error(`${anchor.op} does not scatter`);
  const ids = anchor.inputs[form.ids]!;
  const value = anchor.inputs[form.value]!;
  const { shape } = anchor.type;
  const width: Dim = shape.at(-1)!;
  const rows = product(shape.slice(0, -1));
  const count = product(ids.type.shape);
  const marks = `${scope.entry}_marks`;
  const block = createBlock(scope, "  ");
  block.line(`let row = ${linearGroup};`);
  block.line(`if (row >= ${scope.size(rows)}) { return; }`);
  block.line(`for (var column0 = 0u; column0 < ${scope.size(width)}; column0 += ${threads}u) {`);
  block.line(`  let column = min(column0 + lane, ${scope.size(width)} - 1u);`);
  block.line("  var total = 0.0;");
  block.line(`  for (var start = 0u; start < ${scope.size(count)}; start += ${threads}u) {`);
  block.line(`    if (lane < 2u) { atomicStore(&${marks}[lane], 0u); }`);
  block.line("    workgroupBarrier();");
  const test = block.inner().inner();
  test.line(`let place = min(start + lane, ${scope.size(count)} - 1u);`);
  const id = test.value(ids, { shape: ids.type.shape, flat: "place" });
  test.line(`if (start + lane < ${scope.size(count)} && u32(${id}) == row) { atomicOr(&${marks}[lane >> 5u], 1u << (lane & 31u)); }`);
  test.line("workgroupBarrier();");
  test.line("for (var word = 0u; word < 2u; word++) {");
  test.line(`  var bits = atomicLoad(&${marks}[word]);`);
  test.line("  while (bits != 0u) {");
  test.line("    let found = start + word * 32u + firstTrailingBit(bits);");
  test.line("    bits &= bits - 1u;");
  const add = test.inner().inner();
  const rank = value.type.shape.length;
  const term = add.value(value, {
    shape: value.type.shape,
    groups: [
      { rank: rank - 1, at: "found" },
      { rank: 1, at: "column" },
    ],
  });
  add.line(`total += ${term};`);
  test.lines.push(...add.lines);
  test.line("  }");
  test.line("}");
  test.line("workgroupBarrier();");
  block.lines.push(...test.lines);
  block.line("  }");
  block.line(`  if (column0 + lane < ${scope.size(width)}) {`);
  for (const store of kernel.stores)
    block.line(`    ${scope.bind(store.value, store.node.type.dtype, "write").name}[row * ${scope.size(width)} + column] = total;`);
  block.line("  }");
  block.line("}");
  return {
    declarations: `var<workgroup> ${marks}: array<atomic<u32>, 2>;`,
    workgroup: threads,
    body: block.lines,
    workgroups: [[rows, 1]],
  };
};
