// What was read -> one HTML page that needs nothing else: no network, no script. It reads in light and dark, on a phone and on paper.

import type { Result } from "../../spec/result.ts";
import type { PointTable } from "../point-table.ts";
import { metricNotes } from "../render/metric-notes.ts";
import { markdownPaired, pairedSays } from "../render/paired.ts";
import { markdownPoints } from "../render/points.ts";
import { bytes, grouped } from "../render/table.ts";
import type { Reported, ReportedSet } from "./read.ts";

export interface Pictures {
  readonly loss: string | undefined;
  /** By set: its plots with their titles. */
  readonly sets: readonly (readonly { readonly title: string; readonly svg: string }[])[];
}

export const safeHtml = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

const style = `
:root { color-scheme: light dark; --ink: #1f2328; --faint: #57606a; --line: #d0d7de; --page: #fff; --card: #f6f8fa; --good: #1a7f37; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --faint: #9198a1; --line: #3d444d; --page: #0d1117; --card: #151b23; --good: #3fb950; } svg text { fill: #9198a1 } .role-axis-grid line { stroke: var(--line) } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 76rem; padding: 2rem 1.5rem 4rem; font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page) }
h1 { font-size: 1.6rem; margin: 0 } h2 { font-size: 1.15rem; margin: 2.5rem 0 .75rem; border-bottom: 1px solid var(--line); padding-bottom: .3rem }
h3 { font-size: 1rem; margin: 1.5rem 0 .5rem }
.faint, figcaption { color: var(--faint) } .scroll { overflow-x: auto } .scroll + .scroll, p + .scroll { margin-top: 1rem }
dl.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .75rem; margin: 1.25rem 0 0 }
dl.facts div { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: .6rem .8rem } dt { color: var(--faint); font-size: .8rem } dd { margin: 0; overflow-wrap: anywhere }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums } th, td { padding: .3rem .5rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap } th { white-space: normal; vertical-align: bottom }
th { color: var(--faint); font-weight: 500 } th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: var(--page) } td.best { color: var(--good); font-weight: 600 }
figure { margin: 0 } figure.wide { overflow-x: auto } figure.wide svg { min-width: 32rem } figcaption { font-size: .85rem; margin-bottom: .2rem } svg { max-width: 100%; height: auto }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: 1.25rem }
.samples { display: grid; gap: .75rem } .sample { border: 1px solid var(--line); border-radius: 6px; overflow: hidden }
.sample > p { margin: 0; padding: .5rem .8rem; background: var(--card); white-space: pre-wrap; font-family: ui-monospace, monospace; font-size: .85rem }
.sample dl { margin: 0; padding: .5rem .8rem; display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1rem } .sample dd { white-space: pre-wrap }
pre { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: .8rem 1rem; overflow-x: auto; font-size: .85rem; line-height: 1.45 }
details > summary { cursor: pointer; color: var(--faint) }
@media print { body { max-width: none; padding: 0 } details { display: block } h2 { break-after: avoid } table, figure, .sample { break-inside: avoid } }
`;

export const renderHtml = (reported: Reported, pictures: Pictures): string => {
  const { result, sets, source, plan } = reported;
  const first = result ?? sets[0]?.runs[0]?.result;
  const sections = [
    header(reported, first),
    ...(pictures.loss
      ? [`<h2>Training</h2><figure class="wide"><figcaption>loss per answer token, by step</figcaption>${pictures.loss}</figure>`]
      : []),
    ...(result?.train.length ? [trainTable(result)] : []),
    ...(result?.evaluate.length ? [`<h2>Evaluation</h2>${evaluateTable(result)}`] : []),
    ...sets.map((set, i) => setSection(set, pictures.sets[i] ?? [])),
    samplesSection(reported),
    ...(plan ? [`<h2>Plan</h2><pre>${safeHtml(plan)}</pre>`] : []),
    ...(source ? [`<h2>Pipeline</h2><pre>${safeHtml(source)}</pre>`] : []),
    originSection(reported, first),
  ];
  const title = safeHtml(first?.name ?? reported.folder);
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · peft report</title>
<style>${style}</style>
<body>
${sections.filter(Boolean).join("\n")}
</body>
</html>
`;
};

const facts = (rows: readonly (readonly [string, string | undefined])[]): string =>
  `<dl class="facts">${rows.map(([name, value]) => (value === undefined ? "" : `<div><dt>${safeHtml(name)}</dt><dd>${safeHtml(value)}</dd></div>`)).join("")}</dl>`;

const header = ({ result, sets }: Reported, first: Result | undefined): string => {
  const seconds = result?.seconds ?? sets.flatMap(({ runs }) => runs).reduce((sum, run) => sum + run.result.seconds, 0);
  const points = sets.reduce((sum, { runs }) => sum + runs.length, 0);
  return `<h1>${safeHtml(first?.name ?? "")}</h1>${facts([
    ["base", first && `${first.base.name}, ${grouped(first.base.parameters)} parameters`],
    ["device", first?.device.name],
    ["time", seconds >= 90 ? `${(seconds / 60).toFixed(1)} min` : `${seconds.toFixed(1)} s`],
    ["trainings", result ? String(result.train.length) : undefined],
    ["points", points ? String(points) : undefined],
    ["outcome", result?.outcome],
  ])}`;
};

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  `<div class="scroll"><table><thead><tr>${head.map((cell) => `<th>${cell}</th>`).join("")}</tr></thead><tbody>${rows
    .map((row) => `<tr>${row.map((cell) => `<td>${cell}</td>`).join("")}</tr>`)
    .join("")}</tbody></table></div>`;

const trainTable = ({ train, adapters }: Result): string =>
  table(
    ["adapter", "trained", "share", "on disk", "steps", "seed", "first loss", "last loss", "tokens/s", "memory"],
    train.map((one) => {
      const adapter = adapters[one.adapter];
      return [
        safeHtml(one.adapter),
        grouped(adapter?.trainable ?? 0),
        `${(100 * (adapter?.share ?? 0)).toPrecision(3)} %`,
        adapter?.bytes === undefined ? "" : bytes(adapter.bytes),
        grouped(one.steps),
        String(one.seed),
        one.losses[0]?.toPrecision(4) ?? "",
        one.losses.at(-1)?.toPrecision(4) ?? "",
        grouped(Math.round(one.tokensPerSecond)),
        bytes(one.deviceMemory),
      ];
    }),
  );

const evaluateTable = ({ evaluate }: Result): string => {
  const names = [...new Set(evaluate.flatMap(({ metrics }) => Object.keys(metrics)))];
  return table(
    ["subject", "on", "rows", ...names.map(safeHtml)],
    evaluate.map(({ subject, data, split, rows, metrics, intervals }) => [
      safeHtml(subject),
      safeHtml(`${data}.${split}`),
      grouped(rows),
      ...names.map((name) => {
        const value = metrics[name];
        const interval = intervals?.[name];
        const range = interval ? ` <span class="faint">[${interval.low.toPrecision(3)}, ${interval.high.toPrecision(3)}]</span>` : "";
        return value === undefined ? "" : `${value.toPrecision(4)}${range}`;
      }),
    ]),
  );
};

const setSection = ({ table: points, of }: ReportedSet, plots: Pictures["sets"][number]): string => {
  const says = points.kind === "sweep" ? `sweep over ${of}` : `comparison on ${of}`;
  const figures = plots
    .map(
      ({ title, svg }) =>
        `<figure${points.kind === "sweep" ? "" : ' class="wide"'}><figcaption>${safeHtml(title)}</figcaption>${svg}</figure>`,
    )
    .join("");
  const paired = points.paired.length
    ? `<p class="faint">${safeHtml(pairedSays(points.paired))}</p>${tableOf(markdownPaired(points.paired))}`
    : "";
  return `<h2>${safeHtml(points.name)} <span class="faint">${safeHtml(says)}</span></h2>${partsOf(points)
    .map((part) => tableOf(markdownPoints(part)))
    .join("")}${paired}${
    plots.length ? `<div class="${plots.length > 1 ? "plots" : ""}" style="margin-top:1.25rem">${figures}</div>` : ""
  }`;
};

/** A comparison in two tables that fit a page, scores before costs: only costs have units. */
const partsOf = (points: PointTable): readonly PointTable[] => {
  if (points.kind === "sweep") return [points];
  return [false, true].flatMap((costs) => {
    const kept = points.columns.map(({ unit }) => (unit !== undefined) === costs);
    if (!kept.includes(true)) return [];
    const some = <T>(list: readonly T[]): readonly T[] => list.filter((_, i) => kept[i]);
    const rows = points.rows.map((row) => ({
      ...row,
      cells: some(row.cells),
      beside: row.beside.map((other) => ({ ...other, cells: some(other.cells) })),
    }));
    return [{ ...points, columns: some(points.columns), rows }];
  });
};

/** The table of the Markdown report, and what is said below it. */
const tableOf = (markdown: string): string => {
  const [grid, ...notes] = markdown.trimEnd().split("\n\n");
  const [head, , ...rows] = grid!.split("\n").map((line) => line.slice(2, -2).split(" | ").map(safeHtml));
  return [table(head!, rows), ...notes.map((note) => `<p class="faint">${safeHtml(note)}</p>`)].join("");
};

/** What each subject wrote to the same prompt, side by side. */
const samplesSection = ({ result, sets }: Reported): string => {
  const shown = new Map<string, { expected: string | undefined; answers: Map<string, string> }>();
  const add = (name: string, { evaluate }: Result, subject?: string): void => {
    for (const one of evaluate)
      for (const { prompt, answer, expected } of subject === undefined || one.subject === subject ? (one.samples ?? []) : []) {
        const known = shown.get(prompt) ?? { expected, answers: new Map<string, string>() };
        known.answers.set(subject === undefined ? one.subject : name, answer);
        shown.set(prompt, known);
      }
  };
  if (result) add("", result);
  for (const { runs } of sets)
    for (const run of runs)
      if (run.values.seed === undefined || run.values.seed === firstSeed(runs)) add(nameOf(run.values), run.result, run.subject);
  if (!shown.size) return "";
  const cards = [...shown].map(([prompt, { expected, answers }]) => {
    const rows = [...answers, ...(expected === undefined ? [] : [["expected", expected] as const])];
    // An answer of nothing is an answer, and no gap in the page.
    const said = (answer: string): string => (answer.trim() ? safeHtml(answer.trim()) : '<span class="faint">(empty)</span>');
    return `<div class="sample"><p>${safeHtml(prompt.trim())}</p><dl>${rows.map(([name, answer]) => `<dt>${safeHtml(name)}</dt><dd>${said(answer)}</dd>`).join("")}</dl></div>`;
  });
  return `<h2>Samples</h2><div class="samples">${cards.join("")}</div>`;
};

const firstSeed = (runs: ReportedSet["runs"]): string | undefined => runs.find(({ values }) => values.seed !== undefined)?.values.seed;

export const nameOf = (values: Readonly<Record<string, string>>): string =>
  Object.entries(values)
    .filter(([key]) => key !== "seed")
    .map(([key, value]) => (key === "method" ? value : `${key} ${value}`))
    .join(", ");

const originSection = ({ sets, result }: Reported, first: Result | undefined): string => {
  if (!first) return "";
  const inputs = Object.entries(first.inputs).map(([name, value]) => `${name}=${value}`);
  const results = [...(result ? [result] : []), ...sets.flatMap(({ runs }) => runs.map((run) => run.result))];
  const seeds = [...new Set(results.flatMap(({ train }) => train.map(({ seed }) => seed)))];
  // Tables of points have their notes below them.
  const scores = [...new Set(result?.evaluate.flatMap(({ metrics }) => Object.keys(metrics)))];
  return `<h2>Where the numbers come from</h2>${facts([
    ["file", first.source.file],
    ["sha256", first.source.sha256.slice(0, 16)],
    ["seeds", seeds.join(", ") || undefined],
    ["inputs", inputs.join(", ") || undefined],
    ["peft", first.versions.peft],
    ["node", `${first.versions.node}, ${first.versions.platform}`],
    ["engine", first.versions.engine],
  ])}<p class="faint">Loss is per answer token, in nats. Intervals are 95 % bootstrap intervals over inputs; ± is the standard deviation over seeds. Columns
called memory or values tell what all values on the device take; peaks are the process's.${metricNotes(scores)
    .map((note) => ` ${safeHtml(note)}.`)
    .join("")}</p>`;
};
