// A parameter of the base or of an adapter -> what the job says of where its first value comes from.

import type { Parameter } from "../../spec/job.ts";
import type { AdapterParam } from "../adapters/amend.ts";
import type { ParamSpec } from "../model/instantiate.ts";

/** Where a checkpoint holds a parameter of the base. */
export const storedAs = ({ tensor, transposed, parts }: ParamSpec) => ({
  tensor,
  transposed,
  ...(parts && { parts: { names: parts.names, shape: parts.shape.map(Number) } }),
});

export const adapterParameter = (param: AdapterParam): Parameter => ({
  name: param.name,
  shape: param.shape.map(Number),
  dtype: param.dtype,
  trained: param.trained,
  source:
    "copyOf" in param.source
      ? { kind: "copy", of: param.source.copyOf }
      : "stackOf" in param.source
        ? { kind: "stack", of: param.source.stackOf }
        : "init" in param.source
          ? { kind: "init" }
          : "kept" in param.source
            ? { kind: "kept" }
            : "values" in param.source
              ? { kind: "values", values: param.source.values }
              : { kind: "draw", ...param.source },
});
