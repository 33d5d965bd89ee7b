// Every case of tests/mistakes/cases: what is found, where, what it says, and that mending it leaves nothing.

import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Io } from "../../cli/io.ts";
import { main } from "../../cli/main.ts";
import { assert, group } from "../harness.ts";
import { type Case, readCase } from "./case.ts";
import { makeWorld } from "./world.ts";

const folder = new URL("./cases/", import.meta.url);
const cases = readdirSync(folder)
  .filter((file) => file.endsWith(".peft"))
  .sort()
  .map((file) => readCase(file, readFileSync(new URL(file, folder), "utf8")));

interface Found {
  readonly code: string;
  readonly message: string;
  readonly at?: { readonly file: string; readonly start: { readonly offset: number }; readonly end: { readonly offset: number } };
  readonly label?: string;
  readonly notes: readonly { readonly message: string }[];
  readonly help?: string;
}

const run = async (command: string, cwd: string): Promise<{ readonly code: number; readonly out: string }> => {
  const parts: string[] = [];
  const stream = { write: (text: string) => void parts.push(text), terminal: false, columns: () => undefined, colour: false };
  const silent = { ...stream, write: () => {} };
  const io: Io = { cwd, out: stream, err: silent, stdin: () => "", now: () => 0 };
  const code = await main([...command.split(" "), "main.peft", "--format", "json"], io);
  return { code, out: parts.join("") };
};

const diagnose = async (command: string, cwd: string): Promise<readonly Found[]> => {
  const { code, out } = await run(command, cwd);
  const { diagnostics } = JSON.parse(out) as { readonly diagnostics: readonly Found[] };
  assert.ok(code === 0 || code === 1, `exit code ${code}`);
  return diagnostics;
};

const saidBy = ({ message, label, notes, help }: Found): string =>
  [message, label, ...notes.map((note) => note.message), help].filter(Boolean).join("\n");

const shown = (found: readonly Found[], text: string): string =>
  found
    .map((one) => `${one.code} on \`${one.at ? text.slice(one.at.start.offset, one.at.end.offset) : "nothing"}\`: ${saidBy(one)}`)
    .join("\n") || "nothing was found";

const verify = async (one: Case): Promise<void> => {
  const cwd = await makeWorld(one);
  try {
    const found = await diagnose(one.run, cwd);
    const report = shown(found, one.text);
    assert.equal(found.map(({ code }) => code).sort(), one.expected.map(({ code }) => code).sort(), report);
    const left = [...found];
    for (const { code, on } of one.expected) {
      if (on === undefined) continue;
      const marked = (own: Found): string => (own.at?.file === "main.peft" ? one.text.slice(own.at.start.offset, own.at.end.offset) : "");
      const index = left.findIndex((own) => own.code === code && marked(own) === on);
      assert.ok(index >= 0, `${code} does not mark \`${on}\`:\n${report}`);
      left.splice(index, 1);
    }
    const all = found.map(saidBy).join("\n");
    for (const said of one.says) assert.ok(all.includes(said), `nothing says "${said}":\n${report}`);
    await mend(one, cwd);
  } finally {
    rmSync(cwd, { recursive: true, force: true });
  }
};

const mend = async (one: Case, cwd: string): Promise<void> => {
  if (one.mend === "none") return;
  if (one.mend === "--fix") await run(`${one.run} --fix`, cwd);
  else {
    const [from, to] = one.mend.split(" ==> ");
    const body = one.text.indexOf("\npeft ") + 1;
    assert.ok(to !== undefined && one.text.slice(body).includes(from!), `\`mend\` replaces nothing: ${one.mend}`);
    const mended = to === "(nothing)" ? "" : to!;
    writeFileSync(join(cwd, "main.peft"), one.text.slice(0, body) + one.text.slice(body).replace(from!, mended.replaceAll("$", "$$$$")));
  }
  const left = await diagnose(one.run, cwd);
  assert.is(left.length, 0, `mended with ${one.mend}, there is still\n${shown(left, readFileSync(join(cwd, "main.peft"), "utf8"))}`);
};

group("mistakes", (test) => {
  for (const one of cases) test(`${one.name}: ${one.what}`, () => verify(one));

  test("there are at least eighty, and a wrong expectation is noticed", async () => {
    assert.ok(cases.length >= 80, `${cases.length} cases`);
    const fails = async (text: string): Promise<boolean> => {
      try {
        await verify(readCase("planted", `// row: OWN\n// what: planted\n${text}`));
        return false;
      } catch {
        return true;
      }
    };
    const typo = '\npeft 1\nbase tiny = checkpoint("base/")\nadapter menu = lora() into tiny.layer.**\n';
    assert.ok(!(await fails(`// expect: PEFT0312 on \`layer\`\n// mend: --fix${typo}`)), "the planted mistake itself");
    assert.ok(await fails(`// expect: clean${typo}`), "nothing expected");
    assert.ok(await fails(`// expect: PEFT0313\n// mend: --fix${typo}`), "another code");
    assert.ok(await fails(`// expect: PEFT0312 on \`tiny\`\n// mend: --fix${typo}`), "another place");
    assert.ok(await fails(`// expect: PEFT0312\n// says: elephants\n// mend: --fix${typo}`), "another text");
    assert.ok(await fails(`// expect: PEFT0312\n// mend: tiny.layer ==> tiny.lair${typo}`), "a wrong mend");
  });
});
