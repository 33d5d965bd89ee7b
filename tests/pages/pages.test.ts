// Every diagnostic page that shows a pipeline, rows or a config.json is run: the failing block gives its code, the corrected one no error and
// not the code. Pages that show an event in words or a command are named by a test of their own; this one finds it.

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { peftIn } from "../checker/peft-in.ts";
import { assert, group } from "../harness.ts";
import { readCase } from "../mistakes/case.ts";
import { config, makeWorld } from "../mistakes/world.ts";
import { basesFor } from "./bases.ts";
import { complete } from "./complete.ts";
import { filesFor } from "./files.ts";

const folder = new URL("../../spec/diagnostics/", import.meta.url);

/** Pages of what is seen while weights are read or while it trains: the command that reads or trains. */
const ofRuns: Readonly<Record<string, string>> = {
  PEFT0372: "train main.peft --device cpu",
  PEFT0644: "evaluate main.peft --device cpu",
  PEFT0645: "evaluate main.peft --device cpu",
  PEFT0700: "train main.peft --device cpu",
};

/** Pages that show a config.json, whole or the keys that it is about. */
const ofConfigs = new Set(["PEFT0342", "PEFT0343", "PEFT0344", "PEFT0345", "PEFT0347"]);

/** Pages that show rows: what is read from each, where it is not a meaning and a reference. */
const ofRows: Readonly<Record<string, string>> = Object.fromEntries(
  ["PEFT0560", "PEFT0561", "PEFT0562", "PEFT0563", "PEFT0566", "PEFT0569", "PEFT0572", "PEFT0621", "PEFT0623"].map((code) => [
    code,
    /062/.test(code)
      ? 'chat = messages("messages", template: "chat.jinja")'
      : code === "PEFT0561"
        ? 'answer = "{reference}"'
        : 'prompt = "{meaning} ||"  answer = "{reference}"',
  ]),
);

/** A template that wants roles to take turns, as many do. */
const strict = `{%- for m in messages %}{% if (m.role == "user") != (loop.index0 % 2 == 0) %}{{ raise_exception("roles must take turns") }}{% endif %}[{{ m.role }}]{{ m.content }}{% if m.role == "assistant" %}</s>{% endif %}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}`;

/** A pipeline on a page's rows, with the files it reads. Where a page is about some of the rows, there is a whole one too. */
const onRows = (rows: string, code: string, language: string): { readonly text: string; readonly files: ReadonlyMap<string, string> } => {
  const reader = language === "csv" ? "csv" : "jsonl";
  const whole = /056[23]|0572/.test(code) ? '{"meaning": "name : Aromi", "reference": "Aromi is a pub ."}\n' : "";
  const text = `peft 1
base tiny = checkpoint("base/")
adapter menu = lora(r: 2) into tiny.layers.*.attn.q
data orders { train = ${reader}("rows.${reader}")  ${ofRows[code]} }
train menu on orders { optimizer: adamw(learning_rate: 2e-4)  steps: 10 }
`;
  return {
    text,
    files: new Map([
      [`rows.${reader}`, rows + whole],
      ["chat.jinja", strict],
    ]),
  };
};

interface Page {
  readonly code: string;
  readonly blocks: readonly { readonly language: string; readonly text: string }[];
}

const pages: readonly Page[] = readdirSync(folder)
  .filter((file) => /^PEFT0[2-9]\d\d\.md$/.test(file)) // the parser's own are run where the grammar is tested
  .sort()
  .map((file) => ({
    code: file.slice(0, -".md".length),
    blocks: [...readFileSync(new URL(file, folder), "utf8").matchAll(/^## (?:Wrong|Right)\n+```(\w+)\n([\s\S]*?)^```$/gm)].map(
      ([, language, text]) => ({ language: language!, text: text! }),
    ),
  }));

const isRun = ({ code, blocks }: Page): boolean =>
  code in ofRows || ofConfigs.has(code) || (blocks.length === 2 && blocks.every(({ language }) => language === "peft"));

/** The small llama as a page's config.json makes it: with the page's keys, or as the page has it where that is no JSON. */
const onConfig = (block: string, code: string): { readonly text: string; readonly files: ReadonlyMap<string, string> } => {
  let text = block;
  try {
    const { hidden_size, ...rest } = config;
    // The page of a missing key shows which it is; the one of another size than the weights' has the weights of the llama as it was.
    const keys = JSON.parse(block) as Record<string, unknown>;
    const right = code === "PEFT0347" || code === "PEFT0344" ? 64 : undefined;
    text = JSON.stringify({
      ...(code === "PEFT0344" ? rest : config),
      ...keys,
      ...(keys.hidden_size === right && right && { hidden_size }),
    });
  } catch {}
  return { text: 'peft 1\nbase tiny = checkpoint("base/")\n', files: new Map([["base/config.json", text]]) };
};

interface Found {
  readonly code: string;
  readonly severity: string;
  readonly message: string;
}

/** What `check` finds in a page's block in a folder of its own; with its data, where that is needed to find the code. */
const foundIn = async (block: Page["blocks"][number], code: string): Promise<readonly Found[]> => {
  const completed = complete(block.text, code);
  const { text, files } =
    code in ofRows
      ? onRows(block.text, code, block.language)
      : ofConfigs.has(code)
        ? onConfig(block.text, code)
        : { text: completed, files: new Map([...filesFor(completed), ...(await basesFor(completed))]) };
  const cwd = await makeWorld(readCase("page", "// row: OWN\n// what: a page\n// expect: clean\n"));
  try {
    writeFileSync(join(cwd, "main.peft"), text);
    for (const [name, content] of files) {
      mkdirSync(dirname(join(cwd, name)), { recursive: true });
      writeFileSync(join(cwd, name), content);
    }
    const check = async (more: string): Promise<readonly Found[]> =>
      (JSON.parse((await peftIn(cwd, `check${more} main.peft --format json`)).out) as { diagnostics: Found[] }).diagnostics;
    if (code in ofRuns) {
      const { err } = await peftIn(cwd, `${ofRuns[code]} -o out`);
      return [...err.matchAll(/^(error|warning)\[(PEFT\d+)\]: (.*)$/gm)].map(([, severity, own, message]) => ({
        code: own!,
        severity: severity!,
        message: message!,
      }));
    }
    const found = await check("");
    return found.some((one) => one.code === code) ? found : [...found, ...(await check(" --data"))];
  } finally {
    rmSync(cwd, { recursive: true, force: true });
  }
};

const verify = async ({ code, blocks }: Page): Promise<void> => {
  const [wrong, right] = blocks;
  const shown = (found: readonly Found[]): string => found.map((one) => `${one.code} ${one.message}`).join("\n") || "nothing was found";
  const bad = await foundIn(wrong!, code);
  assert.ok(
    bad.some((one) => one.code === code),
    `the failing block of ${code}:\n${shown(bad)}`,
  );
  const good = await foundIn(right!, code);
  assert.equal(
    good.filter((one) => one.severity === "error" || one.code === code),
    [],
    `the corrected block of ${code}:\n${shown(good)}`,
  );
};

group("diagnostic pages", (test) => {
  for (const page of pages.filter(isRun))
    test(`${page.code}: the failing block gives its code, the corrected one does not`, () => verify(page));

  test("a page that lies is noticed", async () => {
    const lie = {
      code: "PEFT0312",
      blocks: ["{q, v}", "q"].map((path) => ({ language: "peft", text: `adapter a = lora(r: 2) into tiny.layers.*.attn.${path}` })),
    };
    const fails = await verify(lie).then(
      () => false,
      () => true,
    );
    assert.ok(fails);
  });

  // Those of the command line are run in cli/pages.test.ts.
  test("pages that are not run here are named by a test of their own", () => {
    const root = fileURLToPath(new URL("../", import.meta.url));
    const texts = readdirSync(root, { recursive: true, encoding: "utf8" })
      .filter((file) => /\.(ts|peft)$/.test(file) && !file.startsWith("pages"))
      .map((file) => readFileSync(join(root, file), "utf8"));
    const language = new URL("../../spec/language/", import.meta.url);
    // Of the specification, the blocks that are run; not what is said about a code.
    for (const file of readdirSync(language))
      texts.push((readFileSync(new URL(file, language), "utf8").match(/^```peft (check|error) PEFT\d{4}$/gm) ?? []).join("\n"));
    const all = texts.join("\n");
    assert.equal(
      pages.filter((page) => !isRun(page) && !page.code.startsWith("PEFT09") && !all.includes(page.code)).map(({ code }) => code),
      [],
    );
  });
});
