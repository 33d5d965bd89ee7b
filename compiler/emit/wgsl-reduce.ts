// Prints a sum or maximum over axes. A workgroup makes `outputs` results with `lanes` threads each; a lane walks every lanes-th
// element and the lanes are added as a tree, so the order is fixed and the result the same every time.
//
// When the last axis is reduced, neighbouring threads walk one result's elements (lane fastest); else neighbouring threads make
// neighbouring results (output fastest): either way they read neighbouring memory.

import type { Node } from "../graph/graph.ts";
import { anchorOf, formOf, outputOf } from "../kernels/kernels.ts";
import { type Dim, product } from "../values/dims.ts";
import { type Block, createBlock, type Index, type KernelScope } from "./wgsl-elements.ts";
import { elementsAt, linearGroup, type Printed } from "./wgsl-map.ts";

const threads = 256;

interface Reduction {
  readonly by: "sum" | "max";
  /** Shape that is walked and its reduced axes. */
  readonly shape: readonly Dim[];
  readonly axes: readonly number[];
  readonly mean: boolean;
  readonly element: (block: Block, index: Index) => string;
}

export const printReduce = (scope: KernelScope): Printed => {
  const { kernel } = scope;
  const node = kernel.anchor!;
  const { by, shape, axes, mean, element } = reductionOf(scope, node);
  const kept = shape.map((_, i) => i).filter((i) => !axes.includes(i));
  const outputs = product(kernel.domain);
  const length = product(axes.map((i) => shape[i]!));
  const lanesFirst = axes.length === 0 || axes.includes(shape.length - 1);
  const lanes = lanesFirst ? (typeof length === "number" && length <= 32 ? 8 : typeof length === "number" && length <= 256 ? 32 : 256) : 8;
  const perGroup = threads / lanes;
  const memory = `${scope.entry}_partial`;

  const outer = createBlock(scope, "  ");
  outer.line(`let which = ${lanesFirst ? `lane / ${lanes}u` : `lane % ${perGroup}u`};`);
  outer.line(`let part = ${lanesFirst ? `lane % ${lanes}u` : `lane / ${perGroup}u`};`);
  outer.line(`let wanted = (${linearGroup}) * ${perGroup}u + which;`);
  // No thread may leave before the barriers: those past the end compute the last result again and do not store it.
  outer.line(`let out = min(wanted, ${scope.size(outputs)} - 1u);`);
  const length_ = outer.name(`u32(${scope.size(length)})`);
  let [start, end] = ["part", length_];
  if (kernel.parts > 1) {
    outer.line(`let share = (${length_} + ${kernel.parts - 1}u) / ${kernel.parts}u;`);
    outer.line(`let stop = min(${length_}, (group.z + 1u) * share);`);
    [start, end] = ["group.z * share + part", "stop"];
  }
  outer.line(`var total = ${by === "sum" ? "0.0" : "-3.4028234663852886e38"};`);
  outer.line(`for (var r = ${start}; r < ${end}; r += ${lanes}u) {`);
  const inner = outer.inner();
  // The walked index: kept axes from `out`, reduced ones from `r`.
  const keptShape = kept.map((i) => shape[i]!);
  const reducedShape = axes.map((i) => shape[i]!);
  const trailing = axes.every((axis, i) => axis === kept.length + i);
  const leading = kept.every((axis, i) => axis === axes.length + i);
  const index: Index = trailing
    ? {
        shape,
        groups: [
          { rank: kept.length, at: "out" },
          { rank: axes.length, at: "r" },
        ].filter((g) => g.rank > 0),
      }
    : leading
      ? {
          shape,
          groups: [
            { rank: axes.length, at: "r" },
            { rank: kept.length, at: "out" },
          ].filter((g) => g.rank > 0),
        }
      : {
          shape,
          groups: shape.map((_, i) => ({
            rank: 1,
            at: axes.includes(i)
              ? inner.axis({ shape: reducedShape, flat: "r" }, axes.indexOf(i))
              : inner.axis({ shape: keptShape, flat: "out" }, kept.indexOf(i)),
          })),
        };
  const value = element(inner, shape.length ? index : { shape, flat: "0u" });
  inner.line(by === "sum" ? `total += ${value};` : `total = max(total, ${value});`);
  outer.lines.push(...inner.lines);
  outer.line("}");
  outer.line(`${memory}[lane] = total;`);
  const stride = lanesFirst ? 1 : perGroup;
  for (let half = lanes / 2; half >= 1; half /= 2) {
    outer.line("workgroupBarrier();");
    const other = `${memory}[lane + ${half * stride}u]`;
    outer.line(
      `if (part < ${half}u) { ${memory}[lane] = ${by === "sum" ? `${memory}[lane] + ${other}` : `max(${memory}[lane], ${other})`}; }`,
    );
  }
  outer.line(`if (part == 0u && wanted < ${scope.size(outputs)}) {`);
  const tail = outer.inner();
  const scaled = mean ? tail.name(`${memory}[lane] / f32(${length_})`) : tail.name(`${memory}[lane]`);
  if (kernel.parts > 1) {
    const binding = scope.bind(kernel.extra.find((e) => e.role === "parts")!.value, "f32", "write");
    tail.line(`${binding.name}[group.z * ${scope.size(outputs)} + wanted] = ${scaled};`);
  } else {
    tail.registers.set(node, { name: scaled, at: "wanted" });
    const stores: string[] = [];
    elementsAt(tail, "wanted", (stored, text) =>
      stores.push(`${scope.bind(storedValue(scope, stored), stored.type.dtype, "write").name}[wanted] = ${text};`),
    );
    for (const store of stores) tail.line(store);
  }
  outer.lines.push(...tail.lines);
  outer.line("}");
  return {
    declarations: `var<workgroup> ${memory}: array<f32, ${threads}>;`,
    workgroup: threads,
    body: outer.lines,
    workgroups:
      kernel.parts > 1
        ? [
            [outputs, perGroup],
            [1, 1],
            [kernel.parts, 1],
          ]
        : [[outputs, perGroup]],
  };
};

export const storedValue = (scope: KernelScope, node: Node): string => scope.kernel.stores.find((s) => s.node === node)!.value;

const reductionOf = (scope: KernelScope, node: Node): Reduction => {
  const anchor = anchorOf(node);
  const form = formOf(anchor);
  if (form?.form === "reduce") {
    const input = anchor.inputs[0]!;
    const axes = form.axes(
      anchor.attrs,
      anchor.inputs.map((i) => i.type),
    );
    return { by: form.by, shape: input.type.shape, axes, mean: form.mean === true, element: (block, index) => block.value(input, index) };
  }
  if (form?.form === "row") {
    // A sum over rows of values that need row statistics: the row kernel left those in scratch.
    const along = anchor.inputs[form.along]!.type.shape;
    const output = form.outputs(anchor.attrs)[outputOf(node)]!;
    const axes = along.slice(0, -1).map((_, i) => i);
    return {
      by: "sum",
      shape: along,
      axes,
      mean: false,
      element: (block, index) => {
        const row = axes.length ? index.groups![0]!.at : "0u";
        const reduced: Record<string, string> = {};
        for (const { role, value } of scope.kernel.extra) if (role !== "parts") reduced[role] = block.name(scope.load(value, "f32", row));
        const args = anchor.inputs.map((input, i) =>
          form.roles[i] === "row"
            ? block.value(input, { shape: input.type.shape, flat: row })
            : block.value(input, lastAxes(block, index, input.type.shape)),
        );
        const width = `f32(${scope.size(along.at(-1)!)})`;
        return block.name(`(${output.value({ args, reduced, column: index.groups!.at(-1)!.at, width, attrs: anchor.attrs })})`);
      },
    };
  }
  throw new Error(`${anchor.op} is not a reduction`);
};

/** The index of an argument whose shape is the walked one's, or its trailing axes. */
export const lastAxes = (block: Block, index: Index, shape: readonly Dim[]): Index => {
  const lead = index.shape.length - shape.length;
  return lead === 0 ? index : { shape, groups: shape.map((_, i) => ({ rank: 1, at: block.axis(index, lead + i) })) };
};
