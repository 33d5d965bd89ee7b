// A file that loads an adapter's folder, and what the compiler says of it.

import { writeFileSync } from "node:fs";
import { compileHost } from "../../../cli/compile-host.ts";
import { compile } from "../../../compiler/compile.ts";
import { block } from "./compare.ts";

export const pipeline = (base: string, adapter: string): string => `peft 1
base model = checkpoint("${base}/")
adapter it ${block(adapter)}
data rows { train = text("rows.txt")  answer = "{text}" }
evaluate it, model on rows.train { metrics: [loss]  generate: greedy(max_new_tokens: 1)  micro_batch_size: 1  sequence_len: 16 }
`;

export const codesOf = async (folder: string, text: string): Promise<{ codes: string[]; said: string }> => {
  const file = `${folder}/it.peft`;
  writeFileSync(`${folder}/rows.txt`, "a row\n");
  const { diagnostics } = await compile({ file, goal: "check" }, compileHost(new Map([[file, text]])));
  return {
    codes: diagnostics.map(({ code }) => code),
    said: diagnostics.map((one) => [one.message, ...one.notes.map(({ message }) => message), one.help].join("\n")).join("\n"),
  };
};
