// From a keystroke to its diagnostics, through the protocol, on a file of 300 lines: the built language server as a child process, a
// character typed and taken back in the middle of a path and in the middle of a definition. `npm run bench:editor`.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Client, withServer } from "../tests/editor/client.ts";

const strokes = 100;
const lines = 300;

/** Twelve adapters, data and trainings over one base, with methods and modules of the file's own until it has 300 lines. */
const text = ((): string => {
  const parts = ["peft 1", "", 'base tiny = checkpoint("base/")', ""];
  for (let i = 0; i < 12; i++)
    parts.push(
      `adapter menu${i} = lora(r: ${4 + i}, alpha: 16) into tiny.layers.*.attn.{q, v}`,
      `data orders${i} {`,
      '  train = jsonl("orders.jsonl")',
      '  prompt = "{slip}\\n"',
      '  answer = "{text}"',
      "}",
      `train menu${i} on orders${i} {`,
      "  optimizer: adamw(learning_rate: 1e-3)",
      "  schedule: cosine(warmup: 3%)",
      "  epochs: 3",
      "}",
    );
  for (let i = 0; parts.length + 5 < lines; i++)
    parts.push(
      "/// A learned scale of each output.",
      `method scaled${i}(k: float = 1) amends Linear {`,
      "  param s: [out] ~ ones",
      "  weight = base.weight * s[:, none] * k",
      "}",
    );
  while (parts.length < lines) parts.push("// the end");
  return `${parts.join("\n")}\n`;
})();

interface Measured {
  readonly times: readonly number[];
  /** Processor time of the server per keystroke: what the median is on a machine that does nothing else. */
  readonly processor: number | undefined;
}

const milliseconds = async (client: Client, place: string): Promise<Measured> => {
  const before = text.slice(0, text.indexOf(place) + place.length).split("\n");
  const at = { line: before.length - 1, character: before.at(-1)!.length };
  const times: number[] = [];
  const used = client.processorTime();
  for (let i = 0; i < strokes; i++) {
    const typed = i % 2 === 0;
    const start = performance.now();
    const found = await client.change(
      "menu.peft",
      typed ? "x" : "",
      typed ? { start: at, end: at } : { start: at, end: { ...at, character: at.character + 1 } },
    );
    times.push(performance.now() - start);
    if (found.length > 0 !== typed) throw new Error(`${found.length} diagnostics after ${typed ? "typing" : "deleting"}`);
  }
  const now = client.processorTime();
  return { times: times.sort((a, b) => a - b), processor: used === undefined || now === undefined ? undefined : (now - used) / strokes };
};

const report = (what: string, { times, processor }: Measured): void => {
  const at = (share: number): string => times[Math.min(times.length - 1, Math.floor(share * times.length))]!.toFixed(1);
  const alone = processor === undefined ? "" : `   processor ${processor.toFixed(1)} ms`;
  console.log(`${what.padEnd(28)} median ${at(0.5)} ms   95 % ${at(0.95)} ms   worst ${at(1)} ms${alone}`);
};

const config = JSON.parse(readFileSync(fileURLToPath(new URL("../examples/quickstart/base/config.json", import.meta.url)), "utf8"));
await withServer(async (client) => {
  const start = performance.now();
  const found = await client.open("menu.peft", text);
  if (found.length) throw new Error(`the file has a mistake: ${found[0]!.message}`);
  console.log(`${text.split("\n").length - 1} lines, 12 adapters on ${config.num_hidden_layers} layers, ${strokes} keystrokes each`);
  console.log(`${"opened".padEnd(28)} ${(performance.now() - start).toFixed(1)} ms`);
  report("a keystroke in a path", await milliseconds(client, "menu5 = lora(r: 9, alpha: 16) into tiny.layers.*.attn.{q"));
  report("a keystroke in a definition", await milliseconds(client, "method scaled7(k: float = 1) amends Linea"));
});
