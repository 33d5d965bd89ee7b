// Formats as the library writes them, and stored bases beside plain ones.

import { std } from "../../cli/embedded/std.ts";
import { parse } from "../../grammar/parse.ts";
import type { Session } from "../../runtime/devices/device.ts";
import { decode, encode } from "../../runtime/formats/encode.ts";
import { storeParameter } from "../../runtime/formats/store.ts";
import type { Job } from "../../spec/job.ts";
import type { Format } from "../../spec/job-formats.ts";
import { type Built, build, drawAll, llamaConfig, randomBatch } from "../compiler/support.ts";
import { random } from "../op-samples.ts";

const isSwitch = (value: { readonly kind: string; readonly name?: unknown } | undefined): boolean =>
  value?.kind === "ref" && (value.name === "true" || value.name === "false");

/** Every format of the library with its defaults, and with each of its switches on. */
export const everyFormat = [...std.values()]
  .flatMap((text) => parse(text, "std").file.items)
  .flatMap((item) => (item.kind === "format" ? [item] : []))
  .flatMap(({ name, parameters }) => [
    `${name.text}()`,
    ...parameters.filter(({ value }) => isSwitch(value)).map((parameter) => `${name.text}(${parameter.name.text}: true)`),
  ]);

export const storedPipeline = (store: string, adapter = "lora(r: 2, alpha: 3) into tiny.layers.**"): string => `peft 1
base tiny = blank("base/", seed: 3)${store && ` {\n  store ${store}\n}`}
adapter some = ${adapter}
data rows { train = text("rows.txt")  answer = "{text}" }
train some on rows { optimizer: adamw(learning_rate: 1e-2)  steps: 10  micro_batch_size: 2  sequence_len: 8 }
evaluate some, tiny on rows.train { metrics: [loss]  generate: greedy(max_new_tokens: 8)  micro_batch_size: 2  sequence_len: 8 }
`;

/** The job's record of a format, by how it is called. */
export const formatNamed = async (call: string): Promise<Format> => {
  const { job } = await build(storedPipeline(`layers.** as ${call}`), llamaConfig);
  return Object.values(job.formats)[0]!;
};

/** Numbers of a normal distribution, by Box and Muller. */
export const normal = (count: number, seed: number): Float32Array => {
  const next = random(seed);
  for (let i = 0; i < 8; i++) next();
  return Float32Array.from({ length: count }, () => Math.sqrt(-2 * Math.log(next() || 1e-9)) * Math.cos(2 * Math.PI * next()));
};

/** What a parameter is after it was stored and read back. */
export const readBack = (job: Job, name: string, values: Float32Array): Float32Array => {
  const parameter = job.parameters.find((one) => one.name === name)!;
  const format = parameter.format === undefined ? undefined : job.formats[parameter.format]!;
  return format ? decode(format, encode(format, values, parameter.shape), parameter.shape) : values;
};

/** Draws every parameter of `stored` into both sessions: encoded into the one, as it reads back into the other. */
export const fillBoth = async (stored: Built, kept: Session, plain: Session): Promise<void> => {
  const whole = async (name: string, data: Float32Array | Int32Array): Promise<void> => {
    if (data instanceof Int32Array) for (const session of [kept, plain]) await session.write(name, data);
  };
  const values = await drawAll(stored.job, whole, { nonzero: true });
  for (const parameter of stored.job.parameters) {
    const first = values.get(parameter.name);
    if (!first) continue;
    await storeParameter(stored.job, parameter, first, kept);
    await plain.write(parameter.name, readBack(stored.job, parameter.name, first));
  }
};

export const lossAfter = async (session: Session, job: Job, program: string): Promise<number> => {
  const batch = randomBatch(2, 8, job.base.vocab_size);
  for (const name of ["ids", "positions", "rows", "targets"] as const) await session.write(name, batch[name]);
  await session.write("scale", Float32Array.of(1 / batch.n));
  await session.run(program, { b: batch.b, t: batch.t, n: batch.n });
  return ((await session.read("loss", program)) as Float32Array)[0]!;
};
