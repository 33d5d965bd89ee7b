// Switching adapters is rebinding: a run that evaluates a base and several adapters over it, in turn, reads each byte of the base's weights once.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { compileHost } from "../../cli/compile-host.ts";
import { compile } from "../../compiler/compile.ts";
import { cpuDevice } from "../../runtime/devices/cpu.ts";
import type { Host } from "../../runtime/host.ts";
import { nodeHost } from "../../runtime/node-host.ts";
import { runJob } from "../../runtime/run.ts";
import { assert, group } from "../harness.ts";

const quickstart = fileURLToPath(new URL("../../examples/quickstart/", import.meta.url));

const text = `peft 1
base teller = checkpoint("${quickstart}base/")
adapter low = lora(r: 2) into teller.layers.*.attn.{q, v}
adapter scaled = ia3() into teller.layers.*.attn.{k, v}
adapter soft = prompt(tokens: 4) into teller
data orders { eval = jsonl("${quickstart}orders.eval.jsonl", rows: 8)  prompt = "{slip}\\n"  answer = "{text}" }
evaluate low, teller, scaled, soft on orders.eval { metrics: [loss]  sequence_len: 128  micro_batch_size: 4 }
`;

group("switching", (test) => {
  test("adapters are switched without reading the base again", async () => {
    const folder = mkdtempSync(`${tmpdir()}/peft-switch-`);
    try {
      const file = `${folder}/switch.peft`;
      const { job, files, diagnostics } = await compile({ file, goal: "build" }, compileHost(new Map([[file, text]])));
      assert.equal(
        diagnostics.filter(({ severity }) => severity === "error"),
        [],
      );
      const taken: (readonly [from: number, to: number])[] = [];
      const host: Host = {
        ...nodeHost,
        open: async (path) => {
          const opened = await nodeHost.open(path);
          if (!path.endsWith("base/model.safetensors")) return opened;
          return {
            ...opened,
            size: opened.size,
            read: async (start, into) => {
              taken.push([start, start + into.byteLength]);
              return opened.read(start, into);
            },
            close: () => opened.close(),
          };
        },
      };
      const { evaluate } = await runJob(
        { ...job!, adapters: job!.adapters.map((one) => ({ ...one, trainedBy: [] })) },
        {
          host,
          choice: { device: await cpuDevice({ threads: 1 }), why: "a test" },
          read: async (path) => {
            const content = files!.get(path)!;
            return typeof content === "string" ? new TextEncoder().encode(content) : content;
          },
          folder,
          out: `${folder}/out`,
          verbs: new Set(["evaluate"]),
          inputs: {},
          versions: { peft: "0", node: "0", platform: "test", engine: "test" },
          listen: () => {},
          peakMemory: () => 0,
        },
      );
      assert.ok(evaluate.length >= 4);
      const sorted = [...taken].sort(([a], [b]) => a - b);
      const read = sorted.reduce((sum, [from, to]) => sum + to - from, 0);
      const size = job!.parameters.reduce((sum, { source, shape }) => sum + ("tensor" in source ? shape.reduce((a, b) => a * b, 1) : 0), 0);
      assert.ok(read >= 2 * size, `${read} bytes were read of ${size} numbers: the host is not the one that is used`);
      const twice = sorted.filter(([from], i) => i > 0 && from < sorted[i - 1]![1]);
      // The header is read when a folder is opened: its length, then itself.
      assert.equal(
        twice.filter(([from]) => from > 8),
        [],
      );
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
