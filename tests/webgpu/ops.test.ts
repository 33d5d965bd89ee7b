// Every op, forward and backward, as WGSL kernels on the device, equals its reference meaning at f32 precision.

import { createGraph, type Node, type SegmentGraph } from "../../compiler/graph/graph.ts";
import { ops } from "../../compiler/ops/index.ts";
import { assert, group } from "../harness.ts";
import { type Sample, type SampleInput, sampleSizes, samples } from "../op-samples.ts";
import { agrees, missing } from "./run-segment.ts";

/** The call, all its outputs, and its gradients for the given inputs. */
const segmentOf = (
  op: string,
  sample: Sample,
  wanted: readonly number[],
): { segment: SegmentGraph; fills: Record<string, SampleInput> } => {
  const graph = createGraph();
  const fills: Record<string, SampleInput> = {};
  const inputs: { name: string; node: Node }[] = sample.inputs.map((input, i) => {
    fills[`x${i}`] = input;
    return { name: `x${i}`, node: graph.input(`x${i}`, { dtype: input.dtype ?? "f32", shape: input.shape }) };
  });
  const node = graph.add(
    op,
    inputs.map((input) => input.node),
    sample.attrs,
  );
  const outputs = (node.types ?? [node.type]).map((_, i) => ({ name: `y${i}`, node: node.types ? graph.pick(node, i) : node }));
  if (wanted.length) {
    const d = graph.input("d", node.type);
    inputs.push({ name: "d", node: d });
    fills.d = { shape: node.type.shape };
    const gradients = ops.get(op)!.gradient!({ graph, node, d: [d], wants: sample.inputs.map((_, i) => wanted.includes(i)) });
    for (const i of wanted) outputs.push({ name: `d${i}`, node: gradients[i]! });
  }
  return { segment: { name: op, inputs, outputs }, fills };
};

/** Ops whose gradients come from one node. */
const several = new Set(["rms_norm", "layer_norm", "attention"]);

/** Whether an op is only ever a leaf or looked through. */
const bare = new Set(["input", "pick"]);

group("webgpu ops", (test) => {
  for (const [name, list] of Object.entries(samples))
    test(
      name,
      async () => {
        for (const [i, sample] of list.entries()) {
          const { segment, fills } = segmentOf(name, sample, sample.smooth ?? []);
          await agrees(segment, fills, sampleSizes);
          // One gradient at a time: what is not wanted must not be computed, and need not be there.
          if (i === 0 && several.has(name))
            for (const one of sample.smooth!) {
              const part = segmentOf(name, sample, [one]);
              await agrees(part.segment, part.fills, sampleSizes.slice(0, 1));
            }
        }
      },
      { skip: missing },
    );
  test("every op has a sample here and a WGSL form, or is looked through", () => {
    const gradients = new Set([...ops.keys()].filter((name) => name.endsWith("_gradient")));
    for (const [name, op] of ops)
      if (!bare.has(name) && name !== "constant" && !op.host) {
        assert.ok(op.wgsl || op.expand, `${name} has no WGSL form`);
        assert.ok(samples[name] || gradients.has(name), `${name} has no sample`);
      }
  });
});
