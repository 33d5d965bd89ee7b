// The settings that PEFT's own benchmark uses, one folder each, and the base that it uses them on, by its config.json alone.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("../../../../shared/data/adapter-configs/MetaMathQA/experiments/", import.meta.url));

/** Why they cannot be read here. */
export const settingsMissing: string | undefined = existsSync(folder) ? undefined : "the configurations of PEFT's benchmark are not here";

export const base = {
  architectures: ["LlamaForCausalLM"],
  model_type: "llama",
  vocab_size: 128256,
  hidden_size: 3072,
  intermediate_size: 8192,
  num_hidden_layers: 28,
  num_attention_heads: 24,
  num_key_value_heads: 8,
  head_dim: 128,
  max_position_embeddings: 131072,
  rms_norm_eps: 1e-5,
  rope_theta: 500000,
  tie_word_embeddings: true,
  bos_token_id: 128000,
  eos_token_id: 128001,
} as const;

/** Name → configuration. */
export const settings = (): ReadonlyMap<string, Readonly<Record<string, unknown>>> =>
  new Map(
    readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith("/adapter_config.json"))
      .sort()
      .map((file) => [
        file.slice(0, -"/adapter_config.json".length),
        JSON.parse(readFileSync(`${folder}${file}`, "utf8")) as Record<string, unknown>,
      ]),
  );

export interface Count {
  readonly trainable: number;
  /** Of the safetensors file. */
  readonly bytes: number;
  /** Digest of the sorted lines `name [shape]`. */
  readonly tensors: string;
}

/** With what PEFT filled in where the configuration says no targets. */
export interface TheirCount extends Count {
  readonly chosen: Readonly<Record<string, readonly string[]>>;
}

/** PEFT's answers: a count, or why it gives none where no number may be computed. */
export interface Counts {
  readonly version: string;
  readonly counts: Readonly<Record<string, TheirCount | { readonly refused: string }>>;
}

export const fixture = fileURLToPath(new URL("fixture.json", import.meta.url));
