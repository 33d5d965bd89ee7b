// Logs that grow while a training runs: what is in them is what result.json holds, and TensorBoard's frames are read back here by the
// formats' own rules (lengths, masked CRC-32C, protobuf fields), and by the tensorboard package where Python has it.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { crc32c, openingEvent, scalarEvent } from "../../cli/logs/tensorboard.ts";
import type { Result } from "../../spec/result.ts";
import { assert, group } from "../harness.ts";
import { python, pythonLacks } from "../parity/python.ts";
import { peft } from "./run-cli.ts";

const quickstart = fileURLToPath(new URL("../../examples/quickstart/", import.meta.url));

/** [step, tag, value] of every scalar; throws where a frame is not whole. */
const scalarsOf = (bytes: Buffer): [number, string, number][] => {
  const unmasked = (at: number): number => {
    const rotated = (bytes.readUInt32LE(at) - 0xa282ead8) >>> 0;
    return ((rotated >>> 17) | (rotated << 15)) >>> 0;
  };
  const found: [number, string, number][] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = Number(bytes.readBigUInt64LE(at));
    assert.is(unmasked(at + 8), crc32c(bytes.subarray(at, at + 8)));
    const data = bytes.subarray(at + 12, at + 12 + length);
    assert.is(unmasked(at + 12 + length), crc32c(data));
    const event = fieldsOf(data);
    const step = Number(event.find(([number]) => number === 2)?.[1] ?? 0);
    for (const [number, summary] of event)
      if (number === 5)
        for (const [, value] of fieldsOf(summary as Buffer)) {
          const parts = new Map(fieldsOf(value as Buffer));
          found.push([step, (parts.get(1) as Buffer).toString(), (parts.get(2) as Buffer).readFloatLE(0)]);
        }
    at += 16 + length;
  }
  return found;
};

const fieldsOf = (bytes: Buffer): [number, number | Buffer][] => {
  const fields: [number, number | Buffer][] = [];
  let at = 0;
  const varint = (): number => {
    let [value, scale] = [0, 1];
    for (; bytes[at]! >= 128; at++, scale *= 128) value += (bytes[at]! - 128) * scale;
    return value + bytes[at++]! * scale;
  };
  while (at < bytes.length) {
    const key = varint();
    const wire = key & 7;
    const size = wire === 1 ? 8 : wire === 5 ? 4 : wire === 2 ? varint() : 0;
    fields.push([key >> 3, wire === 0 ? varint() : bytes.subarray(at, at + size)]);
    at += size;
  }
  return fields;
};

group("logs", (test) => {
  test("CRC-32C of the check string", () => assert.is(crc32c(new TextEncoder().encode("123456789")), 0xe3069283));

  test("JSON lines and event files hold every step and every evaluation of the result", async () => {
    const folder = mkdtempSync(`${tmpdir()}/peft-logs-`);
    try {
      writeFileSync(
        `${folder}/p.peft`,
        `peft 1
base teller = checkpoint("${quickstart}base/")
adapter clerk = lora(r: 1, alpha: 2) into teller.layers.*.attn.q
data orders {
  train = jsonl("${quickstart}orders.train.jsonl", rows: 16)
  eval = jsonl("${quickstart}orders.eval.jsonl", rows: 3)
  prompt = "{slip}\\n"
  answer = "{text}"
}
train clerk on orders { optimizer: adamw(learning_rate: 1e-2)  steps: 4  micro_batch_size: 2  sequence_len: 96  evaluate: every 2 steps  logs: [jsonl, tensorboard] }
`,
      );
      const answer = await peft(`train ${folder}/p.peft -o ${folder}/out --device cpu`);
      assert.is(answer.code, 0, answer.err);
      const [train] = (JSON.parse(readFileSync(`${folder}/out/result.json`, "utf8")) as Result).train;
      const lines = readFileSync(`${folder}/out/logs/clerk.jsonl`, "utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as Record<string, number>);
      const losses = lines.flatMap((line) => line["train/loss"] ?? []);
      assert.equal(losses.map(Math.fround), [...train!.losses].map(Math.fround));
      const found = lines.flatMap((line) => line["eval/loss"] ?? []);
      assert.equal(
        found,
        train!.evaluations!.map(({ loss }) => loss),
      );
      const [events] = readdirSync(`${folder}/out/logs/clerk`);
      const scalars = scalarsOf(readFileSync(`${folder}/out/logs/clerk/${events}`));
      assert.equal(
        scalars.filter(([, tag]) => tag === "train/loss").map(([step, , value]) => [step, value]),
        losses.map((loss, i) => [i + 1, Math.fround(loss)]),
      );
      assert.equal(
        scalars.filter(([, tag]) => tag === "eval/token_accuracy").map(([step]) => step),
        [2, 4],
      );
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test(
    "TensorBoard's own reader finds every number, at its step",
    async () => {
      const folder = mkdtempSync(`${tmpdir()}/peft-tensorboard-`);
      try {
        writeFileSync(
          `${folder}/events.out.tfevents.1700000000.peft`,
          Buffer.concat([
            openingEvent(1.7e9),
            scalarEvent(1.7e9, 1, { "train/loss": 2.5, "train/rate": 1e-3 }),
            scalarEvent(1.7e9, 300, { "train/loss": 0.1 }),
            scalarEvent(1.7e9, 300, { "eval/loss": 0.7 }),
          ]),
        );
        const found = await python("read_events.py", { folder });
        assert.equal(found, {
          "train/loss": [
            [1, 2.5],
            [300, Math.fround(0.1)],
          ],
          "train/rate": [[1, Math.fround(1e-3)]],
          "eval/loss": [[300, Math.fround(0.7)]],
        });
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
    { skip: pythonLacks("tensorboard") },
  );
});
