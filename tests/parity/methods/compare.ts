// Our side of a case: the same adapter compiled from a `.peft` file, started from PEFT's first tensors, trained on the same
// batches on the cpu device, its first gradient taken by the interpreter in double precision; and how far apart both are.

import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { compileHost } from "../../../cli/compile-host.ts";
import { measuredLines } from "../../../compiler/check/check-measured.ts";
import { adapterFileBytes } from "../../../compiler/check/facts.ts";
import { compile } from "../../../compiler/compile.ts";
import { emitSegments } from "../../../compiler/emit/segments.ts";
import { lower } from "../../../compiler/programs/lower.ts";
import { gradientOf } from "../../../compiler/unfold/stage.ts";
import { loadAdapter, saveAdapter } from "../../../runtime/adapter-files.ts";
import { aboutBase, weightsFiles } from "../../../runtime/adapter-names.ts";
import { loadParameters, openCheckpoint } from "../../../runtime/checkpoint.ts";
import { fillBatch, planEpoch } from "../../../runtime/data/batches.ts";
import type { Examples } from "../../../runtime/data/examples.ts";
import type { Device, Session } from "../../../runtime/devices/device.ts";
import { finishAdapter, initAdapter, measureAdapter } from "../../../runtime/init.ts";
import { nodeHost } from "../../../runtime/node-host.ts";
import { observerOf } from "../../../runtime/observe.ts";
import { curvesOf, trainAdapter } from "../../../runtime/train.ts";
import type { Adapter, AdapterFiles, Job } from "../../../spec/job.ts";
import type { MeasuredSizes } from "../../../spec/measured.ts";
import { slopesAt } from "../../compiler/sessions.ts";
import { referenceDevice } from "../../compiler/support.ts";
import { bases, batches, type MethodCase, usual, writeBase } from "./case.ts";
import { type Reference, writeFolder } from "./reference.ts";
import { distances, readTensors, type Stored, type Tensors, worst } from "./tensors.ts";

export interface Apart {
  /** Losses alone are comparable. */
  readonly lossesOnly: boolean;
  /** Tensors were handed over by name: the library's file has another form. */
  readonly filesDiffer: boolean;
  /** Largest relative distance of a first tensor, where both sides compute them, and whose. */
  readonly first: { readonly name: string; readonly far: number };
  /** Largest relative distance of a tensor's first gradient, and whose. */
  readonly gradient: { readonly name: string; readonly far: number };
  /** Largest relative difference of a step's loss. */
  readonly sgdLoss: number;
  readonly adamwLoss: number;
  /** Largest relative distance of a trained tensor, and whose. */
  readonly sgd: { readonly name: string; readonly far: number };
  readonly adamw: { readonly name: string; readonly far: number };
  /** How far PEFT's own tensors went from the first, relative: a comparison of what never moved says nothing. */
  readonly moved: number;
  /** Ours and theirs. */
  readonly trainable: readonly [number, number];
  readonly bytes: readonly [number, number];
  /** How large our own file should be: its tensors' names may hold the adapter's, which is another one here. */
  readonly planned: number;
  /** Where ours was saved after SGD. */
  readonly saved: string;
  /** Our logits of the first row after SGD, [tokens][vocabulary]. */
  readonly logits: readonly (readonly number[])[];
}

export interface Workshop {
  readonly folder: string;
  readonly device: Device;
  readonly base: (name: keyof typeof bases) => string;
  readonly close: () => void;
}

/** A temporary folder with both bases. */
export const openWorkshop = async (device: Device): Promise<Workshop> => {
  const folder = mkdtempSync(`${tmpdir()}/peft-methods-`);
  writeFileSync(`${folder}/rows.txt`, "a row\n");
  for (const [name, config] of Object.entries(bases)) {
    mkdirSync(`${folder}/${name}-shape`);
    writeFileSync(`${folder}/${name}-shape/config.json`, JSON.stringify(config));
    const file = `${folder}/${name}.peft`;
    const text = `peft 1\nbase model = blank("${name}-shape/")\nadapter it = tune() into model.**\n`;
    const { job } = await compile({ file, goal: "plan" }, compileHost(new Map([[file, text]])));
    await writeBase(`${folder}/${name}`, config, job!.parameters);
  }
  return { folder, device, base: (name) => `${folder}/${name}`, close: () => rmSync(folder, { recursive: true, force: true }) };
};

/** A block stands without `=`. */
export const block = (adapter: string): string => (adapter.startsWith("{") ? adapter : `= ${adapter}`);

const pipeline = (one: MethodCase): string => {
  const { base, adapter, definitions = "", sgd = usual.sgd, adamw = usual.adamw, optimizer, observe } = one;
  const rows = one.singly ? "micro_batch_size: 1  gradient_accumulation_steps: 3" : "micro_batch_size: 3";
  const common = `steps: ${usual.steps}  ${rows}  sequence_len: 16  shuffle: false${observe ? `  observe: ${3 * observe} rows` : ""}`;
  return `peft 1
${definitions}
base model = checkpoint("${base}/")
adapter sgd ${block(adapter)}
adapter adamw ${block(optimizer?.adapter ?? adapter)}
data rows { train = text("rows.txt")  answer = "{text}" }
train sgd on rows { optimizer: sgd(learning_rate: ${sgd})  ${common} }
train adamw on rows { optimizer: ${optimizer?.ours ?? `adamw(learning_rate: ${adamw}, weight_decay: 0.01)`}  ${common} }
evaluate sgd on rows.train { metrics: [loss]  ${one.silent ? "" : "generate: greedy(max_new_tokens: 1)  "}micro_batch_size: 16  sequence_len: 16 }
`;
};

const examples: Examples = (() => {
  const rows = batches.flatMap(({ ids, labels }) => ids.map((row, i) => ({ row, labels: labels[i]! })));
  const starts = [0];
  for (const { row } of rows) starts.push(starts.at(-1)! + row.length);
  return {
    count: rows.length,
    ids: Int32Array.from(rows.flatMap(({ row }) => row)),
    labels: Uint8Array.from(rows.flatMap(({ labels }) => labels.map((label, i) => (i > 0 && label !== -100 ? 1 : 0)))),
    starts: Int32Array.from(starts),
    rows: Int32Array.from(rows, (_, i) => i + 1),
  };
})();

/** The case's two adapters, by what trains them. */
const optimizers = ["sgd", "adamw"] as const;

/** A tensor's name that holds an adapter's, for another. */
const renamed = (key: string, before: string, name: string): string => key.replace(`.${before}.`, `.${name}.`);

const called = (name: string, before: string, tensors: Tensors): Tensors =>
  new Map([...tensors].map(([key, value]) => [renamed(key, before, name), value]));

/** What AdapterHub calls the adapter; PEFT's files hold no name. */
const theirName = ({ config }: Reference): string => (typeof config?.name === "string" ? config.name : "");

/** `library` replaces the standard one, to show that a mistake in it is seen. */
export const compare = async (
  name: string,
  one: MethodCase,
  reference: Reference,
  { folder, device, base }: Workshop,
  library?: ReadonlyMap<string, string>,
): Promise<Apart> => {
  const file = `${folder}/${one.base}-case.peft`;
  const place = `${folder}/${library ? "mistaken" : "ours"}/${name.replaceAll(/\W+/g, "-")}`;
  const plain = compileHost(new Map([[file, pipeline(one)]]));
  const { stdTrees: _, ...bare } = plain;
  const host = library ? { ...bare, std: library } : plain;
  const compiled = async (measured: readonly MeasuredSizes[]) => {
    const { checked, diagnostics } = await compile({ file, goal: "check", measured }, host);
    const errors = diagnostics.filter(({ severity }) => severity === "error");
    if (errors.length || !checked) throw new Error(errors.map(({ code, message, help }) => `${code} ${message} (${help})`).join("\n"));
    const lowered = lower(checked, host, { report: () => {}, through: [] })!;
    return { checked, lowered, ...emitSegments(lowered) };
  };
  const loadWeights = async (session: Session, of: Job): Promise<void> => {
    const checkpoint = await openCheckpoint(nodeHost, base(one.base));
    await loadParameters(of, checkpoint, (parameter, values) =>
      of.values[parameter.name] ? session.write(parameter.name, values) : undefined,
    );
    await checkpoint.close();
  };
  /** Sizes that the data decides, where there are any. */
  const measured = async ({ checked, job, files }: Awaited<ReturnType<typeof compiled>>): Promise<readonly MeasuredSizes[]> => {
    if (!job.adapters.some(({ measure }) => measure)) return [];
    const session = await device.open(job, async (path) => bytesOf(files.get(path)!));
    await loadWeights(session, job);
    const lines: MeasuredSizes[] = [];
    for (const train of job.train) {
      const adapter = job.adapters.find((own) => own.name === train.adapter)!;
      const values = await measureAdapter(job, adapter, session, { observe: observerOf(job, train, examples, session, () => {}) });
      const sizes = adapter.measure!.sizes.map(({ value, ...size }) => ({ ...size, size: values.get(value)![0]! }));
      lines.push(...measuredLines(adapter.name, sizes, checked.measuredFrom));
    }
    await session.close();
    return lines;
  };
  const { lowered, job, files } = await compiled(await measured(await compiled([])));
  const adapterOf = (own: string): Adapter => job.adapters.find((adapter) => adapter.name === own)!;
  for (const own of one.named ? [] : optimizers)
    await writeFolder(`${place}/first-${own}`, called(own, theirName(reference), reference.first), {
      ...(reference.config ?? adapterOf(own).files.config),
      ...("hub" in one.config && { name: own }),
    });

  const begin = async (session: Session): Promise<void> => {
    await loadWeights(session, job);
    for (const train of job.train)
      await initAdapter(job, adapterOf(train.adapter), session, { observe: observerOf(job, train, examples, session, () => {}) });
    for (const own of one.begins || one.named ? [] : optimizers)
      await loadAdapter(nodeHost, `${place}/first-${own}`, adapterOf(own), job.parameters, (parameter, values) =>
        session.write(parameter, values),
      );
    const handed = one.encoder ?? one.named;
    const given = one.encoder ? reference.encoder : reference.first;
    for (const own of handed ? optimizers : []) {
      for (const [key, locals] of Object.entries(handed!)) {
        let from = 0;
        for (const local of locals) {
          const size = job.parameters.find(({ name: parameter }) => parameter === `${own}:${local}`)!.shape.reduce((a, b) => a * b, 1);
          await session.write(`${own}:${local}`, Float32Array.from(given!.get(key)!.values.subarray(from, from + size)));
          from += size;
        }
      }
      await finishAdapter(job, adapterOf(own), session);
    }
  };
  /** The adapter's tensors as its file holds them, read through `read`. */
  const stored = async (own: string, part: string, read: (parameter: string) => Promise<Float32Array>): Promise<Tensors> => {
    const { library } = adapterOf(own).files;
    if (one.named) return gathered(one.named, reference.first, (local) => read(`${own}:${local}`));
    await saveAdapter(
      nodeHost,
      `${place}/${part}`,
      adapterOf(own),
      job.parameters,
      read,
      aboutBase(library, { base_model_name_or_path: base(one.base) }),
    );
    return called(theirName(reference), own, await readTensors(`${place}/${part}/${weightsFiles[library]}`));
  };

  const interpreter = await referenceDevice(lowered.segments).open(job, async () => new Uint8Array());
  await begin(interpreter);
  const firstOwn = await stored("sgd", "begun", async (parameter) => (await interpreter.read(parameter)) as Float32Array);
  const descent = job.train.find(({ adapter }) => adapter === "sgd")!;
  const [first] = planEpoch(examples, { size: one.singly ? 1 : 3, order: "file", seed: 0, epoch: 0 });
  const { ends, ...batch } = fillBatch(examples, first!, 16, descent.virtual);
  await slopesAt(interpreter, descent, { ...batch, ...(descent.ends && { ends }) });
  const slopeOf = async (local: string) => (await interpreter.read(gradientOf(`sgd:${local}`))) as Float32Array;
  const ofTensors = () =>
    stored("sgd", "gradients", async (parameter) => {
      const trained = job.parameters.find((candidate) => candidate.name === parameter)!;
      return trained.trained
        ? ((await interpreter.read(gradientOf(parameter))) as Float32Array)
        : new Float32Array(trained.shape.reduce((a, b) => a * b, 1));
    });
  const gradients = await (one.encoder ? gathered(one.encoder, reference.encoder!, slopeOf) : ofTensors());
  await interpreter.close();

  const session = await device.open(job, async (path) => bytesOf(files.get(path)!));
  await begin(session);
  const train = async (own: (typeof optimizers)[number]) => {
    const item = job.train.find(({ adapter }) => adapter === own)!;
    const { losses } = await trainAdapter(job, item, examples, session, {
      listen: () => {},
      history: new Float32Array(curvesOf(item) * usual.steps),
    });
    await finishAdapter(job, adapterOf(own), session);
    return { losses, tensors: await stored(own, own, async (parameter) => (await session.read(parameter)) as Float32Array) };
  };
  const [sgd, adamw] = [await train("sgd"), await train("adamw")];
  const logits = one.silent ? [] : await logitsOf(job, session, batches[0]!.ids[0]!);
  await session.close();

  const shapes = new Map(job.parameters.map((parameter) => [parameter.name, parameter.shape]));
  const { files: own } = adapterOf("sgd");
  const filed = { ...own, tensors: own.tensors.map((tensor) => ({ ...tensor, key: renamed(tensor.key, "sgd", theirName(reference)) })) };
  const lossApart = (ours: readonly number[], theirs: readonly number[]): number =>
    Math.max(...theirs.map((loss, i) => Math.abs(loss - ours[i]!) / Math.abs(loss)));
  return {
    lossesOnly: one.begins === "own",
    filesDiffer: one.begins === "own" || one.named !== undefined,
    first: worst(one.begins === "observed" ? distances(firstOwn, reference.first) : new Map()),
    // Positions have none.
    gradient: worst(distances(gradients, new Map([...reference.gradients].filter(([name]) => !reference.first.get(name)?.whole)))),
    sgdLoss: lossApart(sgd.losses, reference.sgd.losses),
    adamwLoss: lossApart(adamw.losses, reference.adamw.losses),
    sgd: worst(distances(sgd.tensors, reference.sgd.tensors)),
    adamw: worst(distances(adamw.tensors, reference.adamw.tensors)),
    moved: worst(distances(reference.first, reference.sgd.tensors)).far,
    trainable: [adapterOf("sgd").trainable, reference.trainable],
    bytes: [adapterFileBytes(filed, shapes), reference.bytes],
    planned: adapterFileBytes(own, shapes),
    saved: `${place}/sgd`,
    logits,
  };
};

/** Their tensors' values, of ours whose rows each holds. */
const gathered = async (
  named: Readonly<Record<string, readonly string[]>>,
  theirs: Tensors,
  read: (local: string) => Promise<Float32Array>,
): Promise<Tensors> => {
  const tensors = new Map<string, Stored>();
  for (const [key, locals] of Object.entries(named)) {
    const values: number[] = [];
    for (const local of locals) values.push(...(await read(local)));
    tensors.set(key, { shape: theirs.get(key)!.shape, values: Float64Array.from(values) });
  }
  return tensors;
};

const logitsOf = async (job: Job, session: Session, real: readonly number[]): Promise<number[][]> => {
  const { generator: program, virtual = 0 } = job.evaluate[0]!;
  const ids = [...new Array<number>(virtual).fill(0), ...real];
  const counting = Int32Array.from(ids, (_, i) => i);
  await session.write("ids", Int32Array.from(ids));
  await session.write("positions", counting);
  await session.write("rows", counting);
  await session.run(program!, { b: 1, t: ids.length, n: ids.length, s: job.programs[program!]!.dims.s! });
  const flat = (await session.read("logits", program!)) as Float32Array;
  const wide = job.base.vocab_size;
  return real.map((_, i) => [...flat.subarray((virtual + i) * wide, (virtual + i + 1) * wide)]);
};

const bytesOf = (content: string | Uint8Array): Uint8Array => (typeof content === "string" ? new TextEncoder().encode(content) : content);

/** `plan` counts what the file holds; the file of a finished adapter is as large. */
export const sizeOf = (saved: string, library: AdapterFiles["library"] = "peft"): number =>
  statSync(`${saved}/${weightsFiles[library]}`).size;
