// A compiled pipeline -> the facts that `plan` prints and `--json` gives: counts, bytes and FLOPs that follow from the file, the
// config and the checkpoint's header. No weight was read. Bytes are of the largest batch the file allows.

import { type AdapterPlan, methodNames } from "../compiler/adapters/inject.ts";
import type { MeasuredLine } from "../compiler/adapters/measured-sizes.ts";
import type { Checked } from "../compiler/check/check.ts";
import { adapterFileBytes } from "../compiler/check/facts.ts";
import { type FormatPlan, storedBytes } from "../compiler/model/format.ts";
import { type Instance, parametersOf } from "../compiler/model/instantiate.ts";
import { type TiedUse, tiedUses } from "../compiler/model/ties.ts";
import { formatsFor } from "../compiler/programs/arena.ts";
import { bytesOf } from "../compiler/programs/place.ts";
import { readStateFormats } from "../compiler/programs/state-formats.ts";
import { at } from "../compiler/values/dims.ts";
import type { Job, Program, Train } from "../spec/job.ts";
import type { Data } from "../spec/job-data.ts";
import type { Prepared } from "./prepare.ts";

export interface PlanFacts {
  readonly file: string;
  readonly base: {
    readonly name: string;
    readonly architecture: string;
    readonly weights: "checkpoint" | "drawn";
    /** Where it is: a folder, or the exact commit of a place of the hub. */
    readonly path: string;
    readonly parameters: number;
  };
  /** How the base's weights lie in memory, where it is not as f32. */
  readonly stored: readonly StoredFacts[];
  readonly adapters: readonly AdapterFacts[];
  /** Files whose rows are divided between splits. */
  readonly divided: readonly DividedFacts[];
  readonly train: readonly TrainFacts[];
  /** Bytes while an evaluation, or a generation, of a subject runs: `evaluate menu`. */
  readonly inference: readonly { readonly what: string; readonly bytes: number }[];
  /** What a run of the whole file holds on each device. */
  readonly run: { readonly cpu: number; readonly webgpu: number };
  /** Threads of the cpu that may each hold a copy of what programs read; counted in `run.cpu`. */
  readonly lanes: number;
  /** Distinct segments and their kernels: what is compiled once, whatever the number of layers. */
  readonly segments: number;
  readonly kernels: number;
}

export interface StoredFacts {
  readonly format: string;
  readonly parameters: number;
  readonly bytes: number;
  readonly bits: number;
  /** Bytes less than with every state in f32; 0 where no state is stored in a format of its own. */
  readonly nested: number;
}

export interface AdapterFacts {
  readonly name: string;
  readonly method: string;
  readonly trainable: number;
  /** Parameters of the places it covers. */
  readonly covered: number;
  readonly file: number;
  readonly mergeable: boolean;
  readonly coverage: readonly { readonly pattern: string; readonly matches: readonly string[] }[];
  /** Sizes that the data decides, by line: the least and the most of all targets, and how many targets have none and are left out. */
  readonly measured: readonly MeasuredFacts[];
  /** Tensors that the model uses under several names, and whether all uses change. */
  readonly tied: readonly TiedUse[];
}

export interface MeasuredFacts {
  readonly size: string;
  /** Otherwise it is the most that it may be. */
  readonly known: boolean;
  readonly targets: number;
  readonly out: number;
  readonly least: number;
  readonly most: number;
}

export interface DividedFacts {
  readonly data: string;
  readonly path: string;
  readonly seed: number;
  /** What each split has of the rows: a share, a number, or the rest. */
  readonly parts: readonly { readonly split: string; readonly share?: number; readonly rows?: number; readonly rest?: true }[];
}

export interface TrainFacts {
  readonly adapter: string;
  readonly data: string;
  readonly rows: number;
  readonly tokens: number;
  readonly length: string;
  /** What becomes of longer rows. */
  readonly overlong: "cut" | "drop" | "error";
  /** Bytes by part, and what the whole needs. */
  readonly memory: Readonly<Record<string, number>>;
  readonly peak: number;
  /** One micro-batch forward and backward, divided by its tokens. */
  readonly flopsPerToken: number;
  readonly calls: number;
  readonly kernels: number;
  /** Layers whose activations are computed again, to keep a budget. */
  readonly recompute: number;
  /** What operands of products and activations are rounded to. */
  readonly compute: "f32" | "f16";
  /** What methods observe before first values: how much of the rows, in how many passes, and bytes of their sums on the host. */
  readonly observed?: {
    readonly amount: { readonly share?: number; readonly rows?: number };
    readonly passes: number;
    readonly bytes: number;
  };
  /** Evaluation while it trains: when, bytes of all that the device holds then, and of the best parameters, which the host keeps. */
  readonly evaluated?: { readonly every: number; readonly unit: string; readonly bytes: number; readonly best: number };
  /** Layers of the base that are read from its checkpoint whenever they are needed, to keep a budget. */
  readonly streamed: number;
  /** Bytes of optimizer state that lie outside the device's memory. */
  readonly paged: number;
  /** States that are kept in a format, by its label, and of how many of the trained tensors. */
  readonly states?: { readonly formats: Readonly<Record<string, string>>; readonly stored: number; readonly tensors: number };
}

export const planFacts = ({ source, checked, job }: Prepared): PlanFacts => {
  if (!checked || !job) throw new Error("planFacts needs a file that was compiled to its plan");
  return {
    file: source.file,
    base: {
      name: job.base.name,
      architecture: checked.base.architecture.name.text,
      weights: job.base.weights,
      path: job.base.path,
      parameters: job.base.parameters,
    },
    stored: storedFacts(checked.base.root),
    adapters: [...checked.adapters.values()].map((adapter) => adapterFacts(adapter, job)),
    divided: job.data.flatMap(dividedFacts),
    train: job.train.map((train) => trainFacts(train, job, checked)),
    inference: Object.entries(job.plan).flatMap(([what, bytes]) => (/^(evaluate|generate) /.test(what) ? [{ what, bytes }] : [])),
    run: { cpu: job.plan.cpu ?? 0, webgpu: job.plan.webgpu ?? 0 },
    lanes: job.lanes ?? 1,
    segments: Object.keys(job.segments).length,
    kernels: Object.values(job.segments).reduce((sum, { kernels }) => sum + kernels.length, 0),
  };
};

const size = (shape: readonly (number | string)[]): number => shape.reduce<number>((product, dim) => product * Number(dim), 1);

const storedFacts = (root: Instance): StoredFacts[] => {
  const groups = new Map<string, { format: FormatPlan; shapes: number[][] }>();
  for (const param of parametersOf(root)) {
    if (!param.format) continue;
    const group = groups.get(param.format.label) ?? { format: param.format, shapes: [] };
    group.shapes.push(param.shape.map(Number));
    groups.set(param.format.label, group);
  }
  return [...groups].map(([label, { format, shapes }]) => {
    const parameters = shapes.reduce((sum, shape) => sum + size(shape), 0);
    const bytesIn = (plan: FormatPlan): number => shapes.reduce((sum, shape) => sum + storedBytes(plan, shape), 0);
    const bytes = bytesIn(format);
    const flat = { ...format, states: format.states.map(({ format: _, ...state }) => state) };
    return { format: label, parameters, bytes, bits: (8 * bytes) / parameters, nested: bytesIn(flat) - bytes };
  });
};

const adapterFacts = (adapter: AdapterPlan, job: Job): AdapterFacts => {
  const written = job.adapters.find(({ name }) => name === adapter.name)!;
  const shapes = new Map(job.parameters.map(({ name, shape }) => [name, shape]));
  const covered = new Set(adapter.targets.flatMap(({ params }) => [...params.values()].map((param) => param?.tiedTo ?? param)));
  return {
    name: adapter.name,
    method: methodNames(adapter),
    trainable: adapter.trainable,
    covered: [...covered].reduce((sum, param) => sum + (param && !param.view ? size(param.shape) : 0), 0),
    file: adapterFileBytes(written.files, shapes),
    mergeable: written.mergeable,
    coverage: adapter.coverage.map(({ pattern, matches }) => ({ pattern, matches })),
    measured: (adapter.measured ?? []).flatMap(measuredFacts),
    tied: tiedUses(adapter),
  };
};

const measuredFacts = ({ names, sizes, known }: MeasuredLine): readonly MeasuredFacts[] =>
  names.map((size) => {
    const found = [...sizes.values()].map((own) => own[size]!);
    const there = found.filter((one) => one > 0);
    return { size, known, targets: found.length, out: found.length - there.length, least: Math.min(...there), most: Math.max(...there) };
  });

const dividedFacts = ({ name: data, splits }: Data): readonly DividedFacts[] =>
  splits.flatMap(({ path, part, name }) => {
    if (!part || part.index < part.held.length) return [];
    const others = splits.filter((other) => other.part && other.path === path && other.part.held === part.held && other.name !== name);
    const parts = others.map((other) => ({ split: other.name, ...part.held[other.part!.index] }));
    return [{ data, path, seed: part.seed, parts: [...parts, { split: name, rest: true as const }] }];
  });

const stateFacts = (train: Train, checked: Checked): Pick<TrainFacts, "states"> => {
  const plan = checked.trains.find(({ adapter }) => adapter === train.adapter)!;
  const formats = readStateFormats(plan, checked.library, checked.scope, { report: () => {}, through: [] });
  if (formats.size === 0) return {};
  const trained = checked.adapters.get(train.adapter)!.params.filter((param) => param.trained);
  return {
    states: {
      formats: Object.fromEntries([...formats].map(([state, { label }]) => [state, label])),
      stored: trained.filter(({ shape }) => formatsFor(size(shape), formats).size > 0).length,
      tensors: trained.length,
    },
  };
};

/** Bytes of what a training's step reads and does not train. What else the file runs may read more of the base. */
const frozenBytes = ({ inputs }: Program, { ring, plan, values }: Job): number => {
  if (ring) return plan.weights ?? 0;
  const read = inputs.flatMap((name) => values[name] ?? []);
  return read.reduce((sum, value) => ("own" in value.place ? sum + bytesOf(value, {}) : sum), 0);
};

const trainFacts = (train: Train, job: Job, checked: Checked): TrainFacts => {
  const step = job.programs[train.step]!;
  const length = Math.min(train.sequence_len, job.dims.t ?? train.sequence_len);
  const sizes = { ...job.dims, b: train.micro_batch_size, t: length, n: train.micro_batch_size * length };
  const of = (part: string): number => job.plan[`${train.adapter}.${part}`] ?? 0;
  const parts = {
    "frozen weights": frozenBytes(step, job),
    "trained parameters": of("parameters"),
    gradients: of("gradients") + of("accumulated"),
    "optimizer state": of("optimizer"),
    activations: job.plan.activations ?? 0,
    batch: job.plan.batch ?? 0,
  };
  return {
    adapter: train.adapter,
    data: train.data,
    rows: train.micro_batch_size * train.gradient_accumulation_steps,
    tokens: length,
    length: train.steps === undefined ? `${train.epochs} epochs` : `${train.steps} steps`,
    overlong: train.overlong ?? "cut",
    memory: parts,
    peak: job.plan[`train ${train.adapter}`] ?? 0,
    flopsPerToken: Math.round(flops(step, job, sizes) / (train.micro_batch_size * length)),
    streamed: job.ring?.length ?? 0,
    recompute: train.recompute ?? 0,
    compute: train.compute ?? "f32",
    ...(train.evaluate && {
      evaluated: { every: train.evaluate.every, unit: train.evaluate.unit, bytes: of("evaluation"), best: of("best") },
    }),
    ...(train.observe && {
      observed: {
        amount: train.observe.amount,
        passes: job.adapters.find(({ name }) => name === train.adapter)!.init?.filter(({ kind }) => kind === "observe").length ?? 0,
        bytes: job.plan[`observed ${train.adapter}`] ?? 0,
      },
    }),
    paged: train.pages ? train.state.reduce((sum, { value }) => sum + bytesOf(job.values[value]!, {}), 0) : 0,
    ...stateFacts(train, checked),
    calls: step.calls.length,
    kernels: step.calls.reduce((sum, { segment }) => sum + job.segments[segment]!.kernels.length, 0),
  };
};

const flops = (program: Program, job: Job, sizes: Readonly<Record<string, number>>): number =>
  program.calls.reduce((sum, { segment }) => sum + at(job.segments[segment]!.flops, sizes), 0);
