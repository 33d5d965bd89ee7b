// Fused kernels -> one WGSL module per segment and the list of its dispatches. In: a kernel graph. Out: text, in which every
// kernel is an entry point with bindings of its own, and what the job bundle says about each.
//
// What stands before the first `// kernel NAME` line is shared by all. The device may rewrite two things and nothing else: the access of a binding from `read` to `read_write` (WebGPU tracks usage per
// whole buffer, and which values share a buffer is known only to the memory plan), and the name of a read binding to that of a
// written one that has the same place (an update in place). Hence one binding per line, each name used nowhere else.

import type { Kernel } from "../../spec/job.ts";
import type { DType, TensorType } from "../graph/graph.ts";
import { type FusedKernel, isHalf, isScalar, type KernelGraph, type KernelKind } from "../kernels/kernels.ts";
import { printAttention } from "./wgsl-attention.ts";
import { printGradientOfBias } from "./wgsl-attention-bias.ts";
import { printGradientOfKeyValue, printGradientOfQuery, printGradientRows } from "./wgsl-attention-gradient.ts";
import { printContraction } from "./wgsl-contraction.ts";
import { createScope, type KernelScope, printDeclarations } from "./wgsl-elements.ts";
import { type Printed, printMap } from "./wgsl-map.ts";
import { printReduce } from "./wgsl-reduce.ts";
import { printRow } from "./wgsl-rows.ts";
import { printScatter } from "./wgsl-scatter.ts";

export interface EmittedSegment {
  readonly wgsl: string;
  readonly kernels: readonly Kernel[];
  /** Values between the segment's own kernels; the memory plan places them. */
  readonly scratch: Readonly<Record<string, TensorType>>;
}

const printers: Readonly<Record<KernelKind, (scope: KernelScope) => Printed>> = {
  map: printMap,
  combine: printMap,
  reduce: printReduce,
  row: printRow,
  contraction: printContraction,
  scatter: printScatter,
  attention: printAttention,
  attention_gradient: () => {
    throw new Error("fuse splits the gradient of attention into two kernels");
  },
  attention_gradient_rows: printGradientRows,
  attention_gradient_q: printGradientOfQuery,
  attention_gradient_kv: printGradientOfKeyValue,
  attention_gradient_bias: printGradientOfBias,
};

export const emitWgsl = (graph: KernelGraph): EmittedSegment => {
  const preludes = new Set<string>();
  const parts: string[] = [];
  const kernels: Kernel[] = [];
  for (const kernel of graph.kernels) {
    const { text, record, functions } = emitKernel(kernel, graph);
    for (const prelude of functions) preludes.add(prelude);
    parts.push(text);
    kernels.push(record);
  }
  const enabled = graph.kernels.some(({ terms }) => terms.some(({ node }) => isHalf(node))) ? ["enable f16;"] : [];
  return { wgsl: [...enabled, ...preludes, ...parts].join("\n\n") + "\n", kernels, scratch: Object.fromEntries(graph.scratch) };
};

const emitKernel = (kernel: FusedKernel, graph: KernelGraph): { text: string; record: Kernel; functions: ReadonlySet<string> } => {
  const scope = createScope(kernel.entry, kernel, spilled(kernel, graph));
  const printed = printers[kernel.kind](scope);
  const bindings = scope.bindings.map(({ value, access }) => ({ value, access }));
  const count = storageBuffers(
    bindings.map((b) => b.value),
    graph,
  );
  if (count > graph.profile.storageBuffers) throw new Error(`kernel ${kernel.entry} of ${graph.segment} binds ${count} buffers`);
  const text = [
    `// kernel ${kernel.entry}`,
    printDeclarations(scope),
    printed.declarations,
    `@compute @workgroup_size(${printed.workgroup})`,
    `fn ${kernel.entry}(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {`,
    ...printed.body,
    "}",
  ].filter((line) => line !== "");
  return {
    text: text.join("\n"),
    record: {
      entry: kernel.entry,
      bindings,
      symbols: [...scope.symbols].sort(),
      ...(scope.scalars.size > 0 && { scalars: [...scope.scalars.keys()] }),
      workgroups: printed.workgroups,
    },
    functions: scope.preludes,
  };
};

/** How many bindings these values take: one that is replaced by its next one shares that one's on the device. */
const storageBuffers = (values: readonly string[], graph: KernelGraph): number =>
  values.length - values.filter((value) => values.some((other) => graph.replaced.get(other) === value)).length;

/** Scalars that must go into the uniform because bindings run out. */
const spilled = (kernel: FusedKernel, graph: KernelGraph): ReadonlyMap<string, DType> => {
  const values = [...new Set([...kernel.loads.values(), ...kernel.stores.map((s) => s.value), ...kernel.extra.map((e) => e.value)])];
  if (storageBuffers(values, graph) <= graph.profile.storageBuffers) return new Map();
  return new Map([...kernel.loads].filter(([node]) => isScalar(node)).map(([node, value]) => [value, node.type.dtype]));
};
