// Builds the ops that only the host has. They stand in first values alone, where no gradient flows; their meaning is
// runtime/host-ops/NAME.ts.

import type { Op } from "../graph/op.ts";

const absent = (name: string) => (): never => {
  throw new Error(`${name} is computed by the host before training`);
};

export const hostOp = (spec: Pick<Op, "name" | "doc" | "call" | "type" | "outputs">): Op => ({
  ...spec,
  host: true,
  eval: absent(spec.name),
  onnx: absent(spec.name),
});
