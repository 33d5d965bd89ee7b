// Golden files that hold what goes in and what comes out side by side: Markdown with fenced blocks. The author writes the first
// blocks; `UPDATE=1 npm test` writes the last one, and a reviewer reads the difference.

import { readFileSync, writeFileSync } from "node:fs";
import { assert } from "../harness.ts";

export interface Golden {
  /** Text before the first block. */
  readonly title: string;
  /** The blocks by their language word, in order; `peft menu.peft` has the language `peft` and the name `menu.peft`. */
  readonly blocks: readonly { readonly language: string; readonly name: string | undefined; readonly text: string }[];
}

export const readGolden = (path: URL): Golden => {
  const text = readFileSync(path, "utf8");
  const blocks = [...text.matchAll(/^```(\w+)(?: (\S+))?\n([\s\S]*?)^```$/gm)].map(([, language, name, body]) => ({
    language: language!,
    name,
    text: body!,
  }));
  return { title: text.slice(0, text.indexOf("```")).trim(), blocks };
};

/** Compares `actual` with the file's last block, which must be of `language`. */
export const assertGolden = (path: URL, language: string, actual: string): void => {
  const text = readFileSync(path, "utf8");
  const { blocks } = readGolden(path);
  const last = blocks.at(-1);
  if (last?.language === language && last.text === actual) return;
  if (process.env.UPDATE) {
    const kept = last?.language === language ? text.slice(0, text.lastIndexOf(`\`\`\`${language}\n`)) : `${text.trimEnd()}\n\n`;
    writeFileSync(path, `${kept}\`\`\`${language}\n${actual}\`\`\`\n`);
    return;
  }
  assert.is(actual, last?.language === language ? last.text : "(no block: run UPDATE=1 npm test)");
};
