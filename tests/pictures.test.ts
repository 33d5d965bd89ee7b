// Pictures from file to numbers beside Pillow and transformers (parity/pictures/pillow.json), and the example from end to end.

import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { main } from "../cli/main.ts";
import { rowFiles } from "../examples/pictures/rows.ts";
import { nodeHost } from "../runtime/node-host.ts";
import { decodePicture } from "../runtime/pictures/decode.ts";
import { readProcessor } from "../runtime/pictures/processor.ts";
import { resize } from "../runtime/pictures/resize.ts";
import type { Result } from "../spec/result.ts";
import { assert, group } from "./harness.ts";
import { caught } from "./runtime/caught.ts";

interface Theirs {
  readonly resized: readonly { from: [number, number]; to: [number, number]; resample: number; bytes: string }[];
  readonly files: readonly { kind: string; file: string; rgb: string }[];
  readonly processor: { readonly config: object; readonly file: string; readonly pixels: readonly number[] };
}

const theirs = JSON.parse(readFileSync(new URL("parity/pictures/pillow.json", import.meta.url), "utf8")) as Theirs;
const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "base64"));
const example = fileURLToPath(new URL("../examples/pictures/", import.meta.url));

/** What pillow.py draws. */
const drawn = (height: number, width: number) => ({
  height,
  width,
  channels: 3,
  bytes: Uint8Array.from({ length: height * width * 3 }, (_, i) => (i * 7919 + Math.floor(i / 3) * 104729) % 256),
});

const within = async <T>(body: (folder: string) => Promise<T>): Promise<T> => {
  const folder = mkdtempSync(`${tmpdir()}/peft-pictures-`);
  try {
    return await body(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

const run = async (file: string, out: string): Promise<{ readonly code: number; readonly said: string }> => {
  const said: string[] = [];
  const stream = { write: (text: string) => void said.push(text), terminal: false, columns: () => undefined, colour: false };
  const io = { cwd: "/", out: stream, err: stream, stdin: () => "", now: () => 0 };
  return { code: await main(["run", file, "-o", out, "--device", "cpu"], io), said: said.join("") };
};

group("pictures", (test) => {
  test("resizing is Pillow's, byte for byte, with each of its filters", () => {
    for (const { from, to, resample, bytes: wanted } of theirs.resized)
      assert.ok(
        Buffer.from(resize(drawn(...from), ...to, resample).bytes).toString("base64") === wanted,
        `${from} to ${to}, filter ${resample}`,
      );
  });

  for (const { kind, file, rgb } of theirs.files)
    test(`decoding is Pillow's: ${kind}`, async () => {
      const wanted = bytes(rgb);
      const found = (await decodePicture(bytes(file), 3))!;
      assert.is(found.bytes.length, wanted.length);
      const far = found.bytes.reduce((most, value, i) => Math.max(most, Math.abs(value - wanted[i]!)), 0);
      // Decoders of JPEG may differ in the last bits of the inverse transform.
      assert.ok(far <= (kind === "JPEG" ? 3 : 0), `${far} apart`);
    });

  test("what the model is given is what transformers' processor gives it", () =>
    within(async (folder) => {
      const { config, file, pixels } = theirs.processor;
      writeFileSync(`${folder}/preprocessor_config.json`, JSON.stringify(config));
      const processor = await readProcessor(nodeHost, folder, [3, 9, 9]);
      const out = new Float32Array(3 * 9 * 9);
      processor.numbers(processor.sized((await decodePicture(bytes(file), 3))!), out, 0);
      const far = Math.max(...pixels.map((value, i) => Math.abs(value - out[i]!)));
      assert.ok(far < 1e-6, `${far} apart`);
    }));

  test("what the configuration asks for and is not done is refused by its key", () =>
    within(async (folder) => {
      for (const [key, config] of [
        ["do_center_crop", { do_center_crop: true }],
        ["size", { size: { height: 8, width: 9 } }],
        ["resample", { resample: 7 }],
        ["image_mean", { image_mean: [0.5] }],
      ] as const) {
        writeFileSync(`${folder}/preprocessor_config.json`, JSON.stringify(config));
        const [one] = await caught(() => readProcessor(nodeHost, folder, [3, 9, 9]));
        assert.ok(one!.code === "PEFT0585" && one!.message.includes(key), key);
      }
    }));

  test("a row that names no picture is said, with its place", () =>
    within(async (folder) => {
      mkdirSync(`${folder}/shape`);
      for (const name of ["config.json", "preprocessor_config.json"]) copyFileSync(`${example}shape/${name}`, `${folder}/shape/${name}`);
      for (const name of ["pictures.peft", "eval.jsonl"]) copyFileSync(example + name, `${folder}/${name}`);
      writeFileSync(`${folder}/train.jsonl`, '{"picture": "gone.png", "shape": "disc"}\n{"picture": "eval.jsonl", "shape": "ring"}\n');
      const { code, said } = await run(`${folder}/pictures.peft`, `${folder}/out`);
      assert.is(code, 1);
      assert.match(said, /PEFT0586.*2 of 2 rows/);
      assert.match(said, "gone.png is not there");
      assert.match(said, "eval.jsonl is neither PNG nor JPEG");
    }));

  test("the example's rows are what its script makes", () => {
    for (const [name, text] of rowFiles()) assert.ok(readFileSync(example + name, "utf8") === text, name);
  });

  test("the example learns to tell its shapes apart", () =>
    within(async (folder) => {
      const { code, said } = await run(`${example}pictures.peft`, folder);
      assert.is(code, 0, said);
      const { evaluate } = JSON.parse(readFileSync(`${folder}/result.json`, "utf8")) as Result;
      const [before, after] = evaluate.map(({ metrics }) => metrics.token_accuracy!);
      assert.ok(before! < 0.5 && after! > 0.9, `${before} to ${after}`);
    }));
});
