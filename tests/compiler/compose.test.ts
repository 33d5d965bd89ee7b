// Laws of adapters that stand on adapters or are made of them, on whole models in the interpreter: a sum of one is that one, weights
// scale what is changed, a stack is one after the other, and only the adapter that is trained moves.

import { compile } from "../../compiler/compile.ts";
import { reachable } from "../../compiler/graph/graph.ts";
import type { Session } from "../../runtime/devices/device.ts";
import type { Job } from "../../spec/job.ts";
import { assert, group } from "../harness.ts";
import { type Built, build, drawAll, gptConfig, llamaConfig, memoryHost, randomBatch, referenceDevice } from "./support.ts";

const head = `peft 1
base tiny = blank("base/", seed: 3)
adapter a = lora(r: 2, alpha: 3, dropout: 0.1) into tiny.layers.**
adapter b = lora(r: 3, alpha: 5) into tiny.layers.*.mlp.**
adapter c = tune() into tiny.layers.1.mlp.down, tiny.layers.*.attn_norm
data rows { train = text("rows.txt")  answer = "{text}" }
`;

const evaluating = (...subjects: string[]): string =>
  `evaluate ${subjects.join(", ")} on rows.train { metrics: [loss]  micro_batch_size: 2  sequence_len: 8 }\n`;

const batch = randomBatch(2, 8, 11);

interface Opened {
  readonly job: Job;
  readonly session: Session;
  readonly loss: (subject: string) => Promise<number>;
  readonly values: ReadonlyMap<string, Float32Array>;
}

const open = async (built: Built): Promise<Opened> => {
  const { job } = built;
  const session = await referenceDevice(built.segments).open(job, async () => new Uint8Array());
  const values = await drawAll(job, (name, data) => session.write(name, data), { nonzero: true });
  // A trained copy that is still what it was copied from would change nothing.
  for (const { name, source } of job.parameters)
    if (source.kind === "copy") {
      const moved = values.get(name)!.map((value, i) => value + 0.05 * Math.sin(i + name.charCodeAt(0)));
      values.set(name, moved);
      await session.write(name, moved);
    }
  const loss = async (subject: string): Promise<number> => {
    const { program } = job.evaluate.find((item) => item.subject === subject)!;
    for (const name of ["ids", "positions", "rows", "targets"] as const) await session.write(name, batch[name]);
    await session.write("scale", Float32Array.of(1 / batch.n));
    await session.run(program, { b: batch.b, t: batch.t, n: batch.n });
    return ((await session.read("loss", program)) as Float32Array)[0]!;
  };
  return { job, session, loss, values };
};

/** Every tensor that merging the adapter writes. */
const merged = async ({ job, session, values }: Opened, adapter: string): Promise<Map<string, Float32Array>> => {
  const tensors = new Map<string, Float32Array>();
  for (const tensor of job.merge.find((item) => item.adapter === adapter)!.tensors) {
    const parameter = job.parameters.find(({ source }) => "tensor" in source && source.tensor === tensor.tensor)!;
    if (tensor.program) {
      if (tensor.base) await session.write(tensor.base, values.get(parameter.name)!, tensor.program);
      await session.run(tensor.program, {});
    }
    tensors.set(parameter.name, ((await session.read(tensor.output, tensor.program)) as Float32Array).slice());
  }
  return tensors;
};

const near = (actual: number, expected: number, what: string): void =>
  assert.ok(Math.abs(actual - expected) < 1e-5 * Math.abs(expected), `${what}: ${actual} is not ${expected}`);

const farFrom = (actual: number, expected: number, what: string): void =>
  assert.ok(Math.abs(actual - expected) > 1e-3 * Math.abs(expected), `${what}: ${actual} is ${expected}`);

const codes = async (text: string): Promise<string[]> => {
  const files = { "main.peft": text, "base/config.json": JSON.stringify(llamaConfig) };
  return (await compile({ file: "main.peft", goal: "plan" }, memoryHost(files))).diagnostics.map(({ code }) => code);
};

group("compose", (test) => {
  for (const [name, config] of [
    ["a llama", llamaConfig],
    ["a gpt2", gptConfig],
  ] as const) {
    test(`combined, each alone is itself, and none is the base: ${name}`, async () => {
      const opened = await open(
        await build(
          `${head}adapter a1 = combine(a: 1)\nadapter c1 = combine(c: 1)\nadapter nothing = combine(a: 0, b: 0%, c: 0)\n${evaluating("tiny", "a", "c", "a1", "c1", "nothing")}`,
          config,
        ),
      );
      const { loss } = opened;
      farFrom(await loss("a"), await loss("tiny"), "the adapter changes nothing");
      farFrom(await loss("c"), await loss("tiny"), "the adapter changes nothing");
      near(await loss("a1"), await loss("a"), "combine(a: 1)");
      near(await loss("c1"), await loss("c"), "combine(c: 1)");
      near(await loss("nothing"), await loss("tiny"), "weights of 0");
    });

    test(`a combination's merged weights are the base's plus the weighted changes, and compute what it computes: ${name}`, async () => {
      const text = `${head}adapter all = combine(a: 0.7, b: -0.5, c: 30%)\n${["a", "b", "c", "all"].map((one) => `merge ${one} into "${one}/"\n`).join("")}`;
      const opened = await open(await build(`${text}${evaluating("tiny", "all")}`, config));
      const parts = { a: await merged(opened, "a"), b: await merged(opened, "b"), c: await merged(opened, "c") };
      const weights = { a: 0.7, b: -0.5, c: 0.3 };
      const unmerged = await opened.loss("all");
      const all = await merged(opened, "all");
      assert.ok(all.size > 0);
      for (const [parameter, values] of all) {
        const before = opened.values.get(parameter)!;
        for (const [i, value] of values.entries()) {
          const changes = (["a", "b", "c"] as const).map(
            (one) => weights[one] * ((parts[one].get(parameter)?.[i] ?? before[i]!) - before[i]!),
          );
          const expected = before[i]! + changes.reduce((sum, change) => sum + change, 0);
          assert.ok(Math.abs(value - expected) < 1e-5, `${parameter}[${i}]: ${value} is not ${expected}`);
        }
      }
      farFrom(unmerged, await opened.loss("tiny"), "the combination changes nothing");
      for (const [parameter, values] of all) await opened.session.write(parameter, values);
      near(await opened.loss("tiny"), unmerged, "merged");
    });
  }

  test("a stack is one after the other: over a merged first, the second alone", async () => {
    const text = `${head}adapter both = stack(a, b)\nmerge a into "a/"\n${evaluating("tiny", "a", "b", "both")}`;
    const opened = await open(await build(text, llamaConfig));
    const both = await opened.loss("both");
    for (const [parameter, values] of await merged(opened, "a")) await opened.session.write(parameter, values);
    near(await opened.loss("b"), both, "b over the merged a");
    farFrom(await opened.loss("tiny"), both, "b changes nothing");
  });

  test("an adapter that goes into another's model is evaluated, merged and trained with it, and alone moves", async () => {
    const text = `${head}adapter d = lora(r: 2) into a.layers.*.attn.q
train d on rows { optimizer: sgd(learning_rate: 0.5)  steps: 1  micro_batch_size: 2  sequence_len: 8 }
train a on rows { optimizer: sgd(learning_rate: 0.5)  steps: 1  micro_batch_size: 2  sequence_len: 8 }
${evaluating("tiny", "a", "d")}merge d into "d/"\n`;
    const opened = await open(await build(text, llamaConfig));
    const { job, session } = opened;
    assert.equal(
      job.train.map(({ adapter }) => adapter),
      ["a", "d"],
      "what it stands on is trained first",
    );
    assert.equal(job.adapters.find(({ name }) => name === "d")!.with, ["a", "d"]);
    const step = job.train[1]!.step;
    assert.equal(
      job.programs[step]!.outputs.filter((output) => output.startsWith("gradient(a:")),
      [],
    );
    assert.is(job.train[1]!.seeds, 0, "the gates of what stands beneath are open");
    assert.ok(job.train[0]!.seeds > 0);
    const before = await opened.loss("d");
    farFrom(before, await opened.loss("a"), "d changes nothing");
    for (const name of ["ids", "positions", "rows", "targets"] as const) await session.write(name, batch[name]);
    await session.write("scale", Float32Array.of(1 / batch.n));
    await session.run(step, { b: batch.b, t: batch.t, n: batch.n });
    near(((await session.read("loss", step)) as Float32Array)[0]!, before, "the training loss");
    // One gradient of it against a difference of the evaluated loss.
    const name = "d:layers.0.attn.q.b";
    const gradient = ((await session.read(`gradient(${name})`)) as Float32Array)[0]!;
    const at = async (delta: number): Promise<number> => {
      const moved = Float32Array.from(opened.values.get(name)!);
      moved[0]! += delta;
      await session.write(name, moved);
      return opened.loss("d");
    };
    const difference = ((await at(1e-3)) - (await at(-1e-3))) / 2e-3;
    await session.write(name, opened.values.get(name)!);
    assert.ok(Math.abs(gradient - difference) < 1e-3 * (Math.abs(difference) + 0.05), `${gradient} is not ${difference}`);
    const unmerged = await opened.loss("d");
    for (const [parameter, values] of await merged(opened, "d")) await session.write(parameter, values);
    near(await opened.loss("tiny"), unmerged, "merged with what it stands on");
  });

  test("a sum keeps thin products thin: no weight is added to and subtracted from", async () => {
    const { segments, job } = await build(`${head}adapter ab = combine(a: 0.7, b: 0.3)\n${evaluating("ab")}`, llamaConfig);
    const used = new Set(job.programs["evaluate.0"]!.calls.map(({ segment }) => segment));
    const ops = [...segments].filter(([id]) => used.has(id)).flatMap(([, segment]) => segment.outputs.flatMap(({ node }) => opsOf(node)));
    assert.ok(ops.includes("matmul"));
    assert.not.ok(ops.includes("sub"));
  });

  const three = (method: string, where: string): string =>
    `peft 1
base tiny = blank("base/", seed: 3)
${["a", "b", "c"].map((name) => `adapter ${name} = ${method} into tiny.${where}\n`).join("")}adapter team = mix(a, b, c)
data rows { train = text("rows.txt")  answer = "{text}"  adapter = "{text}" }
train team on rows { optimizer: sgd(learning_rate: 0.5)  steps: 1  micro_batch_size: 4  sequence_len: 8 }
evaluate a, b, c, team on rows.train { metrics: [loss]  micro_batch_size: 4  sequence_len: 8  generate: greedy(max_new_tokens: 2) }
`;
  const mixed: readonly [string, string, string, object][] = [
    ["low-rank products in a llama", "lora(r: 2, alpha: 3)", "layers.**", llamaConfig],
    ["low-rank products in a gpt2", "lora(r: 2, alpha: 3)", "layers.*.mlp.**", gptConfig],
    ["whole weights and biases", "tune()", "layers.*.mlp.up", gptConfig],
    ["the head, which only some tokens reach", "lora(r: 2)", "head", llamaConfig],
  ];
  for (const [name, method, where, config] of mixed)
    test(`in a mix every row computes what its adapter computes alone, and trains it alone: ${name}`, async () => {
      const opened = await open(await build(three(method, where), config));
      const { job, session, values } = opened;
      const rows = randomBatch(4, 8, job.base.vocab_size, 3);
      const which = [2, 0, 2, 1];
      const order = ["a", "b", "c"];
      for (const { name: parameter, source } of job.parameters)
        if (source.kind === "stack") await session.write(parameter, Float32Array.from(source.of.flatMap((one) => [...values.get(one)!])));
      const give = async (of: readonly number[]): Promise<Record<string, number>> => {
        const chosen = [...rows.rows.keys()].filter((k) => of.includes(Math.floor(rows.rows[k]! / 8)));
        const cut = (all: Int32Array): Int32Array => Int32Array.from(of.flatMap((row) => [...all.subarray(8 * row, 8 * row + 8)]));
        await session.write("ids", cut(rows.ids));
        await session.write("positions", cut(rows.positions));
        await session.write(
          "rows",
          Int32Array.from(chosen, (k) => (rows.rows[k]! % 8) + 8 * of.indexOf(Math.floor(rows.rows[k]! / 8))),
        );
        await session.write(
          "targets",
          Int32Array.from(chosen, (k) => rows.targets[k]!),
        );
        await session.write("scale", Float32Array.of(1 / rows.n));
        return { b: of.length, t: 8, n: chosen.length };
      };
      const run = async (program: string, of: readonly number[]): Promise<number> => {
        const dims = await give(of);
        if (job.programs[program]!.inputs.includes("which"))
          await session.write(
            "which",
            Int32Array.from(of, (row) => which[row]!),
          );
        await session.run(program, dims);
        return ((await session.read("loss", program)) as Float32Array)[0]!;
      };
      const program = (subject: string): string => job.evaluate.find((item) => item.subject === subject)!.program;
      const together = await run(program("team"), [0, 1, 2, 3]);
      let apart = 0;
      for (const [i, subject] of order.entries()) {
        const own = [0, 1, 2, 3].filter((row) => which[row] === i);
        apart += await run(program(subject), own);
      }
      near(together, apart, "losses");
      farFrom(await run(program("a"), [0, 1, 2, 3]), together, "all rows with one adapter");
      // The gradient of one element of one adapter against a difference of the evaluated loss.
      await run(job.train[0]!.step, [0, 1, 2, 3]);
      const bank = job.parameters.find(({ source, name: parameter }) => source.kind === "stack" && /(b|up\.weight)$/.test(parameter))!;
      const gradient = (await session.read(`gradient(${bank.name})`)) as Float32Array;
      const size = gradient.length / 3;
      for (const place of [0, 1, 2]) {
        const value = ((await session.read(bank.name)) as Float32Array).slice();
        const at = async (delta: number): Promise<number> => {
          const moved = Float32Array.from(value);
          moved[place * size]! += delta;
          await session.write(bank.name, moved);
          return run(program("team"), [0, 1, 2, 3]);
        };
        const difference = ((await at(1e-3)) - (await at(-1e-3))) / 2e-3;
        await session.write(bank.name, value);
        const found = gradient[place * size]!;
        assert.ok(Math.abs(found - difference) < 2e-3 * (Math.abs(difference) + 0.05), `place ${place}: ${found} is not ${difference}`);
      }
    });

  test("a mix never forms a weight for each row", async () => {
    const { job, segments } = await build(three("lora(r: 2)", "layers.**"), { ...llamaConfig, hidden_size: 64, intermediate_size: 96 });
    const nodes = Object.values(job.programs)
      .filter(({ inputs }) => inputs.includes("which"))
      .flatMap(({ calls }) => calls.flatMap(({ segment }) => reachable(segments.get(segment)!.outputs.map(({ node }) => node))));
    assert.ok(nodes.length > 100);
    const wide = nodes.filter(
      ({ type: { shape } }) => shape[0] === "b" && shape.length === 3 && Number(shape[1]) > 8 && Number(shape[2]) > 8,
    );
    assert.equal(
      wide.map(({ op, type }) => `${op} [${type.shape}]`),
      [],
    );
  });

  test("mistakes are said where they are", async () => {
    const wrong: readonly [string, string][] = [
      ["adapter both = stack(a, nobody)", "PEFT0320"],
      ["adapter both = stack(a)", "PEFT0451"],
      ["adapter both = stack(a, a)", "PEFT0451"],
      ["adapter both = stack(a: 1, b: 2)", "PEFT0451"],
      ["adapter both = combine(a, b)", "PEFT0451"],
      ['adapter both = combine(a: "x", b: 1)', "PEFT0451"],
      ["adapter both = combine(a: 1, b: 1) into tiny.layers.**", "PEFT0451"],
      ["adapter d = lora(r: 2) into a.layers.0.attn.q, tiny.layers.1.attn.q", "PEFT0450"],
      ["adapter d = lora(r: 2) into e.layers.**\nadapter e = lora(r: 2) into d.layers.**", "PEFT0452"],
      ["adapter d = combine(d: 1, a: 1)", "PEFT0452"],
      ["adapter team = mix(a, b)", "PEFT0454"],
      ["adapter e = tune() into tiny.layers.1.mlp.down, tiny.layers.*.attn_norm\nadapter team = mix(c, e)", "PEFT0455"],
      [
        "adapter e = lora(r: 2, alpha: 3, dropout: 0.1) into tiny.layers.**\nadapter team = mix(a, e)\nevaluate team on rows.train",
        "PEFT0461",
      ],
      ["adapter both = stack(a, b)\ntrain both on rows { optimizer: sgd(learning_rate: 0.1)  steps: 1 }", "PEFT0453"],
    ];
    for (const [text, code] of wrong) assert.equal([...new Set(await codes(`${head}${text}\n`))], [code], text);
    assert.equal(await codes(`${head}adapter e = stack(d, b)\nadapter d = lora(r: 2) into a.layers.**\n`), [], "any order");
  });
});

const opsOf = (node: { readonly op: string; readonly inputs: readonly (typeof node)[] }): string[] => [
  node.op,
  ...node.inputs.flatMap((input) => opsOf(input)),
];
