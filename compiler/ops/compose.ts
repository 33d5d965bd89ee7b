// Builds ops that are made of other ops: one thing to association and to the person who calls it, several to a device
// (expand.ts). Their type, meaning and gradient stand in their files like any other op's.

import type { Op } from "../graph/op.ts";

export const composedOp = (spec: Omit<Op, "onnx" | "wgsl"> & { readonly expand: NonNullable<Op["expand"]> }): Op => ({
  ...spec,
  onnx: () => {
    throw new Error(`${spec.name} is expanded before anything is printed`);
  },
});
