// How text is written: what the file says, with what the command line says over it.

import type { Generation } from "../spec/job.ts";
import { type Invocation, lastValue } from "./command.ts";

export const settingsOf = (call: Invocation, declared: Generation): Generation => {
  const temperature = numberOf(call, "temperature");
  const seed = numberOf(call, "seed");
  return {
    ...declared,
    ...(temperature !== undefined && { kind: temperature === 0 ? ("greedy" as const) : ("sample" as const), temperature }),
    ...(seed !== undefined && { seed }),
  };
};

export const numberOf = (call: Invocation, name: string): number | undefined => {
  const value = lastValue(call, name);
  return value === undefined ? undefined : Number(value);
};
