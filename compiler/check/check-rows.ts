// Checked pipeline + the first rows of its data -> diagnostics: files that are not there, columns that no row has, rows that are
// not what the reader reads. Few rows of each file are looked at, so this belongs to every check; `check --data` reads them all.

import { rowColumns } from "../../spec/row-columns.ts";
import { placed } from "../blocks/places.ts";
import type { CompileHost } from "../host.ts";
import type { Context } from "../values/expressions.ts";
import type { Checked } from "./check.ts";

/** `absent`: whether a file that is not there is a mistake. To plan or build a job for another machine it need not be. */
export const checkRows = async (checked: Checked, file: string, absent: boolean, host: CompileHost, { report }: Context): Promise<void> => {
  if (!host.rows) return;
  for (const data of checked.data.values()) {
    const columns = rowColumns(data);
    for (const split of data.splits)
      for (const found of await host.rows(host.resolve(file, split.path), split, columns))
        if (absent || found.code !== "PEFT0500")
          report(placed({ ...found, about: { block: `data ${data.name}`, part: split.name, ...found.about } }, checked.source));
  }
};
