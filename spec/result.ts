// What a run leaves behind: DIR/result.json, checked against result.schema.json. Everything a figure in a report could come from,
// and enough of what was used (versions, seeds, device) to do it again. Times are seconds, sizes bytes.

import type { ScoreBound } from "./score-bounds.ts";

export interface Result {
  readonly format: "peft-result/1";
  readonly name: string;
  readonly source: { readonly file: string; readonly sha256: string };
  /** `interrupted`: stopped by Ctrl-C after saving; what was done so far stands below. */
  readonly outcome: "done" | "interrupted";
  readonly device: Device;
  readonly versions: Versions;
  /** What `input` values the run was given. */
  readonly inputs: Readonly<Record<string, string>>;
  /** `bytes`: of its tensors on the disk, where it has any: what a full copy for one task takes. */
  readonly base: { readonly name: string; readonly path: string; readonly parameters: number; readonly bytes?: number };
  readonly adapters: Readonly<Record<string, AdapterResult>>;
  readonly train: readonly TrainResult[];
  readonly evaluate: readonly EvaluateResult[];
  readonly merge: readonly MergeResult[];
  /** Bounds on scores, with what was measured; of several evaluations of a subject, the worst. */
  readonly require?: readonly HeldScore[];
  /** Where it was asked for: what a token costs. */
  readonly inference?: readonly InferenceResult[];
  readonly seconds: number;
  /** Predicted by the compiler beside what was measured; a pair is there once both are known. */
  readonly plan: readonly PlanRow[];
}

export interface HeldScore extends ScoreBound {
  readonly value: number;
  readonly holds: boolean;
}

export interface Device {
  readonly kind: "cpu" | "webgpu";
  /** As the driver names it. */
  readonly name: string;
  /** Why this one: asked for, or what `auto` found. */
  readonly why: string;
}

export interface Versions {
  readonly peft: string;
  readonly node: string;
  readonly platform: string;
  /** The engine under the device. */
  readonly engine: string;
}

export interface AdapterResult {
  readonly method: string;
  readonly trainable: number;
  /** Trainable parameters divided by those of the base. */
  readonly share: number;
  /** Where it was saved, and how large the file is. */
  readonly path?: string;
  readonly bytes?: number;
}

export interface TrainResult {
  readonly adapter: string;
  readonly data: string;
  readonly split: string;
  readonly seed: number;
  readonly steps: number;
  /** Real tokens that went through the model, padding left out. */
  readonly tokens: number;
  readonly seconds: number;
  readonly tokensPerSecond: number;
  /** Mean loss per answer token of each step, in order. */
  readonly losses: readonly number[];
  /** Of each loss, what methods added to it; where they do. */
  readonly added?: readonly number[];
  /** Gradient norm before clipping, one per step. */
  readonly norms: readonly number[];
  /** Learning rate of each step. */
  readonly rates: readonly number[];
  /** Evaluations while it trained, in order; and the one whose parameters were kept. */
  readonly evaluations?: readonly TrainEvaluation[];
  readonly best?: TrainEvaluation;
  /** It stopped before its last step, since evaluations gained nothing any more. */
  readonly stoppedEarly?: boolean;
  /** Bytes of all values on the device once it was trained. */
  readonly deviceMemory: number;
  /** Largest resident size of the process while it trained. */
  readonly peakMemory: number;
}

export interface TrainEvaluation {
  /** Optimizer steps done. */
  readonly step: number;
  readonly loss: number;
  readonly token_accuracy: number;
}

export interface EvaluateResult {
  /** Base or adapter name. */
  readonly subject: string;
  readonly data: string;
  readonly split: string;
  readonly rows: number;
  readonly metrics: Readonly<Record<string, number>>;
  /** 95 % bootstrap intervals of scores on text. */
  readonly intervals?: Readonly<Record<string, { readonly low: number; readonly high: number }>>;
  readonly seconds: number;
  /** Largest resident size of the process up to the end of it: of everything that ran before, too. Results from before it was measured have none. */
  readonly peakMemory?: number;
  /** Prompts with what was generated, a few. */
  readonly samples?: readonly Sample[];
  /** Distinct inputs that were answered, the tokens written for them, and how long that took. */
  readonly generation?: { readonly inputs: number; readonly tokens: number; readonly seconds: number };
  /** JSON lines of every input with its answer and references; where all were generated. */
  readonly answers?: string;
}

/** Seconds per token of one row that is generated token by token: the median step. */
export interface InferenceResult {
  readonly subject: string;
  readonly secondsPerToken: number;
  /** With the adapter merged into the base's weights, stored as the base stores them; where it can be. */
  readonly mergedSecondsPerToken?: number;
  readonly tokens: number;
}

export interface Sample {
  readonly prompt: string;
  readonly answer: string;
  readonly expected?: string;
}

export interface MergeResult {
  readonly adapter: string;
  readonly path: string;
  readonly bytes: number;
  readonly seconds: number;
  readonly tensors: number;
  /** Largest difference that rounding to the stored dtype or format made to any weight. */
  readonly rounding: number;
  /** Of a base that lies in formats: the root of the mean square of what was rounded away, over that of the weights. */
  readonly relative?: number;
  /** Loss with the adapter applied as it runs, and of the written folder; when the file evaluates base and adapter on one split. */
  readonly check?: { readonly split: string; readonly unmerged: number; readonly merged: number };
}

export interface PlanRow {
  readonly fact: string;
  readonly predicted: number;
  readonly measured: number;
}
