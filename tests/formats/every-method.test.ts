// Every method of the library that rebinds a weight, over every format of the library, with no line for a pair: the formats are read
// from their folder, the methods are the samples that tests/methods.test.ts holds to be all of them. For each pair the loss, the
// gradients and the merged tensors are those of the same method over the plain base that the format reads back as; and what writing the
// merged tensors in 16 bits, or in the format again, changes of the loss is within the error that merging reports.
//
// All methods share one file and one session for each format, so that a base is compiled and stored once for all of them.

import type { Session } from "../../runtime/devices/device.ts";
import { fromBytes, isFloat } from "../../runtime/dtype.ts";
import { decode } from "../../runtime/formats/encode.ts";
import { readPacked } from "../../runtime/formats/packed.ts";
import { readParameter } from "../../runtime/formats/store.ts";
import { storedBase } from "../../runtime/formats/stored-base.ts";
import { initAdapter } from "../../runtime/init.ts";
import { mergedValue } from "../../runtime/merged-value.ts";
import { observerOf } from "../../runtime/observe.ts";
import { type BaseTensor, drawnBase } from "../../runtime/write-merged.ts";
import type { Job, Merge, Parameter } from "../../spec/job.ts";
import { lossOf, near, openCpu, openReference } from "../compiler/sessions.ts";
import { type Built, build, llamaConfig, randomBatch, someExamples } from "../compiler/support.ts";
import { assert, group } from "../harness.ts";
import { methodSamples } from "../method-samples.ts";
import { everyFormat, fillBoth, normal } from "./support.ts";

const rows = 'data rows { train = text("rows.txt")  answer = "{text}" }\n';
const settings = "optimizer: sgd(learning_rate: 1e-2)  steps: 10  micro_batch_size: 2  sequence_len: 8";
/** The samples name layers of a deeper model; here there is one. */
const config = { ...llamaConfig, num_hidden_layers: 1 };
const inLayer = (use: string): string => use.replaceAll(/\blayers\.\d(\.\.\d)?\./g, "layers.*.");
const pipeline = (store: string): string =>
  `peft 1\nbase tiny = blank("base/", seed: 3)${store && ` {\n  store layers.**, embed as ${store}\n}`}\n${rows}${Object.entries(
    methodSamples,
  )
    .map(
      ([name, { use, observes }]) =>
        `adapter use_${name} ${use.startsWith("{") ? "" : "= "}${inLayer(use)}\ntrain use_${name} on rows { ${settings}${observes ? "  observe: 5 rows" : ""} }\nmerge use_${name} into "${name}/" as f16\n`,
    )
    .join("")}`;

interface Opened {
  readonly job: Job;
  readonly session: Session;
}

const batch = randomBatch(2, 8, llamaConfig.vocab_size);

/** The loss of a batch with the weights given, and its slope over all of them. */
type Measured = (weights: ReadonlyMap<string, Float32Array>) => Promise<{ loss: number; slopes: ReadonlyMap<string, Float32Array> }>;

const plainModel = async (): Promise<Measured> => {
  const built = await build(
    `peft 1\nbase tiny = blank("base/", seed: 3)\nadapter all = tune() into tiny.**\n${rows}train all on rows { ${settings} }\n`,
    config,
  );
  const session = await openCpu(built);
  const copies = built.job.parameters.flatMap(({ name, source }) => (source.kind === "copy" ? [{ name, of: source.of }] : []));
  return async (weights) => {
    for (const { name, of } of copies) await session.write(name, weights.get(of)!);
    const loss = await lossOf(session, built.job.train[0]!.step, batch);
    const slopes = new Map<string, Float32Array>();
    for (const { name, of } of copies) slopes.set(of, (await session.read(`gradient(${name})`)) as Float32Array);
    return { loss, slopes };
  };
};

/** First values of every adapter as a run has them, then moved off zero by the same numbers in every session. */
const startAll = async (job: Job, session: Session): Promise<void> => {
  for (const [i, adapter] of job.adapters.entries()) {
    const train = job.train.find((one) => one.adapter === adapter.name)!;
    await initAdapter(job, adapter, session, {
      observe: observerOf(job, train, someExamples(job.base.vocab_size), session, () => {}),
    });
    for (const name of trainedOf(job, adapter.name)) {
      const value = (await session.read(name)) as Float32Array;
      const noise = normal(value.length, i + 1);
      await session.write(
        name,
        value.map((x, k) => x + 0.1 * noise[k]!),
      );
    }
  }
};

const trainedOf = (job: Job, adapter: string): string[] =>
  job.parameters.filter(({ name, trained }) => trained && name.startsWith(`${adapter}:`)).map(({ name }) => name);

/** What a merged folder reads back as: every tensor of the base, by parameter. */
const readMerged = async (
  job: Job,
  session: Session,
  item: Merge,
): Promise<{ readonly weights: Map<string, Float32Array>; readonly error: { readonly most: number; readonly relative: number } }> => {
  const stored = storedBase(drawnBase(job, "base"), job, item, (parameter) => computedValue(job, session, item, parameter));
  const tensors = new Map<string, BaseTensor>(stored.base.files.flatMap((file) => file.tensors).map((tensor) => [tensor.name, tensor]));
  const raw = async (name: string): Promise<Uint8Array> => Uint8Array.from((await tensors.get(name)!.bytes()) as Uint8Array);
  const weights = new Map<string, Float32Array>();
  for (const { name, shape, source } of job.parameters) {
    if (!("tensor" in source) || source.tensor === undefined) continue;
    const { dtype } = tensors.get(source.tensor)!;
    const format = job.formats[item.format ?? ""];
    const value = isFloat(dtype)
      ? fromBytes(await raw(source.tensor), dtype)
      : decode(format!, await readPacked({ raw, tensors } as never, format!, source.tensor), shape);
    weights.set(name, value);
  }
  return { weights, error: stored.rounding() };
};

/** A parameter of the base with the adapter in it, in f32. */
const computedValue = (job: Job, session: Session, item: Merge, parameter: Parameter): Promise<Float32Array> => {
  const merged = item.tensors.find(({ tensor }) => "tensor" in parameter.source && tensor === parameter.source.tensor);
  return merged ? mergedValue(job, merged, session, undefined) : readParameter(job, parameter, session);
};

/** The slope of the loss in the direction of a change. */
const along = (slopes: ReadonlyMap<string, Float32Array>, change: ReadonlyMap<string, Float32Array>): number => {
  let sum = 0;
  for (const [name, slope] of slopes) for (const [k, x] of change.get(name)!.entries()) sum += x * slope[k]!;
  return sum;
};

const largest = (values: Float32Array): number => values.reduce((most, x) => Math.max(most, Math.abs(x)), 0);

const norm = (arrays: Iterable<Float32Array>): number => {
  let squares = 0;
  for (const array of arrays) for (const x of array) squares += x * x;
  return Math.sqrt(squares);
};

/** Training over the stored base is training over the plain one that it reads back as. Returns the loss. */
const checkTraining = async (stored: Opened, plain: Opened, place: number, pair: string): Promise<number> => {
  const train = stored.job.train[place]!;
  const trained = trainedOf(stored.job, train.adapter);
  assert.ok(trained.length > 0, `${pair}: nothing is trained`);
  for (const name of trained) await plain.session.write(name, await stored.session.read(name));
  const loss = await lossOf(stored.session, train.step, batch);
  near(loss, await lossOf(plain.session, plain.job.train[place]!.step, batch), 1e-6, `${pair}: loss`);
  const slopes: (readonly [string, Float32Array, Float32Array])[] = [];
  for (const name of trained) {
    const from = async ({ session }: Opened) => (await session.read(`gradient(${name})`)) as Float32Array;
    slopes.push([name, await from(stored), await from(plain)]);
  }
  // What reads back is rounded to f32 for the one and not for the other.
  const all = norm(slopes.map(([, , b]) => b));
  for (const [name, a, b] of slopes) {
    const far = norm([a.map((x, k) => x - b[k]!)]);
    assert.ok(far <= 1e-5 * norm([b]) + 1e-7 * all, `${pair}: the gradient of ${name} is off by ${far} of ${norm([b])}`);
  }
  return loss;
};

/** Merged weights compute what the adapter does; written as `item` says, they change the loss as the reported error lets them. */
const checkMerging = async (
  { job, session }: Opened,
  items: readonly Merge[],
  model: Measured,
  loss: number,
  pair: string,
): Promise<void> => {
  const merged = new Set(items[0]!.tensors.map(({ tensor }) => tensor));
  const computed = new Map<string, Float32Array>();
  const rewritten: Float32Array[] = [];
  for (const parameter of job.parameters) {
    const { name, source, format } = parameter;
    if (!("tensor" in source) || source.tensor === undefined) continue;
    const value = await computedValue(job, session, items[0]!, parameter);
    computed.set(name, value);
    if (format !== undefined || merged.has(source.tensor)) rewritten.push(value);
  }
  const before = await model(computed);
  near(before.loss, loss, 2e-6, `${pair}: merged and not written`);
  for (const item of items) {
    const { weights, error } = await readMerged(job, session, item);
    const change = new Map([...weights].map(([name, value]) => [name, value.map((x, k) => x - computed.get(name)![k]!)]));
    const as = `${pair}, merged as ${item.format ?? item.as}`;
    near(error.most, Math.max(...[...change.values()].map(largest)), 1e-5, `${as}: the largest change`);
    near(error.relative, norm(change.values()) / norm(rewritten), 1e-5, `${as}: the size of the change`);

    // The loss changes by the integral of its slope along the change: Simpson's rule, whose error is below its distance from the
    // midpoint rule.
    const half = await model(new Map([...weights].map(([name, value]) => [name, value.map((x, k) => x - change.get(name)![k]! / 2)])));
    const after = await model(weights);
    const middle = along(half.slopes, change);
    const told = (along(before.slopes, change) + 4 * middle + along(after.slopes, change)) / 6;
    near(after.loss - before.loss, told, 0, `${as}: the loss moves as the change of the weights says`, Math.abs(told - middle) + 3e-6);
    const steepest = Math.max(...[before, half, after].map(({ slopes }) => norm(slopes.values())));
    assert.ok(
      Math.abs(after.loss - before.loss) <= steepest * error.relative * norm(rewritten),
      `${as}: the loss moves further than reported`,
    );
  }
};

group("every method over every format", (test) => {
  let plain: Promise<Built> | undefined;
  let model: Promise<Measured> | undefined;
  for (const call of everyFormat)
    test(call, async () => {
      plain ??= build(pipeline(""), config);
      model ??= plainModel();
      const [stored, beside] = [await build(pipeline(call), config), await plain];
      const { job } = stored;
      const [kept, decoded] = [await openReference(stored), await openReference(beside)];
      await fillBoth(stored, kept, decoded);
      await startAll(job, kept);
      await startAll(beside.job, decoded);
      const [label, format] = Object.entries(job.formats)[0]!;
      for (const [place, { adapter }] of job.train.entries()) {
        const pair = `${adapter} over ${call}`;
        const loss = await checkTraining({ job, session: kept }, { job: beside.job, session: decoded }, place, pair);
        const item = job.merge.find((one) => one.adapter === adapter)!;
        const { as: _, ...unsaid } = item;
        // A format that no library reads cannot be written.
        const ways = format.files ? [item, { ...unsaid, format: label }] : [item];
        await checkMerging({ job, session: kept }, ways, await model, loss, pair);
      }
    });
});
