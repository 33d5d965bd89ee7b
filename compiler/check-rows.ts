// Checked pipeline + the first rows of its data -> diagnostics: files that are not there, columns that no row has, rows that are
// not what the reader reads. Few rows of each file are looked at, so this belongs to every check; `check --data` reads them all.

import { diagnostics } from "../spec/diagnostics.generated.ts";
import { readTemplate } from "../spec/template.ts";
import type { Checked } from "./check.ts";
import type { Context } from "./expressions.ts";
import type { CompileHost } from "./host.ts";
import { placed, type Source } from "./places.ts";

export const checkRows = async (checked: Checked, file: string, source: Source, host: CompileHost, { report }: Context): Promise<void> => {
  if (!host.rows) return;
  for (const data of checked.data.values()) {
    const templates = [data.prompt, data.answer].flatMap((template) => (template === undefined ? [] : [readTemplate(template)]));
    const columns = templates.flatMap((template) => ("texts" in template ? template.columns : []));
    for (const split of data.splits)
      for (const found of await host.rows(host.resolve(file, split.path), split, columns))
        report(placed({ ...found, about: { block: `data ${data.name}`, part: split.name, ...found.about } }, source));
  }
};

/** What a file declares and no block of it uses, in a file that does something. What an imported file declares may be for others. */
export const checkUnused = (file: string, { items }: Source, { report }: Context): void => {
  if (!items.some(({ kind }) => ["train", "evaluate", "merge", "sweep", "compare"].includes(kind))) return;
  const used = new Set<string>();
  for (const item of items) {
    if (item.kind === "train" || item.kind === "merge") used.add(item.subject.text);
    if (item.kind === "evaluate") for (const { text } of item.subjects) used.add(text);
    if (item.kind === "sweep") used.add(item.over.text);
    if (item.kind === "train" || item.kind === "evaluate" || item.kind === "compare")
      if (item.on.segments[0]?.kind === "name") used.add(item.on.segments[0].text);
    if (item.kind === "compare") for (const { value } of item.entries) if (value.kind === "ref") used.add(value.name);
    if (item.kind === "require") for (const { constraints } of [item]) for (const { subject } of constraints) used.add(subject.text);
  }
  for (const item of items) {
    if ((item.kind !== "data" && item.kind !== "adapter") || item.at.file !== file || used.has(item.name.text)) continue;
    const uses = item.kind === "data" ? "`train … on` or `evaluate … on`" : "`train`, `evaluate` or `merge`";
    report(
      diagnostics.unused_block(
        item.name.at,
        { kind: item.kind, name: item.name.text },
        { help: `name it in ${uses}, or remove it; a block that no other uses does nothing` },
      ),
    );
  }
};
