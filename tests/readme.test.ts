// What the README shows is what the tool does: its pipeline checks clean, its commands print what stands below them, its npm
// scripts exist. A line `…` stands for lines left out. `UPDATE=1 npm test` writes the present output into it.

import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Stream } from "../cli/io.ts";
import { main } from "../cli/main.ts";
import { assert, group } from "./harness.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const path = `${root}README.md`;
const readme = readFileSync(path, "utf8");
const pipeline = /^```peft\n([\s\S]*?)^```$/m.exec(readme)![1]!;
const consoles = [...readme.matchAll(/^```console\n\$ peft (.*)\n([\s\S]*?)^```$/gm)].map(([, command, shown]) => ({
  command: command!,
  shown: shown!,
}));

const base = `${root}examples/quickstart/base`;
const skip = existsSync(`${base}/config.json`) ? undefined : "examples/quickstart/base has no checkpoint";

/** Runs a command beside the README's pipeline and a base for it; everything it printed. */
const peft = async (command: string, text: string): Promise<string> => {
  const folder = mkdtempSync(join(tmpdir(), "peft-readme-"));
  try {
    cpSync(base, join(folder, "base"), { recursive: true });
    writeFileSync(join(folder, "menu.peft"), text);
    writeFileSync(join(folder, "orders.jsonl"), '{"slip": "1 soup", "text": "One soup."}\n');
    const parts: string[] = [];
    const stream: Stream = { write: (part) => void parts.push(part), terminal: false, columns: () => undefined, colour: false };
    await main(command.split(" "), { cwd: folder, out: stream, err: stream, stdin: () => "", now: () => 0 });
    return parts.join("");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

/** When `shown` begins with `…`: from the line it then shows to the end of that part of `output`. Otherwise all of it. */
const excerpt = (output: string, shown: string): string => {
  const lines = shown.trimEnd().split("\n");
  if (lines[0] !== "…") return output;
  const all = output.trimEnd().split("\n");
  const start = all.indexOf(lines[1]!);
  if (start < 0) return output;
  const end = all.findIndex((line, at) => at > start && line === "" && all[at + 1] === "");
  return `…\n${all.slice(start, end < 0 ? all.length : end).join("\n")}\n…\n`;
};

group("README", (test) => {
  test("its pipeline has no mistake", async () => assert.is(await peft("check menu.peft", pipeline), "no problems in 1 file\n"), { skip });

  test("it shows an error and a level", () =>
    assert.equal(
      consoles.map(({ command }) => command.split(" ")[0]),
      ["check", "build"],
    ));

  for (const { command, shown } of consoles)
    test(
      `peft ${command} prints what it shows`,
      async () => {
        const text = command.startsWith("check") ? pipeline.replace("attn.{q, v}", "attn.{q_proj, v}") : pipeline;
        const printed = excerpt(await peft(command, text), shown);
        if (process.env.UPDATE && printed !== shown)
          writeFileSync(
            path,
            readFileSync(path, "utf8").replace(shown, () => printed),
          );
        else assert.is(shown, printed);
      },
      { skip },
    );

  test("its npm scripts are there, and its links lead somewhere", () => {
    const { scripts } = JSON.parse(readFileSync(`${root}package.json`, "utf8"));
    const named = [...readme.matchAll(/npm run ([\w:]+)/g)].map(([, name]) => name!);
    assert.ok(named.length > 1);
    for (const name of named) assert.type(scripts[name], "string", name);
    for (const [, link] of readme.matchAll(/\]\(([^)#]+)\)/g)) assert.ok(existsSync(root + link), link);
  });
});
