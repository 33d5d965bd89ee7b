// An adapter and the base it was made for, as a person meets them: trained over one base, loaded over another of the same shape. Two steps over
// the quickstart's base.

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { openCheckpoint } from "../../runtime/checkpoint.ts";
import { nodeHost } from "../../runtime/node-host.ts";
import { peftIn } from "../checker/peft-in.ts";
import { assert, group } from "../harness.ts";

const quickstart = fileURLToPath(new URL("../../examples/quickstart/", import.meta.url));

const file = (base: string, adapter: string): string => `peft 1
base tiny = checkpoint("${base}/")
adapter menu = ${adapter}
data orders { train = text("rows.txt")  answer = "{text}" }
`;
const trained = `train menu on orders { optimizer: sgd(learning_rate: 0.1)  steps: 2  micro_batch_size: 1  sequence_len: 8 }\n`;
const evaluated = "evaluate menu on orders.train { metrics: [loss]  micro_batch_size: 1  sequence_len: 8 }\n";

/** Another number in one tensor: a base of the same shape that has seen something else. */
const change = async (folder: string, tensor: string): Promise<void> => {
  const checkpoint = await openCheckpoint(nodeHost, folder);
  const { path, start } = checkpoint.tensors.get(tensor)!;
  await checkpoint.close();
  const bytes = readFileSync(path);
  bytes.writeFloatLE(bytes.readFloatLE(start) + 1, start);
  writeFileSync(path, bytes);
};

group("an adapter and its base", (test) => {
  test("another base of the same shape is found by check and by the run, tensor by tensor; `any_base` says that it is meant", async () => {
    const cwd = mkdtempSync(`${tmpdir()}/peft-other-base-`);
    try {
      cpSync(`${quickstart}base`, `${cwd}/base`, { recursive: true });
      cpSync(`${quickstart}base`, `${cwd}/other`, { recursive: true });
      await change(`${cwd}/other`, "model.layers.0.self_attn.q_proj.weight");
      writeFileSync(`${cwd}/rows.txt`, "Ada gives two buns.\nBen gives one.\n");
      const write = (base: string, adapter: string, more: string): void => writeFileSync(`${cwd}/main.peft`, file(base, adapter) + more);
      const codes = async (): Promise<readonly { code: string; message: string; notes?: unknown }[]> =>
        (JSON.parse((await peftIn(cwd, "check main.peft --format json")).out) as { diagnostics: { code: string; message: string }[] })
          .diagnostics;

      write("base", "lora(r: 2) into tiny.layers.*.attn.q", trained + evaluated);
      const run = await peftIn(cwd, "train main.peft -o out --device cpu");
      assert.is(run.code, 0, run.err + run.out);
      const print = JSON.parse(readFileSync(`${cwd}/out/adapters/menu/base.json`, "utf8")) as { tensors: Record<string, string> };
      assert.match(print.tensors["model.layers.0.self_attn.q_proj.weight"]!, /^\w+ \[\d+, \d+\] [0-9a-f]{16}$/);

      // The same file over a base that has changed since: what was saved is not taken for it.
      write("other", "lora(r: 2) into tiny.layers.*.attn.q", trained + evaluated);
      const evaluate = await peftIn(cwd, "evaluate main.peft -o out --device cpu");
      assert.is(evaluate.code, 1, evaluate.out);
      assert.match(evaluate.err + evaluate.out, /PEFT0430/);
      assert.match(evaluate.err + evaluate.out, /self_attn\.q_proj\.weight: \w+ \[\d+, \d+\] with other numbers/);

      write("base", 'load("out/adapters/menu/")', evaluated);
      assert.equal(await codes(), []);
      write("other", 'load("out/adapters/menu/")', evaluated);
      const found = await codes();
      assert.equal(
        found.map(({ code }) => code),
        ["PEFT0430"],
      );
      assert.match(found[0]!.message, /1 of \d+ tensors differ/);
      write("other", 'load("out/adapters/menu/", any_base: true)', evaluated);
      assert.equal(await codes(), []);
      const meant = await peftIn(cwd, "evaluate main.peft -o out2 --device cpu");
      assert.is(meant.code, 0, meant.err);

      writeFileSync(`${cwd}/out/adapters/menu/base.json`, "{}");
      write("base", 'load("out/adapters/menu/")', evaluated);
      assert.equal(
        (await codes()).map(({ code }) => code),
        ["PEFT0431"],
      );
      // PEFT's own folders say nothing of the base.
      rmSync(`${cwd}/out/adapters/menu/base.json`);
      write("other", 'load("out/adapters/menu/")', evaluated);
      assert.equal(await codes(), []);
    } finally {
      rmSync(cwd, { recursive: true, force: true });
    }
  });
});
