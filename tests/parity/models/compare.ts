// One architecture on the cpu device beside what transformers computed: logits, loss, the gradient of every parameter, greedy text.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { compileHost } from "../../../cli/compile-host.ts";
import { compile } from "../../../compiler/compile.ts";
import { loadParameters, openCheckpoint } from "../../../runtime/checkpoint.ts";
import { cpuDevice } from "../../../runtime/devices/cpu.ts";
import { generate } from "../../../runtime/generation/generate.ts";
import { nodeHost } from "../../../runtime/node-host.ts";
import { type Case, labels, newTokens, rows } from "./cases.ts";
import { writeDrawn } from "./drawn.ts";

/** What models.py answers. */
export interface Theirs {
  readonly versions: Readonly<Record<string, string>>;
  readonly config: Readonly<Record<string, unknown>>;
  readonly tensors: Readonly<Record<string, readonly number[]>>;
  readonly logits: readonly (readonly (readonly number[])[])[];
  readonly loss: number;
  readonly gradients: Readonly<Record<string, readonly number[]>>;
  readonly generated: readonly number[];
}

/** How far ours is from theirs. */
export interface Distance {
  /** Largest difference of a logit, in standard deviations of all logits. */
  readonly logits: number;
  readonly loss: number;
  /** Largest relative difference of a gradient's norm, or of its first elements beside its norm, and whose it is. */
  readonly gradient: number;
  readonly of: string;
  /** Stored tensors without a gradient on either side. */
  readonly uncompared: readonly string[];
  readonly generated: readonly number[];
}

const pipeline = `peft 1
base model = checkpoint("base/")
adapter all = tune() into model.**
data rows { train = text("rows.txt")  answer = "{text}" }
train all on rows { optimizer: sgd(learning_rate: 0.1)  steps: 1  micro_batch_size: 2  sequence_len: 16 }
evaluate model on rows.train { metrics: [loss]  generate: greedy(max_new_tokens: ${newTokens})  micro_batch_size: 2  sequence_len: 16 }
`;

const threads = 1;

/** `library` replaces the standard library: a planted fault. */
export const compare = async (theirs: Theirs, library?: ReadonlyMap<string, string>): Promise<Distance> => {
  const folder = mkdtempSync(`${tmpdir()}/peft-models-`);
  try {
    await writeDrawn(`${folder}/base`, theirs.config, theirs.tensors);
    writeFileSync(`${folder}/rows.txt`, "a\n");
    return await measure(theirs, folder, library);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

const measure = async (theirs: Theirs, folder: string, library?: ReadonlyMap<string, string>): Promise<Distance> => {
  const file = `${folder}/models.peft`;
  const plain = compileHost(new Map([[file, pipeline]]));
  const { stdTrees: _, ...bare } = plain;
  const { job, files, diagnostics } = await compile({ file, goal: "build" }, library ? { ...bare, std: library } : plain);
  const errors = diagnostics.filter(({ severity }) => severity === "error");
  if (!job || !files) throw new Error(errors.map(({ code, message, notes }) => `${code} ${message} ${JSON.stringify(notes)}`).join("\n"));
  const session = await (await cpuDevice({ threads })).open(job, async (path) => files.get(path) as Uint8Array);
  try {
    const checkpoint = await openCheckpoint(nodeHost, `${folder}/base`);
    await loadParameters(job, checkpoint, (parameter, values) =>
      job.values[parameter.name] ? session.write(parameter.name, values) : undefined,
    );
    await checkpoint.close();
    const [b, t] = [rows.length, rows[0]!.length];
    const write = async (at: readonly number[], targets: readonly number[]): Promise<void> => {
      await session.write("ids", Int32Array.from(rows.flat()));
      await session.write(
        "positions",
        Int32Array.from({ length: b * t }, (_, i) => i % t),
      );
      await session.write("rows", Int32Array.from(at));
      await session.write("targets", Int32Array.from(targets));
      await session.write("scale", Float32Array.of(1 / targets.length));
    };
    const chosen = labels.flatMap((row, r) => row.flatMap((id, i) => (i > 0 && id >= 0 ? [[r * t + i - 1, id] as const] : [])));
    await write(
      chosen.map(([at]) => at),
      chosen.map(([, id]) => id),
    );
    const { step } = job.train[0]!;
    await session.run(step, { b, t, n: chosen.length });
    const loss = ((await session.read("loss", step)) as Float32Array)[0]!;
    const gradient = { distance: 0, of: "" };
    const uncompared: string[] = [];
    for (const { key, parameter, transposed } of job.adapters[0]!.files.tensors) {
      const wanted = theirs.gradients[key];
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
      if (distance > gradient.distance) Object.assign(gradient, { distance, of: key });
    }

    const program = job.evaluate[0]!.generator!;
    const { s } = job.programs[program]!.dims;
    const ours: number[] = [];
    for (let i = 0; i < t; i++) {
      await write([i, t + i], [0, 0]);
      await session.run(program, { b, t, n: 2, s: s! });
      ours.push(...((await session.read("logits", program)) as Float32Array).subarray(0, 2 * job.base.vocab_size));
    }
    const all = theirs.logits.flat(2);
    const mean = all.reduce((sum, x) => sum + x, 0) / all.length;
    const deviation = Math.sqrt(all.reduce((sum, x) => sum + (x - mean) ** 2, 0) / all.length);
    const vocabulary = job.base.vocab_size;
    let off = 0;
    for (let row = 0; row < 2; row++)
      for (let i = 0; i < t; i++)
        for (let v = 0; v < vocabulary; v++)
          off = Math.max(off, Math.abs(ours[(2 * i + row) * vocabulary + v]! - theirs.logits[row]![i]![v]!));
    const settings = { kind: "greedy", max_new_tokens: newTokens } as const;
    const [generated] = await generate([rows[0]!], session, { job, program, settings, stops: [] });
    return {
      logits: off / deviation,
      loss: Math.abs(loss - theirs.loss),
      gradient: gradient.distance,
      of: gradient.of,
      uncompared,
      generated: [...generated!],
    };
  } finally {
    await session.close();
  }
};

/** Why the numbers do not agree; undefined when they do. */
export const verdict = (one: Case, theirs: Theirs, { logits, loss, gradient, of, uncompared, generated }: Distance): string | undefined => {
  if (!(logits < 1e-4)) return `logits are ${logits} standard deviations apart`;
  if (!(loss < 1e-5)) return `the loss is ${loss} apart`;
  if (!(gradient < 1e-3)) return `the gradient of ${of} is ${gradient} apart`;
  const missing = uncompared.filter((name) => !one.packed?.test(name));
  if (missing.length) return `transformers has no gradient of ${missing.join(", ")}`;
  if (generated.join() !== theirs.generated.join()) return `generated ${generated}, transformers ${theirs.generated}`;
  return undefined;
};
