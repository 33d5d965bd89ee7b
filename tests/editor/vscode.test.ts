// The VS Code extension: its colours agree with the scanner on every file of the repository, its manifest names what is there, and what is
// packaged starts and answers.

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { builtinModules, createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createProtocolConnection, StreamMessageReader, StreamMessageWriter } from "vscode-languageserver-protocol/node";
import oniguruma from "vscode-oniguruma";
import textmate from "vscode-textmate";
import { buildExtension } from "../../editors/vscode/build.mts";
import { parse } from "../../grammar/parse.ts";
import { endOf, NumberToken, StringToken, scan } from "../../grammar/tokens.ts";
import { assert, group } from "../harness.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const folder = `${root}editors/vscode/`;
const manifest = JSON.parse(readFileSync(`${folder}package.json`, "utf8"));

const loadGrammar = async (): Promise<textmate.IGrammar> => {
  const require = createRequire(import.meta.url);
  await oniguruma.loadWASM(readFileSync(require.resolve("vscode-oniguruma/release/onig.wasm")).buffer as ArrayBuffer);
  const registry = new textmate.Registry({
    onigLib: Promise.resolve({
      createOnigScanner: (patterns: string[]) => new oniguruma.OnigScanner(patterns),
      createOnigString: (text: string) => new oniguruma.OnigString(text),
    }),
    loadGrammar: async () => JSON.parse(readFileSync(`${folder}syntaxes/peft.tmLanguage.json`, "utf8")),
  });
  return (await registry.loadGrammar("source.peft"))!;
};

/** The innermost scope at every character. */
const scopesOf = (grammar: textmate.IGrammar, text: string): readonly string[] => {
  const scopes: string[] = [];
  let stack = textmate.INITIAL;
  for (const line of text.split("\n")) {
    const { tokens, ruleStack } = grammar.tokenizeLine(line, stack);
    stack = ruleStack;
    for (const { startIndex, endIndex, scopes: own } of tokens)
      for (let i = startIndex; i < Math.min(endIndex, line.length); i++) scopes.push(own.slice(1).join(" "));
    scopes.push("");
  }
  return scopes;
};

const files = ["stdlib", "examples", "cli"].flatMap((part) =>
  readdirSync(root + part, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".peft"))
    .map((file) => `${part}/${file}`),
);

group("vscode", (test) => {
  test("strings, numbers, comments and the words that begin items are coloured as the scanner reads them", async () => {
    const grammar = await loadGrammar();
    assert.ok(files.length > 10);
    for (const file of files) {
      const text = readFileSync(root + file, "utf8");
      const scopes = scopesOf(grammar, text);
      const { tokens, comments } = scan(text, file);
      const where = (offset: number): string =>
        `${file}:${text.slice(0, offset).split("\n").length}: \`${text.slice(offset, offset + 20).split("\n")[0]}\``;
      for (const { at } of comments) for (let i = at.start; i < at.end; i++) assert.match(scopes[i]!, "comment.line", where(i));
      for (const token of tokens) {
        const start = token.startOffset;
        const kind = token.tokenType === StringToken ? "string.quoted" : token.tokenType === NumberToken ? "constant.numeric" : undefined;
        if (kind)
          for (let i = start; i < (kind === "constant.numeric" ? start + 1 : endOf(token)); i++) assert.match(scopes[i]!, kind, where(i));
        else for (let i = start; i < endOf(token); i++) assert.not.match(scopes[i]!, /string|comment|numeric/, where(i));
      }
      for (const item of parse(text, file).file.items) assert.match(scopes[item.at.start]!, /keyword|storage/, where(item.at.start));
    }
  });

  test("names of settings, arguments, calls and columns have colours of their own", async () => {
    const grammar = await loadGrammar();
    const text = 'train menu on orders {\n  optimizer: adamw(learning_rate: 2e-4)\n}\ndata orders { prompt = "{slip}\\n" }\n';
    const scopes = scopesOf(grammar, text);
    const at = (word: string): string => scopes[text.indexOf(word)]!;
    assert.match(at("optimizer"), "variable.parameter");
    assert.match(at("adamw"), "entity.name.function");
    assert.match(at("learning_rate"), "variable.parameter");
    assert.match(at("{slip}"), "variable.other.column");
    assert.match(at("\\n"), "constant.character.escape");
    assert.match(at("on orders"), "keyword");
  });

  test("the manifest names files that are there and commands that are registered", () => {
    const { languages, grammars, commands } = manifest.contributes;
    const named: string[] = [
      ...languages.map((one: { configuration: string }) => one.configuration),
      ...grammars.map((one: { path: string }) => one.path),
    ];
    for (const path of named) {
      assert.ok(existsSync(join(folder, path)), path);
      JSON.parse(readFileSync(join(folder, path), "utf8"));
    }
    const source = readFileSync(`${folder}src/extension.ts`, "utf8");
    for (const { command } of commands) assert.match(source, `registerCommand("${command}"`);
  });

  test("the built extension asks for nothing but VS Code and Node, and its server answers", async () => {
    const built = `${mkdtempSync(join(tmpdir(), "peft-vscode-"))}/`;
    try {
      await buildExtension(built);
      const code = readFileSync(built + manifest.main, "utf8");
      const asked = new Set([...code.matchAll(/require\("([^"]+)"\)/g)].map(([, name]) => name!.replace(/^node:/, "")));
      assert.ok(asked.has("vscode"));
      assert.equal(
        [...asked].filter((name) => name !== "vscode" && !builtinModules.includes(name)),
        [],
      );
      const child = spawn(process.execPath, [`${built}server/peft.cjs`, "lsp", "--stdio"], { stdio: ["pipe", "pipe", "inherit"] });
      const connection = createProtocolConnection(new StreamMessageReader(child.stdout), new StreamMessageWriter(child.stdin));
      connection.listen();
      const answer: { serverInfo: { name: string } } = await connection.sendRequest("initialize", {
        processId: null,
        rootUri: null,
        capabilities: {},
      });
      assert.is(answer.serverInfo.name, "peft");
      connection.dispose();
      child.kill();
    } finally {
      rmSync(built, { recursive: true, force: true });
    }
  });
});
