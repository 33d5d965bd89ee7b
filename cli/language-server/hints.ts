// What the file comes to, shown at the end of its lines: how many places a pattern covers, what an adapter trains, how large a
// base is.

import { adapterFiles } from "../../compiler/adapters/adapter-files.ts";
import { adapterFileBytes } from "../../compiler/check/facts.ts";
import { bytes, metric } from "../render/table.ts";
import type { Analysis } from "./analysis.ts";

export interface Hint {
  readonly offset: number;
  readonly text: string;
  readonly tooltip: string;
}

export const hints = ({ file, tree, compiled: { checked } }: Analysis): readonly Hint[] => {
  if (!checked) return [];
  const silent = { report: () => {}, through: [] };
  return tree.items.flatMap((item): Hint[] => {
    if (item.kind === "base" && item.name.text === checked.base.name)
      return [
        {
          offset: item.source.at.end,
          text: `${checked.base.architecture.name.text}, ${metric(checked.base.parameters)}parameters`,
          tooltip: `read from ${checked.base.path}`,
        },
      ];
    const plan = item.kind === "adapter" ? checked.adapters.get(item.name.text) : undefined;
    if (item.kind !== "adapter" || !plan || plan.at.file !== file) return [];
    const shapes = new Map(plan.params.map((param) => [param.name, param.shape.map(Number)] as const));
    const stored = adapterFileBytes(adapterFiles(plan, checked.base.root, silent), shapes);
    const covered = plan.coverage.reduce((sum, { matches }) => sum + matches.length, 0);
    return [
      {
        offset: item.at.end,
        text: `${covered} ${covered === 1 ? "place" : "places"}, ${metric(plan.trainable)}trained (${((100 * plan.trainable) / checked.base.parameters).toPrecision(2)} %), ${bytes(stored)}`,
        tooltip: plan.coverage.map(({ pattern, matches }) => `${pattern}: ${matches.length}`).join("\n"),
      },
    ];
  });
};
