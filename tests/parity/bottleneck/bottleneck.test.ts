// Bottleneck methods beside AdapterHub's `adapters`: from its tensors (adapterhub.safetensors, whose header names the versions; made
// anew by adapterhub.py), our logits equal its logits on two architectures, and as many parameters are trained.

import { fileURLToPath } from "node:url";
import { compileHost } from "../../../cli/compile-host.ts";
import { compile } from "../../../compiler/compile.ts";
import { lower } from "../../../compiler/programs/lower.ts";
import { loadParameters, openCheckpoint } from "../../../runtime/checkpoint.ts";
import { cpuDevice } from "../../../runtime/devices/cpu.ts";
import { nodeHost } from "../../../runtime/node-host.ts";
import { referenceDevice } from "../../compiler/support.ts";
import { assert, group } from "../../harness.ts";
import { openWorkshop, type Workshop } from "../methods/compare.ts";
import { readTensors, type Tensors } from "../methods/tensors.ts";

/** Our name of each tensor, without the place in the layer. */
const names: Readonly<Record<string, string>> = {
  "adapter_down.0.weight": "down",
  "adapter_down.0.bias": "down_bias",
  "adapter_up.weight": "up",
  "adapter_up.bias": "up_bias",
  "adapter_down.0.W_left": "down_left",
  "adapter_down.0.W_right": "down_right",
  "adapter_down.0.b": "down_bias",
  "adapter_up.W_left": "up_left",
  "adapter_up.W_right": "up_right",
  "adapter_up.b": "up_bias",
};

const nameOf = (key: string, both: boolean): string => {
  const layer = /\.(?:layers|h)\.(\d+)\./.exec(key)?.[1];
  const place = both ? (key.includes("attention_adapters") ? "attn_" : "mlp_") : "";
  return layer === undefined ? "it:rule" : `it:layers.${layer}.${place}${names[key.split(".a.")[1]!]}`;
};

const ids = [1, 5, 9, 33, 12, 7, 40, 3];

/** Our logits with their tensors, and how many parameters are trained. */
const compute = async (workshop: Workshop, base: string, use: string, tensors: Tensors) => {
  const file = `${workshop.folder}/bottleneck.peft`;
  const text = `peft 1
base model = checkpoint("${base}/")
adapter it = ${use} into model.layers.*
data rows { train = text("rows.txt")  answer = "{text}" }
evaluate it on rows.train { metrics: [loss]  generate: greedy(max_new_tokens: 1)  micro_batch_size: 16  sequence_len: 16 }
`;
  const host = compileHost(new Map([[file, text]]));
  const { checked, diagnostics } = await compile({ file, goal: "check" }, host);
  if (!checked) throw new Error(diagnostics.map(({ code, message }) => `${code} ${message}`).join("\n"));
  const lowered = lower(checked, host, { report: () => {}, through: [] })!;
  const { job } = lowered;
  const session = await referenceDevice(lowered.segments).open(job, async () => new Uint8Array());
  const checkpoint = await openCheckpoint(nodeHost, `${workshop.folder}/${base}`);
  await loadParameters(job, checkpoint, (parameter, values) =>
    job.values[parameter.name] ? session.write(parameter.name, values) : undefined,
  );
  await checkpoint.close();
  const given = new Set<string>();
  for (const [key, { values }] of tensors) {
    const name = nameOf(key, !/^(parallel_)?bottleneck/.test(use));
    assert.ok(job.values[name], `${key} has no place: ${name}`);
    await session.write(name, Float32Array.from(values));
    given.add(name);
  }
  assert.equal([...given].sort(), [...job.adapters[0]!.parameters].sort());
  const counting = Int32Array.from(ids, (_, i) => i);
  const program = job.evaluate[0]!.generator!;
  await session.write("ids", Int32Array.from(ids));
  await session.write("positions", counting);
  await session.write("rows", counting);
  await session.run(program, { b: 1, t: ids.length, n: ids.length, s: job.programs[program]!.dims.s! });
  const logits = ((await session.read("logits", program)) as Float32Array).slice(0, ids.length * job.base.vocab_size);
  await session.close();
  return { logits, trainable: job.adapters[0]!.trainable };
};

group("bottleneck methods", (test) => {
  test("compute what AdapterHub computes, on two architectures", async () => {
    const all = await readTensors(fileURLToPath(new URL("adapterhub.safetensors", import.meta.url)));
    const workshop = await openWorkshop(await cpuDevice({ threads: 1 }));
    const titles = new Set([...all.keys()].map((key) => key.split("/")[0]!));
    assert.is(titles.size, 8);
    for (const title of titles) {
      const [base, method] = title.split(" ") as [string, string];
      const own = new Map([...all].flatMap(([key, value]) => (key.startsWith(`${title}/`) ? [[key.slice(title.length + 1), value]] : [])));
      const expected = own.get("logits")!.values;
      own.delete("logits");
      const use = `${method}(reduction: 4${method === "compacter" ? ", n: 2" : ""})`;
      const { logits, trainable } = await compute(workshop, base, use, own);
      const far = Math.max(...expected.map((x, i) => Math.abs(x - logits[i]!)));
      assert.ok(far < 1e-5, `${title}: logits ${far} apart`);
      assert.is(
        trainable,
        [...own.values()].reduce((sum, { values }) => sum + values.length, 0),
        title,
      );
    }
    // A comparison that agrees with anything says nothing.
    const tensors = new Map([...all].flatMap(([key, value]) => (/^llama bottleneck\/model/.test(key) ? [[key.slice(17), value]] : [])));
    const { logits } = await compute(workshop, "llama", "bottleneck(reduction: 4, act: silu)", tensors);
    const expected = all.get("llama bottleneck/logits")!.values;
    assert.ok(Math.max(...expected.map((x, i) => Math.abs(x - logits[i]!))) > 1e-3, "another activation is not seen");
    workshop.close();
  });
});
