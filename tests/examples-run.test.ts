// The examples of many adapters, run: shorter than they say, whole otherwise.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { main } from "../cli/main.ts";
import { openCheckpoint } from "../runtime/checkpoint.ts";
import { nodeHost } from "../runtime/node-host.ts";
import type { Result } from "../spec/result.ts";
import { assert, group } from "./harness.ts";

const examples = fileURLToPath(new URL("../examples/", import.meta.url));

const peft = async (...args: string[]): Promise<string> => {
  const said: string[] = [];
  const stream = { write: (text: string) => void said.push(text), terminal: false, columns: () => undefined, colour: false };
  const code = await main(args, { cwd: "/", out: stream, err: stream, stdin: () => "", now: () => 0 });
  assert.is(code, 0, said.join(""));
  return said.join("");
};

const within = async (body: (folder: string) => Promise<void>): Promise<void> => {
  const folder = mkdtempSync(`${tmpdir()}/peft-example-`);
  try {
    await body(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

const resultOf = (folder: string): Result => JSON.parse(readFileSync(`${folder}/result.json`, "utf8")) as Result;
const lossOf = ({ evaluate }: Result, subject: string, on: string): number =>
  evaluate.find((item) => item.subject === subject && `${item.data}.${item.split}` === on)!.metrics.loss!;

group("examples of many adapters", (test) => {
  test("a method of one's own is trained, evaluated, merged within its bound, saved, and loaded again", () =>
    within(async (folder) => {
      await peft("run", `${examples}own-method/own-method.peft`, "-o", folder, "--device", "cpu", "--set", "steps=16");
      const result = resultOf(folder);
      const [before, after] = [lossOf(result, "teller", "orders.eval"), lossOf(result, "careful", "orders.eval")];
      assert.ok(after < before - 1, `${before} to ${after}`);
      const { check } = result.merge[0]!;
      assert.ok(Math.abs(check!.merged - check!.unmerged) < 1e-4 * check!.unmerged);
      // What the method promises of every weight.
      const base = await openCheckpoint(nodeHost, `${examples}quickstart/base`);
      const merged = await openCheckpoint(nodeHost, `${folder}/merged`);
      const tensor = "model.layers.0.mlp.up_proj.weight";
      const [own, changed] = [await base.read(tensor, { transposed: false }), await merged.read(tensor, { transposed: false })];
      await base.close();
      await merged.close();
      const shares = [...own].map((value, i) => Math.abs(changed[i]! - value) / (Math.abs(value) + 1e-9));
      assert.ok(Math.max(...shares) <= 0.5001, `${Math.max(...shares)}`);
      assert.ok(Math.max(...shares) > 0.01, "nothing changed");
      const again = `peft 1
import { bounded } from "${examples}own-method/bounded.peft"
base teller = checkpoint("${examples}quickstart/base/")
adapter careful = load("${folder}/adapters/careful/")
data orders { eval = jsonl("${examples}quickstart/orders.eval.jsonl", rows: 64)  prompt = "{slip}\\n"  answer = "{text}" }
evaluate careful on orders.eval { metrics: [loss], sequence_len: 128 }
`;
      writeFileSync(`${folder}/again.peft`, again);
      await peft("run", `${folder}/again.peft`, "-o", `${folder}/again`, "--device", "cpu");
      assert.ok(Math.abs(lossOf(resultOf(`${folder}/again`), "careful", "orders.eval") - after) < 1e-5 * after);
    }));

  test("two tasks over one base: each adapter is better at its own, both run in one batch, and sizes are shown beside a copy", () =>
    within(async (folder) => {
      const said = await peft("run", `${examples}many-tasks/many-tasks.peft`, "-o", folder, "--device", "cpu", "--set", "steps=16");
      const result = resultOf(folder);
      for (const [own, other, on] of [
        ["read", "write", "slips.eval"],
        ["write", "read", "texts.eval"],
      ] as const) {
        assert.ok(lossOf(result, own, on) < lossOf(result, other, on), `${own} on ${on}`);
        assert.ok(lossOf(result, own, on) < lossOf(result, "teller", on), `${own} on ${on}`);
      }
      assert.ok(lossOf(result, "team", "desk.eval") < lossOf(result, "half", "slips.eval"), "in a batch each row has its own");
      assert.ok(result.adapters.read!.bytes! < 0.1 * result.base.bytes!);
      assert.match(said, /on disk +bytes +a copy of teller +share/);
      const answer = await peft(
        ...["generate", `${examples}many-tasks/many-tasks.peft`, "team", "-o", folder, "--device", "cpu", "--max-new-tokens", "8"],
        ...["--adapter", "read", "--adapter", "write", "--prompt", "from: Jon\\n", "--prompt", "Jon the fisher\\n"],
      );
      assert.is(answer.trim().split("\n").length, 2);
    }));
});
