// `peft plan FILE --points`: what each candidate of the file's comparisons, and each point of its sweeps, would take, side by side. Each is
// compiled as far as its memory plan; nothing is read but headers, and nothing runs.

import type { PointSet } from "../compiler/blocks/points.ts";
import type { ExitCode, Invocation } from "./command.ts";
import { compileFile } from "./compile-file.ts";
import { planFacts } from "./plan-facts.ts";
import type { Prepared } from "./prepare.ts";
import { type PlannedPoint, renderPlannedPoints } from "./render/planned-points.ts";
import { report } from "./report.ts";

export const planPoints = async (prepared: Prepared, call: Invocation): Promise<ExitCode> => {
  const sets: { readonly kind: PointSet["kind"]; readonly name: string; readonly points: readonly PlannedPoint[] }[] = [];
  for (const set of prepared.points ?? []) {
    const points: PlannedPoint[] = [];
    for (const { id, subject, values } of seedless(set)) {
      const compiled = await compileFile(prepared.source, call, "plan", { point: { kind: set.kind, name: set.name, id } });
      if (!compiled.job || !compiled.checked)
        return report(call, { found: compiled.diagnostics, files: [], text: (file) => compiled.texts.get(file), product: false });
      const facts = planFacts({ ...prepared, ...compiled });
      const train = facts.train.find(({ adapter }) => adapter === subject);
      const trainable = facts.adapters.find(({ name }) => name === subject)?.trainable ?? 0;
      const label =
        values.method ??
        settings(values)
          .map(([key, value]) => `${key}=${value}`)
          .join(", ");
      points.push({
        label,
        trainable,
        memory: train?.memory ?? { "frozen weights": compiled.job.plan.weights ?? 0 },
        peak: train?.peak ?? 0,
      });
    }
    sets.push({ kind: set.kind, name: set.name, points });
  }
  const { out } = call.io;
  if (call.flags.has("json")) out.write(`${JSON.stringify(sets, undefined, 2)}\n`);
  else if (sets.length === 0) out.write(`${prepared.source.file} has no \`compare\` or \`sweep\` block, so it has no points\n`);
  else for (const { kind, name, points } of sets) out.write(`${kind} ${name}\n${renderPlannedPoints(points)}\n`);
  return 0;
};

const settings = (values: Readonly<Record<string, string>>): [string, string][] => Object.entries(values).filter(([key]) => key !== "seed");

/** Points that differ in their seed alone take the same: the first of them. */
const seedless = ({ points }: PointSet): PointSet["points"] => {
  const first = new Map<string, PointSet["points"][number]>();
  for (const point of points) {
    const key = JSON.stringify([point.subject, settings(point.values)]);
    if (!first.has(key)) first.set(key, point);
  }
  return [...first.values()];
};
