// A batch whose rows use different adapters, in one pass: ours against PEFT's mixed batch (bench/peers/mixed_torch.py), same base, same
// adapters, same rows, in turn on the same machine, with 1, 8 and 64 adapters. Both score (a forward pass with its loss) and
// generate (greedy, with the cache); losses and generated ids are compared before a time is printed.
//
//   npx tsx bench/mixed.ts [--rows 64] [--tokens 32] [--new 8] [--rounds 3] [--rank 8] [--counts 1,8,64] [--json]

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, tmpdir } from "node:os";
import { parseArgs } from "node:util";
import { compileHost } from "../cli/compile-host.ts";
import { compile } from "../compiler/compile.ts";
import { saveAdapter } from "../runtime/adapter-files.ts";
import { fillBank } from "../runtime/bank.ts";
import { loadParameters, openCheckpoint } from "../runtime/checkpoint.ts";
import { cpuDevice } from "../runtime/devices/cpu.ts";
import { draw } from "../runtime/draw.ts";
import { generate } from "../runtime/generation/generate.ts";
import { nodeHost } from "../runtime/node-host.ts";
import { writeBase } from "../tests/parity/methods/case.ts";
import { openPython } from "../tests/parity/python.ts";

const { values } = parseArgs({
  options: {
    rows: { type: "string", default: "64" },
    tokens: { type: "string", default: "32" },
    new: { type: "string", default: "8" },
    rounds: { type: "string", default: "3" },
    rank: { type: "string", default: "8" },
    counts: { type: "string", default: "1,8,64" },
    json: { type: "boolean", default: false },
  },
});
const [rows, tokens, fresh, rounds] = [values.rows, values.tokens, values.new, values.rounds].map(Number) as [
  number,
  number,
  number,
  number,
];
const threads = availableParallelism();

const config = {
  architectures: ["LlamaForCausalLM"],
  model_type: "llama",
  vocab_size: 1024,
  hidden_size: 256,
  intermediate_size: 688,
  num_hidden_layers: 4,
  num_attention_heads: 4,
  num_key_value_heads: 4,
  max_position_embeddings: 128,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: false,
  bos_token_id: 1,
  eos_token_id: 2,
};

const median = (times: readonly number[]): number => [...times].sort((a, b) => a - b)[Math.floor(times.length / 2)]!;
const folder = mkdtempSync(`${tmpdir()}/peft-mixed-`);
const python = openPython("../../bench/peers/mixed_torch.py");
const found: object[] = [];

const measure = async (count: number): Promise<void> => {
  const names = Array.from({ length: count }, (_, i) => `a${i}`);
  const file = `${folder}/mixed.peft`;
  const text = `peft 1
base tiny = checkpoint("base/")
${names.map((name) => `adapter ${name} = lora(r: ${values.rank}, alpha: 16) into tiny.layers.**`).join("\n")}
${count > 1 ? `adapter team = mix(${names.join(", ")})` : ""}
data rows { eval = text("rows.txt")  answer = "{text}"  adapter = "{text}" }
evaluate ${count > 1 ? "team" : "a0"} on rows.eval { metrics: [loss]  generate: greedy(max_new_tokens: ${fresh})  micro_batch_size: ${rows}  sequence_len: ${tokens} }
`;
  const { job, files, diagnostics } = await compile({ file, goal: "build" }, compileHost(new Map([[file, text]])));
  if (!job || !files) throw new Error(diagnostics.map(({ message }) => message).join("\n"));
  const device = await cpuDevice({ threads });
  const session = await device.open(job, async (path) => files.get(path) as Uint8Array);
  const checkpoint = await openCheckpoint(nodeHost, `${folder}/base`);
  await loadParameters(job, checkpoint, (parameter, data) => {
    // Adapters that have been trained: no factor is zero.
    if (parameter.source.kind === "draw" && parameter.name.endsWith(".b") && data instanceof Float32Array)
      draw({ kind: "draw", distribution: "normal", args: [0.05] }, 1, parameter.name, data);
    return job.values[parameter.name] ? session.write(parameter.name, data) : undefined;
  });
  await checkpoint.close();
  for (const adapter of job.adapters)
    if (!adapter.bank)
      await saveAdapter(
        nodeHost,
        `${folder}/${adapter.name}`,
        adapter,
        job.parameters,
        async (name) => (await session.read(name)) as Float32Array,
        {
          base_model_name_or_path: `${folder}/base`,
        },
      );
  const team = job.adapters.find(({ bank }) => bank);
  if (team) await fillBank(job, team, session);
  await python.ask({ do: "load", base: `${folder}/base`, adapters: names.map((name) => `${folder}/${name}`), threads });

  const which = Array.from({ length: rows }, (_, i) => (i * 7) % count);
  const ids = Array.from({ length: rows }, (_, row) =>
    Array.from({ length: tokens }, (__, i) => 3 + ((row * 131 + i * 37 + i * i) % 1021)),
  );
  const item = job.evaluate[0]!;
  const score = async (): Promise<{ seconds: number; loss: number }> => {
    const flat = ids.flat();
    const at = flat.flatMap((_, i) => ((i + 1) % tokens ? [i] : []));
    const start = performance.now();
    await session.write("ids", Int32Array.from(flat));
    await session.write(
      "positions",
      Int32Array.from(flat, (_, i) => i % tokens),
    );
    await session.write("rows", Int32Array.from(at));
    await session.write(
      "targets",
      Int32Array.from(at, (i) => flat[i + 1]!),
    );
    await session.write("scale", Float32Array.of(1 / at.length));
    if (team) await session.write("which", Int32Array.from(which));
    await session.run(item.program, { b: rows, t: tokens, n: at.length });
    const loss = ((await session.read("loss", item.program)) as Float32Array)[0]!;
    return { seconds: (performance.now() - start) / 1000, loss };
  };
  const write = async (): Promise<{ seconds: number; ids: (readonly number[])[] }> => {
    const start = performance.now();
    const written = await generate(ids, session, {
      job,
      program: item.generator!,
      settings: { kind: "greedy", max_new_tokens: fresh },
      stops: [],
      ...(team && { places: which }),
    });
    return { seconds: (performance.now() - start) / 1000, ids: written };
  };
  const times = { scoreOurs: [] as number[], scorePeft: [] as number[], writeOurs: [] as number[], writePeft: [] as number[] };
  for (let round = 0; round <= rounds; round++) {
    const ours = await score();
    const theirs = (await python.ask({ do: "score", ids, which })) as { seconds: number; loss: number };
    if (Math.abs(ours.loss - theirs.loss) > 1e-4 * theirs.loss) throw new Error(`losses differ: ${ours.loss}, PEFT ${theirs.loss}`);
    const mine = await write();
    const others = (await python.ask({ do: "generate", ids, which, tokens: fresh })) as { seconds: number; ids: number[][] };
    const same = mine.ids.filter((row, i) => row.join() === others.ids[i]!.join()).length;
    // A near tie of two ids may fall either way once; nearly all rows are equal to the last token.
    if (same < 0.9 * rows) throw new Error(`generated ids differ in ${rows - same} of ${rows} rows`);
    if (round === 0) continue; // warms caches
    times.scoreOurs.push(ours.seconds);
    times.scorePeft.push(theirs.seconds);
    times.writeOurs.push(mine.seconds);
    times.writePeft.push(others.seconds);
  }
  await session.close();
  const ms = (list: readonly number[]): number => Math.round(1000 * median(list));
  const result = {
    adapters: count,
    score: { ours: ms(times.scoreOurs), peft: ms(times.scorePeft), ratio: median(times.scorePeft) / median(times.scoreOurs) },
    generate: { ours: ms(times.writeOurs), peft: ms(times.writePeft), ratio: median(times.writePeft) / median(times.writeOurs) },
  };
  found.push(result);
  if (!values.json)
    console.log(
      `${String(count).padStart(3)} adapters   score: ours ${result.score.ours} ms, PEFT ${result.score.peft} ms, ${result.score.ratio.toFixed(2)}×   generate: ours ${result.generate.ours} ms, PEFT ${result.generate.peft} ms, ${result.generate.ratio.toFixed(2)}×`,
    );
};

try {
  writeFileSync(`${folder}/rows.txt`, "x");
  const shape = `${folder}/shape.peft`;
  await nodeHost.makeFolder(`${folder}/blank`);
  writeFileSync(`${folder}/blank/config.json`, JSON.stringify(config));
  const blank = `peft 1\nbase tiny = blank("blank/")\nadapter all = tune() into tiny.**\n`;
  const { job } = await compile({ file: shape, goal: "plan" }, compileHost(new Map([[shape, blank]])));
  await writeBase(`${folder}/base`, config, job!.parameters, 0.1);
  if (!values.json)
    console.log(
      `${cpus()[0]?.model}, ${threads} threads; llama of ${job!.base.parameters} parameters, rank ${values.rank} on every linear layer; ${rows} rows of ${tokens} tokens, ${fresh} new; f32; medians of ${rounds}\n`,
    );
  for (const count of values.counts.split(",").map(Number)) await measure(count);
  if (values.json) console.log(JSON.stringify(found, undefined, 1));
} finally {
  python.close();
  rmSync(folder, { recursive: true, force: true });
}
