// The folder a case runs in: a checkpoint of a small llama made of nothing (config.json, a tokenizer, a header over zeros), two
// data files, and what the case brings. No weights, no third-party file.

import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { compile } from "../../compiler/compile.ts";
import { parametersOf } from "../../compiler/model/instantiate.ts";
import { memoryHost } from "../compiler/support.ts";
import type { Case } from "./case.ts";

export const config: Readonly<Record<string, unknown>> = {
  architectures: ["LlamaForCausalLM"],
  hidden_size: 32,
  intermediate_size: 48,
  num_hidden_layers: 4,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  vocab_size: 512,
  max_position_embeddings: 64,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: true,
};

/** The quickstart's tokenizer is this project's own (examples/base): byte-level, with one token that begins and ends a text. */
export const tokenizer = readFileSync(new URL("../../examples/quickstart/base/tokenizer.json", import.meta.url));
const tokenizerConfig = JSON.parse(
  readFileSync(new URL("../../examples/quickstart/base/tokenizer_config.json", import.meta.url), "utf8"),
) as Record<string, unknown>;

const rows: Readonly<Record<string, string>> = {
  "train.jsonl":
    '{"slip": "1 soup", "text": "One soup."}\n{"slip": "2 tea", "text": "Two teas."}\n{"slip": "3 pie", "text": "Three pies."}\n',
  "eval.jsonl": '{"slip": "4 cake", "text": "Four cakes."}\n{"slip": "5 rolls", "text": "Five rolls."}\n',
};

export interface Stored {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** The tensors that the architecture of a config asks for, all zeros. */
export const zerosFor = async (config: string): Promise<Map<string, Stored>> => {
  const { checked } = await compile(
    { file: "main.peft", goal: "check" },
    memoryHost({ "main.peft": 'peft 1\nbase tiny = blank("base/")\n', "base/config.json": config }),
  );
  const tensors = new Map<string, Stored>();
  for (const param of checked ? parametersOf(checked.base.root) : []) {
    const shape = (param.transposed ? [...param.shape].reverse() : param.shape).map(Number);
    tensors.set(param.tensor, { dtype: "F32", shape, bytes: new Uint8Array(4 * shape.reduce((a, b) => a * b, 1)) });
  }
  return tensors;
};

/** A file of safetensors. */
export const safetensors = (tensors: ReadonlyMap<string, Stored>): Buffer => {
  const header: Record<string, unknown> = {};
  let offset = 0;
  for (const [name, { dtype, shape, bytes }] of tensors) {
    header[name] = { dtype, shape, data_offsets: [offset, offset + bytes.length] };
    offset += bytes.length;
  }
  const json = JSON.stringify(header);
  const padded = json.padEnd(Math.ceil(json.length / 8) * 8);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  return Buffer.concat([length, Buffer.from(padded), ...[...tensors.values()].map(({ bytes }) => bytes)]);
};

const made = new Map<string, Buffer>();

const weights = async (text: string): Promise<Buffer> => {
  const known = made.get(text) ?? safetensors(await zerosFor(text));
  made.set(text, known);
  return known;
};

/** Makes the folder; returns it. */
export const makeWorld = async ({ text, files, config: changes }: Case): Promise<string> => {
  const folder = mkdtempSync(join(tmpdir(), "peft-mistake-"));
  const write = (name: string, content: string | Buffer): void => {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  };
  const merged = JSON.stringify(Object.fromEntries(Object.entries({ ...config, ...changes }).filter(([, value]) => value !== null)));
  write("base/config.json", merged);
  // A case that changes the config alone has weights of the config before.
  write("base/model.safetensors", await weights(changes.weights === "as before" ? JSON.stringify(config) : merged));
  write("base/tokenizer.json", tokenizer);
  write("base/tokenizer_config.json", JSON.stringify(tokenizerConfig));
  for (const [name, content] of Object.entries(rows)) write(name, content);
  for (const [name, content] of files) write(name, content);
  write("main.peft", text);
  return folder;
};
