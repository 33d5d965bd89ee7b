// Rows in parquet are the rows they would be as JSON lines, from a file that our reader's companion writes and from pyarrow's, and a
// pipeline on them computes the same.

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parquetWriteBuffer } from "hyparquet-writer";
import { peekRows } from "../../runtime/data/peek.ts";
import { readRows } from "../../runtime/data/read.ts";
import { memoryHost } from "../../runtime/memory-host.ts";
import type { Result } from "../../spec/result.ts";
import { peftIn } from "../checker/peft-in.ts";
import { assert, group } from "../harness.ts";
import { python, pythonLacks } from "../parity/python.ts";
import { caught } from "./caught.ts";

const quickstart = fileURLToPath(new URL("../../examples/quickstart/", import.meta.url));

const read = async (bytes: Uint8Array, columns: readonly string[]) => {
  const host = memoryHost();
  host.files.set("/a.parquet", bytes);
  return readRows(host, { name: "train", reader: "parquet", path: "/a.parquet" }, "/", { needed: columns, optional: [] });
};

/** Two columns of text, a number and a whole number of 64 bits. */
const table = (count: number) => [
  { name: "slip", data: Array.from({ length: count }, (_, i) => `${i} soup, ünï ${"x".repeat(i % 7)}`), type: "STRING" as const },
  { name: "text", data: Array.from({ length: count }, (_, i) => `answer ${i % 3}`), type: "STRING" as const },
  { name: "price", data: Array.from({ length: count }, (_, i) => i / 4), type: "DOUBLE" as const },
  { name: "id", data: Array.from({ length: count }, (_, i) => BigInt(i) * 2n ** 40n), type: "INT64" as const },
];

group("parquet", (test) => {
  for (const codec of ["UNCOMPRESSED", "SNAPPY"] as const)
    test(`${codec.toLowerCase()}, in several row groups: every row, numbered, with its values`, async () => {
      const columns = table(1000);
      const bytes = new Uint8Array(parquetWriteBuffer({ columnData: columns, codec, rowGroupSize: 300 }));
      const rows = await read(bytes, ["slip", "text", "price", "id"]);
      assert.is(rows.length, 1000);
      for (const [i, { number, values }] of rows.entries())
        assert.equal([number, values], [i + 1, { slip: columns[0]!.data[i], text: columns[1]!.data[i], price: i / 4, id: i * 2 ** 40 }]);
    });

  test("a whole number beyond a double's is text, null and bytes that are no parquet are told", async () => {
    const big = new Uint8Array(parquetWriteBuffer({ columnData: [{ name: "id", data: [2n ** 60n], type: "INT64" }] }));
    assert.is((await read(big, ["id"]))[0]!.values.id, String(2n ** 60n));
    const holes = new Uint8Array(parquetWriteBuffer({ columnData: [{ name: "text", data: ["a", null], type: "STRING" }] }));
    assert.equal(
      (await caught(() => read(holes, ["text"]))).map(({ code, message }) => `${code} ${message}`),
      ["PEFT0563 /a.parquet, row 2, has null in the column `text`, not text or a number"],
    );
    for (const bytes of [new Uint8Array(0), new Uint8Array(100).fill(7), big.slice(0, big.length - 9)])
      assert.equal(
        (await caught(() => read(bytes, []))).map(({ code }) => code),
        ["PEFT0607"],
      );
  });

  test("of a file larger than 1 MiB the footer and the first row group are looked at, and no other", async () => {
    const text = Array.from({ length: 120_000 }, (_, i) => `${i} ${"soup ".repeat(10)}${(i * 7919) % 10_007}`);
    const columnData = [{ name: "text", data: text, type: "STRING" as const }];
    const bytes = new Uint8Array(parquetWriteBuffer({ columnData, codec: "UNCOMPRESSED", rowGroupSize: 4000 }));
    assert.ok(bytes.length > 1 << 20);
    const host = memoryHost();
    host.files.set("/a.parquet", bytes);
    let moved = 0;
    const counting = {
      ...host,
      open: async (path: string) => {
        const file = await host.open(path);
        return {
          ...file,
          read: (at: number, into: Uint8Array) => {
            moved += into.length;
            return file.read(at, into);
          },
        };
      },
    };
    const peek = async (column: string) =>
      (
        await peekRows(counting, "/a.parquet", { name: "train", reader: "parquet", path: "/a.parquet" }, { needed: [column], optional: [] })
      ).map(({ code }) => code);
    assert.equal(await peek("text"), []);
    assert.ok(moved < bytes.length / 4, `${moved} of ${bytes.length} bytes were read`);
    assert.equal(await peek("txt"), ["PEFT0567"]);
  });

  test(
    "as pyarrow writes it, in every codec: lists of objects, dictionaries, nulls",
    async () => {
      const rows = Array.from({ length: 50 }, (_, i) => ({
        text: `row ${i % 5}`,
        messages: Array.from({ length: 1 + (i % 3) }, (_, k) => ({ role: k % 2 ? "assistant" : "user", content: `${i}.${k} é` })),
        input: i % 2 ? "given" : null,
      }));
      const codecs = ["none", "snappy", "gzip", "zstd", "brotli", "lz4"];
      const { files } = (await python("parquet.py", { rows, codecs, group: 16 })) as { files: Record<string, string> };
      for (const codec of codecs) {
        const found = await read(new Uint8Array(Buffer.from(files[codec]!, "base64")), ["text"]);
        assert.equal(
          found.map(({ values }) => ({ ...values })),
          rows,
          codec,
        );
      }
    },
    { skip: pythonLacks("pyarrow") },
  );

  test("a pipeline on it has the tokens and the losses of the same pipeline on JSON lines", async () => {
    const folder = mkdtempSync(join(tmpdir(), "peft-parquet-"));
    try {
      cpSync(join(quickstart, "base"), join(folder, "base"), { recursive: true });
      const lines = readFileSync(join(quickstart, "orders.train.jsonl"), "utf8").trim().split("\n").slice(0, 40);
      const rows = lines.map((line) => JSON.parse(line) as { slip: string; text: string });
      writeFileSync(join(folder, "rows.jsonl"), `${lines.join("\n")}\n`);
      const columns = (["slip", "text"] as const).map((name) => ({ name, data: rows.map((row) => row[name]), type: "STRING" as const }));
      writeFileSync(join(folder, "rows.parquet"), new Uint8Array(parquetWriteBuffer({ columnData: columns, rowGroupSize: 16 })));
      const results: Result[] = [];
      for (const reader of ["jsonl", "parquet"]) {
        const text = `peft 1
base tiny = checkpoint("base/")
adapter menu = lora(r: 2) into tiny.layers.*.attn.q
data orders {
  train = ${reader}("rows.${reader}")
  eval = held_out(25%, of: train)
  prompt = "{slip}\\n"
  answer = "{text}"
}
train menu on orders { optimizer: adamw(learning_rate: 1e-3)  steps: 2  micro_batch_size: 4  sequence_len: 64 }
evaluate menu on orders { metrics: [loss]  sequence_len: 64 }
`;
        writeFileSync(join(folder, `${reader}.peft`), text);
        const { code, err } = await peftIn(folder, `run ${reader}.peft -o out/${reader} --device cpu`);
        assert.is(code, 0, err);
        results.push(JSON.parse(readFileSync(join(folder, `out/${reader}/result.json`), "utf8")) as Result);
      }
      const [a, b] = results.map(({ train, evaluate }) => ({
        losses: train[0]!.losses,
        scores: evaluate[0]!.metrics,
      }));
      assert.equal(b, a);
      assert.is(a!.losses.length, 2);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
