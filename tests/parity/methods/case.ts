// What one comparison with PEFT is, and what all of them share: two tiny bases and a few batches, made of arithmetic alone so
// that nothing of them has to be stored.

import { writeFileSync } from "node:fs";
import { random } from "../../../examples/base/world.ts";
import { nodeHost } from "../../../runtime/node-host.ts";
import { writeSafetensors } from "../../../runtime/safetensors.ts";
import type { Parameter } from "../../../spec/job.ts";

export interface MethodCase {
  readonly base: keyof typeof bases;
  /** What stands after `adapter NAME =`; the base is called `model`. */
  readonly adapter: string;
  /**
   * PEFT's settings with its `peft_type`; AdapterHub's with the class that takes them; or the base's parameters that are trained as they
   * are, by pattern.
   */
  readonly config:
    | { readonly peft_type: string; readonly [key: string]: unknown }
    | { readonly hub: string; readonly [key: string]: unknown }
    | { readonly train: readonly string[] };
  /** Learning rates; the usual ones move every method enough to tell right from wrong. */
  readonly sgd?: number;
  readonly adamw?: number;
  /** Standard deviation of what is added to PEFT's first tensors. */
  readonly noise?: number;
  /** An optimizer of PEFT's own in AdamW's place: its name there, how it is written here, and the adapter that goes with it. */
  readonly optimizer?: { readonly theirs: string; readonly ours: string; readonly adapter: string };
  /**
   * "own": our first values are compared, not loaded; what is stored has another form there, so losses alone are compared. "observed": both
   * sides compute first values from the first batches, and nothing is added to them.
   */
  readonly begins?: "own" | "observed";
  /** PEFT's tensors of a network that makes what is stored, and our parameters whose rows they hold one after the other. */
  readonly encoder?: Readonly<Record<string, readonly string[]>>;
  /**
   * Of a combination that the library stores in a form of its own: its parameters by name, and ours whose rows each holds one after the
   * other. They are handed over as they are, and no file is compared.
   */
  readonly named?: Readonly<Record<string, readonly string[]>>;
  /** It cannot write text: losses are compared, and no logits. */
  readonly silent?: true;
  /** Micro-batches are single rows: what is observed is one sum for each of them. */
  readonly singly?: true;
  /** How many batches are observed before. */
  readonly observe?: number;
  /** Definitions of a project file that the adapter uses. */
  readonly definitions?: string;
}

export const usual = { sgd: 0.1, adamw: 0.01, noise: 0.05, seed: 5, steps: 20 } as const;

const llama = {
  architectures: ["LlamaForCausalLM"],
  model_type: "llama",
  vocab_size: 48,
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  max_position_embeddings: 64,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: false,
  bos_token_id: 1,
  eos_token_id: 2,
} as const;

export const bases = {
  llama,
  mistral: { ...llama, architectures: ["MistralForCausalLM"], model_type: "mistral", sliding_window: 4 },
  gpt2: {
    architectures: ["GPT2LMHeadModel"],
    model_type: "gpt2",
    vocab_size: 48,
    n_embd: 16,
    n_layer: 2,
    n_head: 2,
    n_positions: 64,
    activation_function: "gelu_new",
    resid_pdrop: 0,
    embd_pdrop: 0,
    attn_pdrop: 0,
    tie_word_embeddings: true,
    bos_token_id: 1,
    eos_token_id: 2,
  },
} as const;

const hash = (text: string): number => [...text].reduce((sum, c) => Math.imul(sum ^ c.charCodeAt(0), 16777619) >>> 0, 2166136261);

/** Far from the usual first values (0.02, biases 0, norms 1), so that every term is seen in the loss. */
const valuesOf = (tensor: string, count: number, spread: number): Float32Array => {
  const next = random(hash(tensor));
  const centre = /(norm|ln_\w+)\.weight$/.test(tensor) ? 1 : 0;
  return Float32Array.from({ length: count }, () => centre + spread * (2 * next() - 1));
};

/** A checkpoint folder for these parameters (a blank base's, from its job). */
export const writeBase = async (folder: string, config: object, parameters: readonly Parameter[], spread = 0.4): Promise<void> => {
  await nodeHost.makeFolder(folder);
  writeFileSync(`${folder}/config.json`, JSON.stringify(config));
  const plans = parameters.flatMap(({ source, shape }) =>
    source.kind === "draw" && source.tensor
      ? [{ name: source.tensor, dtype: "F32" as const, shape: source.transposed ? [...shape].reverse() : shape }]
      : [],
  );
  await writeSafetensors(nodeHost, `${folder}/model.safetensors`, plans, async ({ name, shape }) => {
    const values = valuesOf(
      name,
      shape.reduce((a, b) => a * b, 1),
      spread,
    );
    return new Uint8Array(values.buffer);
  });
};

export interface GivenBatch {
  readonly ids: readonly (readonly number[])[];
  /** −100 where no loss falls. */
  readonly labels: readonly (readonly number[])[];
}

const [rowsPerBatch, tokensPerRow, promptTokens] = [3, 10, 3];

/** Four batches, five times over: what can be learned by heart is learned a little. */
export const batches: readonly GivenBatch[] = (() => {
  const next = random(77);
  const four = Array.from({ length: 4 }, (): GivenBatch => {
    const ids = Array.from({ length: rowsPerBatch }, () => [
      1,
      ...Array.from({ length: tokensPerRow - 1 }, () => 3 + Math.floor(next() * 45)),
    ]);
    return { ids, labels: ids.map((row) => row.map((id, i) => (i < promptTokens ? -100 : id))) };
  });
  return Array.from({ length: usual.steps }, (_, i) => four[i % 4]!);
})();
