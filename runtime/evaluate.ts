// One `evaluate` block on one subject: the loss over all answer tokens of the split, whatever the batches; and, where a metric is
// scored on text, an answer to every input against its references, with the interval of every score.

import type { Evaluate, Job } from "../spec/job.ts";
import type { Data, Split } from "../spec/job-data.ts";
import type { EvaluateResult, Sample } from "../spec/result.ts";
import { rowColumns } from "../spec/row-columns.ts";
import { placeOf } from "./bank.ts";
import type { ChatTemplate } from "./chat/chat-template.ts";
import { lastQuestion } from "./chat/last-question.ts";
import { planEpoch } from "./data/batches.ts";
import type { Examples } from "./data/examples.ts";
import { hiddenIn } from "./data/hidden.ts";
import { readRows } from "./data/read.ts";
import { runBatch } from "./data/run-batch.ts";
import { fillTemplate, parseTemplate } from "./data/template.ts";
import type { Session } from "./devices/device.ts";
import type { Listener } from "./events.ts";
import { answerPrompts } from "./generation/answers.ts";
import type { Host } from "./host.ts";
import { intervals } from "./metrics/bootstrap.ts";
import { metrics as known } from "./metrics/list.ts";
import { type Item, sumOf } from "./metrics/metric.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** Sums over the answer tokens of a split. */
export interface TokenSums {
  readonly loss: number;
  readonly tokens: number;
  readonly right: number;
}

export const sumTokens = async (
  evaluate: Pick<Evaluate, "subject" | "data" | "split" | "program" | "micro_batch_size" | "sequence_len" | "virtual" | "ends">,
  all: Examples,
  session: Session,
  listen: Listener,
  /** For a bank of adapters: the place of each example's. */
  places?: Int32Array,
): Promise<TokenSums> => {
  // The same tokens are hidden each time.
  const examples = hiddenIn(all, 0, 0);
  const plan = planEpoch(examples, { size: evaluate.micro_batch_size, order: "length", seed: 0, epoch: 0 });
  const title = `evaluate ${evaluate.subject} on ${evaluate.data}.${evaluate.split}`;
  let loss = 0;
  let right = 0;
  let tokens = 0;
  await session.write("scale", Float32Array.of(1));
  for (const [i, planned] of plan.entries()) {
    if (planned.labels > 0) {
      await runBatch(session, evaluate.program, planned, {
        examples,
        limit: evaluate.sequence_len,
        virtual: evaluate.virtual,
        ends: evaluate.ends === true,
        places,
        sums: ["loss", "right"],
      });
      loss += ((await session.read("loss", evaluate.program)) as Float32Array)[0]!;
      right += ((await session.read("right", evaluate.program)) as Float32Array)[0]!;
      tokens += planned.labels;
    }
    listen({ kind: "progress", title, done: i + 1, total: plan.length });
  }
  return { loss, tokens, right };
};

/** Scores of the block's metrics that need no text. */
export const tokenScores = (evaluate: Pick<Evaluate, "metrics">, sums: TokenSums): Record<string, number> =>
  Object.fromEntries(
    evaluate.metrics.flatMap(({ name }) => {
      const metric = known.find((one) => one.name === name);
      return metric?.of === "tokens" ? [[name, metric.value(sums)] as const] : [];
    }),
  );

/** What is generated from, and what it is scored against. */
export interface Input {
  readonly prompt: string;
  readonly references: readonly string[];
  /** The adapter that the row asks for, where the data names one. */
  readonly adapter?: string;
}

/** The inputs of a split in file order: its rows, or its distinct prompts with all their answers. */
export const readInputs = async (
  host: Host,
  data: Data,
  split: Split,
  folder: string,
  { inputs, limit, chat }: { readonly inputs: Evaluate["inputs"]; readonly limit: number; readonly chat?: ChatTemplate | undefined },
): Promise<readonly Input[]> => {
  const prompt = data.prompt === undefined ? undefined : parseTemplate(data.prompt);
  const answer = parseTemplate(data.answer);
  const chosen = data.adapter === undefined ? undefined : parseTemplate(data.adapter);
  const rows = await readRows(host, split, folder, rowColumns(data));
  const known = new Map<string, { prompt: string; references: string[]; adapter?: string }>();
  for (const [i, row] of rows.entries()) {
    const asked = data.chat && chat ? lastQuestion(row, data.chat, chat) : undefined;
    if (data.chat && !asked) continue; // a conversation in which no assistant speaks asks for nothing
    const text = asked?.prompt ?? (prompt ? fillTemplate(prompt, row.values) : "");
    const adapter = chosen && fillTemplate(chosen, row.values);
    const key = inputs === "prompts" && (prompt || asked) ? `${adapter ?? ""}\n${text}` : String(i);
    const reference = (asked?.answer ?? fillTemplate(answer, row.values)).trim();
    const one = known.get(key);
    if (one) one.references.push(reference);
    else if (known.size < limit) known.set(key, { prompt: text, references: [reference], ...(adapter !== undefined && { adapter }) });
  }
  return [...known.values()];
};

export interface Scored {
  readonly metrics: Readonly<Record<string, number>>;
  readonly intervals: NonNullable<EvaluateResult["intervals"]>;
  readonly samples: readonly Sample[];
  readonly generation: NonNullable<EvaluateResult["generation"]>;
  /** Every input with its answer, in file order. */
  readonly answers: readonly (Input & { readonly answer: string })[];
}

export interface ScoreOptions {
  readonly job: Pick<Job, "programs" | "base" | "adapters">;
  readonly session: Session;
  readonly tokenizer: Tokenizer;
  /** Prompts say all that the model reads: the tokenizer puts nothing before them. */
  readonly bare?: boolean;
  readonly listen: Listener;
  readonly signal?: AbortSignal | undefined;
}

/** Whether a block needs the answer to every input. */
export const scoresText = (evaluate: Evaluate): boolean =>
  evaluate.metrics.some(({ name }) => known.find((metric) => metric.name === name)?.of === "text");

/** Generates an answer to each input and scores them. */
export const scoreAnswers = async (evaluate: Evaluate, inputs: readonly Input[], options: ScoreOptions): Promise<Scored> => {
  const { job, session, tokenizer, bare, listen, signal } = options;
  const start = performance.now();
  const bank = job.adapters.find(({ name }) => name === evaluate.subject)?.bank;
  const title = `generate ${evaluate.subject} on ${evaluate.data}.${evaluate.split}`;
  const { texts, tokens } = await answerPrompts(
    inputs.map(({ prompt }) => prompt),
    tokenizer,
    session,
    {
      job,
      program: evaluate.generator!,
      virtual: evaluate.virtual,
      source: evaluate.source,
      bare,
      settings: evaluate.generate!,
      places: bank && inputs.map(({ adapter = "" }) => placeOf(evaluate.subject, bank, adapter, title)),
      done: (done) => listen({ kind: "progress", title, done, total: inputs.length }),
      signal,
    },
  );
  const seconds = (performance.now() - start) / 1000;
  const answers = inputs.map((input, i) => ({ ...input, answer: texts[i] ?? "" }));
  const items: Item[] = answers.map(({ answer, references }) => ({ hypothesis: answer.trim(), references }));
  const metrics: Record<string, number> = {};
  const sure: Record<string, { low: number; high: number }> = {};
  for (const { name, settings } of scoresText(evaluate) ? evaluate.metrics : []) {
    const found = known.find((metric) => metric.name === name);
    if (found?.of !== "text") continue;
    const metric = found.make(settings);
    const vectors = metric.statistics(items);
    Object.assign(metrics, metric.score(sumOf(vectors), vectors.length));
    Object.assign(sure, intervals(metric, vectors));
  }
  return {
    metrics,
    intervals: sure,
    answers,
    samples: answers
      .slice(0, evaluate.samples ?? 3)
      .map(({ prompt, answer, references }) => ({ prompt, answer, expected: references[0]! })),
    generation: { inputs: inputs.length, tokens, seconds },
  };
};
