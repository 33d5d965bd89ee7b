// A job, start to end: the base into the device's memory, each training, each evaluation, each merge. Everything that is
// worth keeping is on disk before the next thing starts, and a run that was stopped goes on where it was.
//
//   OUT/adapters/NAME/   trained adapters          OUT/state/NAME/   training state, while it trains
//   OUT/result.json      what `Result` says        merges: where the file says, relative paths inside OUT

import type { Evaluate, Job, Merge, Train } from "../spec/job.ts";
import type { EvaluateResult, InferenceResult, MergeResult, Result, TrainResult } from "../spec/result.ts";
import { saveAdapter } from "./adapter-files.ts";
import { aboutBase } from "./adapter-names.ts";
import { placesIn } from "./bank.ts";
import { type BasePrint, printOf, saveBasePrint } from "./base-print.ts";
import { type Checkpoint, openCheckpoint } from "./checkpoint.ts";
import type { Choice } from "./choose-device.ts";
import type { Examples } from "./data/examples.ts";
import type { Data as Numbers, Session } from "./devices/device.ts";
import { arrayTypes, bytesPer } from "./devices/sizes.ts";
import { blaming, DiagnosticError } from "./diagnostic-error.ts";
import { readInputs, scoreAnswers, scoresText, sumTokens, tokenScores } from "./evaluate.ts";
import type { Listener } from "./events.ts";
import { fingerprint } from "./fingerprint.ts";
import { readParameter } from "./formats/store.ts";
import { storedBase } from "./formats/stored-base.ts";
import { holdScores } from "./held-scores.ts";
import { type Host, joinPath, writeWhole } from "./host.ts";
import { finishAdapter, initAdapter } from "./init.ts";
import { addedTo } from "./kept-result.ts";
import { measureSubject } from "./measure.ts";
import { needsMeasuring } from "./measure-sizes.ts";
import { mergedValue } from "./merged-value.ts";
import { observerOf } from "./observe.ts";
import { openBase } from "./open-base.ts";
import { openPaged } from "./paged.ts";
import { inParts, readStored } from "./parts.ts";
import { dataOf, readingOf, splitOf } from "./reading.ts";
import { readyAdapters } from "./ready.ts";
import { curvesOf, stateOf, totalSteps, trainAdapter } from "./train.ts";
import { restoreState, type StateArray, saveState } from "./training-state.ts";
import { type Watch, watchOf } from "./watch.ts";
import { checkpointBase, drawnBase, writeMerged } from "./write-merged.ts";

export interface RunOptions {
  readonly host: Host;
  readonly choice: Choice;
  /** Gets the files of the bundle by their path in it. */
  readonly read: (path: string) => Promise<Uint8Array>;
  /** Folder of the `.peft` file: relative paths of the job start here. */
  readonly folder: string;
  readonly out: string;
  readonly verbs: ReadonlySet<"train" | "evaluate" | "merge">;
  /** What an adapter's configuration says of its base, by its keys; without it, the base's folder. */
  readonly baseName?: Readonly<Record<string, string>>;
  readonly inputs: Readonly<Record<string, string>>;
  /** Evaluates this subject alone, and also measures what a token costs with it, and with it merged into the base's weights. */
  readonly measure?: string;
  readonly versions: Result["versions"];
  readonly listen: Listener;
  readonly signal?: AbortSignal;
  /** Largest resident size of the process so far, in bytes; 0 where it cannot be known. */
  readonly peakMemory: () => number;
}

/** Throws a DiagnosticError for whatever a person can mend. */
export const runJob = async (job: Job, options: RunOptions): Promise<Result> => {
  const { host, choice, listen, out, verbs } = options;
  const start = performance.now();
  const open = job.adapters.find(({ measure }) => measure);
  if (open) throw new DiagnosticError([needsMeasuring(open)]);
  listen({ kind: "device", name: choice.device.describe(), why: choice.why });
  const baseFolder = await host.resolve(options.folder, job.base.path);
  const { checkpoint, session, close } = await openBase(job, { host, choice, read: options.read, folder: baseFolder, listen });
  try {
    const run = await prepare(job, options, session, checkpoint, baseFolder);
    const train: TrainResult[] = [];
    const evaluate: EvaluateResult[] = [];
    const merge: MergeResult[] = [];
    const inference: InferenceResult[] = [];
    const saved = new Map<string, { path: string; bytes: number }>();
    let interrupted = false;

    const evaluateSome = async (wanted: (item: Evaluate) => boolean): Promise<void> => {
      for (const item of job.evaluate) {
        if (!wanted(item) || options.signal?.aborted || (options.measure ?? item.subject) !== item.subject) continue;
        const one = await blaming({ block: `evaluate ${item.subject}` }, () => run.evaluate(item));
        if (one) evaluate.push(one);
      }
    };
    const isAdapter = (name: string): boolean => job.adapters.some((adapter) => adapter.name === name);

    if (verbs.has("evaluate")) await evaluateSome((item) => !isAdapter(item.subject));
    for (const item of verbs.has("train") ? job.train : []) {
      const { result, stopped } = await blaming({ block: `train ${item.adapter}` }, () => run.train(item));
      train.push(result);
      interrupted ||= stopped;
      if (stopped) break;
      for (const name of adapterOf(job, item.adapter).bank ?? [item.adapter]) saved.set(name, await run.save(name));
    }
    if (!interrupted) {
      if (verbs.has("evaluate")) await evaluateSome((item) => isAdapter(item.subject));
      for (const item of verbs.has("merge") ? job.merge : [])
        merge.push(await blaming({ block: `merge ${item.adapter}` }, () => run.merge(item)));
    }

    if (options.measure !== undefined && !options.signal?.aborted) {
      const measured = await measureSubject(job, options.measure, session, (tensor) => mergedValue(job, tensor, session, checkpoint));
      if (measured) inference.push(measured);
    }

    const result: Result = {
      format: "peft-result/1",
      name: job.name,
      source: job.source,
      outcome: interrupted || options.signal?.aborted ? "interrupted" : "done",
      device: { kind: choice.device.name, name: choice.device.describe(), why: choice.why },
      versions: options.versions,
      inputs: options.inputs,
      base: {
        name: job.base.name,
        path: job.base.path,
        parameters: job.base.parameters,
        ...(checkpoint && { bytes: [...checkpoint.tensors.values()].reduce((sum, { bytes }) => sum + bytes, 0) }),
      },
      adapters: Object.fromEntries(
        job.adapters.map((adapter) => [
          adapter.name,
          {
            method: adapter.method,
            trainable: adapter.trainable,
            share: adapter.trainable / job.base.parameters,
            ...saved.get(adapter.name),
          },
        ]),
      ),
      train,
      evaluate,
      merge,
      ...(job.require && { require: holdScores(job.require, evaluate) }),
      ...(options.measure !== undefined && { inference }),
      seconds: (performance.now() - start) / 1000,
      plan: train.map(({ adapter }) => ({
        fact: `memory(train ${adapter}), values`,
        predicted: job.plan[`train ${adapter}`] ?? 0,
        measured: session.bytes(),
      })),
    };
    await host.makeFolder(out);
    const earlier = verbs.has("train") ? undefined : await earlierResult(host, out, result);
    await writeWhole(host, joinPath(out, "result.json"), `${JSON.stringify(earlier ? addedTo(earlier, result) : result, undefined, 1)}\n`);
    return result;
  } finally {
    await close();
  }
};

/** What lies there, when it is a result over the same base. */
const earlierResult = async (host: Host, out: string, { format, base }: Result): Promise<Result | undefined> => {
  const path = joinPath(out, "result.json");
  if ((await host.kind(path)) !== "file") return undefined;
  const found = JSON.parse(new TextDecoder().decode(await host.read(path))) as Result;
  return found.format === format && found.base.path === base.path ? found : undefined;
};

interface Running {
  readonly train: (train: Train) => Promise<{ readonly result: TrainResult; readonly stopped: boolean }>;
  /** Undefined when it was stopped: half an evaluation is none. */
  readonly evaluate: (evaluate: Evaluate) => Promise<EvaluateResult | undefined>;
  readonly merge: (merge: Merge) => Promise<MergeResult>;
  readonly save: (adapter: string) => Promise<{ path: string; bytes: number }>;
}

const prepare = async (
  job: Job,
  options: RunOptions,
  session: Session,
  checkpoint: Checkpoint | undefined,
  baseFolder: string,
): Promise<Running> => {
  const { host, choice, listen, out } = options;
  const { tokens, chatOf, examplesOf } = readingOf(job, { host, folder: options.folder, listen }, baseFolder);
  const adapterFolder = (name: string): string => joinPath(joinPath(out, "adapters"), name);
  /**
   * The written folder's tensors in place of the base's, evaluated as the base is, beside the adapter's own loss: on the first
   * split that the file evaluates both on. The base is put back afterwards.
   */
  const compareMerged = async (item: Merge, folder: string): Promise<MergeResult["check"]> => {
    const on = job.evaluate.find((own) => own.subject === item.adapter);
    const plain = on && job.evaluate.find((other) => other.subject === job.base.name && other.data === on.data && other.split === on.split);
    if (!plain) return undefined;
    const places = item.tensors.flatMap((tensor) => {
      const parameter = job.parameters.find(({ source }) => "tensor" in source && source.tensor === tensor.tensor);
      return parameter && job.values[parameter.name] ? [{ tensor, name: parameter.name }] : [];
    });
    // A tensor that the base keeps in a format has no place for the merged one: what the choice cost is measured as it is written.
    if (places.length < item.tensors.length || item.format !== undefined) return undefined;
    const examples = await examplesOf(on);
    const lossOf = async (evaluate: Evaluate): Promise<number> => {
      const { loss, tokens: count } = await sumTokens(evaluate, examples, session, listen);
      return loss / count;
    };
    const unmerged = await lossOf(on);
    const written = await openCheckpoint(host, folder);
    const originals: Float32Array[] = [];
    try {
      for (const { tensor, name } of places) {
        originals.push(await read(name));
        await session.write(name, await readStored(written, tensor));
      }
    } finally {
      await written.close();
    }
    const merged = await lossOf(plain);
    for (const [i, { name }] of places.entries()) await session.write(name, originals[i]!);
    return { split: `${on.data}.${on.split}`, unmerged, merged };
  };
  const read = async (value: string): Promise<Float32Array> => (await session.read(value)) as Float32Array;

  const placesOf = (subject: string, examples: Examples, data: string): Int32Array | undefined => {
    const bank = job.adapters.find(({ name, bank: members }) => name === subject && members);
    return bank && placesIn(bank, examples, data);
  };
  let basePrint: BasePrint | undefined;
  const ready = readyAdapters(job, { host, session, folder: options.folder, out, listen, base: checkpoint, tokens });
  const watching = async (train: Train, total: number): Promise<Watch | undefined> => {
    if (!train.evaluate) return undefined;
    const { program, split, ends } = train.evaluate;
    const { adapter, data, micro_batch_size, sequence_len, virtual } = train;
    const examples = await examplesOf({ ...train, split });
    const places = placesOf(adapter, examples, `${data}.${split}`);
    const like = {
      subject: adapter,
      data,
      split,
      program,
      micro_batch_size,
      sequence_len,
      ...(virtual && { virtual }),
      ...(ends && { ends }),
    };
    const parameters = `${adapter}.parameters`;
    return watchOf({
      train,
      total,
      size: job.values[parameters]!.shape.reduce<number>((product, dim) => product * Number(dim), 1),
      evaluate: async () => {
        await finishAdapter(job, adapterOf(job, adapter), session);
        return sumTokens(like, examples, session, listen, places);
      },
      read: () => read(parameters),
      write: (values) => session.write(parameters, values),
      tell: ({ step, ...metrics }) =>
        listen({ kind: "metrics", subject: `${adapter} at step ${step}`, split: `${data}.${split}`, metrics }),
    });
  };

  return {
    train: async (train) => {
      await ready.begin(train.adapter);
      const examples = await examplesOf(train);
      const places = placesOf(train.adapter, examples, `${train.data}.${train.split}`);
      const stateFolder = joinPath(joinPath(out, "state"), `${train.adapter}-${job.train.indexOf(train)}`);
      const total = totalSteps(train, examples);
      const history = new Float32Array(curvesOf(train) * total);
      const watch = await watching(train, total);
      const arrays = [
        ...stateOf(train).map((name): StateArray => {
          const { dtype, shape } = job.values[name]!;
          return { name, dtype, shape: shape.map(Number) };
        }),
        // What was computed before the first step is part of the adapter, and is never derived again.
        ...job.parameters
          .filter(
            ({ name, source, trained }) => source.kind === "init" && !trained && adapterOf(job, train.adapter).parameters.includes(name),
          )
          .map(({ name, dtype, shape }): StateArray => ({ name, dtype, shape })),
        { name: "history", dtype: "f32" as const, shape: [curvesOf(train), total] },
        ...(watch?.arrays ?? []),
      ];
      const held = new Map([["history", history], ...(watch?.memory ?? [])]);
      const identity = { seed: train.seed, job: await fingerprint(job) };
      const paged = await openPaged(job, train, session, host, choice.device.name === "cpu" ? stateFolder : undefined);
      /** What is no value of the job is a curve. */
      const numbersIn = (name: string, { buffer, byteOffset, byteLength }: Uint8Array): Numbers => {
        const dtype = job.values[name]?.dtype ?? "f32";
        return new arrayTypes[dtype](buffer as ArrayBuffer, byteOffset, byteLength / bytesPer[dtype]);
      };
      const fromWhereItWas = async () => {
        const { restored, warnings } = await restoreState(host, stateFolder, identity, arrays, (name, from, bytes) => {
          const values = numbersIn(name, bytes);
          const array = held.get(name);
          const at = from / values.BYTES_PER_ELEMENT;
          return array ? array.set(values, at) : paged.session.writePart(name, at, values);
        });
        for (const diagnostic of warnings) listen({ kind: "warning", diagnostic });
        if (!restored)
          await initAdapter(job, adapterOf(job, train.adapter), session, {
            tokens,
            observe: observerOf(job, train, examples, session, listen),
          });
        host.collect?.();
        listen({
          kind: "phase",
          title: restored ? `train ${train.adapter}, from step ${restored.position.step}` : `train ${train.adapter}`,
        });
        return trainAdapter(job, train, examples, paged.session, {
          update: paged.update,
          listen,
          history,
          watch,
          places,
          signal: options.signal,
          from: restored?.position,
          save: async (position) => {
            const { folder, bytes } = await saveState(
              host,
              stateFolder,
              position,
              identity,
              arrays,
              (name, from, into) => {
                const [array, values] = [held.get(name), numbersIn(name, into)];
                const at = from / values.BYTES_PER_ELEMENT;
                return array ? values.set(array.subarray(at, at + values.length)) : paged.session.readPart(name, at, values);
              },
              train.checkpoint?.keep ?? 1,
            );
            listen({ kind: "saved", what: `state of ${train.adapter} at step ${position.step}`, path: folder, bytes });
          },
        });
      };
      // What pages lie in is closed, and gone, however it ends.
      const outcome = await fromWhereItWas().finally(() => paged.close());
      await finishAdapter(job, adapterOf(job, train.adapter), session);
      await ready.trained(train.adapter);
      if (!outcome.interrupted) await host.remove(stateFolder);
      const { losses, added, norms, rates, seconds } = outcome;
      return {
        stopped: outcome.interrupted,
        result: {
          adapter: train.adapter,
          data: train.data,
          split: train.split,
          seed: train.seed,
          steps: outcome.position.step,
          tokens: outcome.tokens,
          seconds,
          tokensPerSecond: seconds > 0 ? outcome.tokens / seconds : 0,
          losses,
          ...(added && { added }),
          norms,
          rates,
          ...(watch && { evaluations: watch.found() }),
          ...(watch && train.keep_best && { best: watch.best()! }),
          ...(outcome.stopped && { stoppedEarly: true }),
          deviceMemory: session.bytes(),
          peakMemory: options.peakMemory(),
        },
      };
    },

    evaluate: async (item) => {
      const start = performance.now();
      await ready.need(item.subject);
      const examples = await examplesOf(item);
      const places = placesOf(item.subject, examples, `${item.data}.${item.split}`);
      const ofTokens = tokenScores(item, await sumTokens(item, examples, session, listen, places));
      const data = dataOf(job, item.data);
      const split = splitOf(job, item.data, item.split);
      const all = scoresText(item);
      const limit = all ? Number.POSITIVE_INFINITY : (item.samples ?? 3);
      const scored = item.generate
        ? await scoreAnswers(
            item,
            await readInputs(host, data, split, options.folder, { inputs: item.inputs, limit, chat: await chatOf(data) }),
            {
              job,
              bare: data.chat !== undefined,
              session,
              tokenizer: await tokens(),
              listen,
              signal: options.signal,
            },
          )
        : undefined;
      if (options.signal?.aborted) return undefined;
      const metrics = { ...ofTokens, ...scored?.metrics };
      listen({ kind: "metrics", subject: item.subject, split: `${item.data}.${item.split}`, metrics });
      for (const one of scored?.samples ?? []) listen({ kind: "sample", subject: item.subject, ...one });
      let answers: string | undefined;
      if (all && scored) {
        const folder = joinPath(out, "answers");
        await host.makeFolder(folder);
        answers = joinPath(folder, `${job.evaluate.indexOf(item)}-${item.subject}-${item.data}.${item.split}.jsonl`);
        await writeWhole(host, answers, scored.answers.map((one) => `${JSON.stringify(one)}\n`).join(""));
      }
      return {
        subject: item.subject,
        data: item.data,
        split: item.split,
        rows: examples.count,
        metrics,
        ...(all && scored && { intervals: scored.intervals }),
        seconds: (performance.now() - start) / 1000,
        peakMemory: options.peakMemory(),
        ...(scored && { samples: scored.samples, generation: scored.generation }),
        ...(answers !== undefined && { answers }),
      };
    },

    merge: async (item) => {
      const start = performance.now();
      await ready.need(item.adapter);
      listen({ kind: "phase", title: `merge ${item.adapter}` });
      const into = await host.resolve(out, item.into);
      // Inside the run's own folder an older merge is replaced; anything else is not ours to remove.
      if (into.startsWith(`${await host.resolve(out, ".")}/`)) await host.remove(into);
      const base = checkpoint ? checkpointBase(checkpoint) : drawnBase(job, baseFolder);
      const compute = (tensor: Merge["tensors"][number]): Promise<Float32Array> => mergedValue(job, tensor, session, checkpoint);
      const whole = inParts(item.tensors, compute);
      const inFormats = item.format !== undefined || job.parameters.some(({ format }) => format !== undefined);
      const stored = inFormats
        ? storedBase(base, job, item, (parameter) => {
            const merged = item.tensors.find(({ tensor }) => "tensor" in parameter.source && tensor === parameter.source.tensor);
            return merged ? compute(merged) : readParameter(job, parameter, session);
          })
        : undefined;
      const report = stored
        ? await writeMerged(host, stored.base, into, [], compute, undefined, stored.config)
        : await writeMerged(host, base, into, whole.merged, whole.compute, item.as);
      const rounding = stored?.rounding() ?? { most: report.rounding.most };
      const check = await compareMerged(item, into);
      listen({ kind: "merged", adapter: item.adapter, path: into, rounding: rounding.most, ...(check && { check }) });
      return {
        adapter: item.adapter,
        path: into,
        bytes: report.bytes,
        seconds: (performance.now() - start) / 1000,
        tensors: item.tensors.length,
        rounding: rounding.most,
        ...("relative" in rounding && { relative: rounding.relative }),
        ...(check && { check }),
      };
    },

    save: async (name) => {
      const adapter = adapterOf(job, name);
      const path = adapterFolder(name);
      const extra = aboutBase(adapter.files.library, options.baseName ?? { base_model_name_or_path: baseFolder });
      const bytes = await saveAdapter(host, path, adapter, job.parameters, read, extra);
      if (checkpoint) {
        basePrint ??= await printOf(host, checkpoint);
        await saveBasePrint(host, path, basePrint);
      }
      listen({ kind: "saved", what: `adapter ${name}`, path, bytes });
      return { path, bytes };
    },
  };
};

const adapterOf = (job: Job, name: string) => job.adapters.find((adapter) => adapter.name === name)!;
