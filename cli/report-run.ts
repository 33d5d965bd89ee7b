// `peft report DIR`: what a run left there as one HTML page (report.html, self-contained), as Markdown (report.md) and, per table, as CSV.

import { join, resolve } from "node:path";
import { diagnostics } from "../spec/diagnostics.generated.ts";
import type { ExitCode, Invocation } from "./command.ts";
import { csvPaired } from "./render/paired.ts";
import { csvPoints } from "./render/points.ts";
import { report } from "./report.ts";
import { type Pictures, renderHtml } from "./report-page/html.ts";
import { renderMarkdown } from "./report-page/markdown.ts";
import { drawPlot } from "./report-page/node-plot.ts";
import { curvesOf, lossPlot, type Plot, sweepPlots, tradeOffPlot } from "./report-page/plots.ts";
import { type Reported, readReported } from "./report-page/read.ts";
import { writeWhole } from "./write.ts";

export const run = async (call: Invocation): Promise<ExitCode> => {
  const [folder] = call.arguments as [string];
  const place = resolve(call.io.cwd, folder);
  const reported = readReported(place);
  if (!reported)
    return report(call, {
      found: [
        diagnostics.nothing_to_do(
          undefined,
          { what: `${folder} holds no result.json and no points of a sweep or a comparison` },
          { help: "give the folder that `peft run -o` wrote to" },
        ),
      ],
      files: [],
      text: () => undefined,
      product: false,
    });
  const contents: Record<string, string> = {
    "report.html": renderHtml(reported, await draw(reported)),
    "report.md": renderMarkdown(reported),
    ...Object.fromEntries(
      reported.sets.flatMap(({ table: { name, paired }, table }) => [
        [`report-${name}.csv`, csvPoints(table)],
        ...(paired.length ? [[`report-${name}-paired.csv`, csvPaired(paired)]] : []),
      ]),
    ),
  };
  for (const [name, content] of Object.entries(contents)) {
    const failed = writeWhole(join(place, name), content, join(folder, name));
    if (failed) return report(call, { found: [failed], files: [], text: () => undefined, product: false });
  }
  call.io.out.write(
    `wrote ${Object.keys(contents)
      .map((name) => join(folder, name))
      .join(", ")}\n`,
  );
  return 0;
};

const draw = async ({ result, sets }: Reported): Promise<Pictures> => {
  const loss = lossPlot(result?.train.length ? curvesOf(result) : curvesOfSets(sets));
  return {
    loss: loss && (await drawPlot(loss, "loss")),
    sets: await Promise.all(
      sets.map(({ table }, i) => {
        const plots: readonly Plot[] =
          table.kind === "sweep" ? sweepPlots(table) : [tradeOffPlot(table)].filter((plot) => plot !== undefined);
        return Promise.all(plots.map(async (plot, k) => ({ title: plot.title, svg: await drawPlot(plot, `set${i}-${k}`) })));
      }),
    ),
  };
};

/** One curve per row of a set: of its first seed. */
const curvesOfSets = (sets: Reported["sets"]): { name: string; losses: readonly number[] }[] => {
  const curves = new Map<string, readonly number[]>();
  for (const { runs } of sets)
    for (const { values, result, subject } of runs) {
      const name = Object.entries(values)
        .filter(([key]) => key !== "seed")
        .map(([key, value]) => (key === "method" ? value : `${key} ${value}`))
        .join(", ");
      const losses = result.train.find(({ adapter }) => adapter === subject)?.losses;
      if (losses && !curves.has(name)) curves.set(name, losses);
    }
  return [...curves].map(([name, losses]) => ({ name, losses }));
};
