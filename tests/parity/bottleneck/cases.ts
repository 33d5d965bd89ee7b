// Bottleneck methods as AdapterHub's `adapters` computes them, one entry per method and architecture. After a change here,
// `npm run parity:adapters -- --write` asks it again.

import { fileURLToPath } from "node:url";
import type { MethodCase } from "../methods/case.ts";

export const fixtures = fileURLToPath(new URL("fixtures/bottleneck", import.meta.url));

export const cases: Readonly<Record<string, MethodCase>> = {
  bottleneck: {
    base: "llama",
    adapter: "bottleneck(reduction: 4) into model.layers.*",
    config: { hub: "SeqBnConfig", reduction_factor: 4 },
  },
  "bottleneck on learned positions, scaled": {
    base: "gpt2",
    adapter: "bottleneck(reduction: 3, act: gelu, scaling: 2) into model.layers.*",
    config: { hub: "SeqBnConfig", reduction_factor: 3, non_linearity: "gelu", scaling: 2 },
  },
  "bottleneck in the upper layer": {
    base: "llama",
    adapter: "bottleneck(reduction: 4, act: tanh) into model.layers.1",
    config: { hub: "SeqBnConfig", reduction_factor: 4, non_linearity: "tanh", leave_out: [0] },
  },
  "two bottlenecks per layer": {
    base: "llama",
    adapter: "double_bottleneck(reduction: 4) into model.layers.*",
    config: { hub: "DoubleSeqBnConfig", reduction_factor: 4 },
  },
  "two bottlenecks per layer on learned positions": {
    base: "gpt2",
    adapter: "double_bottleneck(reduction: 4, act: relu) into model.layers.*",
    config: { hub: "DoubleSeqBnConfig", reduction_factor: 4, non_linearity: "relu" },
  },
  "two bottlenecks per layer under a window": {
    base: "mistral",
    adapter: "double_bottleneck(reduction: 8, act: gelu_tanh) into model.layers.*",
    config: { hub: "DoubleSeqBnConfig", reduction_factor: 8, non_linearity: "gelu_new" },
  },
  "a bottleneck beside the feed-forward": {
    base: "llama",
    adapter: "parallel_bottleneck(reduction: 4) into model.layers.*",
    config: { hub: "ParBnConfig", reduction_factor: 4 },
  },
  "a bottleneck beside the feed-forward on learned positions": {
    base: "gpt2",
    adapter: "parallel_bottleneck(reduction: 2, scaling: 1) into model.layers.*",
    config: { hub: "ParBnConfig", reduction_factor: 2, scaling: 1 },
  },
  compacter: {
    base: "llama",
    adapter: "compacter(reduction: 4, n: 2) into model.layers.*",
    config: { hub: "CompacterConfig", reduction_factor: 4, phm_dim: 2 },
  },
  "compacter on learned positions, rank 2": {
    base: "gpt2",
    adapter: "compacter(reduction: 2, n: 4, r: 2) into model.layers.*",
    config: { hub: "CompacterConfig", reduction_factor: 2, phm_dim: 4, phm_rank: 2 },
  },
};
