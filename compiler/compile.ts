// The whole compiler on one screen.
//
//   text ──parse──▶ tree ──resolve──▶ files and library ──check──▶ checked pipeline        (peft check ends here)
//                                                                        │
//             module tree + adapters ──elaborate──▶ amended graph ──associate──▶ cheapest products
//                                                                        │ differentiate, cut into segments
//                                                   training graph ──────┘
//                                                        │ place: every buffer         (peft plan ends here)
//                                                        ▼
//                      job.json ◀──lower── programs of segments ──fuse──▶ kernels ──emit──▶ ONNX, WGSL   (peft build)

import type { Diagnostic } from "../spec/diagnostic.ts";
import type { Job } from "../spec/job.ts";
import type { MeasuredSizes } from "../spec/measured.ts";
import type { ScoreBound } from "../spec/score-bounds.ts";
import { adapterFiles } from "./adapters/adapter-files.ts";
import { mergingToMeasure } from "./adapters/merge-to-measure.ts";
import { type Asked, usualContext, withAsked } from "./blocks/asked.ts";
import { withFigures } from "./blocks/figures.ts";
import { expandPoints, type Point, type PointSet } from "./blocks/points.ts";
import { type Resolved, resolve } from "./blocks/resolve.ts";
import { type Checked, check } from "./check/check.ts";
import { checkChat } from "./check/check-chat.ts";
import { checkRows } from "./check/check-rows.ts";
import { checkUnused } from "./check/check-unused.ts";
import type { RowFacts } from "./check/fact-table.ts";
import { adapterFileBytes } from "./check/facts.ts";
import { checkRequire, requireNeeds } from "./check/require.ts";
import type { CompileHost } from "./host.ts";
import { printAmended, printMemory, printModel, printTraining } from "./print.ts";
import type { Lowered } from "./programs/lower.ts";
import type { Context } from "./values/expressions.ts";

export interface CompileOptions {
  readonly file: string;
  /** Values of `input` declarations, as text. */
  readonly inputs?: Readonly<Record<string, string>>;
  /** How far to go. */
  readonly goal: "check" | "plan" | "build";
  /** What tokenizing told about the rows of each block (`train menu`), where that was done. */
  readonly rows?: ReadonlyMap<string, RowFacts>;
  /** One point of a sweep or a comparison in place of the file itself. */
  readonly point?: { readonly kind: PointSet["kind"]; readonly name: string; readonly id: string };
  /** Sizes that were measured, of the file and of its points. */
  readonly measured?: readonly MeasuredSizes[];
  /** What the command line asks of the file beyond its own blocks. */
  readonly asked?: Asked;
}

export type Level = "model" | "amended" | "training" | "memory" | "kernels" | "bundle";

export interface Compiled {
  readonly diagnostics: readonly Diagnostic[];
  /** Source text by file, for code frames. */
  readonly texts: ReadonlyMap<string, string>;
  /** Absent only when the file could not be read. */
  readonly resolved?: Resolved;
  readonly checked?: Checked;
  /** What the file's `sweep` and `compare` blocks run; not for a point itself. */
  readonly points?: readonly PointSet[];
  /** From `plan` on, when there is no error. Kernels and files only after `build`. */
  readonly job?: Job;
  readonly files?: ReadonlyMap<string, string | Uint8Array>;
  /** Every level that was reached, printable. */
  readonly levels: Partial<Record<Level, () => string>>;
}

export const compile = async (options: CompileOptions, given: CompileHost): Promise<Compiled> => {
  const diagnostics: Diagnostic[] = [];
  const seen = new Set<string>();
  const report = (diagnostic: Diagnostic): void => {
    // Layers repeat; what is wrong in one is wrong in all and is said once.
    const key = `${diagnostic.code} ${diagnostic.at?.file}:${diagnostic.at?.start} ${diagnostic.message.replaceAll(/\.\d+\./g, ".*.")}`;
    if (!seen.has(key)) diagnostics.push(diagnostic);
    seen.add(key);
  };
  const failed = (): boolean => diagnostics.some((diagnostic) => diagnostic.severity === "error");
  const context: Context = { report, through: [] };
  const host = readingOnce(given);

  const read = resolve(options.file, host, report);
  if (!read) return { diagnostics, texts: new Map(), levels: {} };
  const whole = options.asked ? withAsked(read, options.asked) : read;
  const { texts } = whole;
  let points = expandPoints(whole, context);
  const chosen = options.point && findPoint(options.point, points);
  const [resolved, inputs] = chosen ? pointOf(chosen, whole, options.inputs ?? {}) : [whole, options.inputs ?? {}];
  const sizesOf = (point: string | undefined): readonly MeasuredSizes[] => options.measured?.filter((one) => one.point === point) ?? [];
  const found = await check(resolved, inputs, host, sizesOf(options.point && pointLabel(options.point)), report);
  const checked = found && adjusted(found, options, chosen);
  // A mistake that only some points have (a rank too large) is found before any of them runs.
  if (!chosen)
    for (const set of points)
      for (const point of set.points)
        await check(...pointOf(point, whole, inputs), host, sizesOf(pointLabel({ ...set, id: point.id })), report);
  if (!checked) return { diagnostics, texts, resolved, points, levels: {} };
  if (!chosen) {
    const scores = new Set(checked.evaluates.flatMap(({ metrics }) => metrics.flatMap((metric) => metric.scores)));
    points = withFigures(points, whole.items, { file: options.file, scores, scope: checked.scope, host }, context);
    await checkChat(checked, options.file, host, context);
    await checkRows(checked, options.file, options.goal === "check", host, context);
    // A name that was mistyped is why another goes unused.
    if (!failed() && !options.asked) checkUnused(options.file, checked.source.items, context);
  }
  const levels: Compiled["levels"] = { model: () => printModel(checked), amended: () => printAmended(checked, context) };

  let lowered: Lowered | undefined;
  const needs = requireNeeds(checked.requires, checked.trains);
  if ((options.goal !== "check" || needs !== "check") && !failed()) {
    const [{ lower }, { fit }] = await Promise.all([import("./programs/lower.ts"), import("./programs/fit.ts")]);
    lowered = lower(checked, host, context);
    if (lowered && !failed()) lowered = fit(checked, lowered, host);
  }
  if (failed()) lowered = undefined;
  const held = await requireFacts(checked, lowered, needs === "kernels", host, options, context);
  if (!lowered || failed()) return { diagnostics, texts, resolved, points, checked, levels };
  if (held.length > 0) lowered = { ...lowered, job: { ...lowered.job, require: held.map(withoutFolder) } };
  levels.training = () => printTraining(lowered);
  levels.memory = () => printMemory(lowered.job);
  if (options.goal !== "build") return { diagnostics, texts, resolved, points, checked, job: lowered.job, levels };

  const { emitSegments } = await import("./emit/segments.ts");
  const { job, files, kernels } = emitSegments(lowered);
  files.set("job.json", `${JSON.stringify(job, undefined, 1)}\n`);
  levels.kernels = () => kernels;
  levels.bundle = () => files.get("job.json") as string;
  return { diagnostics, texts, resolved, points, checked, job, files, levels };
};

/** What the file does not say and this compilation needs. */
const adjusted = (checked: Checked, { asked, point }: CompileOptions, chosen: Point | undefined): Checked => {
  if (chosen && point?.kind === "compare") return mergingToMeasure(checked, chosen.subject);
  if (!asked?.talk) return checked;
  // A conversation is as long as it becomes, not as the rows were that an adapter was trained on.
  const most = Math.min(usualContext, checked.base.context);
  return { ...checked, evaluates: checked.evaluates.map((plan) => ({ ...plan, sequence_len: plan.sequence_len ?? most })) };
};

/** A point as FILE.measured names it. */
export const pointLabel = ({ kind, name, id }: NonNullable<CompileOptions["point"]>): string => `${kind} ${name} ${id}`;

/** A checkpoint's headers are read once, however many points look at them. */
const readingOnce = (host: CompileHost): CompileHost => {
  const known = new Map<string, ReturnType<CompileHost["headers"]>>();
  return {
    ...host,
    headers: (folder) => {
      const read = known.get(folder) ?? host.headers(folder);
      known.set(folder, read);
      return read;
    },
  };
};

const findPoint = ({ kind, name, id }: NonNullable<CompileOptions["point"]>, sets: readonly PointSet[]): Point => {
  const found = sets.find((set) => set.kind === kind && set.name === name)?.points.find((point) => point.id === id);
  if (!found) throw new Error(`${kind} ${name} has no point ${id}`);
  return found;
};

/** The file as the point runs it, and the inputs that it leaves to the command line. */
const pointOf = (
  { items, inputs: own }: Point,
  resolved: Resolved,
  inputs: Readonly<Record<string, string>>,
): [Resolved, Readonly<Record<string, string>>] => [
  { ...resolved, items, own: [] },
  Object.fromEntries(Object.entries(inputs).filter(([name]) => !own.includes(name))),
];

const requireFacts = async (
  checked: Checked,
  lowered: Lowered | undefined,
  countKernels: boolean,
  { metrics }: CompileHost,
  { rows }: CompileOptions,
  context: Context,
): Promise<readonly ScoreBound[]> => {
  const shapes = new Map(
    [...checked.adapters.values()].flatMap((adapter) => adapter.params.map((param) => [param.name, param.shape.map(Number)] as const)),
  );
  const kernels = lowered && countKernels ? (await import("./kernels/count-kernels.ts")).countKernels(lowered) : undefined;
  const sources = {
    base: checked.base,
    adapters: checked.adapters,
    trains: checked.trains,
    evaluated: scoresOf(checked),
    scores: new Set([...metrics.values()].flatMap((metric) => metric.scores)),
    fileBytes: (name: string): number => adapterFileBytes(adapterFiles(checked.adapters.get(name)!, checked.base.root, context), shapes),
    job: lowered?.job,
    kernels,
    rows,
  };
  const reached = kernels ? "kernels" : lowered ? "plan" : "check";
  return checked.requires.flatMap((item) =>
    checkRequire(item, sources, { ...context, scope: checked.scope, declared: checked.declared, reached }),
  );
};

/** A job is the same wherever its file lies. */
const withoutFolder = (bound: ScoreBound): ScoreBound => ({
  ...bound,
  at: { ...bound.at, file: bound.at.file.split(/[\\/]/).at(-1)! },
});

/** By subject. */
const scoresOf = ({ evaluates }: Checked): ReadonlyMap<string, ReadonlySet<string>> => {
  const found = new Map<string, Set<string>>();
  for (const { subject, metrics } of evaluates)
    found.set(subject, new Set([...(found.get(subject) ?? []), ...metrics.flatMap(({ scores }) => scores)]));
  return found;
};
