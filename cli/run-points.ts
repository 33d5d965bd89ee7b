// Runs the points of a sweep or a comparison, one after the other, each in a folder of its own. A point whose folder holds the finished
// result of the very same job is not run again, and one that was stopped goes on where it was; so an interrupted sweep is continued,
// and a sweep that got one more value runs that value, by the same command.
//
//   OUT/sweeps/NAME/POINT/result.json, point.json      OUT/sweeps/NAME/points.json, table.md, table.csv
//   OUT/comparisons/NAME/…                             the same

import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import type { Figures } from "../compiler/blocks/figures.ts";
import type { PointSet } from "../compiler/blocks/points.ts";
import { DiagnosticError } from "../runtime/diagnostic-error.ts";
import type { Listener } from "../runtime/events.ts";
import { diagnostics } from "../spec/diagnostics.generated.ts";
import type { Evaluate, Job } from "../spec/job.ts";
import type { Result } from "../spec/result.ts";
import { performApart } from "./apart.ts";
import { outputFolder } from "./build.ts";
import { type ExitCode, type Invocation, lastValue } from "./command.ts";
import { compileFile, inputsOf } from "./compile-file.ts";
import { perform, type Verb } from "./execute.ts";
import { interruptible } from "./interrupt.ts";
import { areDiagnostics, measureFile, openAdapters } from "./measure-file.ts";
import { type PointRun, type PointTable, pointTable } from "./point-table.ts";
import type { Prepared } from "./prepare.ts";
import { listenOn } from "./render/events.ts";
import { csvPaired, markdownPaired, renderPaired } from "./render/paired.ts";
import { csvPoints, markdownPoints, renderPoints } from "./render/points.ts";
import { report } from "./report.ts";
import { bundleReader, keptFiles, sourceFolder } from "./run.ts";
import type { PairedScore } from "./significance.ts";
import { makeFolder, writeWhole } from "./write.ts";

export const folderOfSet = ({ kind, name }: Pick<PointSet, "kind" | "name">): string =>
  join(kind === "sweep" ? "sweeps" : "comparisons", name);

/** What lies beside a point's result.json. */
interface PointFile {
  /** Of everything that decides its numbers. */
  readonly job: string;
}

/** What a report reads: `points.json` of a set. */
export interface PointsFile {
  readonly format: "peft-points/1";
  readonly kind: PointSet["kind"];
  readonly name: string;
  readonly of: string;
  readonly points: readonly { readonly id: string; readonly values: Readonly<Record<string, string>>; readonly subject: string }[];
  /** What others found for the same points. */
  readonly beside?: readonly Figures[];
  /** A comparison's candidates beside the first of them. */
  readonly paired?: readonly PairedScore[];
}

export const runPoints = async (
  call: Invocation,
  prepared: Prepared,
  sets: readonly PointSet[],
  /** `print`: otherwise the tables are in files alone. `alone`: nothing of the file was run before. */
  { print, alone } = { print: true, alone: true },
): Promise<ExitCode> => {
  const { io } = call;
  const output = outputFolder(call);
  const { listen, say, end } = listenOn(io.err, io.now, (path) => relative(io.cwd, path) || ".");
  const interrupt = interruptible(say);
  const tables: PointTable[] = [];
  const unwritable = makeFolder(resolve(io.cwd, output), output);
  if (unwritable) return report(call, { found: [unwritable], files: [], text: () => undefined, product: false });
  for (const [name, content] of Object.entries(keptFiles(prepared))) writeWhole(resolve(io.cwd, output, name), content, join(output, name));
  const promised = prepared.checked?.requires
    .flatMap(({ constraints }) => constraints)
    .find(({ fact, verb }) => fact.text === "memory" && verb?.text === "train");
  if (promised && alone)
    listen({
      kind: "warning",
      diagnostic: diagnostics.budget_not_held(promised.fact.at, {
        adapter: promised.subject.text,
        why: "points of a `sweep` or `compare` are other trainings, and are planned without it",
      }),
    });
  try {
    for (const set of sets) {
      const runs: PointRun[] = [];
      let evaluates: readonly Evaluate[] = [];
      for (const [i, point] of set.points.entries()) {
        const title = `${set.kind} ${set.name} ${i + 1}/${set.points.length}: ${point.id}`;
        const folder = join(output, folderOfSet(set), point.id);
        const own = { kind: set.kind, name: set.name, id: point.id };
        let compiled = await compileFile(prepared.source, call, "build", { point: own });
        if (openAdapters(compiled).length > 0) {
          const measured = await measureFile(call, prepared.source, compiled, own);
          if (areDiagnostics(measured)) throw new DiagnosticError(measured);
          compiled = await compileFile(prepared.source, call, "build", { point: own, measured });
        }
        if (!compiled.job || !compiled.files)
          return await report(call, { found: compiled.diagnostics, files: [], text: (file) => compiled.texts.get(file), product: false });
        const job = hashOf(compiled.job);
        evaluates = compiled.job.evaluate.filter(({ subject }) => subject === point.subject);
        const place = resolve(io.cwd, folder);
        let result = finished(place, job);
        if (result) say(`${title}: finished before`);
        else {
          const failed = makeFolder(place, folder);
          if (failed) return await report(call, { found: [failed], files: [], text: () => undefined, product: false });
          say(title);
          const performance = {
            job: compiled.job,
            read: bundleReader({ ...prepared, ...compiled }),
            folder: sourceFolder(prepared),
            output: folder,
            device: (lastValue(call, "device") as "auto" | "cpu" | "webgpu" | undefined) ?? "auto",
            verbs: new Set<Verb>(["train", "evaluate"]),
            inputs: inputsOf(call),
            cwd: io.cwd,
          };
          // Where it runs, what it saved and wrote is in its folder; a set's lines are its points.
          const heard: Listener = (event) => ["step", "progress", "phase", "warning", "metrics"].includes(event.kind) && listen(event);
          // What a candidate costs is measured in a process that does nothing else.
          result =
            set.kind === "compare"
              ? await performApart({ ...performance, measure: point.subject }, compiled.files, heard, interrupt.signal)
              : await perform(performance, heard, interrupt.signal);
          end();
          // The process of a candidate may be stopped from outside, and this one not.
          if (interrupt.signal.aborted || result.outcome === "interrupted") {
            say(`stopped; run the same command again to go on with ${point.id}`);
            return interrupt.code() ?? 143;
          }
          writeWhole(join(place, "point.json"), `${JSON.stringify({ job } satisfies PointFile)}\n`, folder);
        }
        runs.push({ id: point.id, values: point.values, subject: point.subject, result });
        // A set that is stopped, or still runs, has its tables and its report; pairs are drawn once all are there.
        if (i + 1 < set.points.length) writeSet(set, runs, [], resolve(io.cwd, output), output);
      }
      const paired = set.kind === "compare" ? (await import("./significance.ts")).pairedScores(runs, evaluates) : [];
      tables.push(writeSet(set, runs, paired, resolve(io.cwd, output), output));
    }
  } catch (error) {
    end();
    if (!(error instanceof DiagnosticError)) throw error;
    const code = await report(call, { found: error.diagnostics, files: [], text: (file) => prepared.texts.get(file), product: false });
    return interrupt.code() ?? (code === 0 ? 1 : code);
  } finally {
    interrupt.dispose();
  }
  if (!print) return 0;
  if (call.flags.has("json")) io.out.write(`${JSON.stringify(tables, undefined, 2)}\n`);
  else
    for (const table of tables)
      io.out.write(
        `\n${table.kind} ${table.name}\n${renderPoints(table)}${table.paired.length ? `\n${renderPaired(table.paired)}` : ""}\nmore in ${join(output, folderOfSet(table))}/\n`,
      );
  return 0;
};

const writeSet = (set: PointSet, runs: readonly PointRun[], paired: readonly PairedScore[], base: string, shown: string): PointTable => {
  const table = pointTable(set.kind, set.name, runs, { ...(set.beside && { beside: set.beside }), paired });
  const points = runs.map(({ id, values, subject }) => ({ id, values, subject }));
  const file: PointsFile = {
    format: "peft-points/1",
    kind: set.kind,
    name: set.name,
    of: set.of,
    points,
    ...(set.beside && { beside: set.beside }),
    ...(paired.length > 0 && { paired }),
  };
  const contents = {
    "points.json": `${JSON.stringify(file, undefined, 1)}\n`,
    "table.md": markdownPoints(table),
    "table.csv": csvPoints(table),
    ...(paired.length > 0 && { "paired.md": markdownPaired(paired), "paired.csv": csvPaired(paired) }),
  };
  for (const [name, content] of Object.entries(contents)) {
    const failed = writeWhole(join(base, folderOfSet(set), name), content, join(shown, folderOfSet(set), name));
    if (failed) throw new DiagnosticError([failed]);
  }
  return table;
};

/** Where a file lies and what it is called decides no number. */
const hashOf = ({ name: _, source: __, ...job }: Job): string => createHash("sha256").update(JSON.stringify(job)).digest("hex");

const finished = (folder: string, job: string): Result | undefined => {
  const [point, result] = ["point.json", "result.json"].map((name) => join(folder, name));
  if (!existsSync(point!) || !existsSync(result!)) return undefined;
  if ((JSON.parse(readFileSync(point!, "utf8")) as PointFile).job !== job) return undefined;
  const known = JSON.parse(readFileSync(result!, "utf8")) as Result;
  return known.outcome === "done" ? known : undefined;
};
