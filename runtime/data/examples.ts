// Rows to token ids, packed end to end.
//
//   prompt given:   prefix + encode(prompt) + continue(answer) + eos
//   no prompt:      prefix + encode(answer) + eos
//
// `prefix` is what the tokenizer puts before every text: often bos, for byte-level tokenizers usually nothing. Prompt and answer
// are encoded apart, so training sees exactly the ids that generation starts from; `continue` encodes the answer as text that
// follows other text, so that the ids decode to prompt + answer, character for character, with sentencepiece as with
// byte-level tokenizers: no space is added or lost between them, and none has to be guessed. An answer that should start with
// a space says so: " {reference}".
//
// Labels: the answer's tokens and eos; with loss_on "all", every token but the first. A row too long loses its end, and the
// number of such rows is in the report; a row whose prompt leaves no room for any label stops everything before training.

import type { Diagnostic } from "../../spec/diagnostic.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { Data, Split } from "../../spec/job.ts";
import { blaming, DiagnosticError } from "../diagnostic-error.ts";
import type { Host } from "../host.ts";
import type { Tokenizer } from "../tokenizer.ts";
import { encodeClasses } from "./classes.ts";
import { pathOf, placeOf, readRows } from "./read.ts";
import type { Row } from "./row.ts";
import { encodeSources, type SourceOptions } from "./sources.ts";
import { fillTemplate, parseTemplate } from "./template.ts";

/** Examples packed end to end: example i has the tokens starts[i] to starts[i + 1]. */
export interface Examples {
  readonly count: number;
  readonly ids: Int32Array;
  /** 1 where the token is one to be predicted; 0 at the first token of every example. */
  readonly labels: Uint8Array;
  /** [count + 1] */
  readonly starts: Int32Array;
  /** The row's number in its file. */
  readonly rows: Int32Array;
  /** What an encoder reads for each example; `ids` are then what the decoder writes. */
  readonly sources?: readonly (readonly number[])[];
  /** The class of each example, where the data names classes; then nothing is to be written. */
  readonly classes?: Int32Array;
  /** The adapter that each example asks for, where the data names one. */
  readonly adapters?: readonly string[];
}

export interface ExamplesReport {
  readonly path: string;
  readonly rows: number;
  readonly tokens: number;
  readonly labels: number;
  /** Rows cut at sequence_len. */
  readonly truncated: number;
  readonly emptyAnswers: number;
  /** Tokens of the longest row before cutting. */
  readonly longest: number;
  readonly warnings: readonly Diagnostic[];
}

/** The ids a prompt starts generation with. */
export const encodePrompt = (tokenizer: Tokenizer, prompt: string): number[] => [...tokenizer.prefix, ...tokenizer.encode(prompt)];

export interface EncodeOptions {
  /** sequence_len: no example is longer. */
  readonly limit: number;
  /** Where an encoder reads the prompts. */
  readonly source?: SourceOptions;
  /** Rows of the base's embedding: an id at or above it is a diagnostic. */
  readonly vocabulary: number;
}

/** Reads a split and encodes it. `folder` is that of the `.peft` file. Throws a DiagnosticError. */
export const readExamples = (
  host: Host,
  data: Data,
  split: Split,
  folder: string,
  tokenizer: Tokenizer,
  options: EncodeOptions,
): Promise<{ examples: Examples; report: ExamplesReport }> => {
  const about = { block: `data ${data.name}`, part: split.name };
  return blaming(about, async () => {
    const columns = [data.prompt, data.answer, data.adapter].flatMap((template) =>
      template === undefined ? [] : parseTemplate(template).columns,
    );
    const rows = await readRows(host, split, folder, columns);
    const path = pathOf(split, folder);
    const { examples, report } = encodeExamples(rows, data, tokenizer, options, path, (row) => placeOf(split, path, row.number));
    return { examples, report: { ...report, warnings: report.warnings.map((warning) => ({ about, ...warning })) } };
  });
};

/** Encodes rows. `place` says where a row stands, for messages. Throws a DiagnosticError. */
export const encodeExamples = (
  rows: readonly Row[],
  data: Pick<Data, "prompt" | "answer" | "adapter" | "loss_on" | "classes">,
  tokenizer: Tokenizer,
  { limit, vocabulary, source }: EncodeOptions,
  path: string,
  place: (row: Row) => string,
): { examples: Examples; report: ExamplesReport } => {
  if (data.classes) return encodeClasses(rows, { ...data, classes: data.classes }, tokenizer, { limit, vocabulary }, path, place);
  const prompt = data.prompt === undefined ? undefined : parseTemplate(data.prompt);
  const answer = parseTemplate(data.answer);
  const chosen = data.adapter === undefined ? undefined : parseTemplate(data.adapter);
  const adapters: string[] = [];
  const packed = growing(rows.length);
  const seen = new Map<string, number[]>(); // several answers to one prompt are common
  const promptIds = (text: string): number[] => {
    const known = seen.get(text);
    if (known) return known;
    const ids = encodePrompt(tokenizer, text);
    // An answer's first token is predicted from the token before it: with no prompt and no prefix, bos is that token.
    if (ids.length === 0 && tokenizer.bos !== undefined) ids.push(tokenizer.bos);
    if (seen.size < 100_000) seen.set(text, ids);
    return ids;
  };
  let truncated = 0;
  let emptyAnswers = 0;
  let longest = 0;
  let noRoom = 0;
  const noRoomPlaces: string[] = [];
  const read = source && encodeSources(rows, data, tokenizer, source);
  const sources: (readonly number[])[] = [];
  for (const [i, row] of rows.entries()) {
    const before = source ? [source.start] : promptIds(prompt ? fillTemplate(prompt, row.values) : "");
    const text = fillTemplate(answer, row.values);
    if (text === "") emptyAnswers++;
    const after = prompt && !source ? tokenizer.continue(text) : tokenizer.encode(text);
    const length = before.length + after.length + (tokenizer.eos === undefined ? 0 : 1);
    const first = Math.max(1, data.loss_on === "all" ? 1 : before.length);
    longest = Math.max(longest, length);
    if (length <= first) continue; // an empty answer without eos: nothing to predict, counted above
    if (limit <= first) {
      noRoom++;
      if (noRoomPlaces.length < 5) noRoomPlaces.push(`${place(row)} (${before.length} tokens of prompt)`);
      continue;
    }
    if (length > limit) truncated++;
    if (read) sources.push(read.sources[i]!);
    packed.add(before, after, tokenizer.eos, Math.min(length, limit), first, row.number);
    if (chosen) adapters.push(fillTemplate(chosen, row.values));
  }
  const total = rows.length;
  if (noRoom > 0)
    throw new DiagnosticError([
      diagnostics.data_no_room(
        undefined,
        { count: noRoom, total, path, limit },
        {
          notes: noRoomPlaces.map((message) => ({ message })),
          help: `the longest row has ${longest} tokens: sequence_len: ${longest} keeps everything`,
        },
      ),
    ]);
  if (emptyAnswers === total) throw new DiagnosticError([diagnostics.data_no_labels(undefined, { path })]);
  const warnings: Diagnostic[] = [];
  if (read && read.truncated > 0)
    warnings.push(
      diagnostics.data_truncated(
        undefined,
        { count: read.truncated, total, path, limit: source.limit },
        { notes: [{ message: `the longest prompt has ${read.longest} tokens` }], help: `source_len: ${read.longest} keeps everything` },
      ),
    );
  if (truncated > 0)
    warnings.push(
      diagnostics.data_truncated(
        undefined,
        { count: truncated, total, path, limit },
        { notes: [{ message: `the longest row has ${longest} tokens` }], help: `sequence_len: ${longest} keeps everything` },
      ),
    );
  if (emptyAnswers > 0) warnings.push(diagnostics.data_answers_empty(undefined, { count: emptyAnswers, total, path }));
  const examples: Examples = { ...packed.finish(), ...(chosen && { adapters }), ...(read && { sources }) };
  let largest = 0;
  for (const id of examples.ids) if (id > largest) largest = id;
  for (const ids of sources) for (const id of ids) if (id > largest) largest = id;
  if (largest >= vocabulary)
    throw new DiagnosticError([
      diagnostics.token_out_of_range(undefined, { id: largest, token: tokenizer.tokenOf(largest) ?? "", size: vocabulary }),
    ]);
  let labels = 0;
  for (const label of examples.labels) labels += label;
  return { examples, report: { path, rows: total, tokens: examples.ids.length, labels, truncated, emptyAnswers, longest, warnings } };
};

const growing = (expected: number) => {
  let ids = new Int32Array(Math.max(1024, expected * 64));
  let labels = new Uint8Array(ids.length);
  const starts = new Int32Array(expected + 1);
  const rows = new Int32Array(expected);
  let count = 0;
  let end = 0;
  return {
    add: (before: readonly number[], after: readonly number[], eos: number | undefined, length: number, first: number, row: number) => {
      if (end + length > ids.length) {
        const size = Math.max(end + length, ids.length * 2);
        const [oldIds, oldLabels] = [ids, labels];
        ids = new Int32Array(size);
        ids.set(oldIds);
        labels = new Uint8Array(size);
        labels.set(oldLabels);
      }
      for (let i = 0; i < length; i++) ids[end + i] = i < before.length ? before[i]! : (after[i - before.length] ?? eos!);
      labels.fill(1, end + first, end + length);
      end += length;
      rows[count++] = row;
      starts[count] = end;
    },
    finish: (): Examples => ({
      count,
      ids: ids.slice(0, end),
      labels: labels.slice(0, end),
      starts: starts.slice(0, count + 1),
      rows: rows.slice(0, count),
    }),
  };
};
