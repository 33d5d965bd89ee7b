// Evaluation while an adapter trains: what was found at which step, which of those was best, and when to stop. The whole of it is part
// of the training's state, so a run that was stopped goes on as if it had not been: values are rounded to what the state can hold
// before they are compared.

import type { Train } from "../spec/job.ts";
import type { TrainEvaluation } from "../spec/result.ts";
import type { TokenSums } from "./evaluate.ts";
import type { StateArray } from "./training-state.ts";

export interface Watch {
  /** Whether an evaluation is due after this step. */
  readonly due: (step: number, total: number, epochEnds: boolean, epoch: number) => boolean;
  /** Evaluates after a step; true when training should stop here. */
  readonly look: (step: number) => Promise<boolean>;
  /** Puts the best parameters back, where they are kept. */
  readonly finish: () => Promise<void>;
  readonly found: () => readonly TrainEvaluation[];
  /** Of those found. */
  readonly best: () => TrainEvaluation | undefined;
  /** What the state has to hold, and where it is. */
  readonly arrays: readonly StateArray[];
  readonly memory: ReadonlyMap<string, Float32Array>;
}

export interface WatchOptions {
  readonly train: Train;
  /** Optimizer steps of the whole training. */
  readonly total: number;
  /** Trained values. */
  readonly size: number;
  readonly evaluate: () => Promise<TokenSums>;
  readonly read: () => Promise<Float32Array>;
  readonly write: (values: Float32Array) => void | Promise<void>;
  readonly tell: (evaluation: TrainEvaluation) => void;
}

/** Undefined when the training says nothing of evaluation. */
export const watchOf = (options: WatchOptions): Watch | undefined => {
  const { train, total, size } = options;
  const { evaluate: rhythm, keep_best: by, patience } = train;
  if (!rhythm) return undefined;
  // One per interval, and one at the end.
  const most = (rhythm.unit === "steps" ? Math.ceil(total / rhythm.every) : (train.epochs ?? total)) + 1;
  const table = new Float32Array(1 + 3 * most); // [how many, then step, loss, accuracy of each]
  const kept = new Float32Array(by ? size : 0);
  const found = (): TrainEvaluation[] =>
    Array.from({ length: table[0]! }, (_, i) => ({ step: table[1 + 3 * i]!, loss: table[2 + 3 * i]!, token_accuracy: table[3 + 3 * i]! }));
  const measure = by ?? "loss";
  const better = (a: TrainEvaluation, b: TrainEvaluation): boolean =>
    measure === "loss" ? a.loss < b.loss : a.token_accuracy > b.token_accuracy;
  const bestOf = (all: readonly TrainEvaluation[]): number =>
    all.reduce((best, one, i) => (i > 0 && better(one, all[best]!) ? i : best), 0);
  return {
    due: (step, last, epochEnds, epoch) =>
      step === last || (rhythm.unit === "steps" ? step % rhythm.every === 0 : epochEnds && (epoch + 1) % rhythm.every === 0),
    look: async (step) => {
      const sums = await options.evaluate();
      const at = 1 + 3 * table[0]!;
      table.set([step, sums.loss / sums.tokens, sums.right / sums.tokens], at);
      table[0]!++;
      const all = found();
      options.tell(all.at(-1)!);
      const best = bestOf(all);
      if (by && best === all.length - 1) kept.set(await options.read());
      return patience !== undefined && all.length - 1 - best >= patience;
    },
    finish: async () => {
      if (by && table[0]! > 0) await options.write(kept.slice());
    },
    found,
    best: () => {
      const all = found();
      return all[bestOf(all)];
    },
    arrays: [
      { name: "evaluations", dtype: "f32", shape: [table.length] },
      ...(by ? [{ name: "best", dtype: "f32" as const, shape: [size] }] : []),
    ],
    memory: new Map([["evaluations", table], ...(by ? [["best", kept] as const] : [])]),
  };
};
