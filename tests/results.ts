// A run's result with nothing in it, for what tells of results.

import type { Result } from "../spec/result.ts";

export const emptyResult: Result = {
  format: "peft-result/1",
  name: "menu",
  source: { file: "menu.peft", sha256: "" },
  outcome: "done",
  device: { kind: "cpu", name: "CPU", why: "asked for" },
  versions: { peft: "1", node: "20", platform: "linux", engine: "1" },
  inputs: {},
  base: { name: "tiny", path: "base/", parameters: 1 },
  adapters: {},
  train: [],
  evaluate: [],
  merge: [],
  seconds: 1,
  plan: [],
};
