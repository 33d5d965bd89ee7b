// One architecture on the cpu device beside what transformers computed: logits, loss, the gradient of every parameter, greedy text.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { compileHost } from "../../../cli/compile-host.ts";
import { compile } from "../../../compiler/compile.ts";
import { loadParameters, openCheckpoint } from "../../../runtime/checkpoint.ts";
import { cpuDevice } from "../../../runtime/devices/cpu.ts";
import type { Device, Session } from "../../../runtime/devices/device.ts";
import { generate } from "../../../runtime/generation/generate.ts";
import { nodeHost } from "../../../runtime/node-host.ts";
import type { Job } from "../../../spec/job.ts";
import { answerLabels, type Case, classes, ends, written as given, labels, maskedLabels, newTokens, pixelsOf, rows } from "./cases.ts";
import { writeDrawn } from "./drawn.ts";

/** What models.py answers. */
export interface Theirs {
  readonly versions: Readonly<Record<string, string>>;
  readonly config: Readonly<Record<string, unknown>>;
  readonly tensors: Readonly<Record<string, readonly number[]>>;
  /** [rows][tokens][vocabulary], or [rows][classes]. */
  readonly logits: readonly (readonly (number | readonly number[])[])[];
  readonly loss: number;
  readonly gradients: Readonly<Record<string, readonly number[]>>;
  readonly generated?: readonly number[];
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

const pipelineOf = ({ task }: Case): string => `peft 1
base model = checkpoint("base/")
adapter all = tune() into model.**
data rows { train = text("rows.txt")  prompt = "{text}"  answer = "{text}"  ${task === "classes" ? 'classes = ["a", "b", "c"]' : ""} }
train all on rows { optimizer: sgd(learning_rate: 0.1)  steps: 1  micro_batch_size: 2  sequence_len: 16 }
evaluate model on rows.train {
  metrics: [loss]
  ${task === undefined || task === "answer" ? `generate: greedy(max_new_tokens: ${newTokens})` : ""}
  micro_batch_size: 2
  sequence_len: 16
}
`;

const [b, t] = [rows.length, rows[0]!.length];
const threads = 1;

/** `library` replaces the standard library: a planted fault. On the cpu device unless another is given. */
export const compare = async (one: Case, theirs: Theirs, library?: ReadonlyMap<string, string>, device?: Device): Promise<Distance> => {
  const folder = mkdtempSync(`${tmpdir()}/peft-models-`);
  try {
    await writeDrawn(`${folder}/base`, theirs.config, theirs.tensors);
    writeFileSync(`${folder}/rows.txt`, "a\n");
    const file = `${folder}/models.peft`;
    const plain = compileHost(new Map([[file, pipelineOf(one)]]));
    const { stdTrees: _, ...bare } = plain;
    const { job, files, diagnostics } = await compile({ file, goal: "build" }, library ? { ...bare, std: library } : plain);
    const errors = diagnostics.filter(({ severity }) => severity === "error");
    if (!job || !files) throw new Error(errors.map(({ code, message, notes }) => `${code} ${message} ${JSON.stringify(notes)}`).join("\n"));
    const session = await (device ?? (await cpuDevice({ threads }))).open(job, async (path) => {
      const content = files.get(path)!;
      return typeof content === "string" ? new TextEncoder().encode(content) : content;
    });
    try {
      const checkpoint = await openCheckpoint(nodeHost, `${folder}/base`);
      await loadParameters(job, checkpoint, (parameter, values) =>
        job.values[parameter.name] ? session.write(parameter.name, values) : undefined,
      );
      await checkpoint.close();
      const { loss, ...gradient } = await gradients(one, theirs, job, session);
      const measured = { loss: Math.abs(loss - theirs.loss), ...gradient };
      if (one.task === "masked" || one.task === "classes") return { ...measured, logits: await predicted(one, theirs, job, session) };
      return { ...measured, ...(await decoded(one, theirs, job, session)) };
    } finally {
      await session.close();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

/** The batch, and which predictions are asked for: flat places and their labels. */
const write = async (one: Case, job: Job, session: Session, at: readonly number[], targets: readonly number[]): Promise<void> => {
  if (one.picture) await session.write("pixels", pixelsOf(one.picture));
  else await writeTokens(one, job, session);
  await session.write("rows", Int32Array.from(at));
  await session.write("targets", Int32Array.from(targets));
  await session.write("scale", Float32Array.of(1 / targets.length));
};

const writeTokens = async (one: Case, job: Job, session: Session): Promise<void> => {
  await session.write("ids", Int32Array.from((one.task === "answer" ? given : rows).flat()));
  if (one.task === "answer") {
    await session.write("source.ids", Int32Array.from(rows.flat()));
    await session.write(
      "source.positions",
      Int32Array.from({ length: b * t }, (_, i) => i % t),
    );
    await session.write(
      "source.ends",
      Int32Array.from({ length: b * t }, (_, i) => ends[Math.floor(i / t)]!),
    );
  }
  await session.write(
    "positions",
    Int32Array.from({ length: b * t }, (_, i) => i % t),
  );
  if (one.task !== undefined && job.values.ends)
    await session.write(
      "ends",
      Int32Array.from({ length: b * t }, (_, i) => ends[Math.floor(i / t)]!),
    );
};

/** Places and labels of the loss. */
const chosenOf = ({ task }: Case): (readonly [number, number])[] =>
  task === "answer"
    ? answerLabels.flatMap((row, r) => row.flatMap((id, i) => (id >= 0 ? [[r * t + i, id] as const] : [])))
    : task === "classes"
      ? classes.map((label, row) => [row, label])
      : task === "masked"
        ? maskedLabels.flatMap((row, r) => row.flatMap((id, i) => (id >= 0 ? [[r * t + i, id] as const] : [])))
        : labels.flatMap((row, r) => row.flatMap((id, i) => (i > 0 && id >= 0 ? [[r * t + i - 1, id] as const] : [])));

const sourceDims = ({ task }: Case): Record<string, number> => (task === "answer" ? { u: t } : {});

const gradients = async (one: Case, theirs: Theirs, job: Job, session: Session) => {
  const chosen = chosenOf(one);
  const [places, targets] = [chosen.map(([at]) => at), chosen.map(([, id]) => id)];
  await write(one, job, session, places, targets);
  const { step } = job.train[0]!;
  await session.run(step, { b, t, n: chosen.length, ...sourceDims(one) });
  const loss = ((await session.read("loss", step)) as Float32Array)[0]!;
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
    const stored = first.map((_, i) => (transposed ? values[(i % shape[0]!) * shape[1]! + Math.floor(i / shape[0]!)]! : values[i]!));
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
