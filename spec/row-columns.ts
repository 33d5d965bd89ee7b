// The columns that a data block reads from each row, as its templates name them. What checks rows, what reads them and what describes
// them (`peft data --schema`) ask here.

import type { Chat, Data } from "./job-data.ts";
import { readTemplate } from "./template.ts";

export interface RowColumns {
  /** Text or a number in every row. */
  readonly needed: readonly string[];
  /** Text or a number where a row has it. */
  readonly optional: readonly string[];
  /** Where a row's conversation is. */
  readonly chat?: Chat;
}

/** Templates whose braces do not fit name none. */
export const rowColumns = ({ prompt, answer, adapter, chat }: Pick<Data, "prompt" | "answer" | "adapter" | "chat">): RowColumns => {
  const read = [prompt, answer, adapter].flatMap((template) => {
    const one = template === undefined ? undefined : readTemplate(template);
    return one && "parts" in one ? one : [];
  });
  const needed = new Set(read.flatMap((template) => [...template.needed]));
  const all = new Set(read.flatMap(({ columns }) => columns));
  return { needed: [...needed], optional: [...all].filter((column) => !needed.has(column)), ...(chat && { chat }) };
};
