// What training takes, by part, as the field knows the table: every parameter, LoRA over 16 bits, LoRA over 4 bits with paged state; for
// Llama of 7, 65 and 70 billion parameters from their config.json alone. Prints also how long each plan takes, start to end.
//
//   npm run build && npx tsx bench/memory-table.ts [--length 512] [--json]

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { PlanFacts } from "../cli/plan-facts.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const { values } = parseArgs({ options: { length: { type: "string", default: "512" }, json: { type: "boolean", default: false } } });

const models = {
  "7B": { hidden_size: 4096, intermediate_size: 11008, num_hidden_layers: 32, num_attention_heads: 32, num_key_value_heads: 32 },
  "65B": { hidden_size: 8192, intermediate_size: 22016, num_hidden_layers: 80, num_attention_heads: 64, num_key_value_heads: 64 },
  "70B": { hidden_size: 8192, intermediate_size: 28672, num_hidden_layers: 80, num_attention_heads: 64, num_key_value_heads: 8 },
};

const ways = {
  full: { store: "", adapter: "tune() into big.**", more: "" },
  LoRA: { store: "store ** as bf16()", adapter: "lora(r: 16) into big.layers.**", more: "" },
  QLoRA: {
    store: "store layers.** as nf4(double: true)\n  store embed, head as bf16()",
    adapter: "lora(r: 16) into big.layers.**",
    more: "state: paged",
  },
};

const folder = mkdtempSync(`${tmpdir()}/peft-table-`);
try {
  const rows: { model: string; way: string; seconds: number; memory: Readonly<Record<string, number>>; peak: number }[] = [];
  writeFileSync(`${folder}/rows.txt`, "Some text.\n");
  for (const [model, config] of Object.entries(models)) {
    mkdirSync(`${folder}/${model}`);
    writeFileSync(
      `${folder}/${model}/config.json`,
      JSON.stringify({
        architectures: ["LlamaForCausalLM"],
        vocab_size: 32000,
        max_position_embeddings: 4096,
        rms_norm_eps: 1e-5,
        ...config,
      }),
    );
    for (const [way, { store, adapter, more }] of Object.entries(ways)) {
      writeFileSync(
        `${folder}/${model}.${way}.peft`,
        `peft 1
base big = blank("${model}/") {
  ${store}
}
adapter it = ${adapter}
data rows { train = text("rows.txt")  answer = "{text}" }
train it on rows { optimizer: adamw(learning_rate: 2e-4)  steps: 10  micro_batch_size: 1  sequence_len: ${values.length}  ${more} }
`,
      );
      const start = performance.now();
      const { status, stdout, stderr } = spawnSync(
        process.execPath,
        [`${root}dist/peft.cjs`, "plan", `${folder}/${model}.${way}.peft`, "--json"],
        {
          encoding: "utf8",
          maxBuffer: 1 << 28,
        },
      );
      if (status !== 0) throw new Error(stdout + stderr);
      const plan = JSON.parse(stdout) as PlanFacts;
      const { memory, peak } = plan.train[0]!;
      rows.push({ model, way, seconds: (performance.now() - start) / 1000, memory, peak });
    }
  }
  if (values.json) console.log(JSON.stringify(rows, undefined, 2));
  else {
    const gib = (bytes: number): string => (bytes / 2 ** 30).toFixed(2).padStart(9);
    const parts = ["frozen weights", "trained parameters", "gradients", "optimizer state", "activations"];
    console.log(
      `GiB, one row of ${values.length} tokens\n${"".padEnd(12)}${[...parts, "peak", "seconds"].map((part) => part.slice(0, 9).padStart(10)).join("")}`,
    );
    for (const { model, way, memory, peak, seconds } of rows)
      console.log(
        `${`${model} ${way}`.padEnd(12)} ${parts.map((part) => gib(memory[part] ?? 0)).join(" ")} ${gib(peak)} ${seconds.toFixed(1).padStart(9)}`,
      );
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
