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
import { adapterFiles } from "./adapter-files.ts";
import { type Checked, check } from "./check.ts";
import { checkRows } from "./check-rows.ts";
import { checkUnused } from "./check-unused.ts";
import type { Context } from "./expressions.ts";
import type { RowFacts } from "./fact-table.ts";
import { adapterFileBytes } from "./facts.ts";
import type { CompileHost } from "./host.ts";
import { type Lowered, lower } from "./lower.ts";
import { printAmended, printMemory, printModel, printTraining } from "./print.ts";
import { checkRequire, requireNeeds } from "./require.ts";
import { type Resolved, resolve } from "./resolve.ts";

export interface CompileOptions {
  readonly file: string;
  /** Values of `input` declarations, as text. */
  readonly inputs?: Readonly<Record<string, string>>;
  /** How far to go. */
  readonly goal: "check" | "plan" | "build";
  /** What tokenizing told about the rows of each block (`train menu`), where that was done. */
  readonly rows?: ReadonlyMap<string, RowFacts>;
}

export type Level = "model" | "amended" | "training" | "memory" | "kernels" | "bundle";

export interface Compiled {
  readonly diagnostics: readonly Diagnostic[];
  /** Source text by file, for code frames. */
  readonly texts: ReadonlyMap<string, string>;
  /** Absent only when the file could not be read. */
  readonly resolved?: Resolved;
  readonly checked?: Checked;
  /** From `plan` on, when there is no error. Kernels and files only after `build`. */
  readonly job?: Job;
  readonly files?: ReadonlyMap<string, string | Uint8Array>;
  /** Every level that was reached, printable. */
  readonly levels: Partial<Record<Level, () => string>>;
}

export const compile = async (options: CompileOptions, host: CompileHost): Promise<Compiled> => {
  const diagnostics: Diagnostic[] = [];
  const seen = new Set<string>();
  const report = (diagnostic: Diagnostic): void => {
    // Layers repeat; what is wrong in one is wrong in all and is said once.
    const key = `${diagnostic.code} ${diagnostic.at?.file}:${diagnostic.at?.start} ${diagnostic.message}`;
    if (!seen.has(key)) diagnostics.push(diagnostic);
    seen.add(key);
  };
  const failed = (): boolean => diagnostics.some((diagnostic) => diagnostic.severity === "error");
  const context: Context = { report, through: [] };

  const resolved = resolve(options.file, host, report);
  if (!resolved) return { diagnostics, texts: new Map(), levels: {} };
  const { texts } = resolved;
  const checked = await check(resolved, options.inputs ?? {}, host, report);
  if (!checked) return { diagnostics, texts, resolved, levels: {} };
  await checkRows(checked, options.file, options.goal === "check", host, context);
  // A name that was mistyped is why another goes unused.
  if (!failed()) checkUnused(options.file, checked.source.items, context);
  const levels: Compiled["levels"] = { model: () => printModel(checked), amended: () => printAmended(checked, context) };

  let lowered: Lowered | undefined;
  const needs = requireNeeds(checked.requires, checked.trains);
  if ((options.goal !== "check" || needs !== "check") && !failed()) lowered = lower(checked, host, context);
  if (failed()) lowered = undefined;
  await requireFacts(checked, lowered, needs === "kernels", options, context);
  if (!lowered || failed()) return { diagnostics, texts, resolved, checked, levels };
  levels.training = () => printTraining(lowered);
  levels.memory = () => printMemory(lowered.job);
  if (options.goal !== "build") return { diagnostics, texts, resolved, checked, job: lowered.job, levels };

  const { emitSegments } = await import("./emit/segments.ts");
  const { job, files, kernels } = emitSegments(lowered);
  files.set("job.json", `${JSON.stringify(job, undefined, 1)}\n`);
  levels.kernels = () => kernels;
  levels.bundle = () => files.get("job.json") as string;
  return { diagnostics, texts, resolved, checked, job, files, levels };
};

const requireFacts = async (
  checked: Checked,
  lowered: Lowered | undefined,
  countKernels: boolean,
  { rows }: CompileOptions,
  context: Context,
): Promise<void> => {
  const shapes = new Map(
    [...checked.adapters.values()].flatMap((adapter) => adapter.params.map((param) => [param.name, param.shape.map(Number)] as const)),
  );
  const kernels = lowered && countKernels ? (await import("./count-kernels.ts")).countKernels(lowered) : undefined;
  const sources = {
    base: checked.base,
    adapters: checked.adapters,
    trains: checked.trains,
    evaluated: new Set(checked.evaluates.map(({ subject }) => subject)),
    fileBytes: (name: string): number => adapterFileBytes(adapterFiles(checked.adapters.get(name)!, checked.base.root, context), shapes),
    job: lowered?.job,
    kernels,
    rows,
  };
  const reached = kernels ? "kernels" : lowered ? "plan" : "check";
  for (const item of checked.requires)
    checkRequire(item, sources, { ...context, scope: checked.scope, declared: checked.declared, reached });
};
