// What `peft import` prints: for one file where its keys went, each loss with its line; for many how many came over whole, and what the
// others lack, the most frequent first.

import type { Diagnostic } from "../../spec/diagnostic.ts";
import type { Imported } from "../import/draft.ts";
import { shown } from "../import/given.ts";
import type { Fate, Reported } from "../import/outcome.ts";
import { safe } from "./columns.ts";
import { paintFor } from "./paint.ts";
import { linesOf } from "./position.ts";
import { renderTable } from "./table.ts";

interface One {
  readonly file: string;
  readonly imported: Imported;
}

const counted = (outcomes: readonly Reported[], fate: Fate): number => outcomes.filter((one) => one.fate === fate).length;

const words: readonly (readonly [Fate, string])[] = [
  ["carried", "carried"],
  ["settled", "settled by the language"],
  ["outside", "about the run's surroundings"],
  ["unset", "without a value"],
];

export const renderImport = ({ file, imported }: One, written: string | undefined, text: string, colour: boolean): string => {
  const paint = paintFor(colour);
  const { tool, outcomes, fetch } = imported;
  const { position } = linesOf(text);
  const list = (title: string, fate: Fate, mark: (text: string) => string): string => {
    const all = outcomes.filter((one) => one.fate === fate && one.along === undefined);
    if (!all.length) return "";
    const rows = all.map(
      ({ given, says }) => [`${file}:${position(given.at.start).line}`, `${given.name}${valueText(given.value)}`, says] as const,
    );
    return `\n${mark(`${all.length} ${title}`)}\n${rows.map(([where, what, why]) => `  ${safe(where)}  ${safe(what)}\n      ${safe(why)}\n`).join("")}`;
  };
  const counts = words.flatMap(([fate, says]) => (counted(outcomes, fate) ? [`${counted(outcomes, fate)} ${says}`] : [])).join(", ");
  return [
    `${written ? `wrote ${paint.strong(written)} from` : "from"} ${safe(file)} (${tool}): ${counts}\n`,
    list(`not carried`, "lost", paint.warning),
    list(`ignored by ${tool} itself`, "dropped", paint.warning),
    fetch.length ? `\nto be fetched first\n${fetch.map(({ path, from }) => `  ${safe(path)}  ${safe(from)}\n`).join("")}` : "",
    written ? `\nnext: peft check ${safe(written)}\n` : "",
  ].join("");
};

const valueText = (value: unknown): string => (value === null || typeof value === "object" ? "" : `: ${shown(value)}`);

export interface Survey {
  readonly files: readonly {
    readonly file: string;
    readonly tool: string;
    readonly whole: boolean;
    readonly keys: readonly {
      readonly key: string;
      readonly value: unknown;
      readonly fate: Fate;
      readonly says: string;
      readonly along?: string;
    }[];
  }[];
  readonly whole: number;
  readonly refused: readonly { readonly file: string; readonly why: string }[];
}

/** A file is whole when nothing that changes what is trained was left behind. */
const isWhole = ({ outcomes }: Imported): boolean => outcomes.every(({ fate }) => fate !== "lost" && fate !== "dropped");

export const surveyOf = (done: readonly One[], found: readonly Diagnostic[]): Survey => ({
  files: done.map(({ file, imported }) => ({
    file,
    tool: imported.tool,
    whole: isWhole(imported),
    keys: imported.outcomes.map(({ given, ...outcome }) => ({ key: given.name, value: given.value, ...outcome })),
  })),
  whole: done.filter(({ imported }) => isWhole(imported)).length,
  refused: found.map(({ at, message }) => ({ file: at?.file ?? "", why: message.replace(`\`${at?.file}\` is `, "") })),
});

const countedBy = (refused: Survey["refused"]): readonly (readonly [number, string])[] => {
  const counts = new Map<string, number>();
  for (const { why } of refused) counts.set(why, (counts.get(why) ?? 0) + 1);
  return [...counts].map(([why, count]) => [count, safe(why)] as const).sort((a, b) => b[0] - a[0]);
};

export const renderSurvey = ({ files, whole, refused }: Survey, colour: boolean): string => {
  const paint = paintFor(colour);
  const tools = [...new Set(files.map(({ tool }) => tool))].map((tool) => {
    const own = files.filter((one) => one.tool === tool);
    return [tool, own.length, own.filter((one) => one.whole).length] as const;
  });
  const reasons = new Map<string, Set<string>>();
  for (const { file, keys } of files)
    for (const { key, fate, says, along } of keys)
      if ((fate === "lost" || fate === "dropped") && along === undefined) {
        const reason = `${key.replace(/\.\d+\b/g, "[]")}: ${says}`;
        reasons.set(reason, (reasons.get(reason) ?? new Set()).add(file));
      }
  const rows = [...reasons].map(([reason, own]) => [own.size, safe(reason)] as const).sort((a, b) => b[0] - a[0] || (a[1] < b[1] ? -1 : 1));
  return [
    `${paint.strong(`${whole} of ${files.length} files import whole`)}${refused.length ? `; ${refused.length} are no pipelines` : ""}\n\n`,
    renderTable([{ title: "tool" }, { title: "files", align: "right" }, { title: "whole", align: "right" }], tools),
    rows.length ? `\nwhat the others lack\n${renderTable([{ title: "files", align: "right" }, { title: "" }], rows)}` : "",
    refused.length ? `\nno pipelines\n${renderTable([{ title: "files", align: "right" }, { title: "each" }], countedBy(refused))}` : "",
  ].join("");
};
