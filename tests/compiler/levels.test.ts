// Golden prints of every level, with their counters, for one small pipeline: a lost fusion, a new kernel or a larger buffer is a
// difference in review. `UPDATE=1 npm test` writes them.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { compile, type Level } from "../../compiler/compile.ts";
import { assert, group } from "../harness.ts";
import { llamaConfig, memoryHost } from "./support.ts";

const pipeline = `peft 1
base tiny = blank("base/", seed: 3)
adapter some = lora(r: 2, alpha: 4) into tiny.layers.*.attn.{q, v}
data rows { train = text("rows.txt")  answer = "{text}" }
train some on rows { optimizer: adamw(learning_rate: 1e-2)  schedule: cosine(warmup: 2 steps)  steps: 10  micro_batch_size: 2  sequence_len: 8  max_grad_norm: 1.0 }
merge some into "merged/"
`;

const levels: readonly Level[] = ["model", "amended", "training", "memory", "kernels"];

const build = () =>
  compile(
    { file: "main.peft", goal: "build" },
    memoryHost({ "main.peft": pipeline, "base/config.json": JSON.stringify({ ...llamaConfig, num_hidden_layers: 2 }) }),
  );

group("levels", (test) => {
  for (const level of levels)
    test(`${level} prints as its golden file`, async () => {
      const path = new URL(`golden/${level}.txt`, import.meta.url);
      const actual = `${(await build()).levels[level]!()}\n`;
      if (process.env.UPDATE) writeFileSync(path, actual);
      assert.snapshot(actual, existsSync(path) ? readFileSync(path, "utf8") : "(no file: run UPDATE=1 npm test)");
    });

  test("two builds are equal byte for byte", async () => {
    const [first, second] = [await build(), await build()];
    assert.ok(first.files!.size > 20);
    assert.equal([...first.files!.keys()], [...second.files!.keys()]);
    for (const [path, content] of first.files!) assert.equal(content, second.files!.get(path), path);
  });

  test("an adapted linear layer is two kernels and the optimizer one", async () => {
    const { job } = await build();
    const kernels = (name: string): number => Object.entries(job!.segments).find(([id]) => id.startsWith(name))![1].kernels.length;
    assert.is(kernels("update"), 1);
    const wide = async (method: string): Promise<number> => {
      const text = pipeline.replace("lora(r: 2, alpha: 4) into tiny.layers.*.attn.{q, v}", method);
      const built = await compile(
        { file: "main.peft", goal: "build" },
        memoryHost({ "main.peft": text, "base/config.json": JSON.stringify(llamaConfig) }),
      );
      return Object.entries(built.job!.segments).find(([id]) => id.startsWith("layers.forward"))![1].kernels.length;
    };
    // One more module adapted is one more kernel: the thin product, or the weight's sum. The rest is in the layer's own product.
    assert.is(
      await wide("lora(r: 2, alpha: 4) into tiny.layers.*.attn.{q, k, v}"),
      1 + (await wide("lora(r: 2, alpha: 4) into tiny.layers.*.attn.{q, v}")),
    );
  });

  test("adapters of one form share every segment: switching binds other tensors and loads nothing", async () => {
    const two = pipeline.replace(
      "data rows",
      "adapter other = lora(r: 2, alpha: 4) into tiny.layers.*.attn.{q, v}\nevaluate some, other on rows.train\ndata rows",
    );
    const { job, diagnostics } = await compile(
      { file: "main.peft", goal: "plan" },
      memoryHost({ "main.peft": two, "base/config.json": JSON.stringify(llamaConfig) }),
    );
    assert.equal(diagnostics, []);
    const segments = (name: string): readonly string[] => job!.programs[name]!.calls.map((call) => call.segment);
    assert.equal(segments("evaluate.0"), segments("evaluate.1"));
    const bound = (name: string): readonly string[] => job!.programs[name]!.calls.flatMap((call) => call.inputs);
    assert.ok(bound("evaluate.0").includes("some:layers.1.attn.q.a") && bound("evaluate.1").includes("other:layers.1.attn.q.a"));
    assert.is(bound("evaluate.0").join().replaceAll("some:", "other:"), bound("evaluate.1").join());
  });
});
