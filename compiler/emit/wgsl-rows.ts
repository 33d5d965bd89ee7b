// Prints kernels that walk rows: one or several reductions over an axis, each allowed to use the earlier ones, then values
// per element or per row, with an elementwise epilogue. `lanes` threads share a row; a workgroup has as many rows as fit.
// A row is read again for each reduction: the second read comes from cache, and rows of any length fit.

import type { Node } from "../graph/graph.ts";
import { formOf, outputOf } from "../kernels/kernels.ts";
import { type Dim, product } from "../values/dims.ts";
import { type Block, createBlock, type Index, type KernelScope } from "./wgsl-elements.ts";
import { linearGroup, opaqueZero, type Printed } from "./wgsl-map.ts";
import { lastAxes, storedValue } from "./wgsl-reduce.ts";

const threads = 256;

export const printRow = (scope: KernelScope): Printed => {
  const { kernel } = scope;
  const anchor = kernel.anchor!;
  const form = formOf(anchor);
  if (form?.form !== "row") throw new Error(`${anchor.op} does not walk rows`);
  const shape = anchor.inputs[form.along]!.type.shape;
  const axis = form.axis?.(anchor.attrs, shape.length) ?? shape.length - 1;
  const length = shape[axis]!;
  const rowShape = shape.filter((_, i) => i !== axis);
  const rows = product(rowShape);
  const inside = product(shape.slice(axis + 1));
  const lanes = typeof length !== "number" ? 64 : length <= 32 ? 8 : length <= 512 ? 32 : 256;
  const perGroup = threads / lanes;
  const memory = `${scope.entry}_partial`;

  const outer = createBlock(scope, "  ");
  outer.line(opaqueZero);
  outer.line(`let part = lane % ${lanes}u;`);
  outer.line(`let wanted = (${linearGroup}) * ${perGroup}u + lane / ${lanes}u;`);
  outer.line(`let row = min(wanted, ${scope.size(rows)} - 1u);`);
  const size = scope.size(length);
  const width = `f32(${size})`;

  const indexAt = (block: Block, column: string): Index => {
    if (axis === shape.length - 1)
      return {
        shape,
        groups: [
          { rank: axis, at: "row" },
          { rank: 1, at: column },
        ].filter((g) => g.rank > 0),
      };
    return {
      shape,
      groups: [
        { rank: axis, at: block.name(`row / ${scope.size(inside)}`) },
        { rank: 1, at: column },
        { rank: shape.length - 1 - axis, at: block.name(`row % ${scope.size(inside)}`) },
      ].filter((g) => g.rank > 0),
    };
  };
  const argsAt = (block: Block, column: string | undefined): string[] =>
    anchor.inputs.map((input, i) => {
      if (form.roles[i] === "row") return block.value(input, { shape: input.type.shape, flat: "row" });
      return column === undefined ? "" : block.value(input, lastAxes(block, indexAt(block, column), input.type.shape));
    });

  const reduced: Record<string, string> = {};
  for (const [i, reduction] of form.reductions.entries()) {
    const total = `total${i}`;
    outer.line(`var ${total} = ${reduction.by === "sum" ? "0.0" : "-3.4028234663852886e38"};`);
    outer.line(`for (var c = part; c < ${size} + zero; c += ${lanes}u) {`);
    const inner = outer.inner();
    const value = inner.name(`(${reduction.of({ args: argsAt(inner, "c"), reduced, column: "c", width, attrs: anchor.attrs })})`);
    inner.line(reduction.by === "sum" ? `${total} += ${value};` : `${total} = max(${total}, ${value});`);
    outer.lines.push(...inner.lines);
    outer.line("}");
    outer.line(`${memory}[lane] = ${total};`);
    for (let half = lanes / 2; half >= 1; half /= 2) {
      outer.line("workgroupBarrier();");
      const other = `${memory}[lane + ${half}u]`;
      outer.line(
        `if (part < ${half}u) { ${memory}[lane] = ${reduction.by === "sum" ? `${memory}[lane] + ${other}` : `max(${memory}[lane], ${other})`}; }`,
      );
    }
    outer.line("workgroupBarrier();");
    const raw = `${reduction.name}_${i}`;
    outer.line(`let ${raw} = ${memory}[lane - part];`);
    // The next reduction writes the same memory.
    outer.line("workgroupBarrier();");
    reduced[reduction.name] = raw;
    if (reduction.finish) {
      outer.line(
        `let ${raw}_ = ${reduction.finish({ args: argsAt(outer, undefined), reduced, column: "0u", width, attrs: anchor.attrs })};`,
      );
      reduced[reduction.name] = `${raw}_`;
    }
  }

  const outputs = form.outputs(anchor.attrs);
  const perOf = (node: Node) =>
    node === anchor || (node.op === "pick" && node.inputs[0] === anchor) ? outputs[outputOf(node)]!.per : "element";
  const storesOf = (per: string) => kernel.stores.filter((s) => perOf(s.node) === per);
  const write = (node: Node, at: string, value: string) =>
    `${scope.bind(storedValue(scope, node), node.type.dtype, "write").name}[${at}] = ${value};`;
  if (storesOf("element").length) {
    outer.line(`if (wanted < ${scope.size(rows)}) {`);
    const middle = outer.inner();
    middle.line(`for (var c = part; c < ${size} + zero; c += ${lanes}u) {`);
    const inner = middle.inner();
    const index = indexAt(inner, "c");
    const at = inner.flat(index);
    const args = argsAt(inner, "c");
    for (const node of [
      anchor,
      ...picksIn(
        kernel.stores.map((s) => s.node),
        kernel.members,
        anchor,
      ),
    ]) {
      const output = outputs[outputOf(node)];
      if (output?.per !== "element") continue;
      inner.registers.set(node, { name: inner.name(`(${output.value({ args, reduced, column: "c", width, attrs: anchor.attrs })})`), at });
    }
    const lines = storesOf("element").map(({ node }) => write(node, at, inner.value(node, { shape: node.type.shape, flat: at })));
    for (const line of lines) inner.line(line);
    middle.lines.push(...inner.lines);
    middle.line("}");
    outer.lines.push(...middle.lines);
    outer.line("}");
  }
  const perRow = storesOf("row");
  if (perRow.length || kernel.extra.length) {
    outer.line(`if (part == 0u && wanted < ${scope.size(rows)}) {`);
    const inner = outer.inner();
    const lines = perRow.map(({ node }) =>
      write(
        node,
        "row",
        inner.name(
          `(${outputs[outputOf(node)]!.value({ args: argsAt(inner, undefined), reduced, column: "0u", width, attrs: anchor.attrs })})`,
        ),
      ),
    );
    for (const { role, value } of kernel.extra) lines.push(`${scope.bind(value, "f32", "write").name}[row] = ${reduced[role]};`);
    for (const line of lines) inner.line(line);
    outer.lines.push(...inner.lines);
    outer.line("}");
  }
  return {
    declarations: `var<workgroup> ${memory}: array<f32, ${threads}>;`,
    workgroup: threads,
    body: outer.lines,
    workgroups: [[rows as Dim, perGroup]],
  };
};

/** Every pick of the anchor that a store or a member reads. */
const picksIn = (stored: readonly Node[], members: readonly Node[], anchor: Node): Node[] => {
  const found = new Set<Node>();
  const visit = (node: Node, depth: number): void => {
    if (node.op === "pick" && node.inputs[0] === anchor) found.add(node);
    else if (depth < 8) for (const input of node.inputs) visit(input, depth + 1);
  };
  for (const node of [...stored, ...members]) visit(node, 0);
  return [...found];
};
