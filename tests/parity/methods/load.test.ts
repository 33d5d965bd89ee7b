// `load("folder/")` on what PEFT saved: the method is found by its configuration, the places by the tensors' names, and what it computes is
// what the same adapter written out computes. What does not fit is a diagnostic that says why, tensor by tensor.

import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpuDevice } from "../../../runtime/devices/cpu.ts";
import { assert, group } from "../../harness.ts";
import { open } from "../opened.ts";
import { openPython, pythonMissing } from "../python.ts";
import { batches } from "./case.ts";
import { cases } from "./cases.ts";
import { openWorkshop, type Workshop } from "./compare.ts";
import { codesOf, pipeline } from "./loading.ts";
import { type Reference, readFixtures, writeFirst } from "./reference.ts";
import type { Stored } from "./tensors.ts";

const fixtures = await readFixtures();
const loadable = Object.entries(cases).filter(([, { config, begins }]) => "peft_type" in config && !begins);

let opened: Promise<Workshop> | undefined;
const workshop = (): Promise<Workshop> => (opened ??= cpuDevice({ threads: 1 }).then(openWorkshop));

group("load", (test) => {
  for (const [name, one] of loadable)
    test(`PEFT's folder is read as what it is: ${name}`, async () => {
      const { folder, device } = await workshop();
      const place = `${folder}/load-${name.replaceAll(/\W+/g, "-")}`;
      const { reference } = fixtures.references.get(name)!;
      await writeFirst(place, reference, {});
      const file = `${folder}/it.peft`;
      const row = batches[0]!.ids[0]!;
      const written = await open(pipeline(one.base, one.adapter), file, device);
      await written.load("it", place);
      const expected = await written.logits("it", row, [9]);
      const plain = await written.logits("model", row, [9]);
      await written.close();
      const read = await open(pipeline(one.base, `load("${place}/")`), file, device);
      // Which factors were trained is in no file: what reads the same is the method that trains all.
      assert.is(read.job.adapters[0]!.method, "frozen" in one.config ? "lora" : written.job.adapters[0]!.method);
      assert.is(read.job.adapters[0]!.from, `${place}/`);
      assert.equal([...read.job.adapters[0]!.parameters].sort(), [...written.job.adapters[0]!.parameters].sort());
      assert.equal(read.job.adapters[0]!.files, { ...written.job.adapters[0]!.files, config: read.job.adapters[0]!.files.config });
      await read.load("it", place);
      const found = await read.logits("it", row, [9]);
      await read.close();
      const far = Math.max(...found[0]!.map((value, i) => Math.abs(value - expected[0]![i]!)));
      assert.ok(far < 1e-5, `${far} apart`);
      assert.ok(Math.max(...found[0]!.map((value, i) => Math.abs(value - plain[0]![i]!))) > 1e-3, "it changes nothing");
    });

  test("what a network made is evaluated, and cannot be trained further without it", async () => {
    const { folder } = await workshop();
    await writeFirst(`${folder}/made`, fixtures.references.get("p_tuning")!.reference, {});
    const trained = (adapter: string) =>
      codesOf(folder, `${pipeline("llama", adapter)}train it on rows { optimizer: sgd(learning_rate: 0.1)  steps: 1 }\n`);
    assert.equal((await trained(`load("${folder}/made/")`)).codes, ["PEFT0373"]);
    assert.equal((await trained("p_tuning(tokens: 4) into model")).codes, []);
  });

  test(
    "directions that PEFT left out of a file are left out here, and the file goes back to PEFT as it came",
    async () => {
      const { folder, device, base } = await workshop();
      const python = openPython("methods/methods.py");
      try {
        const config = { peft_type: "ADALORA", init_r: 4, target_r: 3, lora_alpha: 3, tinit: 1, tfinal: 2, deltaT: 1, total_step: 8 };
        const question = { do: "train", base: base("llama"), out: `${folder}/theirs`, noise: 0.2, seed: 5, sgd: 0.1, adamw: 0.01 };
        await python.ask({
          ...question,
          cut: true,
          batches: batches.slice(0, 8),
          config: { ...config, target_modules: ["q_proj", "v_proj"] },
        });
        const place = `${folder}/theirs/sgd`;
        const said = JSON.parse(readFileSync(`${place}/adapter_config.json`, "utf8")) as { rank_pattern: Record<string, boolean[]> };
        const left = Object.values(said.rank_pattern).map((marks) => marks.filter(Boolean).length);
        assert.ok(new Set(left).size > 1 && left.every((count) => count > 0), `not cut apart: ${left}`);
        const opened = await open(pipeline("llama", `load("${place}/")`), `${folder}/it.peft`, device);
        await opened.load("it", place);
        const row = batches[0]!.ids[0]!;
        const ours = await opened.logits("it", row);
        await opened.save("it", `${folder}/again`);
        await opened.close();
        for (const adapter of [place, `${folder}/again`]) {
          const { logits } = (await python.ask({ do: "logits", base: base("llama"), adapter, ids: [row] })) as { logits: number[][][] };
          const far = Math.max(...logits[0]!.flatMap((line, i) => line.map((x, k) => Math.abs(x - ours[i]![k]!))));
          assert.ok(far < 1e-4, `${adapter}: ${far} apart`);
        }
      } finally {
        python.close();
      }
    },
    { skip: pythonMissing },
  );

  test("whole modules beside a method are PEFT's modules_to_save, under names that end no other's", async () => {
    const { folder, device } = await workshop();
    for (const [i, [adapter, names]] of (
      [
        ["{ lora(r: 2) into model.layers.*.attn.q  tune() into model.head  tune() into model.norm }", ["lm_head", "model.norm"]],
        ["{ tune() into model.layers.1.mlp.**  ia3() into model.layers.*.attn.{k, v} }", ["1.mlp"]],
      ] as const
    ).entries()) {
      const written = await open(pipeline("llama", adapter), `${folder}/it.peft`, device);
      await written.save("it", `${folder}/saved-${i}`);
      const config = JSON.parse(readFileSync(`${folder}/saved-${i}/adapter_config.json`, "utf8")) as Record<string, unknown>;
      assert.equal(config.modules_to_save, names);
      const read = await open(pipeline("llama", `load("saved-${i}/")`), `${folder}/it.peft`, device);
      assert.equal(read.job.adapters[0]!.files, written.job.adapters[0]!.files);
      assert.equal([...read.job.adapters[0]!.parameters].sort(), [...written.job.adapters[0]!.parameters].sort());
      await written.close();
      await read.close();
    }
    // A part of a module, and a use of a tied tensor, have no name there.
    for (const [base, adapter] of [
      ["gpt2", "{ lora(r: 2) into model.layers.*.attn.out  tune() into model.layers.*.attn_norm.bias }"],
      ["gpt2", "{ lora(r: 2) into model.layers.*.attn.out  tune() into model.embed }"],
    ] as const) {
      const kept = await open(pipeline(base, adapter), `${folder}/it.peft`, device);
      assert.is(kept.job.adapters[0]!.files.library, "none", adapter);
      await kept.close();
    }
    const config = JSON.parse(readFileSync(`${folder}/saved-0/adapter_config.json`, "utf8")) as Record<string, unknown>;
    mkdirSync(`${folder}/tied`);
    writeFileSync(`${folder}/tied/adapter_config.json`, JSON.stringify(config));
    copyFileSync(`${folder}/saved-0/adapter_model.safetensors`, `${folder}/tied/adapter_model.safetensors`);
    const tied = await codesOf(folder, pipeline("gpt2", 'load("tied/")'));
    assert.equal(tied.codes, ["PEFT0456"]);
    assert.match(tied.said, "`lm_head` by itself");
  });

  test(
    "modules_to_save of PEFT's are read, and go back to it: equal logits both ways",
    async () => {
      const { folder, device, base } = await workshop();
      const python = openPython("methods/methods.py");
      try {
        for (const [name, shape, config] of [
          ["head", "llama", { peft_type: "LORA", r: 2, target_modules: ["q_proj", "v_proj"], modules_to_save: ["lm_head", "model.norm"] }],
          [
            "layer",
            "gpt2",
            { peft_type: "LORA", r: 2, target_modules: ["c_attn"], fan_in_fan_out: true, modules_to_save: ["h.1.mlp", "ln_f"] },
          ],
        ] as const) {
          const out = `${folder}/theirs-${name}`;
          await python.ask({
            ...{ do: "train", base: base(shape), out, noise: 0.2, seed: 5, sgd: 0.1, adamw: 0.01 },
            ...{ batches: batches.slice(0, 4), config },
          });
          const opened = await open(pipeline(shape, `load("${out}/sgd/")`), `${folder}/it.peft`, device);
          await opened.load("it", `${out}/sgd`);
          const row = batches[0]!.ids[0]!;
          const ours = await opened.logits("it", row);
          await opened.save("it", `${out}/again`);
          await opened.close();
          for (const adapter of [`${out}/sgd`, `${out}/again`]) {
            const { logits } = (await python.ask({ do: "logits", base: base(shape), adapter, ids: [row] })) as { logits: number[][][] };
            const far = Math.max(...logits[0]!.flatMap((line, i) => line.map((x, k) => Math.abs(x - ours[i]![k]!))));
            assert.ok(far < 1e-4, `${adapter}: ${far} apart`);
          }
        }
      } finally {
        python.close();
      }
    },
    { skip: pythonMissing },
  );

  test(
    "what stands in front of a text, or beside what is heard, writes what PEFT's model writes, token for token",
    async () => {
      const { folder, device, base } = await workshop();
      const python = openPython("methods/methods.py");
      const count = 12;
      const soft = /^(prompt|p_tuning|prefix|prefix_projected|gated_prompt)(?=\()/;
      const seen = new Set<string>();
      try {
        for (const [name, one] of loadable.filter(([, { adapter }]) => soft.test(adapter))) {
          const place = `${folder}/writes-${name.replaceAll(/\W+/g, "-")}`;
          await writeFirst(place, fixtures.references.get(name)!.reference, {});
          const text = pipeline(one.base, `load("${place}/")`)
            .replace("max_new_tokens: 1)", `max_new_tokens: ${count})`)
            .replace("sequence_len: 16", "sequence_len: 32");
          const opened = await open(text, `${folder}/it.peft`, device);
          await opened.load("it", place);
          const ids = batches[0]!.ids[0]!;
          const ours = await opened.greedy("it", ids, count);
          await opened.close();
          const question = { do: "generate", base: base(one.base), adapter: place, ids, count };
          assert.equal(ours, ((await python.ask(question)) as { written: number[] }).written, name);
          seen.add(soft.exec(one.adapter)![0]);
        }
        assert.is(seen.size, 5, [...seen].join());
      } finally {
        python.close();
      }
    },
    { skip: pythonMissing },
  );

  test("exceptions by module are read, and the tensors' shapes hold them to it", async () => {
    const { folder, device } = await workshop();
    const adapter = `{
  lora(r: 2, alpha: 4) into model.layers.*.attn.{q, v}
  lora(r: 3, alpha: 9) into model.layers.*.mlp.up
}`;
    const written = await open(pipeline("llama", adapter), `${folder}/it.peft`, device);
    await written.save("it", `${folder}/ranks`);
    const config = JSON.parse(readFileSync(`${folder}/ranks/adapter_config.json`, "utf8")) as Record<string, unknown>;
    assert.equal(config.rank_pattern, { up_proj: 3 });
    const read = await open(pipeline("llama", `load("ranks/")`), `${folder}/it.peft`, device);
    assert.equal(read.job.adapters[0]!.files, written.job.adapters[0]!.files);
    await read.close();
    await written.close();
    writeFileSync(`${folder}/ranks/adapter_config.json`, JSON.stringify({ ...config, rank_pattern: {} }));
    const { codes, said } = await codesOf(folder, pipeline("llama", `load("ranks/")`));
    assert.equal(codes, ["PEFT0580"]);
    assert.match(said, "up_proj.lora_A.weight: expected [2, 16], found [3, 16]");
  });

  test("this program's own layouts are read back: trained copies, and lines of different methods", async () => {
    const { folder, device } = await workshop();
    for (const [i, adapter] of [
      "= tune() into model.layers.1.mlp.**",
      "{ lora(r: 2) into model.layers.*.attn.q  tune() into model.norm }",
    ].entries()) {
      const text = pipeline("llama", "X").replace("= X", adapter);
      const written = await open(text, `${folder}/it.peft`, device);
      await written.save("it", `${folder}/own-${i}`);
      const read = await open(pipeline("llama", `load("own-${i}/")`), `${folder}/it.peft`, device);
      assert.equal([...read.job.adapters[0]!.parameters].sort(), [...written.job.adapters[0]!.parameters].sort(), adapter);
      await written.close();
      await read.close();
    }
  });

  test("what does not fit says why", async () => {
    const { folder } = await workshop();
    const { reference } = fixtures.references.get("lora")!;
    const { reference: gated } = fixtures.references.get("gated prompt in the upper layer")!;
    const changed = async (place: string, change: (reference: Reference) => Reference): Promise<{ codes: string[]; said: string }> => {
      await writeFirst(`${folder}/${place}`, change(reference), {});
      return codesOf(folder, pipeline("llama", `load("${place}/")`));
    };
    const tensors = (change: (key: string, value: Stored) => [string, Stored][]) => (one: Reference) => ({
      ...one,
      first: new Map([...one.first].flatMap(([key, value]) => change(key, value))),
    });
    const config = (more: Record<string, unknown>) => (one: Reference) => ({ ...one, config: { ...one.config, ...more } });
    const expected: readonly [string, (reference: Reference) => Reference, string, string][] = [
      ["a type without a method", config({ peft_type: "LILY" }), "PEFT0456", "no method of the library is stored as LILY"],
      ["a switch that is not computed", config({ use_magic: true }), "PEFT0456", "use_magic"],
      ["biases that were trained too", config({ bias: "all" }), "PEFT0456", "bias"],
      [
        "a missing tensor",
        tensors((key, value) => (key.includes("layers.1.self_attn.q_proj.lora_B") ? [] : [[key, value]])),
        "PEFT0580",
        "it is not there",
      ],
      [
        "one too many",
        tensors((key, value) => [
          [key, value],
          ...(key.endsWith("0.self_attn.q_proj.lora_A.weight") ? [[`${key}x`, value] as [string, Stored]] : []),
        ]),
        "PEFT0580",
        "is not part of the adapter",
      ],
      [
        "another base's names",
        tensors((key, value) => [[key.replace("model.layers", "transformer.h"), value]]),
        "PEFT0456",
        "made for another base",
      ],
      ["layers that are not there", () => ({ ...gated, config: { ...gated.config, adapter_layers: 2 } }), "PEFT0580", "it says 2"],
      ["AdapterHub", () => ({ ...reference, config: { version: "adapters.1.2.0", config: {} } }), "PEFT0456", "AdapterHub"],
    ];
    for (const [name, change, code, said] of expected) {
      const found = await changed(name.replaceAll(/\W+/g, "-"), change);
      assert.equal(found.codes, [code], name);
      assert.match(found.said, said, name);
    }
    assert.equal((await codesOf(folder, pipeline("gpt2", `load("${folder}/a-missing-tensor/")`))).codes, ["PEFT0456"]);
    assert.equal((await codesOf(folder, pipeline("llama", 'load("nowhere/")'))).codes.length, 1);
    mkdirSync(`${folder}/pickled`);
    writeFileSync(`${folder}/pickled/adapter_model.bin`, "");
    const pickled = await codesOf(folder, pipeline("llama", 'load("pickled/")'));
    assert.equal(pickled.codes, ["PEFT0482"]);
    assert.match(pickled.said, "no zip archive");
    const into = await codesOf(folder, pipeline("llama", 'load("ranks/") into model.layers.0'));
    assert.equal(into.codes, ["PEFT0456"]);
  });

  test("the temporary folder is removed", async () => {
    (await workshop()).close();
  });
});
