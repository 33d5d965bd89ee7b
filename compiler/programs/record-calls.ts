// Calls of segments as a program is put together, with the types of the values they touch.

import type { SegmentGraph, TensorType } from "../graph/graph.ts";
import type { Step } from "./programs.ts";

/** `record` adds a call: `bound` names the value behind each port that is read, `outputs` the values that are written, in order. */
export const recordCalls = () => {
  const steps: Step[] = [];
  const values = new Map<string, TensorType>();
  const record = (segment: SegmentGraph, bound: Readonly<Record<string, string>>, outputs: readonly string[]): void => {
    const inputs = segment.inputs.map((end) => bound[end.name]!);
    for (const [k, end] of segment.inputs.entries()) values.set(inputs[k]!, end.node.type);
    for (const [k, end] of segment.outputs.entries()) values.set(outputs[k]!, end.node.type);
    steps.push({ segment, inputs, outputs });
  };
  return { steps, values, record };
};
