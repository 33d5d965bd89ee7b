// Classes from end to end: the example learns, a head that a checkpoint lacks is drawn and trained beside another method, and what
// does not fit is said.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { compileHost } from "../cli/compile-host.ts";
import { main } from "../cli/main.ts";
import { compile } from "../compiler/compile.ts";
import { rowFiles } from "../examples/classify/rows.ts";
import type { Result } from "../spec/result.ts";
import { peftIn } from "./checker/peft-in.ts";
import { assert, group } from "./harness.ts";
import { writeDrawn } from "./parity/models/drawn.ts";
import { shared, without } from "./runtime/shared.ts";

const sst2 = ["classification/sst2/train.tsv", "classification/sst2/dev.tsv"];

const example = fileURLToPath(new URL("../examples/classify/", import.meta.url));

const withFolder = async (body: (folder: string) => Promise<void>): Promise<void> => {
  const folder = mkdtempSync(`${tmpdir()}/peft-classify-`);
  try {
    await body(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

const rows = 'train = text("rows.txt")  prompt = "{text}"  answer = "{text}"';
const pipeline = (base: string, data: string, more = ""): string => `peft 1
base reader = ${base}
adapter mood { lora(r: 2) into reader.layers.*.attn.{q, v}  tune() into reader.classify.** }
data reviews { ${data} }
train mood on reviews { optimizer: sgd(learning_rate: 0.1)  steps: 1  micro_batch_size: 2  sequence_len: 16 }
${more}`;

const compiled = async (folder: string, text: string) => {
  const fixture = new URL("parity/models/fixtures/bert-masked.json", import.meta.url);
  const { config, tensors } = JSON.parse(readFileSync(fixture, "utf8")) as { config: object; tensors: Record<string, number[]> };
  await writeDrawn(`${folder}/base`, config, tensors);
  writeFileSync(`${folder}/rows.txt`, "a\nb\n");
  return compile({ file: `${folder}/p.peft`, goal: "plan" }, compileHost(new Map([[`${folder}/p.peft`, text]])));
};

group("classify", (test) => {
  test("the example's rows are what its script makes", () => {
    for (const [name, text] of rowFiles()) assert.ok(readFileSync(example + name, "utf8") === text, name);
  });

  test("the example learns to tell its classes apart", () =>
    withFolder(async (folder) => {
      const said: string[] = [];
      const stream = { write: (text: string) => void said.push(text), terminal: false, columns: () => undefined, colour: false };
      const io = { cwd: "/", out: stream, err: stream, stdin: () => "", now: () => 0 };
      assert.is(await main(["run", `${example}classify.peft`, "-o", folder, "--device", "cpu"], io), 0, said.join(""));
      const { evaluate } = JSON.parse(readFileSync(`${folder}/result.json`, "utf8")) as Result;
      const accuracy = evaluate.map(({ metrics }) => metrics.token_accuracy!);
      assert.ok(accuracy[0]! < 0.75 && accuracy[1]! > 0.95, `${accuracy}`);
    }));

  test(
    "the same file reads SST-2 as it is distributed",
    () =>
      withFolder(async () => {
        const files = ["train", "eval"].map((name, i) => `--set ${name}=${shared(sst2[i]!)}`).join(" ");
        const { code, out } = await peftIn(example, `check --data classify.peft ${files}`);
        assert.is(code, 0, out);
        const { splits } = {
          splits: JSON.parse((await peftIn(example, `data classify.peft ${files} --json`)).out) as {
            rows: number;
            shown: { parts: unknown }[];
          }[],
        };
        assert.equal(
          splits.map(({ rows }) => rows),
          sst2.map((name) => readFileSync(shared(name), "utf8").trim().split("\n").length),
        );
      }),
    { skip: without(sst2[0]!) ?? without(sst2[1]!) },
  );

  test("a head that the checkpoint lacks is drawn, and trained beside another method", () =>
    withFolder(async (folder) => {
      const { job, diagnostics } = await compiled(folder, pipeline('checkpoint("base/", classes: 2)', `${rows}  classes = ["a", "b"]`));
      assert.equal(
        diagnostics.filter(({ severity }) => severity === "error"),
        [],
      );
      const sources = new Map(job!.parameters.map(({ name, source }) => [name, source.kind]));
      assert.is(sources.get("classify.out.weight"), "draw");
      assert.is(sources.get("layers.0.attn.q.weight"), "checkpoint");
      assert.is(job!.adapters[0]!.trainable, 2 * 2 * (2 * 32 + 32 * 2) + 32 * 32 + 32 + 2 * 32 + 2);
    }));

  test("columns that are no texts, and of a file that names its own, are said", () =>
    withFolder(async (folder) => {
      const codes = async (reader: string): Promise<string> => {
        const data = `train = ${reader}  prompt = "{text}"  answer = "{text}"  classes = ["a", "b"]`;
        const { diagnostics } = await compiled(folder, pipeline('checkpoint("base/", classes: 2)', data));
        return diagnostics.flatMap(({ code, message }) => (message.includes("columns") ? code : [])).join();
      };
      assert.is(await codes('csv("rows.txt", columns: ["text"])'), "");
      assert.match(await codes('csv("rows.txt", columns: ["text", "text"])'), /PEFT0304/);
      assert.match(await codes('csv("rows.txt", columns: [1])'), /PEFT0304/);
      assert.match(await codes('jsonl("rows.txt", columns: ["text"])'), /PEFT0302|PEFT0306/);
    }));

  test("classes that do not fit are said", () =>
    withFolder(async (folder) => {
      const codes = async (text: string): Promise<string> => (await compiled(folder, text)).diagnostics.map(({ code }) => code).join();
      assert.match(await codes(pipeline('checkpoint("base/", classes: 3)', `${rows}  classes = ["a", "b"]`)), /PEFT0671/);
      assert.match(await codes(pipeline('checkpoint("base/", classes: 2)', rows)), /PEFT0671/);
      const write = "evaluate mood on reviews.train { metrics: [loss]  generate: greedy(max_new_tokens: 2) }";
      assert.match(await codes(pipeline('checkpoint("base/", classes: 2)', `${rows}  classes = ["a", "b"]`, write)), /PEFT0672/);
    }));
});
