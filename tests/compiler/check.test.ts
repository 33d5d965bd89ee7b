// What the checker says: the code, the place and the next step of each mistake, and several mistakes in one run.

import { readFileSync } from "node:fs";
import { compile } from "../../compiler/compile.ts";
import type { Diagnostic } from "../../spec/diagnostic.ts";
import { assert, group } from "../harness.ts";
import { llamaConfig, memoryHost } from "./support.ts";

const good = `peft 1
input rank: int = 4
base tiny = blank("base/", seed: 3)
adapter some = lora(r: rank) into tiny.layers.*.attn.{q, v}
data rows { train = text("rows.txt")  answer = "{text}" }
train some on rows { optimizer: adamw(learning_rate: 1e-3)  steps: 10  sequence_len: 16 }
evaluate some, tiny on rows.train { metrics: [loss] }
merge some into "merged/"
require { trainable(some) <= 50%  memory(train some) <= 1 GiB  file(some) <= 1 MB }
`;

const check = async (text: string, config: object = llamaConfig, inputs: Record<string, string> = {}): Promise<readonly Diagnostic[]> =>
  (
    await compile(
      { file: "main.peft", goal: "check", inputs },
      memoryHost({ "main.peft": text, "base/config.json": JSON.stringify(config) }),
    )
  ).diagnostics;

/** [what replaces what, code, the text that is marked, part of the help or notes] */
const mistakes: readonly [string, string, string, string, RegExp][] = [
  ["attn.{q, v}", "attn.{q_proj, v}", "PEFT0312", "q_proj", /q, k, v, out|did you mean `q`/],
  ["attn.{q, v}", "atn.{q, v}", "PEFT0312", "atn", /did you mean `attn`/],
  ["layers.*.attn.{q, v}", "layers.*.attn", "PEFT0313", "tiny.layers.*.attn", /it fits `tiny.layers.\*.attn.q`/],
  ["tiny.layers.*", "tny.layers.*", "PEFT0311", "tny", /did you mean `tiny`/],
  ["lora(r: rank)", "lorra(r: rank)", "PEFT0308", "lorra", /did you mean `lora`/],
  ["lora(r: rank)", "lora(lora_alpha: 16, r: rank)", "PEFT0306", "lora_alpha", /here it is `alpha`/],
  ["lora(r: rank)", "lora(r: rnk)", "PEFT0400", "rnk", /did you mean `rank`/],
  ["lora(r: rank)", "lora(r: 2.5)", "PEFT0304", "2.5", /./],
  ["lora(r: rank)", 'lora(r: "4")', "PEFT0304", '"4"', /./],
  ["lora(r: rank)", "lora(r: 0)", "PEFT0409", "lora(r: 0)", /at least 1/],
  ["sequence_len: 16", "max_seq_length: 16", "PEFT0300", "max_seq_length", /here it is `sequence_len`/],
  ["sequence_len: 16", "cutoff_len: 16", "PEFT0300", "cutoff_len", /here it is `sequence_len`/],
  ["sequence_len: 16", "sequence_length: 16", "PEFT0300", "sequence_length", /did you mean `sequence_len`/],
  ["sequence_len: 16", "sequence_len: 512", "PEFT0327", "512", /sequence_len: 32/],
  ["sequence_len: 16", "sequence_len = 16", "PEFT0303", "sequence_len", /write `sequence_len: …`/],
  ["sequence_len: 16", "steps: 10", "PEFT0205", "steps", /give it once/],
  ["sequence_len: 16", "epochs: 3", "PEFT0302", "steps", /keep one of them/],
  ["sequence_len: 16", "micro_batch_size: 0", "PEFT0305", "0", /./],
  ["  steps: 10", "", "PEFT0301", "train some on rows", /epochs: 3/],
  ["optimizer: adamw(learning_rate: 1e-3)", "", "PEFT0301", "train some on rows", /learning_rate/],
  ["adamw(learning_rate: 1e-3)", "adam(learning_rate: 1e-3)", "PEFT0322", "adam", /did you mean `adamw`/],
  ["adamw(learning_rate: 1e-3)", "adamw(lr: 1e-3)", "PEFT0306", "lr", /here it is `learning_rate`/],
  ["adamw(learning_rate: 1e-3)", "adamw()", "PEFT0307", "adamw()", /learning_rate/],
  ["adamw(learning_rate: 1e-3)", "adamw", "PEFT0304", "adamw", /./],
  ["some on rows {", "sme on rows {", "PEFT0320", "sme", /did you mean `some`/],
  ["some on rows {", "some on row {", "PEFT0317", "row", /did you mean `rows`/],
  ["on rows.train", "on rows.tran", "PEFT0318", "tran", /did you mean `train`/],
  ["metrics: [loss]", "metrics: [los]", "PEFT0321", "los", /did you mean `loss`/],
  ["text(", "txt(", "PEFT0322", "txt", /did you mean `text`/],
  ['text("rows.txt")', 'text("rows.txt", row: 5)', "PEFT0306", "row", /did you mean `rows`/],
  ["answer = ", "anwser = ", "PEFT0300", "anwser", /did you mean `answer`/],
  ["trainable(some) <= 50%", "trainable(some) <= 0.1%", "PEFT0324", "trainable(some) <= 0.1%", /trains \d+ of/],
  ["trainable(some)", "trainables(some)", "PEFT0325", "trainables", /did you mean `trainable`/],
  ["memory(train some) <= 1 GiB", "memory(train some) <= 1 KiB", "PEFT0324", "memory(train some) <= 1 KiB", /./],
  ["memory(train some) <= 1 GiB", "memory(train some) <= 2 epochs", "PEFT0326", "2 epochs", /./],
  ["file(some) <= 1 MB", "file(some) <= 1 KB", "PEFT0324", "file(some) <= 1 KB", /./],
  ['blank("base/", seed: 3)', 'blank("bse/", seed: 3)', "PEFT0340", '"bse/"', /./],
  ['blank("base/", seed: 3)', 'chekpoint("base/")', "PEFT0322", 'chekpoint("base/")', /did you mean `checkpoint`/],
  ["merge some", "merge sme", "PEFT0320", "sme", /did you mean `some`/],
  ["peft 1\n", "peft 2\n", "PEFT0204", "peft 2", /version 1/],
  ["data rows", "data some", "PEFT0205", "some", /first declared here/],
];

const wide = (text: string, at: Diagnostic["at"]): string => (at ? text.slice(at.start, at.end) : "");
const said = (diagnostic: Diagnostic): string =>
  [diagnostic.message, diagnostic.help, ...diagnostic.notes.map((note) => note.message)].join("\n");

group("checker", (test) => {
  test("the good file is clean", async () => assert.equal(await check(good), []));

  for (const [from, to, code, marked, hint] of mistakes)
    test(`${code}: ${to.trim() || `without ${from.trim()}`}`, async () => {
      const text = good.replace(from, to);
      assert.not.equal(text, good);
      const found = await check(text);
      const own = found.find((diagnostic) => diagnostic.code === code);
      assert.ok(own, `found ${found.map((d) => `${d.code} ${d.message}`).join("; ") || "nothing"}`);
      assert.ok(wide(text, own.at).startsWith(marked), `marked ${wide(text, own.at)}`);
      assert.match(said(own), hint);
    });

  test("a host that does not have the file is told so", async () => {
    const { diagnostics } = await compile({ file: "gone.peft", goal: "check" }, memoryHost({ "main.peft": good }));
    assert.equal(
      diagnostics.map(({ code }) => code),
      ["PEFT0200"],
    );
  });

  test("several mistakes come out in one run", async () => {
    const text = good
      .replace("lora(r: rank)", "lora(rank: 4)")
      .replace("sequence_len", "cutoff_len")
      .replace("[loss]", "[los]")
      .replace("50%", "1 GiB");
    const codes = (await check(text)).map((diagnostic) => diagnostic.code);
    for (const code of ["PEFT0306", "PEFT0300", "PEFT0321"]) assert.ok(codes.includes(code), codes.join());
  });

  test("a mistake in a definition is said once, where it stands, however often it is used", async () => {
    const own =
      "method mine(r: int = 2) amends Linear {\n  param a: [r, in] ~ zeros\n  param b: [out, r] ~ zeros\n  weight = base.weight + a @ b\n}\n";
    const text = good.replace("lora(r: rank)", "mine(r: rank)") + own;
    const found = await check(text);
    assert.equal(
      found.map((diagnostic) => [diagnostic.code, wide(text, diagnostic.at)]),
      [["PEFT0403", "a @ b"]],
    );
  });

  test("a definition that nothing uses is checked with its sizes as symbols", async () => {
    const wrong: readonly [string, string, RegExp][] = [
      [
        "method mine(r: int = 2) amends Linear { param a: [r, in] ~ zeros  weight = base.weight + a }",
        "PEFT0403",
        /\[out, in\] and \[r, in\]/,
      ],
      ["method mine(r: int = 2) amends Linear { param a: [r, in] ~ zeros  wieght = base.weight + a }", "PEFT0413", /did you mean `weight`/],
      ["method mine(r: int = 2) amends Liner { param a: [r, in] ~ zeros }", "PEFT0411", /Linear/],
      [
        "method mine() amends Linear { param m: [out] = norm(base.weight, axis: 0)  weight = base.weight }",
        "PEFT0403",
        /first value is f32\[in\]/,
      ],
      ["module Mine(width: int) { forward(x: [.., width]) -> [.., width] = x @ x.T }", "PEFT0403", /./],
      [
        "module Mine(width: int) { inner = Linear(width, 2 * width)  forward(x: [.., width]) -> [.., width] = inner(x) }",
        "PEFT0403",
        /declared \[.., width\], found \[b, t, 2\*width\]/,
      ],
      ["module Mine(width: int) { forward(x: [.., width]) -> [.., width] = sliu(x) }", "PEFT0401", /did you mean `silu`/],
    ];
    for (const [definition, code, hint] of wrong) {
      const found = await check(`${good}${definition}\n`);
      assert.ok(
        found.some((diagnostic) => diagnostic.code === code && hint.test(said(diagnostic))),
        `${definition}: ${found.map((d) => `${d.code} ${said(d)}`).join("; ")}`,
      );
    }
    const right =
      "method mine(r: int = 2, alpha: float = r) amends Linear { param a: [r, in] ~ zeros  param b: [out, r] ~ zeros  weight = base.weight + (alpha / sqrt(r)) * b @ a }\nmodule Mine(width: int, heads: int) { q = Linear(width, width)  forward(x: [.., width]) -> [.., width] = join(split(q(x), heads)) }";
    assert.equal(await check(`${good}${right}\n`), []);
  });

  test("what config.json asks for and the architecture cannot do is named", async () => {
    const codes = async (config: object): Promise<string> => (await check(good, config)).map((d) => `${d.code} ${d.message}`).join("\n");
    assert.match(await codes({ ...llamaConfig, hidden_act: "gelu" }), /PEFT0345.*hidden_act/);
    assert.match(await codes({ ...llamaConfig, rope_scaling: { rope_type: "dynamic", factor: 8 } }), /PEFT0345/);
    const llama3 = { rope_type: "llama3", factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 32 };
    assert.is(await codes({ ...llamaConfig, rope_scaling: llama3 }), "");
    for (const key of Object.keys(llama3).slice(1))
      assert.match(await codes({ ...llamaConfig, rope_scaling: { ...llama3, [key]: undefined } }), new RegExp(`^PEFT0344.*${key}`));
    assert.match(
      await codes({ ...llamaConfig, rope_scaling: { rope_type: "yarn", factor: 8 } }),
      /^PEFT0344.*original_max_position_embeddings/,
    );
    assert.match(await codes({ ...llamaConfig, rope_scaling: { rope_type: "linear" } }), /^PEFT0344.*factor/);
    assert.match(await codes({ ...llamaConfig, hidden_size: undefined }), /PEFT0344.*hidden_size/);
    assert.match(await codes({ ...llamaConfig, architectures: ["LlamaForCausalML"] }), /PEFT0343/);
    assert.match(await codes({ ...llamaConfig, num_attention_heads: 3, num_key_value_heads: 3 }), /PEFT0345.*head_dim.*5\.33/);
  });

  test("gpt-oss in MXFP4, as it is published, is refused by the key that says so, and as bitsandbytes packs it is not", async () => {
    const fixture = readFileSync(new URL("../parity/models/fixtures/gpt-oss.json", import.meta.url), "utf8");
    const { config } = JSON.parse(fixture) as { readonly config: object };
    const text = good.replace("attn.{q, v}", "attn.q");
    const found = async (quantization_config?: object): Promise<readonly Diagnostic[]> =>
      (await check(text, { ...config, quantization_config })).filter(({ severity }) => severity === "error");
    assert.equal(await found(), []);
    assert.equal(await found({ quant_method: "bitsandbytes", load_in_4bit: true }), []);
    const published = { modules_to_not_convert: ["model.layers.*.self_attn", "lm_head"], quant_method: "mxfp4" };
    const [one, ...more] = await found(published);
    assert.equal(more, []);
    assert.is(one!.code, "PEFT0345");
    assert.match(one!.message, 'quantization_config.quant_method: "mxfp4"');
    assert.match(one!.help!, "gpt_oss reads quantization_config.quant_method as");
    assert.is(text.slice(one!.at!.start, one!.at!.end), '"base/"');
  });

  test("inputs from the command line are checked", async () => {
    assert.match((await check(good, llamaConfig, { rnk: "4" }))[0]!.code, /PEFT0208/);
    assert.match((await check(good, llamaConfig, { rank: "four" }))[0]!.code, /PEFT0209/);
    assert.equal(await check(good, llamaConfig, { rank: "2" }), []);
  });

  test("a method that rebinds an activation cannot be merged, and says why", async () => {
    const text =
      good.replace("lora(r: rank)", "gate()").replace("attn.{q, v}", "mlp") +
      "method gate() amends GatedMLP {\n  param s: [hidden] ~ ones\n  out = base.out * s\n}\n";
    const found = await check(text);
    assert.match(found.map((d) => `${d.code} ${d.message}`).join("\n"), /PEFT0323.*rebinds `out`/);
  });
});
