// Points of a set and what each would take -> a table: a row for each, its memory by part, the parts that any of them has.

import { bytes, grouped, renderTable } from "./table.ts";

export interface PlannedPoint {
  /** A candidate's name, or a point's settings. */
  readonly label: string;
  /** Trained numbers. */
  readonly trainable: number;
  /** Bytes by part. */
  readonly memory: Readonly<Record<string, number>>;
  /** Bytes of the training's plan; 0 where nothing is trained. */
  readonly peak: number;
}

export const renderPlannedPoints = (points: readonly PlannedPoint[]): string => {
  const parts = [...new Set(points.flatMap(({ memory }) => Object.keys(memory)))].filter((part) =>
    points.some(({ memory }) => (memory[part] ?? 0) > 0),
  );
  const titles = ["trains", ...parts, "peak of the plan"];
  return renderTable(
    [{ title: "" }, ...titles.map((title) => ({ title, align: "right" as const }))],
    points.map(({ label, trainable, memory, peak }) => [
      label,
      grouped(trainable),
      ...parts.map((part) => bytes(memory[part] ?? 0)),
      peak > 0 ? bytes(peak) : "-",
    ]),
  );
};
