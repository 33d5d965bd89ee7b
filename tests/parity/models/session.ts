// One case as a session on a device: its checkpoint drawn, a pipeline over it compiled and opened, its batch written.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { compileHost } from "../../../cli/compile-host.ts";
import { compile } from "../../../compiler/compile.ts";
import { loadParameters, openCheckpoint } from "../../../runtime/checkpoint.ts";
import { cpuDevice } from "../../../runtime/devices/cpu.ts";
import type { Device, Session } from "../../../runtime/devices/device.ts";
import { nodeHost } from "../../../runtime/node-host.ts";
import type { Job } from "../../../spec/job.ts";
import { answerLabels, type Case, classes, ends, written as given, labels, maskedLabels, newTokens, pixelsOf, rows } from "./cases.ts";
import { writeDrawn } from "./drawn.ts";

export const [b, t] = [rows.length, rows[0]!.length];
const threads = 1;

/** A pipeline that has every program a comparison runs; `adapter` is what follows `adapter it`. */
export const pipelineOf = ({ task }: Case, adapter: string): string => `peft 1
base model = checkpoint("base/")
adapter it ${adapter}
data rows { train = text("rows.txt")  ${task === "masked" ? "masked = 15%" : 'prompt = "{text}"'}  answer = "{text}"  ${task === "classes" ? 'classes = ["a", "b", "c"]' : ""} }
train it on rows { optimizer: sgd(learning_rate: 0.1)  steps: 1  micro_batch_size: 2  sequence_len: 16 }
evaluate model on rows.train {
  metrics: [loss]
  ${task === undefined || task === "answer" ? `generate: greedy(max_new_tokens: ${newTokens})` : ""}
  micro_batch_size: 2
  sequence_len: 16
}
`;

/** What a case's checkpoint is made of. */
export interface Drawn {
  readonly config: Readonly<Record<string, unknown>>;
  readonly tensors: Readonly<Record<string, readonly number[]>>;
}

/** A folder that holds the case's checkpoint, for as long as `body` runs. */
export const inFolder = async <T>({ config, tensors }: Drawn, body: (folder: string) => Promise<T>): Promise<T> => {
  const folder = mkdtempSync(`${tmpdir()}/peft-models-`);
  try {
    await writeDrawn(`${folder}/base`, config, tensors);
    writeFileSync(`${folder}/rows.txt`, "a\n");
    return await body(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

/** Compiles a text in a folder. `library` replaces the standard library. Throws what the compiler reports. */
export const compiled = async (folder: string, text: string, goal: "plan" | "build", library?: ReadonlyMap<string, string>) => {
  const file = `${folder}/models.peft`;
  const plain = compileHost(new Map([[file, text]]));
  const { stdTrees: _, ...bare } = plain;
  const { job, files, diagnostics } = await compile({ file, goal }, library ? { ...bare, std: library } : plain);
  const errors = diagnostics.filter(({ severity }) => severity === "error");
  if (!job) throw new Error(errors.map(({ code, message, notes }) => `${code} ${message} ${JSON.stringify(notes)}`).join("\n"));
  return { job, files };
};

/** On the cpu device unless another is given. */
export const opened = async <T>(
  folder: string,
  text: string,
  body: (job: Job, session: Session) => Promise<T>,
  library?: ReadonlyMap<string, string>,
  device?: Device,
): Promise<T> => {
  const { job, files } = await compiled(folder, text, "build", library);
  const session = await (device ?? (await cpuDevice({ threads }))).open(job, async (path) => {
    const content = files!.get(path)!;
    return typeof content === "string" ? new TextEncoder().encode(content) : content;
  });
  try {
    const checkpoint = await openCheckpoint(nodeHost, `${folder}/base`);
    await loadParameters(job, checkpoint, (parameter, values) =>
      job.values[parameter.name] ? session.write(parameter.name, values) : undefined,
    );
    await checkpoint.close();
    return await body(job, session);
  } finally {
    await session.close();
  }
};

/** The batch, and which predictions are asked for: flat places and their labels. */
export const write = async (one: Case, job: Job, session: Session, at: readonly number[], targets: readonly number[]): Promise<void> => {
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
export const chosenOf = ({ task }: Case): (readonly [number, number])[] =>
  task === "answer"
    ? answerLabels.flatMap((row, r) => row.flatMap((id, i) => (id >= 0 ? [[r * t + i, id] as const] : [])))
    : task === "classes"
      ? classes.map((label, row) => [row, label])
      : task === "masked"
        ? maskedLabels.flatMap((row, r) => row.flatMap((id, i) => (id >= 0 ? [[r * t + i, id] as const] : [])))
        : labels.flatMap((row, r) => row.flatMap((id, i) => (i > 0 && id >= 0 ? [[r * t + i - 1, id] as const] : [])));

export const sourceDims = ({ task }: Case): Record<string, number> => (task === "answer" ? { u: t } : {});

/** One step over the case's rows, so that gradients can be read; gives its loss. */
export const runStep = async (one: Case, job: Job, session: Session): Promise<number> => {
  const chosen = chosenOf(one);
  const [places, targets] = [chosen.map(([at]) => at), chosen.map(([, id]) => id)];
  await write(one, job, session, places, targets);
  const { step } = job.train[0]!;
  await session.run(step, { b, t, n: chosen.length, ...sourceDims(one) });
  return ((await session.read("loss", step)) as Float32Array)[0]!;
};
