// What an adapter's lines become: parameters, names, configuration, refusals.

import { compile } from "../../compiler/compile.ts";
import { tiedUses } from "../../compiler/model/ties.ts";
import { assert, group } from "../harness.ts";
import { build, gptConfig, llamaConfig, memoryHost } from "./support.ts";

const head = 'peft 1\nbase tiny = blank("base/")\n';
const compiled = (text: string) =>
  compile({ file: "main.peft", goal: "plan" }, memoryHost({ "main.peft": head + text, "base/config.json": JSON.stringify(llamaConfig) }));

const adapterOf = async (text: string) => {
  const { job } = await build(head + text, llamaConfig);
  return { ...job.adapters[0]!, parametersOf: job.parameters.filter(({ name }) => name.startsWith("menu:")) };
};

group("adapters", (test) => {
  test("lines of one method are one configuration with exceptions by target", async () => {
    const { files, parameters, trainable } = await adapterOf(`adapter menu {
      lora(r: 2) into tiny.layers.*.attn.{q, v}, tiny.layers.2.mlp.up
      lora(r: 4, alpha: 16) into tiny.layers.0..1.mlp.up, tiny.layers.*.mlp.down
    }`);
    assert.is(files.library, "peft");
    const { config } = files;
    assert.equal([config.r, config.lora_alpha], [2, 2]);
    const up = ["model.layers.0.mlp.up_proj", "model.layers.1.mlp.up_proj"];
    assert.equal(config.rank_pattern, { down_proj: 4, ...Object.fromEntries(up.map((name) => [name, 4])) });
    assert.equal(config.alpha_pattern, { down_proj: 16, ...Object.fromEntries(up.map((name) => [name, 16])) });
    assert.equal(config.target_modules, ["down_proj", "q_proj", "up_proj", "v_proj"]);
    assert.is(parameters.length, 2 * (7 + 5));
    assert.is(trainable, 3 * 2 * (16 + 16) + 3 * 2 * (16 + 8) + 2 * (16 + 24) + 2 * 4 * (16 + 24) + 3 * 4 * (24 + 16));
    assert.is(files.tensors.length, parameters.length);
  });

  test("lines that differ in what has no exceptions there, and lines of different methods, are stored in our own layout", async () => {
    const dropped = await adapterOf(
      "adapter menu { lora(r: 2) into tiny.layers.*.attn.q  lora(r: 2, dropout: 0.5) into tiny.layers.*.attn.v }",
    );
    assert.is(dropped.files.library, "none");
    const { files, mergeable, method } = await adapterOf(
      "adapter menu { lora(r: 2) into tiny.layers.*.attn.q  ia3() into tiny.layers.*.attn.k  tune() into tiny.norm }",
    );
    assert.is(files.library, "none");
    assert.is(method, "lora + ia3 + tune");
    assert.ok(mergeable);
    assert.ok(files.tensors.some(({ key }) => key === "model.norm.weight"));
    assert.ok(files.tensors.some(({ key }) => key === "model.layers.0.self_attn.q_proj.a"));
  });

  test("a line that covers a place again is refused at its own line", async () => {
    const { diagnostics } = await compiled("adapter menu { lora(r: 2) into tiny.layers.**  lora(r: 4) into tiny.layers.*.mlp.up }");
    assert.equal(
      diagnostics.map(({ code }) => code),
      ["PEFT0420"],
    );
    assert.match(diagnostics[0]!.message, "layers.0.mlp.up.a");
    assert.is(diagnostics[0]!.notes.length, 1);
  });

  test("a tied weight: one use by default, which cannot be merged; both with `tied: true`", async () => {
    const one = await adapterOf("adapter menu = lora(r: 2) into tiny.head");
    assert.match(one.unmergeable!, /head.weight is tied to embed.weight.*tied: true/);
    const owner = await adapterOf("adapter menu = tokens(ids: [1]) into tiny.embed");
    assert.match(owner.unmergeable!, /embed.weight is tied to head.weight/);
    assert.ok((await adapterOf("adapter menu = lora(r: 2, tied: true) into tiny.head")).mergeable);
    const { diagnostics } = await compiled("adapter menu = lora(r: 2, tied: 3) into tiny.head");
    assert.equal(
      diagnostics.map(({ code }) => code),
      ["PEFT0304"],
    );
  });

  test("what a method needs and a module does not have is said once per line, with the numbers", async () => {
    const { diagnostics } = await compiled("adapter menu = lora(r: 20) into tiny.layers.*.attn.q");
    assert.ok(diagnostics.every(({ code }) => code === "PEFT0423"));
    assert.match(diagnostics[0]!.message, /layers.0.attn.q.*lora/);
    assert.ok(diagnostics[0]!.notes.some(({ message }) => message.includes("in 16")));
    assert.match(diagnostics[0]!.help!, "`r: 16` would do there");
  });

  test("a shared parameter is one tensor, as large as the largest target", async () => {
    const banked = `method banked(r: int = 4) amends Linear {
      shared frozen param a: [r, max(in)] ~ normal(1)
      shared param b: [max(out), min(r, 3)] ~ normal(1)
      param d: [min(r, 3), r] ~ zeros
      weight = base.weight + b[0:out, :] @ d @ a[:, 0:in]
    }
    adapter menu = banked() into tiny.layers.*.attn.q, tiny.layers.*.mlp.**`;
    const { parametersOf } = await adapterOf(banked.replaceAll("min(r, 3)", "3"));
    const shapes = Object.fromEntries(parametersOf.map(({ name, shape, trained }) => [name, [shape, trained]]));
    assert.equal(shapes["menu:a"], [[4, 24], false]);
    assert.equal(shapes["menu:b"], [[24, 3], true]);
    assert.is(parametersOf.length, 2 + 3 * 4);
  });

  test("what nothing reads has no effect, and says where the parts of a fused projection are", async () => {
    const over = async (config: object, method: string, use: string) => {
      const text = `peft 1\nbase tiny = blank("base/")\nmethod mine() amends Linear {\n${method}\n}\nadapter menu = ${use}\n`;
      const { diagnostics } = await compile(
        { file: "main.peft", goal: "check" },
        memoryHost({ "main.peft": text, "base/config.json": JSON.stringify(config) }),
      );
      return diagnostics.filter(({ code }) => code !== "PEFT0606").map(({ code, help }) => [code, help ?? ""] as const);
    };
    const shift = "param by: [out] ~ zeros\n  out = base.out + by";
    const [[code, help] = ["", ""], ...more] = await over(gptConfig, shift, "mine() into tiny.layers.*.attn.qkv");
    assert.equal([code, more.length], ["PEFT0480", 0]);
    assert.match(help, "`layers.0.attn.q`");
    assert.equal(await over(gptConfig, shift, "mine() into tiny.layers.*.attn.q"), []);
    const weight = "param by: [out] ~ ones\n  weight = base.weight * by[:, none]";
    assert.equal(await over(gptConfig, weight, "mine() into tiny.layers.*.attn.qkv"), []);
    const spare = "param by, spare: [out] ~ zeros\n  out = base.out + by";
    assert.equal((await over(llamaConfig, spare, "mine() into tiny.layers.*.attn.q"))[0]?.[0], "PEFT0480");
  });

  test("a selective method may cover what the model never reads, and is told", async () => {
    const text =
      "module Spare(width: int) {\n  used = Linear(width, width)\n  spare = Linear(width, width)\n  forward(x: [.., width]) -> [.., width] = used(x)\n}\n" +
      'architecture small for "Small" {\n  config { width: int  vocab_size: int  max_position_embeddings: int }\n  embed = Embedding(vocab_size, width)\n  layer = Spare(width)\n  head = Linear(width, vocab_size)\n  forward(sequence) -> [.., vocab_size] = head(layer(embed(sequence.ids)))\n}\n';
    const { diagnostics } = await compile(
      { file: "main.peft", goal: "check" },
      memoryHost({
        "main.peft": `peft 1\n${text}base tiny = blank("base/")\nadapter menu = tune() into tiny.layer.**\n`,
        "base/config.json": JSON.stringify({ architectures: ["Small"], width: 4, vocab_size: 7, max_position_embeddings: 8 }),
      }),
    );
    assert.equal(
      diagnostics.filter(({ code }) => code !== "PEFT0606").map(({ code, notes }) => [code, notes[0]?.message]),
      [["PEFT0481", "nothing reads layer.spare.weight"]],
    );
  });

  test("which use of a tied weight an adapter changes", async () => {
    const uses = async (line: string) => {
      const { checked } = await compiled(`adapter menu = ${line}\n`);
      return tiedUses(checked!.adapters.get("menu")!);
    };
    const [embed, head] = ["embed.weight", "head.weight"];
    assert.equal(await uses("lora(r: 2) into tiny.head"), [{ at: head, same: [embed], both: false }]);
    assert.equal(await uses("lora(r: 2, tied: true) into tiny.head"), [{ at: head, same: [embed], both: true }]);
    assert.equal(await uses("tune() into tiny.embed"), [{ at: embed, same: [head], both: true }]);
    assert.equal(await uses("lora(r: 2) into tiny.layers.*.attn.q"), []);
  });
});
