// The committed base's logits as transformers computes them (quickstart-base.json; made by load_merged.py, no Python needed here),
// and the suite tested: each planted fault turns this comparison red.

import { readFileSync } from "node:fs";
import { compileHost } from "../../cli/compile-host.ts";
import { std } from "../../cli/embedded/std.ts";
import { compile } from "../../compiler/compile.ts";
import type { SegmentGraph } from "../../compiler/graph/graph.ts";
import type { Op } from "../../compiler/graph/op.ts";
import { ops } from "../../compiler/ops/index.ts";
import { lower } from "../../compiler/programs/lower.ts";
import { loadParameters, openCheckpoint } from "../../runtime/checkpoint.ts";
import { cpuDevice } from "../../runtime/devices/cpu.ts";
import type { Device } from "../../runtime/devices/device.ts";
import { nodeHost } from "../../runtime/node-host.ts";
import { bundle } from "../compiler/bundle.ts";
import { referenceDevice } from "../compiler/support.ts";
import { assert, group } from "../harness.ts";
import { apart } from "./opened.ts";

const folder = new URL("../../examples/quickstart/", import.meta.url).pathname;
const { ids, last } = JSON.parse(readFileSync(new URL("quickstart-base.json", import.meta.url), "utf8")) as {
  ids: number[];
  last: number[];
};

const pipeline = `peft 1
base model = checkpoint("base/")
data rows { eval = jsonl("orders.eval.jsonl")  answer = "{text}" }
evaluate model on rows.eval { metrics: [loss]  generate: greedy(max_new_tokens: 4)  micro_batch_size: 1  sequence_len: 16 }
`;

/** Largest difference from transformers' logits at the last token. */
const off = async (
  library: ReadonlyMap<string, string> = std,
  device: (segments: ReadonlyMap<string, SegmentGraph>) => Device = referenceDevice,
): Promise<number> => {
  const file = `${folder}faults.peft`;
  const { stdTrees: _, ...plain } = compileHost(new Map([[file, pipeline]]));
  const host = { ...plain, std: library };
  const { checked, diagnostics } = await compile({ file, goal: "check" }, host);
  assert.equal(diagnostics, []);
  const lowered = lower(checked!, host, { report: () => {}, through: [] })!;
  const { job, read } = bundle(lowered);
  const session = await device(lowered.segments).open(job, read);
  const checkpoint = await openCheckpoint(nodeHost, `${folder}base`);
  await loadParameters(job, checkpoint, (parameter, values) =>
    job.values[parameter.name] ? session.write(parameter.name, values) : undefined,
  );
  await checkpoint.close();
  await session.write("ids", Int32Array.from(ids));
  await session.write(
    "positions",
    Int32Array.from(ids, (_, i) => i),
  );
  await session.write("rows", Int32Array.of(ids.length - 1));
  await session.run("generate.0", { b: 1, t: ids.length, n: 1, s: job.programs["generate.0"]!.dims.s! });
  const logits = [...((await session.read("logits", "generate.0")) as Float32Array)];
  await session.close();
  return apart(logits, last);
};

const changed = (path: string, from: string, to: string): ReadonlyMap<string, string> => {
  const text = std.get(path)!;
  assert.ok(text.includes(from), from);
  return new Map(std).set(path, text.replace(from, to));
};

group("faults", (test) => {
  test("the committed base computes what transformers computes, in the interpreter and on the cpu device", async () => {
    assert.ok((await off()) < 1e-4, `interpreter: ${await off()}`);
    const cpu = await cpuDevice({ threads: 1 });
    const onCpu = await off(std, () => cpu);
    assert.ok(onCpu < 1e-4, `cpu: ${onCpu}`);
  });

  const faults: readonly [string, ReadonlyMap<string, string>][] = [
    ["no rotary embedding", changed("modules/attention.peft", "if rotates then rotate(asking, cos, sin)", "if rotates then asking")],
    [
      "a wrong epsilon",
      changed("modules/blocks.peft", "attn_norm = RMSNorm(hidden, eps: eps)", "attn_norm = RMSNorm(hidden, eps: 100 * eps)"),
    ],
    ["gate and up swapped", changed("modules/mlp.peft", "activate(gate(x)) * up(x)", "gate(x) * activate(up(x))")],
    ["a residual left out", changed("modules/blocks.peft", "let residual = x + attn_delta", "let residual = attn_delta")],
  ];
  for (const [name, library] of faults) test(`${name} is seen`, async () => assert.ok((await off(library)) > 2e-4));

  const tampered: readonly [string, string, (op: Op) => Op][] = [
    ["a dropped scale", "attention", (op) => ({ ...op, eval: (inputs, attrs, types) => op.eval(inputs, { ...attrs, scale: 1 }, types) })],
    [
      "a mask off by one",
      "attention",
      (op) => ({
        ...op,
        eval: (inputs, attrs, types) =>
          op.eval([...inputs.slice(0, 3), { ...inputs[3]!, data: inputs[3]!.data.map((p) => Math.max(0, p - 1)) }], attrs, types),
      }),
    ],
  ];
  for (const [name, of, change] of tampered)
    test(`${name} is seen`, async () => {
      const honest = ops.get(of)!;
      try {
        (ops as Map<string, Op>).set(of, change(honest));
        assert.ok((await off()) > 2e-4);
      } finally {
        (ops as Map<string, Op>).set(of, honest);
      }
    });
});
