// What a report plots, as sentences of a plotting grammar (Vega-Lite): data and what stands for what. plot.ts makes pictures of them.

import type { TopLevelSpec } from "vega-lite";
import type { Result } from "../../spec/result.ts";
import { mean, type PointTable, spread } from "../point-table.ts";

export interface Plot {
  readonly title: string;
  readonly spec: TopLevelSpec;
}

const schema = "https://vega.github.io/schema/vega-lite/v6.json";

/** Loss of every training by step: each step faint, the mean of its neighbourhood on top. */
export const lossPlot = (curves: readonly { readonly name: string; readonly losses: readonly number[] }[]): Plot | undefined => {
  const shown = curves.filter(({ losses }) => losses.length > 1);
  if (!shown.length) return undefined;
  const values = shown.flatMap(({ name, losses }) => smoothed(losses).map(({ step, loss, smooth }) => ({ name, step, loss, smooth })));
  const x = { field: "step", type: "quantitative" as const, title: "step" };
  const colour = {
    field: "name",
    type: "nominal" as const,
    title: null,
    sort: shown.map(({ name }) => name),
    // Above the curves, where it takes nothing of a narrow page's width; of the lines on top, and not of the faint ones.
    legend: shown.length === 1 ? null : { orient: "top" as const, columns: 4, symbolOpacity: 1, symbolStrokeWidth: 2, labelLimit: 300 },
  };
  return {
    title: "Training loss",
    spec: {
      $schema: schema,
      width: 620,
      height: 260,
      data: { values },
      layer: [
        {
          mark: { type: "line", opacity: 0.18, strokeWidth: 1 },
          encoding: {
            x,
            y: { field: "loss", type: "quantitative", title: "loss per answer token", scale: { zero: false } },
            color: colour,
          },
        },
        {
          mark: { type: "line", strokeWidth: 2 },
          encoding: { x, y: { field: "smooth", type: "quantitative", scale: { zero: false } }, color: colour },
        },
      ],
    },
  };
};

/** At most 400 steps of a curve, each with the mean around it. */
const smoothed = (losses: readonly number[]): { step: number; loss: number; smooth: number }[] => {
  const radius = Math.max(1, Math.round(losses.length / 40));
  const every = Math.ceil(losses.length / 400);
  return losses.flatMap((loss, i) => {
    if (i % every !== 0 && i !== losses.length - 1) return [];
    return [{ step: i + 1, loss, smooth: mean(losses.slice(Math.max(0, i - radius), i + radius + 1)) }];
  });
};

/** One small plot per score: the score at each value of the sweep's first key, with the spread over seeds. */
export const sweepPlots = ({ keys, columns, rows }: PointTable): Plot[] => {
  const [key, second] = keys;
  if (key === undefined) return [];
  return columns.flatMap(({ title, unit }, column): Plot[] => {
    if (unit !== undefined) return [];
    const values = rows.flatMap(({ values: of, cells }) => {
      const cell = cells[column]!;
      if (!cell.length) return [];
      const [middle, away] = [mean(cell), spread(cell)];
      return [{ at: of[key]!, by: second === undefined ? "" : of[second]!, value: middle, low: middle - away, high: middle + away }];
    });
    if (new Set(values.map(({ at }) => at)).size < 2) return [];
    const x = {
      field: "at",
      type: "ordinal" as const,
      title: key,
      sort: [...new Set(values.map(({ at }) => at))],
      axis: { labelAngle: 0 },
    };
    const colour = { field: "by", type: "nominal" as const, title: second ?? null, ...(second === undefined && { legend: null }) };
    return [
      {
        title,
        spec: {
          $schema: schema,
          width: 260,
          height: 150,
          data: { values },
          layer: [
            {
              mark: { type: "rule", opacity: 0.5 },
              encoding: {
                x,
                y: { field: "low", type: "quantitative", scale: { zero: false }, title: null },
                y2: { field: "high" },
                color: colour,
              },
            },
            {
              mark: { type: "line", point: { filled: true, size: 40 } },
              encoding: { x, y: { field: "value", type: "quantitative", scale: { zero: false } }, color: colour },
            },
          ],
        },
      },
    ];
  });
};

/** Quality against what is trained: one point per candidate. */
export const tradeOffPlot = ({ keys, columns, rows }: PointTable): Plot | undefined => {
  const trained = columns.findIndex(({ title }) => title === "trained");
  const scores = columns.findIndex(({ title, unit }) => unit === undefined && !/loss|perplexity/.test(title));
  const quality = scores >= 0 ? scores : columns.findIndex(({ unit }) => unit === undefined);
  if (trained < 0 || quality < 0) return undefined;
  const values = rows.flatMap(({ values: of, cells }) =>
    cells[trained]!.length && cells[quality]!.length && mean(cells[trained]!) > 0
      ? [
          {
            name: of[keys[0]!]!,
            trained: mean(cells[trained]!),
            quality: mean(cells[quality]!),
            low: mean(cells[quality]!) - spread(cells[quality]!),
            high: mean(cells[quality]!) + spread(cells[quality]!),
          },
        ]
      : [],
  );
  if (values.length < 2) return undefined;
  const x = {
    field: "trained",
    type: "quantitative" as const,
    title: "trained parameters",
    scale: { type: "log" as const, nice: true },
    axis: { format: "~s", tickCount: 6 },
  };
  const title = columns[quality]!.title;
  return {
    title: `${title} against trained parameters`,
    spec: {
      $schema: schema,
      width: 620,
      height: 280,
      data: { values },
      layer: [
        {
          mark: { type: "rule", opacity: 0.5 },
          encoding: { x, y: { field: "low", type: "quantitative", scale: { zero: false }, title }, y2: { field: "high" } },
        },
        {
          mark: { type: "point", filled: true, size: 90, opacity: 1 },
          encoding: { x, y: { field: "quality", type: "quantitative", scale: { zero: false } } },
        },
        {
          mark: { type: "text", align: "left", dx: 8, dy: -8 },
          encoding: { x, y: { field: "quality", type: "quantitative" }, text: { field: "name" } },
        },
      ],
    },
  };
};

/** Curves of a result, one per training. */
export const curvesOf = ({ train }: Result): { name: string; losses: readonly number[] }[] =>
  train.map(({ adapter, losses }) => ({ name: adapter, losses }));
