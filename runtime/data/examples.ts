// Rows to token ids, packed end to end. What a row becomes is its encoder's (encode-row.ts); here it is held against the block's limit.
//
// A row too long loses its end or is left out, and the number of such rows is in the report; a row that is cut before its first label
// stops everything before training.

import type { Diagnostic } from "../../spec/diagnostic.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { Data, Overlong, Split } from "../../spec/job-data.ts";
import { rowColumns } from "../../spec/row-columns.ts";
import type { ChatTemplate } from "../chat/chat-template.ts";
import { conversationRows } from "../chat/conversation-rows.ts";
import { blaming, DiagnosticError } from "../diagnostic-error.ts";
import type { Host } from "../host.ts";
import type { Processor } from "../pictures/processor.ts";
import type { Tokenizer } from "../tokenizer.ts";
import { encodeClasses } from "./classes.ts";
import { type EncodedRow, rowEncoder, type SourceOptions } from "./encode-row.ts";
import { encodeHidden, type Hiding } from "./hidden.ts";
import { nothingFits, tellLonger } from "./overlong.ts";
import { encodePictures } from "./pictures.ts";
import { pathOf, placeOf, readRows } from "./read.ts";
import type { Row } from "./row.ts";
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
  /** Where rows are pictures: their bytes end to end, and what makes numbers of them. `ids` then mean nothing. */
  readonly pictures?: { readonly bytes: Uint8Array; readonly processor: Processor };
  /** The class of each example, where the data names classes; then nothing is to be written. */
  readonly classes?: Int32Array;
  /** How tokens are hidden, where the data says so, and what stood there before they were: see hidden.ts. */
  readonly hiding?: Hiding;
  readonly originals?: Int32Array;
  /** The adapter that each example asks for, where the data names one. */
  readonly adapters?: readonly string[];
}

export interface ExamplesReport {
  readonly path: string;
  /** Rows that are read; those that are left out for their length are not among them. */
  readonly rows: number;
  readonly tokens: number;
  readonly labels: number;
  /** Rows longer than sequence_len. */
  readonly truncated: number;
  readonly emptyAnswers: number;
  /** Tokens of the longest row before cutting. */
  readonly longest: number;
  readonly warnings: readonly Diagnostic[];
}

export interface EncodeOptions {
  /** sequence_len: no example is longer. */
  readonly limit: number;
  /** What becomes of longer ones. */
  readonly overlong?: Overlong | undefined;
  /** How conversations are written, where the data has them. */
  readonly chat?: ChatTemplate | undefined;
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
    const rows = await readRows(host, split, folder, rowColumns(data));
    const path = pathOf(split, folder);
    const { examples, report } = encodeExamples(rows, data, tokenizer, options, path, (row) => placeOf(split, path, row.number));
    return { examples, report: { ...report, warnings: report.warnings.map((warning) => ({ about, ...warning })) } };
  });
};

/** Reads a split whose prompts name pictures. Throws a DiagnosticError. */
export const readPictures = (
  host: Host,
  data: Data,
  split: Split,
  folder: string,
  processor: Processor,
): Promise<{ examples: Examples; report: ExamplesReport }> =>
  blaming({ block: `data ${data.name}`, part: split.name }, async () => {
    const rows = await readRows(host, split, folder, rowColumns(data));
    const path = pathOf(split, folder);
    const classes = data.classes ?? [];
    return encodePictures(host, rows, { ...data, classes }, processor, path, (row) => placeOf(split, path, row.number));
  });

/** Encodes rows. `place` says where a row stands, for messages. Throws a DiagnosticError. */
export const encodeExamples = (
  rows: readonly Row[],
  data: Pick<Data, "prompt" | "answer" | "adapter" | "loss_on" | "classes" | "masked" | "chat">,
  tokenizer: Tokenizer,
  options: EncodeOptions,
  path: string,
  place: (row: Row) => string,
): { examples: Examples; report: ExamplesReport } => {
  const { limit, vocabulary, source, overlong } = options;
  if (data.classes) return encodeClasses(rows, { ...data, classes: data.classes }, tokenizer, options, path, place);
  if (data.masked !== undefined) return encodeHidden(rows, { ...data, masked: data.masked }, tokenizer, options, path);
  const talks = data.chat && options.chat ? conversationRows(options.chat, data.chat, data.loss_on, tokenizer, place) : undefined;
  const encode = talks?.encode ?? rowEncoder(data, tokenizer, source);
  const chosen = data.adapter === undefined ? undefined : parseTemplate(data.adapter);
  const adapters: string[] = [];
  const sources: (readonly number[])[] = [];
  const packed = growing(rows.length);
  const total = rows.length;
  let truncated = 0;
  let dropped = 0;
  let emptyAnswers = 0;
  let longest = 0;
  let longPrompts = 0;
  let longestPrompt = 0;
  let noRoom = 0;
  const noRoomPlaces: string[] = [];
  for (const row of rows) {
    const { ids, spans, empty, prompt } = encode(row);
    const [span] = spans;
    const length = ids.length;
    longest = Math.max(longest, length);
    longestPrompt = Math.max(longestPrompt, prompt?.length ?? 0);
    if (empty) emptyAnswers++;
    const longPrompt = source !== undefined && (prompt?.length ?? 0) > source.limit;
    if (longPrompt) longPrompts++;
    if (!span) continue; // an empty answer without eos: nothing to predict, counted above
    if (length > limit) truncated++;
    if (overlong === "drop" && (length > limit || longPrompt)) {
      dropped++;
      continue;
    }
    if (limit <= span[0]) {
      noRoom++;
      if (noRoomPlaces.length < 5) noRoomPlaces.push(`${place(row)} (${span[0]} tokens of prompt)`);
      continue;
    }
    if (prompt) sources.push(prompt.ids);
    packed.add(ids, spans, Math.min(length, limit), row.number);
    if (chosen) adapters.push(fillTemplate(chosen, row.values));
  }
  const warnings = [
    ...(talks?.finish(path) ?? []),
    ...(source ? tellLonger({ count: longPrompts, total, path, limit: source.limit, longest: longestPrompt, of: "prompt" }, overlong) : []),
    ...tellLonger({ count: truncated, total, path, limit, longest }, overlong),
  ];
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
  if (emptyAnswers === total)
    throw new DiagnosticError([
      diagnostics.data_no_labels(undefined, { path, why: talks ? "no turn of an assistant" : "every answer is empty" }),
    ]);
  const examples: Examples = { ...packed.finish(), ...(chosen && { adapters }), ...(source && { sources }) };
  if (examples.count === 0) throw nothingFits(path, limit);
  if (emptyAnswers > 0)
    warnings.push(
      diagnostics.data_answers_empty(undefined, {
        count: emptyAnswers,
        total,
        path,
        what: talks ? "no turn that is learnt" : "an empty answer",
      }),
    );
  let largest = 0;
  for (const id of examples.ids) if (id > largest) largest = id;
  for (const ids of sources) for (const id of ids) if (id > largest) largest = id;
  if (largest >= vocabulary)
    throw new DiagnosticError([
      diagnostics.token_out_of_range(undefined, { id: largest, token: tokenizer.tokenOf(largest) ?? "", size: vocabulary }),
    ]);
  let labels = 0;
  for (const label of examples.labels) labels += label;
  return {
    examples,
    report: { path, rows: total - dropped, tokens: examples.ids.length, labels, truncated, emptyAnswers, longest, warnings },
  };
};

const growing = (expected: number) => {
  let ids = new Int32Array(Math.max(1024, expected * 64));
  let labels = new Uint8Array(ids.length);
  const starts = new Int32Array(expected + 1);
  const rows = new Int32Array(expected);
  let count = 0;
  let end = 0;
  return {
    add: (all: readonly number[], spans: EncodedRow["spans"], length: number, row: number) => {
      if (end + length > ids.length) {
        const size = Math.max(end + length, ids.length * 2);
        const [oldIds, oldLabels] = [ids, labels];
        ids = new Int32Array(size);
        ids.set(oldIds);
        labels = new Uint8Array(size);
        labels.set(oldLabels);
      }
      for (let i = 0; i < length; i++) ids[end + i] = all[i]!;
      for (const [from, to] of spans) labels.fill(1, end + Math.min(from, length), end + Math.min(to, length));
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
