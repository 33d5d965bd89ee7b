// Bottleneck methods beside AdapterHub's `adapters`, from its committed answers (fixtures/, whose JSON names the versions): first gradients,
// losses and tensors of twenty steps, counts, file sizes; and its folders, told apart from PEFT's by their keys, read with `load`.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpuDevice } from "../../../runtime/devices/cpu.ts";
import { assert, group } from "../../harness.ts";
import { batches } from "../methods/case.ts";
import { block, compare, openWorkshop, sizeOf, type Workshop } from "../methods/compare.ts";
import { complaints } from "../methods/judge.ts";
import { codesOf, pipeline } from "../methods/loading.ts";
import { type Reference, readFixtures, writeFolder } from "../methods/reference.ts";
import { open } from "../opened.ts";
import { cases, fixtures } from "./cases.ts";

const { references } = await readFixtures(fixtures);
let opened: Promise<Workshop> | undefined;
const workshop = (): Promise<Workshop> => (opened ??= cpuDevice({ threads: 1 }).then(openWorkshop));

group("bottleneck methods", (test) => {
  for (const [name, one] of Object.entries(cases)) {
    test(`as AdapterHub computes it: ${name}`, async () => {
      const known = references.get(name);
      assert.ok(known, `no answer of AdapterHub's for it: npm run parity:adapters -- --write "${name}"`);
      assert.equal(known.asked, JSON.parse(JSON.stringify(one)), `the case was changed: npm run parity:adapters -- --write "${name}"`);
      const apart = await compare(name, one, known.reference, await workshop());
      assert.equal(complaints(apart), []);
      if (one.named) {
        const far = apart.logits.flatMap((line, i) => line.map((x, k) => Math.abs(x - known.reference.logits![i]![k]!)));
        assert.ok(
          far.every((each) => each < 1e-5),
          `logits are ${Math.max(...far)} apart`,
        );
        return;
      }
      const said = JSON.parse(readFileSync(`${apart.saved}/adapter_config.json`, "utf8")) as { config: Record<string, unknown> };
      const theirs = known.reference.config!.config as Record<string, unknown>;
      for (const [key, value] of Object.entries(said.config)) assert.equal(value, theirs[key], `config.${key}`);
      assert.match(readFileSync(`${apart.saved}/adapter_config.json`, "utf8"), /"scaling": \d+\.\d/, "the library tells 1 from 1.0");
      assert.is(sizeOf(apart.saved, "adapters"), apart.planned, "the file is not as large as planned");
    });

    if (one.named) continue;
    test(`AdapterHub's folder is read as what it is: ${name}`, async () => {
      const { folder, device } = await workshop();
      const { reference } = references.get(name)!;
      const place = `${folder}/load-${name.replaceAll(/\W+/g, "-")}`;
      await writeFolder(place, reference.sgd.tensors, reference.config!);
      const read = await open(pipeline(one.base, `load("${place}/")`), `${folder}/it.peft`, device);
      assert.is(read.job.adapters[0]!.method, one.adapter.slice(0, one.adapter.indexOf("(")));
      await read.load("it", place);
      const found = await read.logits("it", batches[0]!.ids[0]!);
      await read.close();
      const far = Math.max(...found.flatMap((line, i) => line.map((x, k) => Math.abs(x - reference.logits![i]![k]!))));
      assert.ok(far < 1e-5, `${far} apart`);
    });
  }

  test("a mistake in a method is seen", async () => {
    const { reference } = references.get("bottleneck")!;
    const wrong = { ...cases.bottleneck!, adapter: "bottleneck(reduction: 4, act: tanh) into model.layers.*" };
    const other = {
      ...reference,
      config: { ...reference.config, config: { ...(reference.config!.config as object), non_linearity: "tanh" } },
    };
    assert.ok(complaints(await compare("another activation", wrong, other, await workshop())).length > 0);
  });

  test("what does not fit says why", async () => {
    const { folder } = await workshop();
    const { reference } = references.get("bottleneck")!;
    const told = async (place: string, tensors: Reference["first"], config: object, base = "llama") => {
      await writeFolder(`${folder}/${place}`, tensors, config);
      return codesOf(folder, pipeline(base, `load("${place}/")`));
    };
    const said = (more: Record<string, unknown>) => ({
      ...reference.config,
      config: { ...(reference.config!.config as Record<string, unknown>), ...more },
    });
    const { first } = reference;
    const [key, value] = [...first][0]!;
    for (const [name, tensors, config, code, text] of [
      ["a setting no method computes", first, said({ ln_after: true }), "PEFT0456", "ln_after"],
      ["a scale that is learned", first, said({ scaling: "learned" }), "PEFT0456", '"learned"` is nothing that bottleneck takes'],
      ["widths by layer", first, said({ reduction_factor: { "0": 4, default: 2 } }), "PEFT0456", "reduction_factor"],
      ["an unknown activation", first, said({ non_linearity: "mish" }), "PEFT0456", "is no operation here"],
      ["another kind of method", first, said({ architecture: "reft" }), "PEFT0456", "stored as reft"],
      ["a narrower one", first, said({ reduction_factor: 8 }), "PEFT0580", "expected [2, 16], found [4, 16]"],
      ["a layer left out", first, said({ leave_out: [1] }), "PEFT0580", "leave_out: it says [1]"],
      ["one too many", new Map([...first, [`${key}x`, value]]), reference.config!, "PEFT0580", "is not part of the adapter"],
      ["one too few", new Map([...first].slice(1)), reference.config!, "PEFT0580", "it is not there"],
      ["neither library's", first, { config: "pfeiffer" }, "PEFT0456", "neither `peft_type`"],
    ] as const) {
      const found = await told(name.replaceAll(/\W+/g, "-"), tensors, config);
      assert.equal(found.codes, [code], name);
      assert.ok(found.said.includes(text), `${name}: ${found.said}`);
    }
    writeFileSync(`${folder}/a-narrower-one/head_config.json`, "{}");
    await writeFolder(`${folder}/a-narrower-one`, first, reference.config!);
    const headed = await codesOf(folder, pipeline("llama", 'load("a-narrower-one/")'));
    assert.equal(headed.codes, ["PEFT0429"]);
    assert.ok(headed.said.includes("head_config.json"), headed.said);
    assert.equal((await told("another-base", first, reference.config!, "gpt2")).codes, ["PEFT0456"]);
  });

  test("an architecture that AdapterHub has no names for keeps its adapter in this project's own layout", async () => {
    const { folder, device } = await workshop();
    mkdirSync(`${folder}/qwen`);
    const config = JSON.parse(readFileSync(`${folder}/llama/config.json`, "utf8")) as object;
    writeFileSync(`${folder}/qwen/config.json`, JSON.stringify({ ...config, architectures: ["Qwen2ForCausalLM"], model_type: "qwen2" }));
    const text = pipeline("qwen", "bottleneck(reduction: 4) into model.layers.*").replace("checkpoint(", "blank(");
    const written = await open(text, `${folder}/own.peft`, device);
    assert.is(written.job.adapters[0]!.files.library, "none");
    await written.save("it", `${folder}/own`);
    await written.close();
    const read = await open(
      text.replace(block("bottleneck(reduction: 4) into model.layers.*"), '= load("own/")'),
      `${folder}/own.peft`,
      device,
    );
    assert.equal(read.job.adapters[0]!.files, written.job.adapters[0]!.files);
    await read.close();
  });

  test("the temporary folder is removed", async () => {
    (await workshop()).close();
  });
});
