// A merged tensor's values: the adapter's expression over what the base holds, one tensor at a time.

import type { Job, Merge } from "../spec/job.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { Session } from "./devices/device.ts";
import { readParameter } from "./formats/store.ts";
import { readStored } from "./parts.ts";

export const mergedValue = async (
  job: Job,
  tensor: Merge["tensors"][number],
  session: Session,
  checkpoint: Checkpoint | undefined,
): Promise<Float32Array> => {
  if (!tensor.program) return (await session.read(tensor.output)) as Float32Array;
  if (tensor.base !== undefined) {
    const parameter = job.parameters.find(({ source }) => "tensor" in source && source.tensor === tensor.tensor)!;
    // A delta was trained against what the model sees, which for a stored parameter is what reads back from its codes.
    const base =
      checkpoint && parameter.format === undefined ? await readStored(checkpoint, tensor) : await readParameter(job, parameter, session);
    await session.write(tensor.base, base, tensor.program);
  }
  await session.run(tensor.program, {});
  return (await session.read(tensor.output, tensor.program)) as Float32Array;
};
