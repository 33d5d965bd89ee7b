// Combinations of adapters beside PEFT's, where PEFT's are of the changes themselves: both on, concatenated, and its rules on the whole
// change (the forms that end in `svd`, with every singular direction kept). Without Python: what the rules must do by themselves.

import { random } from "../../../examples/base/world.ts";
import { cpuDevice } from "../../../runtime/devices/cpu.ts";
import { initAdapter } from "../../../runtime/init.ts";
import { assert, group } from "../../harness.ts";
import { type Opened, open } from "../opened.ts";
import { openPython, pythonMissing } from "../python.ts";
import { batches } from "./case.ts";
import { openWorkshop } from "./compare.ts";

const [first, second] = [0.7, -0.4];
const ways: Readonly<Record<string, { readonly ours: string; readonly theirs: object | null }>> = {
  stack: { ours: "stack(a, b)", theirs: null },
  sum: { ours: `combine(a: ${first}, b: ${second})`, theirs: { combination_type: "cat" } },
  compressed: { ours: `combine(a: ${first}, b: ${second}, by: compressed(r: 3))`, theirs: { combination_type: "svd", svd_rank: 3 } },
  ties: {
    ours: `combine(a: ${first}, b: ${second}, by: ties(density: 0.4))`,
    theirs: { combination_type: "ties_svd", svd_rank: 16, density: 0.4 },
  },
  pruned: {
    ours: `combine(a: ${first}, b: ${second}, by: pruned(density: 0.4))`,
    theirs: { combination_type: "magnitude_prune_svd", svd_rank: 16, density: 0.4 },
  },
};
const alone: Readonly<Record<string, string>> = {
  whole: `combine(a: ${first}, b: ${second}, by: compressed(r: 5))`,
  unpruned: `combine(a: ${first}, b: ${second}, by: pruned(density: 1))`,
  undropped: `combine(a: ${first}, b: ${second}, by: dare(density: 1))`,
  dropped: `combine(a: ${first}, b: ${second}, by: dare(density: 0.5))`,
  one: "combine(a: 1, by: compressed(r: 2))",
};

const row = batches[0]!.ids[0]!;
const last = row.length - 1;

/** Opens the pipeline with adapters that change something, and computes what is computed from them. */
const withAdapters = async (body: (opened: Opened, base: string, folder: string) => Promise<void>): Promise<void> => {
  const workshop = await openWorkshop(await cpuDevice({ threads: 1 }));
  const made = { ...Object.fromEntries(Object.entries(ways).map(([name, { ours }]) => [name, ours])), ...alone };
  const text = `peft 1
base model = checkpoint("llama/")
adapter a = lora(r: 2, alpha: 3) into model.layers.*.attn.q
adapter b = lora(r: 3, alpha: 5, rslora: true) into model.layers.*.attn.q
${Object.entries(made)
  .map(([name, how]) => `adapter ${name} = ${how}`)
  .join("\n")}
data rows { train = text("rows.txt")  answer = "{text}" }
evaluate model, a, ${Object.keys(made).join(", ")} on rows.train { metrics: [loss]  generate: greedy(max_new_tokens: 1)  micro_batch_size: 1  sequence_len: 16 }
`;
  const opened = await open(text, `${workshop.folder}/it.peft`, workshop.device);
  try {
    for (const { name, shape } of opened.job.parameters)
      if (/^[ab]:/.test(name)) {
        const count = shape.reduce((x, y) => x * y, 1);
        const next = random(name.length + 7 * name.charCodeAt(0) + name.charCodeAt(9));
        await opened.session.write(
          name,
          Float32Array.from({ length: count }, () => 0.6 * next() - 0.3),
        );
      }
    for (const adapter of opened.job.adapters) if (adapter.of) await initAdapter(opened.job, adapter, opened.session);
    await body(opened, workshop.base("llama"), workshop.folder);
  } finally {
    await opened.close();
    workshop.close();
  }
};

const apart = (ours: readonly number[], theirs: readonly number[]): number =>
  Math.max(...ours.map((value, i) => Math.abs(value - theirs[i]!)));

group("combinations", (test) => {
  test("rules that leave everything are the exact sum; rules that drop something are not", () =>
    withAdapters(async ({ logits }) => {
      const of = async (subject: string): Promise<number[]> => (await logits(subject, row, [last]))[0]!;
      const sum = await of("sum");
      for (const name of ["whole", "unpruned", "undropped"])
        assert.ok(apart(await of(name), sum) < 1e-4, `${name}: ${apart(await of(name), sum)}`);
      assert.ok(apart(await of("one"), await of("a")) < 1e-4, "one adapter in all its directions");
      for (const name of ["dropped", "ties", "pruned", "compressed"]) assert.ok(apart(await of(name), sum) > 1e-3, `${name} drops nothing`);
      assert.ok(apart(sum, await of("model")) > 1e-2, "the sum changes nothing");
    }));

  test(
    "as PEFT combines them",
    () =>
      withAdapters(async ({ logits, save }, base, folder) => {
        const python = openPython("methods/methods.py");
        try {
          for (const name of ["a", "b"]) await save(name, `${folder}/${name}`);
          const theirs = (await python.ask({
            do: "combined",
            base,
            adapters: [`${folder}/a`, `${folder}/b`],
            weights: [first, second],
            ways: Object.fromEntries(Object.entries(ways).map(([name, one]) => [name, one.theirs])),
            ids: [row],
          })) as Record<string, number[]>;
          for (const name of Object.keys(ways)) {
            const far = apart((await logits(name, row, [last]))[0]!, theirs[name]!);
            assert.ok(far < 1e-4, `${name}: ${far}`);
          }
        } finally {
          python.close();
        }
      }),
    { skip: pythonMissing },
  );
});
