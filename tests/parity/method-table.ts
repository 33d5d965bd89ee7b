// `npm run methods` writes docs/method-table.md: how long each method of the library is, and which library's numbers it is held to.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "../../grammar/parse.ts";
import { cases as hubCases } from "./bottleneck/cases.ts";
import { cases as peftCases } from "./methods/cases.ts";

const methods = fileURLToPath(new URL("../../stdlib/methods/", import.meta.url));
export const tableFile = fileURLToPath(new URL("../../docs/method-table.md", import.meta.url));

/** Names of the methods that a set of cases uses. */
const usedIn = (
  cases: Readonly<Record<string, { readonly adapter: string; readonly optimizer?: { readonly adapter: string } }>>,
): ReadonlyMap<string, number> => {
  const found = new Map<string, number>();
  for (const { adapter, optimizer } of Object.values(cases))
    for (const name of new Set([...`${adapter} ${optimizer?.adapter ?? ""}`.matchAll(/(\w+)\(/g)].map(([, called]) => called!)))
      found.set(name, (found.get(name) ?? 0) + 1);
  return found;
};

/** Lines that are neither empty, nor a comment, nor the version. */
const lengthOf = (text: string): number => text.split("\n").filter((line) => !/^\s*(\/\/.*)?$/.test(line) && line !== "peft 1").length;

export const methodTable = (): string => {
  const [peft, hub] = [usedIn(peftCases), usedIn(hubCases)];
  const rows = readdirSync(methods)
    .sort()
    .flatMap((file) => {
      const text = readFileSync(`${methods}${file}`, "utf8");
      return parse(text, file).file.items.flatMap((item) => {
        if (item.kind !== "method") return [];
        const name = item.name.text;
        const blocks = item.members.flatMap((member) => (member.kind === "interop" ? [member] : []));
        const filed = blocks.reduce((sum, { at }) => sum + lengthOf(text.slice(at.start, at.end)), 0);
        const held = [
          ...(peft.has(name) ? [`PEFT, ${peft.get(name)} cases`] : []),
          ...(hub.has(name) ? [`AdapterHub, ${hub.get(name)} cases`] : []),
        ];
        return [
          { name, lines: lengthOf(text.slice(item.at.start, item.at.end)), filed, held: held.join("; ").replaceAll("1 cases", "1 case") },
        ];
      });
    });
  const lengths = rows.map(({ lines }) => lines).sort((a, b) => a - b);
  const equations = rows.map(({ lines, filed }) => lines - filed).sort((a, b) => a - b);
  const median = (sorted: readonly number[]): number => sorted[Math.floor(sorted.length / 2)]!;
  return `<!-- Made by \`npm run methods\` from stdlib/methods and the cases of tests/parity. Edit those. -->

# How long a method is

Lines of each method of the library without empty lines and comments; of them, how it lies in other libraries' files (\`interop\`). Held to:
twenty steps of SGD and of AdamW, the first gradient, counts and file sizes equal that library's (losses and counts alone where what is stored has
another form there). A method is ops, and each op that trains has a form for the cpu device and one for webgpu, held to one reference by tests.

${rows.length} methods; ${median(lengths)} lines at the median, ${median(equations)} without \`interop\`.

| method | lines | of them \`interop\` | held to |
|---|---|---|---|
${rows.map(({ name, lines, filed, held }) => `| ${name} | ${lines} | ${filed} | ${held || "its laws alone"} |`).join("\n")}
`;
};

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(tableFile, methodTable());
