// A run's result -> the few lines a person wants at the end; all of it is in result.json.

import type { Result } from "../../spec/result.ts";
import { metricNotes } from "./metric-notes.ts";
import { paintFor } from "./paint.ts";
import { clock } from "./progress.ts";
import { grouped, metric, renderTable } from "./table.ts";

export const renderResult = (result: Result, path: string, colour: boolean): string => {
  const paint = paintFor(colour);
  const blocks = [trainTable(result), bestLines(result), savedTable(result), evaluateTable(result)].filter((table) => table !== "");
  const outcome = result.outcome === "done" ? paint.good("done") : paint.warning("interrupted");
  const again = result.outcome === "done" ? "" : "; run the same command again to go on from there";
  return `${[...blocks, `${outcome} in ${clock(result.seconds * 1000)}; everything is in ${path}${again}\n`].join("\n")}`;
};

const trainTable = ({ train, adapters }: Result): string => {
  if (!train.length) return "";
  const rows = train.map(({ adapter, steps, losses, tokensPerSecond }) => [
    adapter,
    grouped(adapters[adapter]?.trainable ?? 0),
    steps,
    losses[0]?.toPrecision(4) ?? "",
    losses.at(-1)?.toPrecision(4) ?? "",
    metric(Math.round(tokensPerSecond)).trim(),
  ]);
  const right = (title: string) => ({ title, align: "right" as const });
  return renderTable(
    [{ title: "trained" }, right("parameters"), right("steps"), right("first loss"), right("last loss"), right("tokens/s")],
    rows,
    "",
  );
};

/** When evaluation meanwhile ended a training, or chose the parameters: at which step, and what is saved. */
const bestLines = ({ train, adapters, outcome }: Result): string =>
  train
    .flatMap(({ adapter, steps, evaluations = [], best, stoppedEarly }) => {
      const last = evaluations.at(-1);
      if (!last || !(best || stoppedEarly)) return [];
      const ended = stoppedEarly ? [`stopped early after step ${grouped(steps)}, as evaluations gained nothing any more`] : [];
      const kept = best
        ? `step ${grouped(best.step)} was the best, with loss ${best.loss.toPrecision(4)} and token accuracy ${best.token_accuracy.toPrecision(4)}`
        : "";
      const isSaved = stoppedEarly === true || outcome === "done" || adapters[adapter]?.path !== undefined;
      const saved = best ? `${kept}${isSaved ? ": its parameters are saved" : " so far"}` : "the last step's parameters are saved";
      return [`${adapter}: ${[...ended, saved].join("; ")}\n`];
    })
    .join("");

/** What each task takes on the disk, beside what a copy of the whole base for it would take. */
const savedTable = ({ adapters, base }: Result): string => {
  const saved = Object.entries(adapters).flatMap(([name, { bytes }]) => (bytes === undefined ? [] : [{ name, bytes }]));
  const { bytes: copy } = base;
  if (copy === undefined || saved.length === 0) return "";
  const right = (title: string) => ({ title, align: "right" as const });
  const rows = saved.map(({ name, bytes }) => [name, grouped(bytes), grouped(copy), `${((100 * bytes) / copy).toPrecision(3)} %`]);
  return renderTable([{ title: "on disk" }, right("bytes"), right(`a copy of ${base.name}`), right("share")], rows, "");
};

const evaluateTable = ({ evaluate }: Result): string => {
  if (!evaluate.length) return "";
  const names = [...new Set(evaluate.flatMap(({ metrics }) => Object.keys(metrics)))];
  const rows = evaluate.map(({ subject, data, split, rows: count, metrics }) => [
    subject,
    `${data}.${split}`,
    count,
    ...names.map((name) => metrics[name]?.toPrecision(4) ?? ""),
  ]);
  const columns = [
    { title: "evaluated" },
    { title: "on" },
    { title: "rows", align: "right" as const },
    ...names.map((title) => ({ title, align: "right" as const })),
  ];
  return [renderTable(columns, rows, ""), ...metricNotes(names).map((note) => `${note}\n`)].join("");
};
