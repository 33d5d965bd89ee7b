// The rules of the house, as greps over tracked files: what may import what, which words may stand where, how large a file may be.
// Each rule is a function from files to complaints, and each is shown to complain about a planted offence before it is trusted.

import { execFileSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { posix } from "node:path";
import { fileURLToPath } from "node:url";
import { assert, group } from "./harness.ts";

const root = fileURLToPath(new URL("../", import.meta.url));

interface Text {
  readonly path: string;
  readonly text: string;
}

/** Tracked files and those that would be: everything git does not ignore. */
const tracked: readonly string[] = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
  cwd: root,
  encoding: "utf8",
})
  .split("\n")
  .filter((path) => path && statSync(root + path, { throwIfNoEntry: false })?.isFile())
  .sort();
const binary = /\.(safetensors|png|onnx|bin|gz|parquet)$/;
const texts: readonly Text[] = tracked
  .filter((path) => !binary.test(path))
  .map((path) => ({ path, text: readFileSync(root + path, "utf8") }));
const code = texts.filter(({ path }) => path.endsWith(".ts"));

// ---- words ----------------------------------------------------------------------------------------------------------

// Names of papers and of the models, methods, formats and optimizers in them. They are text in stdlib/, and nowhere below it.
const paperNames =
  "lora qlora dora rslora adalora vera vblora ia3 pissa eva corda loha lokr oft boft hra fourierft delora gralora hira randlora shira compacter houlsby pfeiffer unipelt ptuning nf4 fp4 mxfp4 gptq awq adam adamw lion adafactor " +
  "llama llama2 llama3 gpt gpt2 gptneox gptj t5 bert roberta qwen qwen2 mistral mixtral gemma phi falcon bloom opt";
const papers = new Set(paperNames.split(" "));

/** Other tools' spellings are recognised to offer the fix; their table holds the words. */
const wordsOfOthers = ["compiler/blocks/other-tools.ts"];

const paperComplaints = (files: readonly Text[]): readonly string[] =>
  files
    .filter(({ path }) => /^(compiler|runtime)\//.test(path) && !wordsOfOthers.includes(path))
    .flatMap(({ path, text }) =>
      text.split("\n").flatMap((line, index) =>
        // `loraRank` and `lora_alpha` hold the word as `lora` does; `LoRA` is one word, though its letters change case within.
        [...new Set([line, line.replace(/([a-z\d])([A-Z])/g, "$1_$2")].flatMap((text) => text.split(/[^A-Za-z\d]+/)))]
          .filter((word) => papers.has(word.toLowerCase()))
          .map((word) => `${path}:${index + 1}: \`${word}\` belongs in stdlib/`),
      ),
    );

// ---- imports --------------------------------------------------------------------------------------------------------

const rooms = ["spec", "grammar", "compiler", "runtime", "cli"] as const;
type Room = (typeof rooms)[number];

/** Rooms that a room may load code from. Types are free: they vanish, and a level's type lives where the level is made. */
const mayLoad: Readonly<Record<Room, readonly Room[]>> = {
  spec: [],
  grammar: ["spec"],
  compiler: ["spec", "grammar"],
  runtime: ["spec"],
  cli: ["spec", "grammar", "compiler", "runtime"],
};

/** Files that may touch Node: the command line, what is named for it, and scripts that `npm run generate` runs. */
const nodeEdge = (path: string): boolean =>
  /^cli\//.test(path) || /(^|\/)node-[\w-]+\.ts$/.test(path) || /^spec\/(generate|schema)\.ts$/.test(path);
const heavy = /^(webgpu|onnxruntime-node|ts-morph|@huggingface\/hub)$/;

interface Import {
  readonly from: string;
  readonly typeOnly: boolean;
  readonly lazy: boolean;
}

const importsOf = ({ text }: Text): readonly Import[] => [
  ...[...text.matchAll(/^(?:import|export)\s+(type\s)?[^"'`;]*?from\s+"([^"]+)"/gm)].map(([all, type, from]) => ({
    from: from!,
    typeOnly: type !== undefined || /^(?:import|export)\s*\{\s*(type\s+\w+(\s+as\s+\w+)?\s*,?\s*)+\}/.test(all),
    lazy: false,
  })),
  ...[...text.matchAll(/^import\s+"([^"]+)"/gm)].map(([, from]) => ({ from: from!, typeOnly: false, lazy: false })),
  ...[...text.matchAll(/\bimport\(\s*"([^"]+)"\s*\)/g)].map(([, from]) => ({ from: from!, typeOnly: false, lazy: true })),
];

const roomOf = (path: string): Room | undefined => rooms.find((room) => path.startsWith(`${room}/`));

type ImportRule = (file: Text, room: Room, imported: Import) => string | undefined;

const importComplaints =
  (rule: ImportRule) =>
  (files: readonly Text[]): readonly string[] =>
    files.flatMap((file) => {
      const room = roomOf(file.path);
      return room ? importsOf(file).flatMap((imported) => rule(file, room, imported) ?? []) : [];
    });

const downwards: ImportRule = ({ path }, room, { from, typeOnly }) => {
  const to = from.startsWith(".") ? roomOf(posix.join(posix.dirname(path), from)) : undefined;
  return !to || to === room || typeOnly || mayLoad[room].includes(to) ? undefined : `${path} imports code from ${to}/`;
};

/** The cpu device is ONNX Runtime for Node, an edge by itself. */
const nodeAtTheEdges: ImportRule = ({ path }, _, { from, typeOnly }) =>
  from.startsWith("node:") && !typeOnly && !nodeEdge(path) && path !== "runtime/devices/cpu.ts" ? `${path} imports ${from}` : undefined;

const heavyIsLazy: ImportRule = ({ path }, _, { from, typeOnly, lazy }) =>
  heavy.test(from) && !typeOnly && !lazy && !loadsHeavy(path) ? `${path} loads ${from} at start` : undefined;

/** Files that exist to hold a heavy package, and are themselves loaded lazily. */
const loadsHeavy = (path: string): boolean =>
  path === "spec/schema.ts" || path === "compiler/emit/typescript.ts" || /(^|\/)node-[\w-]+\.ts$/.test(path);

// ---- size, hosts, form ----------------------------------------------------------------------------------------------

const longest = 500;
const sizeComplaints = (files: readonly Text[]): readonly string[] =>
  files
    .filter(({ path }) => path.endsWith(".ts") && !path.endsWith(".generated.ts"))
    .map(({ path, text }) => ({ path, lines: text.trimEnd().split("\n").length }))
    .filter(({ lines }) => lines > longest)
    .map(({ path, lines }) => `${path} has ${lines} lines; ${longest} is the limit`);

// Written in halves so that this file passes its own rule.
const hosts = [
  "registry." + "npmjs",
  "pypi" + ".org",
  "files." + "pythonhosted",
  "deb." + "debian",
  "/home" + "/",
  "/root" + "/",
  "/work" + "/main",
  "/work" + "/shared",
  "huggingface" + ".co/api",
];
const hostComplaints = (files: readonly Text[]): readonly string[] =>
  files
    .filter(({ path }) => path !== "package-lock.json")
    .flatMap(({ path, text }) => hosts.filter((host) => text.includes(host)).map((host) => `${path} names ${host}`));

const withoutComments = (text: string): string => text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");

const formComplaints = (files: readonly Text[]): readonly string[] =>
  files
    .filter(({ path }) => roomOf(path))
    .flatMap(({ path, text }) => [
      ...(/^export default\b/m.test(text) ? [`${path}: a default export`] : []),
      ...(/^(export )?(const )?enum\b/m.test(text) ? [`${path}: an enum`] : []),
      ...(/^export \* from/m.test(text) ? [`${path}: a barrel`] : []),
      ...(/(:|<|as) any\b/.test(withoutComments(text)) ? [`${path}: \`any\``] : []),
      ...(/(^|\/)(utils?|helpers?|managers?)\.ts$/.test(path) ? [`${path}: a drawer, not a name`] : []),
      ...(text.startsWith("//") || text.startsWith("#!") || path.endsWith(".generated.ts")
        ? []
        : [`${path} does not open with what it is`]),
    ]);

// ---- diagnostic pages -----------------------------------------------------------------------------------------------

const pageComplaints = (pages: readonly Text[]): readonly string[] =>
  pages.flatMap(({ path, text }) => [
    ...(/^## Wrong\n+```\w+\n[\s\S]+?^```$/m.test(text) ? [] : [`${path} has no failing block`]),
    ...(/^## Right\n+```\w+\n[\s\S]+?^```$/m.test(text) ? [] : [`${path} has no corrected block`]),
    ...(/^> .+\n\n\S/m.test(text) ? [] : [`${path} explains nothing`]),
  ]);

/** Names of creators that pages define and nothing calls, and codes written by hand that have no page. */
const codeComplaints = (pages: readonly Text[], sources: readonly Text[]): readonly string[] => {
  const all = sources.map(({ text }) => text).join("\n");
  const unused = pages.flatMap(({ path, text }) => {
    const name = /^# PEFT\d{4} (\w+)$/m.exec(text)?.[1];
    return name && !new RegExp(`\\bdiagnostics\\.${name}\\b`).test(all) ? [`${path}: nothing reports \`${name}\``] : [];
  });
  const known = new Set(pages.map(({ path }) => path.slice(-"PEFT0000.md".length, -".md".length)));
  const unknown = [...all.matchAll(/\bPEFT\d{4}\b/g)]
    .filter(([used]) => !known.has(used))
    .map(([used]) => `${used} is written in the code and has no page`);
  return [...unused, ...new Set(unknown)];
};

const pages = texts.filter(({ path }) => path.startsWith("spec/diagnostics/"));
const reporting = code.filter(({ path }) => roomOf(path) && !path.endsWith(".generated.ts"));

const none = (complaints: readonly string[]): void => assert.is(complaints.length, 0, `\n${complaints.join("\n")}`);

group("house", (test) => {
  const rule = (title: string, complaints: (files: readonly Text[]) => readonly string[], files: readonly Text[], offence: Text) =>
    test(title, () => {
      assert.ok(files.length > 0, "the rule looks at no file");
      assert.is(complaints([offence]).length, 1, "the planted offence is not seen");
      none(complaints(files));
    });

  rule("no paper's name in compiler/ or runtime/", paperComplaints, code, { path: "compiler/x.ts", text: "const loraRank = 8;" });
  rule("rooms import downwards only", importComplaints(downwards), code, {
    path: "runtime/x.ts",
    text: 'import { parse } from "../grammar/parse.ts";',
  });
  rule("node: only at the edges", importComplaints(nodeAtTheEdges), code, {
    path: "compiler/x.ts",
    text: 'import { readFileSync } from "node:fs";',
  });
  rule("heavy packages are loaded lazily", importComplaints(heavyIsLazy), code, {
    path: "cli/x.ts",
    text: 'import { Project } from "ts-morph";',
  });
  rule(`no file over ${longest} lines`, sizeComplaints, code, { path: "x.ts", text: "x\n".repeat(longest + 1) });
  rule("no registry, no path of one machine", hostComplaints, texts, { path: "x.md", text: `see ${hosts[0]}` });
  rule("no default export, enum, barrel, any or drawer; a file says what it is", formComplaints, code, {
    path: "cli/x.ts",
    text: "// x\nexport default 1;",
  });
  rule("every diagnostic page has a failing and a corrected block", pageComplaints, pages, {
    path: "spec/diagnostics/PEFT0001.md",
    text: "# PEFT0001 x\n\n> x\n\nWhy.\n\n## Wrong\n\n```peft\nx\n```\n",
  });

  test("every diagnostic page is reported by the code, and every code has a page", () => {
    const planted = codeComplaints(
      [{ path: "spec/diagnostics/PEFT0001.md", text: "# PEFT0001 never" }],
      [{ path: "cli/x.ts", text: '"PEFT0002"' }],
    );
    assert.is(planted.length, 2, "the planted offences are not seen");
    none(codeComplaints(pages, reporting));
  });

  test("a paper's name is seen in every spelling", () => {
    for (const text of ["loraRank", "lora_alpha", "LORA", "like LoRA's", "`QLoRA`", "NF4", "AdamW", "DeLoRA"])
      assert.ok(paperComplaints([{ path: "runtime/x.ts", text: `// ${text}` }]).length > 0, text);
  });

  test("a type-only import is told from one that loads code", () => {
    const types = ['import type { A } from "./a.ts";', 'import { type A, type B } from "./a.ts";', 'export type { A } from "./a.ts";'];
    for (const text of types) assert.is(importsOf({ path: "x.ts", text })[0]!.typeOnly, true, text);
    for (const text of ['import { type A, b } from "./a.ts";', 'import { b } from "./a.ts";'])
      assert.is(importsOf({ path: "x.ts", text })[0]!.typeOnly, false, text);
  });
});
