// Methods on a stack of modules: trained, merged into the parts that the checkpoint holds and read back, they compute what they computed
// before; and what a stack cannot do is said, with its place.

import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { compileHost } from "../cli/compile-host.ts";
import { main } from "../cli/main.ts";
import { compile } from "../compiler/compile.ts";
import type { Result } from "../spec/result.ts";
import { assert, group } from "./harness.ts";

const shape = fileURLToPath(new URL("../examples/base/shape/", import.meta.url));
const config = {
  architectures: ["MixtralForCausalLM"],
  hidden_size: 32,
  intermediate_size: 40,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  num_local_experts: 4,
  num_experts_per_tok: 2,
  vocab_size: 384,
  max_position_embeddings: 64,
};

const inFolder = async <T>(body: (folder: string) => Promise<T>): Promise<T> => {
  const folder = mkdtempSync(`${tmpdir()}/peft-stacks-`);
  try {
    mkdirSync(`${folder}/base`);
    writeFileSync(`${folder}/base/config.json`, JSON.stringify(config));
    for (const name of ["tokenizer.json", "tokenizer_config.json"]) copyFileSync(`${shape}${name}`, `${folder}/base/${name}`);
    writeFileSync(`${folder}/rows.txt`, "Ada the potter sells bowls\nBob the baker sells bread\n");
    return await body(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

const pipeline = (adapter: string, store = ""): string => `peft 1
base moe = blank("base/") { ${store} }
adapter menu = ${adapter}
data rows { train = text("rows.txt")  answer = "{text}" }
train menu on rows { optimizer: adamw(learning_rate: 0.02)  steps: 6  micro_batch_size: 2  sequence_len: 24 }
evaluate menu, moe on rows.train { metrics: [loss]  generate: greedy(max_new_tokens: 2)  micro_batch_size: 2  sequence_len: 24 }
merge menu into "merged/"
`;

const run = (text: string): Promise<{ readonly result: Result; readonly base: readonly string[] }> =>
  inFolder(async (folder) => {
    writeFileSync(`${folder}/it.peft`, text);
    const said: string[] = [];
    const stream = { write: (more: string) => void said.push(more), terminal: false, columns: () => undefined, colour: false };
    const io = { cwd: "/", out: stream, err: stream, stdin: () => "", now: () => 0 };
    assert.is(await main(["run", `${folder}/it.peft`, "-o", `${folder}/out`, "--device", "cpu"], io), 0, said.join(""));
    const file = readFileSync(`${folder}/out/merged/model.safetensors`);
    const header = JSON.parse(file.subarray(8, 8 + Number(file.readBigUInt64LE())).toString()) as Record<string, unknown>;
    return { result: JSON.parse(readFileSync(`${folder}/out/result.json`, "utf8")) as Result, base: Object.keys(header) };
  });

const diagnosed = (adapter: string): Promise<readonly string[]> =>
  inFolder(async (folder) => {
    const file = `${folder}/it.peft`;
    const { diagnostics } = await compile({ file, goal: "plan" }, compileHost(new Map([[file, pipeline(adapter)]])));
    return diagnostics.map(({ code, message }) => `${code} ${message}`);
  });

group("stacks", (test) => {
  for (const adapter of [
    "lora(r: 2) into moe.layers.*.mlp.experts.**",
    "dora(r: 2) into moe.layers.*.mlp.experts.down",
    "loha(r: 2) into moe.layers.*.mlp.experts.{gate, down}",
    "tune() into moe.layers.*.mlp.experts.down.**",
  ])
    test(`merged is unmerged: ${adapter}`, async () => {
      const { result, base } = await run(pipeline(adapter));
      const { unmerged, merged } = result.merge[0]!.check!;
      assert.ok(Math.abs(unmerged - merged) < 1e-5, `unmerged ${unmerged}, merged ${merged}`);
      const [first, last] = [result.train[0]!.losses[0]!, result.train[0]!.losses.at(-1)!];
      assert.ok(first - last > 0.01, `nothing was learned: ${first} to ${last}`);
      // Each expert by itself, as checkpoints of this architecture hold them.
      assert.is(base.filter((name) => /\.block_sparse_moe\.experts\.\d\.w[123]\.weight$/.test(name)).length, 2 * 4 * 3);
    });

  test("what cannot be lifted is refused by the op's name", async () => {
    const said = await diagnosed("pissa(r: 2) into moe.layers.*.mlp.experts.**");
    assert.ok(
      said.some((one) => one.startsWith("PEFT0583") && one.includes("svd")),
      said.join("\n"),
    );
  });

  test("what PEFT has no words for is said", async () => {
    const said = await diagnosed("lora(r: 2, dropout: 0.1) into moe.layers.*.mlp.experts.**");
    assert.ok(
      said.some((one) => one.startsWith("PEFT0584") && one.includes("lora_dropout: 0.1")),
      said.join("\n"),
    );
    assert.equal(await diagnosed("lora(r: 2) into moe.layers.*.mlp.experts.**"), []);
  });
});
