// The language server, through the protocol: what is published, what is answered, and what an edit makes of the text.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type {
  CodeAction,
  CompletionItem,
  DocumentSymbol,
  Hover,
  InlayHint,
  Location,
  MarkupContent,
  TextEdit,
  WorkspaceEdit,
} from "vscode-languageserver-protocol/node";
import { assert, group } from "../harness.ts";
import { type Client, edited, labels, marked, withServer } from "./client.ts";

const pipeline = `peft 1

base tiny = checkpoint("base/")
adapter menu = lora(r: 8, alpha: 16) into tiny.layers.*.attn.{q, v}
data orders {
  train = jsonl("orders.jsonl")
  prompt = "{slip}\\n"
  answer = "{text}"
}
train menu on orders {
  optimizer: adamw(learning_rate: 1e-3)
  epochs: 3
}
`;

const ask = async <T>(client: Client, method: string, name: string, text: string, more: object = {}): Promise<T> => {
  const { text: plain, position } = marked(text);
  await client.open(name, plain);
  return client.connection.sendRequest(method, { textDocument: { uri: client.uri(name) }, position, ...more });
};

const at = (text: string, place: string): string => {
  const clean = place.replace("|", "");
  if (!text.includes(clean)) throw new Error(`${clean} is not in the text`);
  return text.replace(clean, place);
};

const hoverOf = async (client: Client, place: string, text = pipeline): Promise<string> => {
  const found = await ask<Hover | null>(client, "textDocument/hover", "menu.peft", at(text, place));
  return (found?.contents as MarkupContent | undefined)?.value ?? "";
};

const complete = async (client: Client, text: string): Promise<readonly CompletionItem[]> =>
  ask(client, "textDocument/completion", "menu.peft", text);

group("language server", (test) => {
  test("a clean file has no diagnostics; a mistake is marked where it is, with its code, and goes when it is mended", () =>
    withServer(async (client) => {
      assert.equal(await client.open("menu.peft", pipeline), []);
      const [found] = await client.change("menu.peft", pipeline.replace("attn.{q, v}", "attn.{q_proj, v}"));
      assert.is(found!.code, "PEFT0312");
      assert.equal(found!.range, { start: { line: 3, character: 62 }, end: { line: 3, character: 68 } });
      assert.match(String(found!.message), "did you mean `q`?");
      assert.equal(await client.change("menu.peft", "q", found!.range), []);
    }));

  test("every mistake comes at once, and a mistake in an imported file is shown there and withdrawn with the last importer", () =>
    withServer(async (client) => {
      client.write("shared.peft", "peft 1\nadapter menu = loar(r: 8) into tiny.layers.**\n");
      const imported = client.published("shared.peft");
      const own = await client.open(
        "menu.peft",
        `peft 1\nimport "./shared.peft"\nbase tiny = checkpoint("base/")\ntrain meun on orders { epochs: 1 }\n`,
      );
      assert.ok(own.length >= 2);
      assert.equal(
        (await imported).map(({ code }) => code),
        ["PEFT0308"],
      );
      const gone = client.published("shared.peft");
      await client.connection.sendNotification("textDocument/didClose", { textDocument: { uri: client.uri("menu.peft") } });
      assert.equal(await gone, []);
    }));

  test("an importer is checked again when an open file that it imports changes", () =>
    withServer(async (client) => {
      await client.open("shared.peft", 'peft 1\nbase tiny = checkpoint("base/")\n');
      assert.equal(await client.open("menu.peft", 'peft 1\nimport "./shared.peft"\nadapter menu = lora(r: 8) into tiny.layers.**\n'), []);
      const again = client.published("menu.peft");
      await client.change("shared.peft", 'peft 1\nbase small = checkpoint("base/")\n');
      assert.equal(
        (await again).map(({ code }) => code),
        ["PEFT0311"],
      );
    }));

  test("hover: a method's signature and documentation, a parameter, a setting", () =>
    withServer(async (client) => {
      const method = await hoverOf(client, "lo|ra(r: 8");
      assert.match(method, /method lora\(r: int = 8, .*\) amends Linear/);
      assert.match(method, "arXiv 2106.09685");
      assert.match(await hoverOf(client, "al|pha: 16"), "(parameter of lora) alpha: float = r");
      assert.match(await hoverOf(client, "epo|chs: 3"), "epochs: int");
      assert.match(await hoverOf(client, "ada|mw("), "optimizer adamw(learning_rate: float");
      assert.is(await hoverOf(client, "1e|-3"), "");
    }));

  test("hover: shapes, bytes and counts from the checkpoint at hand", () =>
    withServer(async (client) => {
      const segment = await hoverOf(client, "attn.{|q, v}");
      assert.match(segment, /tiny\.layers\.\*\.attn\.q/);
      assert.match(segment, /\d+ Linear; [\d,]+ parameters, [\d.]+ (KiB|MiB)/);
      assert.match(segment, /`layers\.0\.attn\.q\.weight` \[\d+, \d+\], `model\.layers\.0\.self_attn\.q_proj\.weight`/);
      assert.match(await hoverOf(client, "tiny.lay|ers"), /\d+ \w*Block/);
      const base = await hoverOf(client, "ti|ny = checkpoint");
      assert.match(base, /llama, [\d,]+ parameters, [\d.]+ (KiB|MiB) stored, up to \d+ tokens/);
      const adapter = await hoverOf(client, "train me|nu on");
      assert.match(adapter, /trains [\d,]+ of [\d,]+ parameters \([\d.]+ %\)/);
      assert.match(adapter, "It can be merged.");
      assert.match(adapter, /`tiny\.layers\.\*\.attn\.q` covers \d+/);
    }));

  test("hover inside a definition: what is declared, and ops", () =>
    withServer(async (client) => {
      const text = "peft 1\nmethod scaled() amends Linear {\n  param s: [out] ~ ones\n  weight = base.weight * softmax(s)[:, none]\n}\n";
      assert.match(await hoverOf(client, "softmax(|s)", text), "param s: [out] ~ ones");
      assert.match(await hoverOf(client, "soft|max(s)", text), "softmax(x, axis: -1)");
      assert.match(await hoverOf(client, "base.wei|ght", text), "param weight: [out, in] ~ normal(deviation)");
    }));

  test("completion: items at the start of a line", () =>
    withServer(async (client) => {
      const found = labels(await complete(client, `${pipeline}|`));
      for (const item of ["adapter", "train", "merge", "require", "method"]) assert.ok(found.includes(item), item);
    }));

  test("completion: methods, then their settings, without those given", () =>
    withServer(async (client) => {
      const methods = labels(await complete(client, pipeline.replace("lora(r: 8, alpha: 16) into tiny.layers.*.attn.{q, v}", "|")));
      assert.ok(methods.includes("lora") && methods.includes("tune"));
      const settings = labels(await complete(client, at(pipeline, "alpha: 16|)").replace(", alpha: 16|", ", |")));
      assert.ok(settings.includes("alpha") && settings.includes("dropout"));
      assert.not(settings.includes("r"), "it is given");
    }));

  test("completion: the modules of the actual checkpoint, by role, in a choice, and by the checkpoint's names", () =>
    withServer(async (client) => {
      const path = (written: string): Promise<readonly CompletionItem[]> =>
        complete(client, pipeline.replace("tiny.layers.*.attn.{q, v}", written));
      assert.equal(labels(await path("|")), ["tiny"]);
      const top = labels(await path("tiny.|"));
      for (const name of ["embed", "layers", "norm", "head", "**"]) assert.ok(top.includes(name), name);
      assert.ok(labels(await path("tiny.layers.|")).includes("*"));
      assert.ok(labels(await path("tiny.layers.*.|")).includes("attn"));
      const choice = await path("tiny.layers.*.attn.{q, |}");
      assert.ok(labels(choice).includes("v"));
      assert.is(choice.find(({ label }) => label === "q")!.detail, "Linear");
      assert.ok(labels(await path("tiny.layers.*.attn.q.|")).includes("weight"));
      assert.ok(labels(await path('tiny."|')).includes("model.layers.*.self_attn.q_proj"));
    }));

  test("completion: keys of a block that it lacks, values of a key, subjects, data and splits", () =>
    withServer(async (client) => {
      const keys = labels(await complete(client, at(pipeline, "epochs: 3\n|").replace("epochs: 3\n|", "epochs: 3\n  |\n")));
      assert.ok(keys.includes("seed") && keys.includes("schedule"));
      assert.not(keys.includes("epochs"));
      assert.ok(labels(await complete(client, pipeline.replace("epochs: 3", "schedule: |"))).includes("cosine"));
      assert.equal(labels(await complete(client, pipeline.replace("train menu on orders {", "train | on orders {"))), ["menu"]);
      assert.equal(labels(await complete(client, pipeline.replace("train menu on orders {", "train menu on | {"))), ["orders"]);
      assert.equal(labels(await complete(client, `${pipeline}evaluate menu on orders.|`)), ["train"]);
      assert.equal(labels(await complete(client, `${pipeline}evaluate |`)), ["tiny", "menu"].sort().reverse());
      assert.ok(labels(await complete(client, `${pipeline}require { | }`)).includes("trainable"));
      assert.equal(labels(await complete(client, pipeline.replace('checkpoint("base/")', 'checkpoint("|")'))), [
        "base/",
        "menu.peft",
        "orders.jsonl",
      ]);
    }));

  test("completion goes on while the line with the base is broken", () =>
    withServer(async (client) => {
      await client.open("menu.peft", pipeline);
      const broken = pipeline.replace('checkpoint("base/")', 'checkpoint("base').replace("tiny.layers.*.attn.{q, v}", "tiny.layers.*.|");
      const { text, position } = marked(broken);
      await client.change("menu.peft", text);
      const found: CompletionItem[] = await client.connection.sendRequest("textDocument/completion", {
        textDocument: { uri: client.uri("menu.peft") },
        position,
      });
      assert.ok(labels(found).includes("attn"));
    }));

  test("a completion replaces the word that is written", () =>
    withServer(async (client) => {
      const { text, position } = marked(pipeline.replace("attn.{q, v}", "at|"));
      await client.open("menu.peft", text);
      const found: CompletionItem[] = await client.connection.sendRequest("textDocument/completion", {
        textDocument: { uri: client.uri("menu.peft") },
        position,
      });
      const attn = found.find(({ label }) => label === "attn")!;
      assert.match(edited(text, [attn.textEdit as TextEdit]), "into tiny.layers.*.attn\n");
    }));

  test("definition: in the file, in the standard library, at the child that a path selects, at an imported file", () =>
    withServer(async (client) => {
      const find = async (place: string, text = pipeline): Promise<{ uri: string; line: string }> => {
        const [found] = await ask<Location[]>(client, "textDocument/definition", "menu.peft", at(text, place));
        const uri = found?.uri ?? "";
        const lines = uri === client.uri("menu.peft") ? text.split("\n") : uri ? readFileSync(fileURLToPath(uri), "utf8").split("\n") : [];
        return { uri, line: lines[found?.range.start.line ?? 0] ?? "" };
      };
      assert.match((await find("train me|nu on")).line, "adapter menu =");
      const lora = await find("lo|ra(r: 8");
      assert.match(lora.uri, "methods/lora.peft");
      assert.match(lora.line, "method lora(");
      assert.match((await find("al|pha: 16")).line, "alpha: float = r");
      assert.match((await find("attn.{|q, v}")).line, 'q = Linear(hidden, heads * head_dim, bias: bias) @ "q_proj"');
      client.write("shared.peft", "peft 1\n");
      const importing = `${pipeline}import "./shared.peft"\n`;
      assert.is((await find("./sha|red.peft", importing)).uri, client.uri("shared.peft"));
    }));

  test("rename reaches every use in every file that imports it, and refuses what is not the user's or is taken", () =>
    withServer(async (client) => {
      client.write("shared.peft", pipeline);
      const main = `peft 1\nimport "./shared.peft"\nmerge me|nu into "merged/"\nrequire { trainable(menu) <= 50% }\n`;
      const { text, position } = marked(main);
      await client.open("main.peft", text);
      const place = { textDocument: { uri: client.uri("main.peft") }, position };
      const edit: WorkspaceEdit = await client.connection.sendRequest("textDocument/rename", { ...place, newName: "dinner" });
      assert.is(edited(text, edit.changes![client.uri("main.peft")]!), text.replaceAll("menu", "dinner"));
      assert.is(edited(pipeline, edit.changes![client.uri("shared.peft")]!), pipeline.replaceAll("menu", "dinner"));
      const refused = async (newName: string): Promise<string> =>
        client.connection.sendRequest("textDocument/rename", { ...place, newName }).then(
          () => "accepted",
          (error: Error) => error.message,
        );
      assert.match(await refused("tiny"), "declared already");
      assert.match(await refused("if"), "a word of the language");
      assert.match(await refused("a-b"), "not a name");
      const std = await ask<unknown>(client, "textDocument/prepareRename", "menu.peft", at(pipeline, "lo|ra(r: 8")).catch(
        (error: Error) => error.message,
      );
      assert.match(String(std), "belongs to the standard library");
    }));

  test("rename of a parameter, a child and what a method amends", () =>
    withServer(async (client) => {
      const text = `peft 1
module Pair(width: int) {
  first = Linear(width, width)
  second = Linear(width, width)
  forward(x: [.., width]) -> [.., width] = second(first(x))
}
method scaled(k: float = 1) amends Pair {
  param s: [width] ~ ones
  out = base.out * s * k
}
`;
      const rename = async (place: string, to: string): Promise<string> => {
        const edit = await ask<WorkspaceEdit>(client, "textDocument/rename", "own.peft", at(text, place), { newName: to });
        return edited(text, edit.changes![client.uri("own.peft")]!);
      };
      assert.is(await rename("wi|dth: int", "size"), text.replaceAll("width", "size"));
      assert.is(await rename("fir|st = ", "head"), text.replaceAll("first", "head"));
      assert.is(await rename("k|: float", "gain"), text.replace("(k:", "(gain:").replace("s * k", "s * gain"));
      assert.is(await rename("Pa|ir(", "Two"), text.replaceAll("Pair", "Two"));
    }));

  test("references and highlights", () =>
    withServer(async (client) => {
      const found = await ask<Location[]>(client, "textDocument/references", "menu.peft", at(pipeline, "adapter me|nu"), {
        context: { includeDeclaration: false },
      });
      assert.equal(
        found.map(({ range }) => range.start.line),
        [9],
      );
      const marks = await ask<unknown[]>(client, "textDocument/documentHighlight", "menu.peft", at(pipeline, "base ti|ny"));
      assert.is(marks.length, 2);
    }));

  test("quick fixes: each where its mistake is, and all at once", () =>
    withServer(async (client) => {
      const wrong = pipeline.replace("{q, v}", "{q_proj, v}").replace("epochs", "num_epochs");
      await client.open("menu.peft", wrong);
      const range = { start: { line: 3, character: 64 }, end: { line: 3, character: 64 } };
      const ask = (only?: string[]): Promise<CodeAction[]> =>
        client.connection.sendRequest("textDocument/codeAction", {
          textDocument: { uri: client.uri("menu.peft") },
          range,
          context: { diagnostics: [], ...(only && { only }) },
        });
      const [fix] = await ask(["quickfix"]);
      assert.is(fix!.title, "change to `q`");
      assert.is(edited(wrong, fix!.edit!.changes![client.uri("menu.peft")]!), wrong.replace("q_proj", "q"));
      const [all] = await ask(["source.fixAll"]);
      assert.is(edited(wrong, all!.edit!.changes![client.uri("menu.peft")]!), pipeline);
    }));

  test("formatting is the smallest edit, and keeps away from a file with a mistake", () =>
    withServer(async (client) => {
      const untidy = pipeline.replace("alpha: 16", "alpha:   16");
      await client.open("menu.peft", untidy);
      const format = (): Promise<TextEdit[]> =>
        client.connection.sendRequest("textDocument/formatting", {
          textDocument: { uri: client.uri("menu.peft") },
          options: { tabSize: 2, insertSpaces: true },
        });
      const [edit, ...others] = await format();
      assert.is(others.length, 0);
      assert.is(edit!.range.start.line, edit!.range.end.line, "one line is wrong, and one line is touched");
      assert.is(edited(untidy, [edit!]), pipeline);
      await client.change("menu.peft", untidy.replace("{q, v}", "{q, v"));
      assert.equal(await format(), []);
    }));

  test("outline and hints", () =>
    withServer(async (client) => {
      await client.open("menu.peft", pipeline);
      const document = { textDocument: { uri: client.uri("menu.peft") } };
      const symbols: DocumentSymbol[] = await client.connection.sendRequest("textDocument/documentSymbol", document);
      assert.equal(
        symbols.map(({ name }) => name),
        ["tiny", "menu", "orders", "train menu"],
      );
      assert.ok(symbols[2]!.children!.some(({ name }) => name === "prompt"));
      const range = { start: { line: 0, character: 0 }, end: { line: 99, character: 0 } };
      const shown: InlayHint[] = await client.connection.sendRequest("textDocument/inlayHint", { ...document, range });
      assert.match(String(shown[0]!.label), /^llama, [\d.]+ [kM]parameters$/);
      assert.match(String(shown[1]!.label), /^\d+ places, [\d.]+ [kM]trained \([\d.]+ %\), [\d.]+ KiB$/);
    }));

  test("a folder that changes on the disk is read again", () =>
    withServer(async (client) => {
      const missing = await client.open("menu.peft", pipeline.replace("base/", "other/"));
      assert.is(missing[0]!.code, "PEFT0340");
      const { cpSync } = await import("node:fs");
      cpSync(`${client.folder}/base`, `${client.folder}/other`, { recursive: true });
      const again = client.published("menu.peft");
      await client.connection.sendNotification("workspace/didChangeWatchedFiles", {
        changes: [{ uri: client.uri("other/config.json"), type: 1 }],
      });
      assert.equal(await again, []);
    }));

  test("a file of the standard library is shown without complaints, and can be read on from", () =>
    withServer(async (client) => {
      const [lora] = await ask<Location[]>(client, "textDocument/definition", "menu.peft", at(pipeline, "lo|ra(r: 8"));
      const text = readFileSync(fileURLToPath(lora!.uri), "utf8");
      await client.connection.sendNotification("textDocument/didOpen", {
        textDocument: { uri: lora!.uri, languageId: "peft", version: 1, text },
      });
      const { position } = marked(text.replace("amends Linear", "amends Lin|ear"));
      const [linear]: Location[] = await client.connection.sendRequest("textDocument/definition", {
        textDocument: { uri: lora!.uri },
        position,
      });
      assert.match(linear!.uri, "modules/Linear.peft");
    }));

  test("it answers about any text, stops when told, and exits 1 when its client is gone without a word", () =>
    withServer(async (client) => {
      for (const text of ["", "\u0000", "adapter", "}}}}", 'base t = checkpoint("', "peft 1\nbase", `${"(".repeat(500)}`]) {
        await client.open("odd.peft", text);
        for (const method of ["hover", "completion", "definition", "documentSymbol"])
          await client.connection.sendRequest(`textDocument/${method}`, {
            textDocument: { uri: client.uri("odd.peft") },
            position: { line: 0, character: text.length },
          });
      }
      client.connection.end();
      await client.connection.sendNotification("exit").catch(() => {});
      assert.is(await client.exitCode(), 1);
    }).catch((error: Error) => {
      // The shutdown request of the helper finds no server, which is what this test is about.
      if (!/disposed|closed|destroyed|end/i.test(error.message)) throw error;
    }));
});
