// Text to token ids and back: a Hugging Face tokenizer.json run by @huggingface/tokenizers, with what that package leaves open.
//   - text that follows other text (`continue`), which sentencepiece-like tokenizers cannot encode by themselves: they put a
//     space before every text they are given;
//   - bos and eos as ids, and `add_bos_token`, which the package does not read;
//   - decoding never "cleans up" spaces before punctuation (the package does unless told not to): what the model wrote is what is
//     shown and scored;
//   - the empty list decodes to the empty text, and an id that has no token to nothing;
//   - speed on sentencepiece BPE, which has no word boundaries and so no cache: see `withWords`.

import { Tokenizer as Engine } from "@huggingface/tokenizers";
import { diagnostics } from "../spec/diagnostics.generated.ts";
import { type ChatTokens, chatTokensOf, templateFile } from "./chat/chat-tokens.ts";
import { readJsonObject } from "./checkpoint.ts";
import { DiagnosticError } from "./diagnostic-error.ts";
import { type Host, joinPath } from "./host.ts";
import { isRecord } from "./json.ts";

export interface Tokenizer extends ChatTokens {
  /** Ids of a text; with `special`, also what the tokenizer puts before and after every text. */
  encode(text: string, options?: { readonly special?: boolean }): number[];
  /** Ids of a text that directly follows another: no space is put before it. */
  continue(text: string): number[];
  /** Text of ids; special tokens are left out unless asked for. */
  decode(ids: readonly number[], options?: { readonly special?: boolean }): string;
  /** What stands before every text: often [bos], for byte-level tokenizers usually nothing. */
  readonly prefix: readonly number[];
  readonly bos: number | undefined;
  readonly eos: number | undefined;
  /** Ids that end a generation: eos and what generation_config.json adds. */
  readonly stops: readonly number[];
  /** One more than the largest id. */
  readonly size: number;
  idOf(token: string): number | undefined;
  tokenOf(id: number): string | undefined;
}

/** The files of a tokenizer, parsed. Only `tokenizer` must be there. */
export interface TokenizerFiles {
  readonly tokenizer: Readonly<Record<string, unknown>>;
  readonly config?: Readonly<Record<string, unknown>> | undefined;
  /** special_tokens_map.json */
  readonly special?: Readonly<Record<string, unknown>> | undefined;
  /** config.json and generation_config.json, for bos_token_id and eos_token_id. */
  readonly model?: Readonly<Record<string, unknown>> | undefined;
  readonly generation?: Readonly<Record<string, unknown>> | undefined;
  /** chat_template.jinja, which goes before the one in tokenizer_config.json. */
  readonly template?: string | undefined;
}

/** Opens the tokenizer of a checkpoint folder. Throws a DiagnosticError. */
export const openTokenizer = async (host: Host, folder: string): Promise<Tokenizer> => {
  const optional = async (name: string) =>
    (await host.kind(joinPath(folder, name))) === "file" ? readJsonObject(host, joinPath(folder, name)) : undefined;
  const file = joinPath(folder, "tokenizer.json");
  const files: TokenizerFiles = {
    tokenizer: await readJsonObject(host, file),
    config: await optional("tokenizer_config.json"),
    special: await optional("special_tokens_map.json"),
    model: await optional("config.json"),
    generation: await optional("generation_config.json"),
    template: await templateFile(host, folder),
  };
  return makeTokenizer(files, file);
};

/** What the engine computes; of another it would make tokens without ids. */
const models: readonly string[] = ["BPE", "WordPiece", "Unigram"];

/** Builds a tokenizer. `file` names tokenizer.json in messages. Throws a DiagnosticError when it uses a part that is not known. */
export const makeTokenizer = (files: TokenizerFiles, file: string): Tokenizer => {
  const parts = { normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null, added_tokens: [], ...files.tokenizer };
  let engine: Engine;
  try {
    const { model } = files.tokenizer;
    const type = isRecord(model) ? model.type : undefined;
    if (typeof type === "string" && !models.includes(type)) throw new Error(`its model is a ${type}; known are ${models.join(", ")}`);
    engine = new Engine(withWords(parts), files.config ?? {});
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new DiagnosticError([diagnostics.tokenizer_invalid(undefined, { file, reason })]);
  }
  const bare = (text: string): number[] => engine.encode(text, { add_special_tokens: false }).ids;
  const special = (name: string): number | undefined => {
    for (const source of [files.config, files.special]) {
      const given = source?.[name];
      const token = isRecord(given) ? given.content : given;
      const id = typeof token === "string" ? engine.token_to_id(token) : undefined;
      if (id !== undefined) return id;
    }
    return idsIn(files.generation, `${name}_id`)[0] ?? idsIn(files.model, `${name}_id`)[0];
  };
  const bos = special("bos_token");
  const eos = special("eos_token");
  const { prefix, suffix } = around(engine, bare, files.config, bos, eos);
  const anchor = findAnchor(engine, bare);
  let size = 0;
  for (const id of engine.get_vocab().values()) size = Math.max(size, id + 1);

  return {
    encode: (text, options) => (options?.special ? [...prefix, ...bare(text), ...suffix] : bare(text)),
    continue: (text) => {
      if (!anchor || text === "") return bare(text);
      const ids = bare(anchor.text + text);
      // A merge across the seam would change the anchor's own tokens; then the plain encoding is the best there is.
      return anchor.ids.every((id, i) => ids[i] === id) ? ids.slice(anchor.ids.length) : bare(text);
    },
    decode: (ids, options) => {
      const known = ids.filter((id) => engine.id_to_token(id) !== undefined);
      if (known.length === 0) return "";
      return engine.decode(known, { skip_special_tokens: !options?.special, clean_up_tokenization_spaces: false });
    },
    prefix,
    bos,
    eos,
    stops: [...new Set([...(eos === undefined ? [] : [eos]), ...idsIn(files.generation, "eos_token_id")])],
    ...chatTokensOf(files.tokenizer, files),
    size,
    idOf: (token) => engine.token_to_id(token),
    tokenOf: (id) => engine.id_to_token(id),
  };
};

/** `eos_token_id` may be one id or a list. */
const idsIn = (record: Readonly<Record<string, unknown>> | undefined, key: string): number[] => {
  const value = record?.[key];
  return (Array.isArray(value) ? (value as unknown[]) : [value]).filter(
    (id): id is number => typeof id === "number" && Number.isInteger(id),
  );
};

/** What stands before and after every text: the post-processor's answer, overruled by an explicit add_bos_token or add_eos_token. */
const around = (
  engine: Engine,
  bare: (text: string) => number[],
  config: Readonly<Record<string, unknown>> | undefined,
  bos: number | undefined,
  eos: number | undefined,
): { prefix: number[]; suffix: number[] } => {
  const inner = bare("a");
  const whole = engine.encode("a").ids;
  let at = 0;
  while (at <= whole.length - inner.length && !inner.every((id, i) => whole[at + i] === id)) at++;
  const prefix = whole.slice(0, at);
  const suffix = whole.slice(at + inner.length);
  if (bos !== undefined) {
    if (config?.add_bos_token === true && prefix[0] !== bos) prefix.unshift(bos);
    if (config?.add_bos_token === false && prefix[0] === bos) prefix.shift();
  }
  if (eos !== undefined) {
    if (config?.add_eos_token === true && suffix.at(-1) !== eos) suffix.push(eos);
    if (config?.add_eos_token === false && suffix.at(-1) === eos) suffix.pop();
  }
  return { prefix, suffix };
};

/**
 * A text to put before one that must not begin with a space of the tokenizer's making, when it makes one: "\n" then "The" is
 * ▁ \n The, and the ids of ▁ \n are taken off again. Undefined for tokenizers that add nothing (byte-level ones).
 */
const findAnchor = (engine: Engine, bare: (text: string) => number[]): { text: string; ids: readonly number[] } | undefined => {
  const decode = (ids: number[]) => engine.decode(ids, { clean_up_tokenization_spaces: false });
  const a = bare("a");
  if (a.length === 0 || decode([...a, ...a]) === "aa") return undefined;
  for (const text of ["\n", "|", ":", "1"]) {
    const ids = bare(text);
    const both = bare(`${text}a`);
    if (ids.length > 0 && ids.every((id, i) => both[i] === id) && decode([...a, ...both.slice(ids.length)]) === "aa") return { text, ids };
  }
  return undefined;
};

/**
 * Sentencepiece BPE (spaces turned into ▁, no pre-tokenizer) merges over the whole text at once, so nothing can be kept between
 * texts. When no token has a ▁ after another character, no merge can cross from a character to a ▁: cutting there changes
 * no id, and every word becomes a cache hit. Other tokenizers pass unchanged.
 */
const withWords = (parts: Record<string, unknown>): Record<string, unknown> => {
  const { model, pre_tokenizer } = parts;
  if (pre_tokenizer !== null || !isRecord(model) || model.type !== "BPE" || !isRecord(model.vocab)) return parts;
  if (model.end_of_word_suffix || model.continuing_subword_prefix) return parts;
  for (const token of Object.keys(model.vocab)) if (/[^▁]▁/.test(token)) return parts;
  return { ...parts, pre_tokenizer: { type: "Split", pattern: { Regex: "▁+[^▁]*|[^▁]+" }, behavior: "Removed", invert: true } };
};
