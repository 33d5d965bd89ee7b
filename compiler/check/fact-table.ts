// What a `require` block may hold: one entry per fact, with the verbs and units it takes and what must be known to compute it.
// To add a fact: one entry here, a line in spec/language/budgets.md.

import type { Job } from "../../spec/job.ts";
import type { AdapterPlan } from "../adapters/inject.ts";
import type { TrainPlan } from "../blocks/pipeline.ts";
import type { BasePlan } from "../model/base.ts";
import { at } from "../values/dims.ts";

/** How far a compilation must have come: the module tree, the placed programs, the fused kernels; or the data's tokens; or the run itself. */
export type Needs = "check" | "plan" | "kernels" | "data" | "run";

/** What tokenizing a block's rows told, at the block's own `sequence_len`. */
export interface RowFacts {
  readonly rows: number;
  readonly tokens: number;
  /** Tokens that have a loss. */
  readonly labels: number;
  /** Rows longer than `sequence_len`. */
  readonly truncated: number;
}

export interface FactSources {
  readonly base: BasePlan;
  readonly adapters: ReadonlyMap<string, AdapterPlan>;
  readonly trains: readonly TrainPlan[];
  /** What is evaluated, and the scores that its blocks give. */
  readonly evaluated: ReadonlyMap<string, ReadonlySet<string>>;
  /** Scores of every metric there is. */
  readonly scores: ReadonlySet<string>;
  readonly fileBytes: (adapter: string) => number;
  /** From the goal `plan` on. */
  readonly job?: Job | undefined;
  /** Kernels of a segment; from the goal `kernels` on. */
  readonly kernels?: ((segment: string) => number) | undefined;
  /** By block: `train menu`. */
  readonly rows?: ReadonlyMap<string, RowFacts> | undefined;
}

/** What a bound is measured in. `share` is a percentage, or a number from 0 to 1. */
export type Measure = "count" | "bytes" | "share";

export interface Subject {
  readonly verb: string | undefined;
  readonly name: string;
  /** Whether the bound is a percentage. */
  readonly share: boolean;
}

export interface Fact {
  readonly says: string;
  /** Verbs that may stand before the subject; the empty one is no verb. */
  readonly verbs: readonly string[];
  readonly measures: readonly Measure[];
  /** A fact of the base is asked for by the base's name. */
  readonly ofBase?: boolean;
  readonly needs: (subject: Subject, trains: readonly TrainPlan[]) => Needs;
  /** Undefined: the file holds no such block. */
  readonly value: (subject: Subject, sources: FactSources) => number | undefined;
  /** What lowers it. */
  readonly help: string;
}

const programOf = (job: Job | undefined, { verb, name }: Subject): readonly string[] =>
  verb === "train"
    ? (job?.train ?? []).filter(({ adapter }) => adapter === name).map(({ step }) => step)
    : (job?.evaluate ?? [])
        .filter(({ subject }) => subject === name)
        .flatMap(({ program, generator }) => (verb === "generate" ? (generator ?? []) : program));

const most = (values: readonly number[]): number | undefined => (values.length ? Math.max(...values) : undefined);

const rowsOf = ({ verb, name }: Subject, { rows }: FactSources): RowFacts | undefined => rows?.get(`${verb} ${name}`);

const fromRows = (count: (facts: RowFacts) => number, whole?: (facts: RowFacts) => number): Fact["value"] => {
  return (subject, sources) => {
    const facts = rowsOf(subject, sources);
    return facts && (subject.share && whole ? count(facts) / Math.max(1, whole(facts)) : count(facts));
  };
};

const onData = () => "data" as const;
const onPlan = () => "plan" as const;
const onCheck = () => "check" as const;

/** A score that a run gives: held when it has. */
export const scoreFact: Fact = {
  says: "a score of the subject's evaluation",
  verbs: ["evaluate"],
  measures: ["count"],
  ofBase: true,
  needs: () => "run",
  value: () => undefined,
  help: "what a run measures is held when it has",
};

export const factTable: Readonly<Record<string, Fact>> = {
  trainable: {
    says: "parameters that train, as a count or a share of the base",
    verbs: [""],
    measures: ["count", "share"],
    needs: onCheck,
    value: ({ name, share }, { adapters, base }) => {
      const { trainable } = adapters.get(name)!;
      return share ? trainable / base.parameters : trainable;
    },
    help: "lower the rank, cover fewer modules, or raise the bound",
  },
  modules: {
    says: "modules that the adapter covers",
    verbs: [""],
    measures: ["count"],
    needs: onCheck,
    value: ({ name }, { adapters }) => adapters.get(name)!.targets.length,
    help: "`peft plan` lists what each pattern covers",
  },
  file: {
    says: "bytes of the adapter's file",
    verbs: [""],
    measures: ["bytes"],
    needs: onCheck,
    value: ({ name }, { fileBytes }) => fileBytes(name),
    help: "lower the rank, cover fewer modules, or raise the bound",
  },
  memory: {
    says: "bytes that training, evaluating or generating needs at its largest batch",
    verbs: ["train", "evaluate", "generate"],
    measures: ["bytes"],
    ofBase: true,
    needs: onPlan,
    value: ({ verb, name }, { job }) => job?.plan[`${verb} ${name}`],
    help: "this is the least that recomputation and paged optimizer state leave: lower `micro_batch_size` or `sequence_len`, store the base in fewer bits, or raise the bound",
  },
  flops: {
    says: "floating-point operations of one optimizer step, or of one batch of an evaluation, at its largest",
    verbs: ["train", "evaluate"],
    measures: ["count"],
    ofBase: true,
    needs: onPlan,
    value: (subject, { job }) => {
      const accumulated = job?.train.find(({ adapter }) => adapter === subject.name)?.gradient_accumulation_steps ?? 1;
      return most(
        programOf(job, subject).map((name) => {
          const program = job!.programs[name]!;
          return at(program.flops, program.dims) * (subject.verb === "train" ? accumulated : 1);
        }),
      );
    },
    help: "lower `micro_batch_size` or `sequence_len` of the block, or raise the bound",
  },
  kernels: {
    says: "kernels of one micro-batch",
    verbs: ["train", "evaluate", "generate"],
    measures: ["count"],
    ofBase: true,
    needs: () => "kernels",
    value: (subject, { job, kernels }) =>
      most(programOf(job, subject).map((name) => job!.programs[name]!.calls.reduce((sum, { segment }) => sum + kernels!(segment), 0))),
    help: "`peft build --emit kernels` prints them",
  },
  steps: {
    says: "optimizer steps",
    verbs: ["train"],
    measures: ["count"],
    needs: ({ name }, trains) => (trains.some(({ adapter, steps }) => adapter === name && steps === undefined) ? "data" : "check"),
    value: (subject, sources) => {
      const train = sources.trains.find(({ adapter }) => adapter === subject.name);
      const rows = rowsOf(subject, sources)?.rows;
      if (!train || train.steps !== undefined) return train?.steps;
      return rows && train.epochs! * Math.ceil(Math.ceil(rows / train.micro_batch_size) / train.gradient_accumulation_steps);
    },
    help: "change `epochs`, `steps` or the batch, or the bound",
  },
  rows: {
    says: "rows that the block reads",
    verbs: ["train", "evaluate"],
    measures: ["count"],
    ofBase: true,
    needs: onData,
    value: fromRows(({ rows }) => rows),
    help: "look at the file, and at `rows` and `skip` of its reader",
  },
  tokens: {
    says: "tokens of those rows",
    verbs: ["train", "evaluate"],
    measures: ["count"],
    ofBase: true,
    needs: onData,
    value: fromRows(({ tokens }) => tokens),
    help: "change `rows`, or the bound",
  },
  truncated: {
    says: "rows longer than `sequence_len`, as a count or a share",
    verbs: ["train", "evaluate"],
    measures: ["count", "share"],
    ofBase: true,
    needs: onData,
    value: fromRows(
      ({ truncated }) => truncated,
      ({ rows }) => rows,
    ),
    help: "raise `sequence_len`, shorten the rows, or raise the bound",
  },
  masked: {
    says: "tokens that have no loss, as a count or a share",
    verbs: ["train", "evaluate"],
    measures: ["count", "share"],
    ofBase: true,
    needs: onData,
    value: fromRows(
      ({ tokens, labels }) => tokens - labels,
      ({ tokens }) => tokens,
    ),
    help: "shorten the prompt, or raise the bound",
  },
};
