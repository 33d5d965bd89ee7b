// One architecture on the cpu device beside what transformers computed: logits, loss, the gradient of every parameter, greedy text.

import type { Device, Session } from "../../../runtime/devices/device.ts";
import { generate } from "../../../runtime/generation/generate.ts";
import type { Job } from "../../../spec/job.ts";
import { type Case, newTokens, rows } from "./cases.ts";
import { b, inFolder, opened, pipelineOf, runStep, sourceDims, t, write } from "./session.ts";

/** What models.py answers. */
export interface Theirs {
  readonly versions: Readonly<Record<string, string>>;
  readonly config: Readonly<Record<string, unknown>>;
  /** Every key of the configuration, where that was asked. */
  readonly whole?: Readonly<Record<string, unknown>>;
  readonly tensors: Readonly<Record<string, readonly number[]>>;
  /** [rows][tokens][vocabulary], or [rows][classes]. */
  readonly logits: readonly (readonly (number | readonly number[])[])[];
  readonly loss: number;
  readonly gradients: Readonly<Record<string, readonly number[]>>;
  readonly generated?: readonly number[];
  /** One step of low-rank adapters, from tensors that follow from their keys. */
  readonly lora: {
    readonly loss: number;
    readonly tensors: Readonly<Record<string, readonly number[]>>;
    readonly gradients: Readonly<Record<string, readonly number[]>>;
  };
}

/** How far ours is from theirs. */
export interface Distance {
  /** Largest difference of a logit, in standard deviations of all logits. */
  readonly logits: number;
  readonly loss: number;
  /** Largest relative difference of a gradient's norm, or of its first elements beside its norm, and whose it is. */
  readonly gradient: number;
  readonly of: string;
  /** Stored tensors that transformers gave no gradient. */
  readonly uncompared: readonly string[];
  readonly generated?: readonly number[];
}

/** `library` replaces the standard library: a planted fault. On the cpu device unless another is given. */
export const compare = (one: Case, theirs: Theirs, library?: ReadonlyMap<string, string>, device?: Device): Promise<Distance> =>
  inFolder(theirs, (folder) =>
    opened(
      folder,
      pipelineOf(one, "= tune() into model.**"),
      async (job, session) => {
        const { loss, ...gradient } = await gradients(one, theirs, job, session);
        const measured = { loss: Math.abs(loss - theirs.loss), ...gradient };
        if (one.task === "masked" || one.task === "classes") return { ...measured, logits: await predicted(one, theirs, job, session) };
        return { ...measured, ...(await decoded(one, theirs, job, session)) };
      },
      library,
      device,
    ),
  );

const gradients = async (one: Case, theirs: Theirs, job: Job, session: Session) => {
  const loss = await runStep(one, job, session);
  let gradient = 0;
  let of = "";
  const uncompared: string[] = [];
  for (const { key, parameter, transposed } of job.adapters[0]!.files.tensors) {
    const running = (one.renamed ?? []).reduce((name, [from, to]) => name.replace(from, to), key);
    const wanted = theirs.gradients[running];
    if (!wanted) {
      uncompared.push(key);
      continue;
    }
    const values = (await session.read(`gradient(${parameter})`)) as Float32Array;
    const { shape } = job.parameters.find(({ name }) => name === parameter)!;
    const [norm, ...first] = wanted as [number, ...number[]];
    const [rows, columns] = shape.slice(-2) as [number, number];
    const stored = first.map((_, i) => (transposed ? values[(i % rows) * columns + Math.floor(i / rows)]! : values[i]!));
    // A gradient of nothing (a bias before a norm that removes it) is rounding on both sides.
    const size = Math.max(norm, 1e-4);
    const distance = Math.max(Math.abs(Math.hypot(...values) - norm), ...first.map((x, i) => Math.abs(stored[i]! - x))) / size;
    if (distance > gradient) [gradient, of] = [distance, key];
  }
  return { loss, gradient, of, uncompared };
};

const deviationOf = (numbers: readonly number[]): number => {
  const mean = numbers.reduce((sum, x) => sum + x, 0) / numbers.length;
  return Math.sqrt(numbers.reduce((sum, x) => sum + (x - mean) ** 2, 0) / numbers.length);
};

/** Logits and greedy text of a decoder. */
const decoded = async (one: Case, theirs: Theirs, job: Job, session: Session): Promise<Pick<Distance, "logits" | "generated">> => {
  const program = job.evaluate[0]!.generator!;
  const { s } = job.programs[program]!.dims;
  const vocabulary = job.base.vocab_size;
  const wanted = theirs.logits as readonly (readonly (readonly number[])[])[];
  let off = 0;
  for (let i = 0; i < t; i++) {
    await write(one, job, session, [i, t + i], [0, 0]);
    await session.run(program, { b, t, n: 2, s: s!, ...sourceDims(one) });
    const ours = (await session.read("logits", program)) as Float32Array;
    for (let row = 0; row < b; row++)
      for (let v = 0; v < vocabulary; v++) off = Math.max(off, Math.abs(ours[row * vocabulary + v]! - wanted[row]![i]![v]!));
  }
  const settings = { kind: "greedy", max_new_tokens: newTokens } as const;
  const [prompt, sources] = one.task === "answer" ? [[0], [rows[0]!]] : [rows[0]!, undefined];
  const [generated] = await generate([prompt], session, { job, program, settings, stops: [], sources });
  return { logits: off / deviationOf(wanted.flat(2)), generated: [...generated!] };
};

/** Differences of an encoder's logits, from its losses: loss(v) - loss(w) = logit w - logit v. */
const predicted = async (one: Case, theirs: Theirs, job: Job, session: Session): Promise<number> => {
  const { program } = job.evaluate[0]!;
  const lossAt = async (place: number, label: number): Promise<number> => {
    await write(one, job, session, [place], [label]);
    await session.run(program, { b, t, n: 1 });
    return ((await session.read("loss", program)) as Float32Array)[0]!;
  };
  const logits = theirs.logits.flat() as readonly (number | readonly number[])[];
  const places = one.task === "classes" ? theirs.logits.map((row, i) => [i, row as readonly number[]] as const) : [];
  const tokens = one.task === "masked" ? [0, 5, t + 3, t + 7].map((at) => [at, logits[at] as readonly number[]] as const) : [];
  let off = 0;
  for (const [place, wanted] of [...places, ...tokens]) {
    const first = await lossAt(place, 0);
    for (let v = 1; v < wanted.length; v++) off = Math.max(off, Math.abs(first - (await lossAt(place, v)) - (wanted[v]! - wanted[0]!)));
  }
  return off / deviationOf(logits.flat());
};

/** Why the numbers do not agree; undefined when they do. */
export const verdict = (one: Case, theirs: Theirs, { logits, loss, gradient, of, uncompared, generated }: Distance): string | undefined => {
  if (!(logits < 1e-4)) return `logits are ${logits} standard deviations apart`;
  if (!(loss < 1e-5)) return `the loss is ${loss} apart`;
  if (!(gradient < 1e-3)) return `the gradient of ${of} is ${gradient} apart`;
  const missing = uncompared.filter((name) => !one.packed?.test(name));
  if (missing.length) return `transformers has no gradient of ${missing.join(", ")}`;
  if (generated?.join() !== theirs.generated?.join()) return `generated ${generated}, transformers ${theirs.generated}`;
  return undefined;
};
