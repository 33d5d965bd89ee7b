// A model that no architecture reads: the nearest one is named, with the keys and tensors in which the two differ.

import { readFileSync } from "node:fs";
import { compile } from "../../compiler/compile.ts";
import type { StoredTensor } from "../../compiler/host.ts";
import { assert, group } from "../harness.ts";
import { memoryHost } from "./support.ts";

const qwen = JSON.parse(readFileSync(new URL("../parity/models/fixtures/qwen2.json", import.meta.url), "utf8")) as {
  readonly config: Record<string, unknown>;
  readonly tensors: Record<string, number[]>;
};

const said = async (config: object, tensors: Readonly<Record<string, readonly number[]>>, source = "checkpoint"): Promise<string> => {
  const text = `peft 1\nbase it = ${source}("base/")\nadapter a = tune() into it.**\n`;
  const host = memoryHost({ "main.peft": text, "base/config.json": JSON.stringify(config) });
  const stored = new Map(
    Object.entries(tensors).map(([name, shape]): [string, StoredTensor] => [name, { shape, raw: "F32", dtype: "f32" }]),
  );
  const { diagnostics } = await compile(
    { file: "main.peft", goal: "check" },
    { ...host, headers: async () => ({ tensors: stored, sha256: () => "" }) },
  );
  const found = diagnostics.find(({ code }) => code === "PEFT0343");
  return found ? found.notes.map(({ message }) => message).join("\n") : diagnostics.map(({ code }) => code).join();
};

const unknown = { ...qwen.config, architectures: ["Qwen9ForCausalLM"] };

group("nearest architecture", (test) => {
  test("by its tensors, and which of them are others", async () => {
    const { "model.norm.weight": _, ...rest } = qwen.tensors;
    const notes = await said(unknown, { ...rest, "model.layers.0.self_attn.q_proj.bias": [7], "model.layers.0.extra.weight": [4, 4] });
    const count = Object.keys(qwen.tensors).length;
    assert.match(notes, `the nearest is Qwen2ForCausalLM: ${count - 2} of the ${count} tensors are its own`);
    assert.match(notes, "it has no such tensor: model.layers.0.extra.weight");
    assert.match(notes, "model.layers.0.self_attn.q_proj.bias as [32] (there [7])");
    assert.match(notes, "model.norm.weight");
  });

  test("by its configuration alone where there are no weights, with the keys that it would read otherwise", async () => {
    const notes = await said({ ...unknown, hidden_act: "relu6" }, {}, "blank");
    assert.match(notes, "the nearest is Qwen2ForCausalLM\n");
    assert.match(notes, "hidden_act");
    assert.match(await said({ ...unknown, hidden_size: undefined }, {}, "blank"), "hidden_size");
  });

  test("nothing is said where nothing comes near", async () => {
    assert.not.match(await said({ architectures: ["OddModel"] }, {}, "blank"), "the nearest");
  });
});
