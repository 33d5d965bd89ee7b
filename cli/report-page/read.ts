// A run's folder -> everything a report shows: the run's own result, the sets of points below it, the file and the plan as they were.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { addedTo } from "../../runtime/kept-result.ts";
import type { Result } from "../../spec/result.ts";
import { type PointRun, type PointTable, pointTable } from "../point-table.ts";
import type { PointsFile } from "../run-points.ts";

export interface ReportedSet {
  readonly table: PointTable;
  readonly of: string;
  readonly runs: readonly PointRun[];
}

export interface Reported {
  readonly folder: string;
  /** Absent when only sweeps or comparisons ran. */
  readonly result: Result | undefined;
  readonly sets: readonly ReportedSet[];
  /** The pipeline as it ran, and its plan, where they were kept. */
  readonly source: string | undefined;
  readonly plan: string | undefined;
}

const text = (path: string): string | undefined => (existsSync(path) ? readFileSync(path, "utf8") : undefined);
const json = <T>(path: string): T | undefined => {
  const found = text(path);
  return found === undefined ? undefined : (JSON.parse(found) as T);
};

/**
 * The folder's result with the evaluations of adapters that were given, `evaluated/NAME/`. An adapter that is called as one of the file's
 * is told apart by its folder; the base's evaluations are the same.
 */
const withEvaluated = (folder: string): Result | undefined => {
  const below = join(folder, "evaluated");
  const own = json<Result>(join(folder, "result.json"));
  return (existsSync(below) ? readdirSync(below).sort() : []).reduce<Result | undefined>((all, name) => {
    const given = json<Result>(join(below, name, "result.json"));
    if (!given || !all) return given ?? all;
    const evaluate = given.evaluate.map((one) =>
      own?.evaluate.some(({ subject }) => subject === one.subject) && one.subject !== given.base.name
        ? { ...one, subject: `${one.subject} (evaluated/${name})` }
        : one,
    );
    return addedTo(all, { ...given, evaluate });
  }, own);
};

/** Undefined when the folder holds neither a result nor points. */
export const readReported = (folder: string): Reported | undefined => {
  const result = withEvaluated(folder);
  const sets = ["sweeps", "comparisons"].flatMap((kind) => {
    const below = join(folder, kind);
    return existsSync(below)
      ? readdirSync(below)
          .sort()
          .flatMap((name) => readSet(join(below, name)) ?? [])
      : [];
  });
  if (!result && sets.length === 0) return undefined;
  return { folder, result, sets, source: text(join(folder, "pipeline.peft")), plan: text(join(folder, "plan.txt")) };
};

const readSet = (folder: string): ReportedSet | undefined => {
  const file = json<PointsFile>(join(folder, "points.json"));
  if (!file) return undefined;
  const runs = file.points.flatMap((point): PointRun[] => {
    const result = json<Result>(join(folder, point.id, "result.json"));
    return result ? [{ ...point, result }] : [];
  });
  return { table: pointTable(file.kind, file.name, runs, file), of: file.of, runs };
};
