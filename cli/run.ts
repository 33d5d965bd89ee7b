// `peft run`: everything the file declares, in order. `train`, `evaluate` and `merge` are the same with some of the blocks.

import { basename, dirname } from "node:path";
import type { Asked } from "../compiler/blocks/asked.ts";
import { placed } from "../compiler/blocks/places.ts";
import { type Diagnostic, nearest } from "../spec/diagnostic.ts";
import { diagnostics } from "../spec/diagnostics.generated.ts";
import type { Job } from "../spec/job.ts";
import { outputFolder } from "./build.ts";
import { type ExitCode, type Invocation, lastValue } from "./command.ts";
import { inputsOf } from "./compile-file.ts";
import { execute, type Verb } from "./execute.ts";
import { planFacts } from "./plan-facts.ts";
import { type Prepared, prepare } from "./prepare.ts";
import type { Located } from "./render/events.ts";
import { renderPlan } from "./render/plan.ts";
import { report } from "./report.ts";
import { standardInput } from "./sources.ts";

export const run = (call: Invocation): Promise<ExitCode> => runVerbs(call, ["train", "evaluate", "merge"], { points: true });

export const runVerbs = async (
  call: Invocation,
  verbs: readonly Verb[],
  /** `points`: sweeps and comparisons too. */
  { points = false, asked }: { readonly points?: boolean; readonly asked?: Asked } = {},
): Promise<ExitCode> => {
  const prepared = await prepare(call, "build", {
    rows: true,
    weights: true,
    ...(verbs.includes("train") && { sizes: "measured" as const }),
    ...(asked && { asked }),
  });
  if (typeof prepared === "number") return prepared;
  const located = locate(prepared);
  const complain = (found: readonly Diagnostic[]): Promise<ExitCode> =>
    report(call, { found: found.map(located.placed), files: [], text: located.text, product: false });
  const chosen = choose(prepared, call.arguments.slice(1), verbs);
  if ("code" in chosen) return complain([chosen]);
  const sets = points ? (prepared.points ?? []) : [];
  // Points have plans of their own, and no process is held to all of them.
  const { again, ...io } = call.io;
  const code = await execute({
    job: chosen,
    read: bundleReader(prepared),
    folder: sourceFolder(prepared),
    output: outputFolder(call),
    device: (lastValue(call, "device") as "auto" | "cpu" | "webgpu" | undefined) ?? "auto",
    verbs: new Set(verbs),
    inputs: inputsOf(call),
    cwd: call.io.cwd,
    keep: keptFiles(prepared),
    json: call.flags.has("json"),
    io: sets.length === 0 && again ? { ...io, again } : io,
    points: sets.length > 0,
    located,
    complain,
  });
  if (code !== 0 || sets.length === 0) return code;
  const { runPoints } = await import("./run-points.ts");
  return runPoints(call, prepared, sets, { print: !call.flags.has("json"), alone: false });
};

/** What a run says of its data and blocks, in the source it was compiled from. */
export const locate = ({ checked, texts }: Prepared): Located => ({
  placed: (diagnostic) => inFolder(checked ? placed(diagnostic, checked.source) : diagnostic, texts),
  text: (file) => texts.get(file),
});

/** A job names files without their folder. */
const inFolder = (diagnostic: Diagnostic, texts: Prepared["texts"]): Diagnostic => {
  const { at } = diagnostic;
  const file = at && [...texts.keys()].find((path) => basename(path) === at.file);
  return file === undefined ? diagnostic : { ...diagnostic, at: { ...at!, file } };
};

/** What ran, for whoever looks at the results later: the file and its plan. */
export const keptFiles = (prepared: Prepared): Readonly<Record<string, string>> => ({
  "pipeline.peft": prepared.source.text,
  ...(prepared.job && { "plan.txt": renderPlan(planFacts(prepared), false, 100) }),
});

/** The bundle's files from memory: `run` writes no bundle. */
export const bundleReader = ({ files }: Prepared) => {
  const encoder = new TextEncoder();
  return async (path: string): Promise<Uint8Array> => {
    const content = files?.get(path);
    if (content === undefined) throw new Error(`the bundle has no ${path}`);
    return typeof content === "string" ? encoder.encode(content) : content;
  };
};

export const sourceFolder = ({ source }: Prepared): string => (source.file === standardInput ? "." : dirname(source.file));

const subjects: { readonly [V in Verb]: (job: Job) => readonly string[] } = {
  train: ({ train }) => train.map(({ adapter }) => adapter),
  evaluate: ({ evaluate }) => evaluate.map(({ subject }) => subject),
  merge: ({ merge }) => merge.map(({ adapter }) => adapter),
};

/** The job with the named blocks alone; or what is wrong with the names. */
const choose = ({ job, source }: Prepared, names: readonly string[], verbs: readonly Verb[]) => {
  if (!job) throw new Error("nothing was compiled");
  const there = new Set(verbs.flatMap((verb) => subjects[verb](job)));
  const blocks = verbs.map((verb) => `\`${verb}\``).join(" or ");
  if (!there.size) return diagnostics.nothing_to_do(undefined, { what: `${source.file} has no ${blocks} block` });
  for (const name of names)
    if (!there.has(name)) {
      const near = nearest(name, there);
      return diagnostics.nothing_to_do(
        undefined,
        { what: `${source.file} has no ${blocks} block for \`${name}\`` },
        { notes: [{ message: `there are blocks for: ${[...there].join(", ")}` }], ...(near && { help: `did you mean \`${near}\`?` }) },
      );
    }
  if (!names.length) return job;
  const kept = new Set(names);
  return {
    ...job,
    train: job.train.filter(({ adapter }) => kept.has(adapter)),
    evaluate: job.evaluate.filter(({ subject }) => kept.has(subject)),
    merge: job.merge.filter(({ adapter }) => kept.has(adapter)),
  };
};
