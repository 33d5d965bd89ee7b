// A job with nothing in it, to be filled with what a test needs.

import type { Job } from "../../spec/job.ts";

export const emptyJob = (part: Partial<Job>): Job => ({
  format: "peft-job/1",
  name: "test",
  source: { file: "test.peft", sha256: "" },
  profile: "test",
  dims: {},
  base: { name: "tiny", path: "base/", weights: "checkpoint", seed: 1, vocab_size: 8, positions: 8, config_sha256: "", parameters: 0 },
  parameters: [],
  formats: {},
  adapters: [],
  data: [],
  train: [],
  evaluate: [],
  merge: [],
  arenas: {},
  values: {},
  segments: {},
  programs: {},
  plan: {},
  ...part,
});
