// A pipeline's text, compiled and opened on a device in this process, for tests that look at logits, losses and tensors.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { compileHost } from "../../cli/compile-host.ts";
import { compile } from "../../compiler/compile.ts";
import { loadAdapter, saveAdapter } from "../../runtime/adapter-files.ts";
import { loadParameters, openCheckpoint } from "../../runtime/checkpoint.ts";
import { chooseDevice } from "../../runtime/choose-device.ts";
import { type Examples, readExamples } from "../../runtime/data/examples.ts";
import type { Device, Session } from "../../runtime/devices/device.ts";
import { sumTokens } from "../../runtime/evaluate.ts";
import { storeParameter, storePieces } from "../../runtime/formats/store.ts";
import { generate } from "../../runtime/generation/generate.ts";
import { nodeHost } from "../../runtime/node-host.ts";
import { openTokenizer } from "../../runtime/tokenizer.ts";
import type { Evaluate, Generation, Job } from "../../spec/job.ts";
import { shared } from "../runtime/shared.ts";

export interface Opened {
  readonly job: Job;
  readonly session: Session;
  /** Logits [at][vocabulary] of one row of ids (default: at every token), by the program that `evaluate SUBJECT { generate: … }` makes. */
  readonly logits: (subject: string, ids: readonly number[], at?: readonly number[]) => Promise<number[][]>;
  /** Answers to several prompts at once. */
  readonly write: (
    subject: string,
    prompts: readonly (readonly number[])[],
    settings: Generation,
    stops: readonly number[],
  ) => Promise<(readonly number[])[]>;
  /** Greedy continuation of one row of ids; nothing stops it but the limit. */
  readonly greedy: (subject: string, ids: readonly number[], count: number) => Promise<number[]>;
  /** What the subject's `evaluate` block says its loss is. */
  readonly loss: (subject: string) => Promise<number>;
  readonly examples: (data: string, split: string, limit: number) => Promise<Examples>;
  readonly save: (adapter: string, folder: string) => Promise<void>;
  readonly load: (adapter: string, folder: string) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** `file` need not exist; relative paths in `text` start at its folder. Fails on any error the compiler reports. */
export const open = async (text: string, file: string, device: Device): Promise<Opened> => {
  const folder = file.slice(0, file.lastIndexOf("/") + 1);
  const { job, files, diagnostics } = await compile({ file, goal: "build" }, compileHost(new Map([[file, text]])));
  const errors = diagnostics.filter(({ severity }) => severity === "error");
  if (!job || !files || errors.length) throw new Error(errors.map(({ code, message, help }) => `${code} ${message} (${help})`).join("\n"));
  const session = await device.open(job, async (path) => {
    const content = files.get(path);
    if (content === undefined) throw new Error(`the bundle has no ${path}`);
    return typeof content === "string" ? new TextEncoder().encode(content) : content;
  });
  const base = await nodeHost.resolve(folder, job.base.path);
  const checkpoint = job.base.weights === "checkpoint" ? await openCheckpoint(nodeHost, base) : undefined;
  await loadParameters(
    job,
    checkpoint,
    (parameter, values) => storeParameter(job, parameter, values, session),
    (parameter, pieces) => storePieces(job, parameter, pieces, session),
  );
  await checkpoint?.close();

  const evaluation = (subject: string): Evaluate => job.evaluate.find((item) => item.subject === subject)!;
  const generatorOf = (subject: string) => {
    const { generator, virtual } = evaluation(subject);
    return { program: generator!, virtual };
  };
  const adapterOf = (name: string) => job.adapters.find((adapter) => adapter.name === name)!;
  const examples: Opened["examples"] = async (data, split, limit) => {
    const block = job.data.find(({ name }) => name === data)!;
    const part = block.splits.find(({ name }) => name === split)!;
    const encoded = await readExamples(nodeHost, block, part, folder, await openTokenizer(nodeHost, base), {
      limit,
      vocabulary: job.base.vocab_size,
    });
    return encoded.examples;
  };
  return {
    job,
    session,
    examples,
    logits: async (subject, ids, at = ids.map((_, i) => i)) => {
      const program = evaluation(subject).generator!;
      const { s } = job.programs[program]!.dims;
      await session.write("ids", Int32Array.from(ids));
      await session.write(
        "positions",
        Int32Array.from(ids, (_, i) => i),
      );
      const out: number[][] = [];
      for (const i of at) {
        await session.write("rows", Int32Array.of(i));
        await session.run(program, { b: 1, t: ids.length, n: 1, s: s! });
        out.push([...((await session.read("logits", program)) as Float32Array).subarray(0, job.base.vocab_size)]);
      }
      return out;
    },
    greedy: async (subject, ids, count) => {
      const settings = { kind: "greedy", max_new_tokens: count } as const;
      return [...(await generate([ids], session, { job, ...generatorOf(subject), settings, stops: [] }))[0]!];
    },
    write: async (subject, prompts, settings, stops) => generate(prompts, session, { job, ...generatorOf(subject), settings, stops }),
    loss: async (subject) => {
      const item = evaluation(subject);
      const { loss, tokens } = await sumTokens(item, await examples(item.data, item.split, item.sequence_len), session, () => {});
      return loss / tokens;
    },
    save: async (name, into) => {
      const read = async (parameter: string) => (await session.read(parameter)) as Float32Array;
      const extra = { base_model_name_or_path: base };
      await saveAdapter(nodeHost, into, adapterOf(name), job.parameters, read, extra);
    },
    load: (name, from) =>
      loadAdapter(nodeHost, from, adapterOf(name), job.parameters, (parameter, values) => session.write(parameter, values)),
    close: () => session.close(),
  };
};

/** The largest absolute difference of two nested lists of numbers of one shape. */
export const apart = (a: unknown, b: unknown): number => {
  if (typeof a === "number" && typeof b === "number") return Number.isFinite(a - b) ? Math.abs(a - b) : Number.POSITIVE_INFINITY;
  if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return Number.POSITIVE_INFINITY;
  return a.reduce((most: number, x, i) => Math.max(most, apart(x, b[i])), 0);
};

/** Opens a model of the shared data as `model`, with one `evaluate` block of these settings over a row of no meaning. */
export const withModel = async (
  folder: string,
  settings: string,
  kind: "cpu" | "webgpu",
  body: (opened: Opened) => Promise<void>,
): Promise<void> => {
  const here = mkdtempSync(`${tmpdir()}/peft-model-`);
  try {
    writeFileSync(`${here}/rows.jsonl`, '{"text": "a"}\n');
    const text = `peft 1
base model = checkpoint(${JSON.stringify(shared(folder))})
data rows { eval = jsonl("rows.jsonl")  answer = "{text}" }
evaluate model on rows.eval { ${settings} }
`;
    const { device } = await chooseDevice(kind);
    const opened = await open(text, `${here}/pipeline.peft`, device);
    try {
      await body(opened);
    } finally {
      await opened.close();
    }
  } finally {
    rmSync(here, { recursive: true, force: true });
  }
};
