// `peft data`, the schema of rows, and what a run says of its data, each with the place in the `.peft` file.

import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Ajv from "ajv";
import fc from "fast-check";
import { readRows } from "../../runtime/data/read.ts";
import { DiagnosticError } from "../../runtime/diagnostic-error.ts";
import { memoryHost } from "../../runtime/memory-host.ts";
import type { Data } from "../../spec/job-data.ts";
import { rowColumns } from "../../spec/row-columns.ts";
import { rowSchema } from "../../spec/row-schema.ts";
import { assert, group } from "../harness.ts";
import { readCase } from "../mistakes/case.ts";
import { makeWorld } from "../mistakes/world.ts";
import { peftIn } from "./peft-in.ts";

const pipeline = `// row: OWN
// what: data
// expect: clean

peft 1
base tiny = checkpoint("base/")
adapter menu = lora(r: 4) into tiny.layers.*.attn.{q, v}
data orders { train = jsonl("train.jsonl")  eval = jsonl("eval.jsonl")  prompt = "{slip}\\n"  answer = "{text}" }
train menu on orders { optimizer: adamw(learning_rate: 2e-4)  steps: 2  micro_batch_size: 2  sequence_len: 32 }
evaluate tiny, menu on orders.eval
`;

const inWorld = async (text: string, body: (folder: string) => Promise<void>): Promise<void> => {
  const folder = await makeWorld(readCase("data", text));
  try {
    await body(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

interface Facts {
  readonly name: string;
  readonly rows: number;
  readonly tokens: number;
  readonly labels: number;
  readonly shown: readonly {
    readonly parts: readonly { readonly text: string; readonly trained: boolean }[];
    readonly ids: readonly number[];
  }[];
}

group("data command", (test) => {
  test("rows are shown as the model reads them, trained tokens marked, the end token among them once", () =>
    inWorld(pipeline, async (folder) => {
      const { out, code } = await peftIn(folder, "data main.peft");
      assert.is(code, 0);
      assert.match(out, "<s>1 soup⏎\n    ⟦One soup.</s>⟧");
      assert.match(out, "orders.eval: eval.jsonl, 2 rows for evaluate tiny, evaluate menu");
      const facts = JSON.parse((await peftIn(folder, "data main.peft --json --rows 2")).out) as readonly Facts[];
      for (const { rows, tokens, labels, shown } of facts) {
        assert.ok(rows >= shown.length && labels < tokens);
        for (const { parts, ids } of shown) {
          assert.equal(
            parts.map(({ trained }) => trained),
            [false, true],
          );
          assert.is(ids.filter((id) => id === 2).length, 1);
          assert.ok(parts[1]!.text.endsWith("</s>"));
        }
      }
    }));

  test("one split by its name, an unknown one by its near name", () =>
    inWorld(pipeline, async (folder) => {
      const { out } = await peftIn(folder, "data main.peft orders.eval --json");
      assert.equal(
        (JSON.parse(out) as readonly Facts[]).map(({ name }) => name),
        ["orders.eval"],
      );
      const wrong = await peftIn(folder, "data main.peft orders.evl");
      assert.is(wrong.code, 1);
      assert.match(wrong.err, "did you mean `orders.eval`?");
    }));

  test("with loss_on = all the whole row but its first token is trained", () =>
    inWorld(pipeline.replace("answer =", "loss_on = all  answer ="), async (folder) => {
      assert.match((await peftIn(folder, "data main.peft orders.train")).out, "<s>⟦1 soup⏎\n    One soup.</s>⟧");
    }));

  test("the schema of rows and the reader agree on every row", async () => {
    const data: Data = { name: "d", splits: [], prompt: "{a}{#c} ({c}){/c}|", answer: "{b}", loss_on: "answer" };
    const valid = new Ajv({ strict: true, allowUnionTypes: true }).compile(rowSchema(data));
    const value = fc.oneof(
      fc.string(),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.boolean(),
      fc.constant(null),
      fc.array(fc.string()),
    );
    const row = fc.record({ a: value, b: value, c: value }, { requiredKeys: [] });
    let [kept, refused] = [0, 0];
    await fc.assert(
      fc.asyncProperty(row, async (values) => {
        const host = memoryHost();
        // A second row, since a column that no row has is a mistake of the template and not of a row.
        const whole = { a: "", b: "", c: "" };
        host.files.set("/d.jsonl", new TextEncoder().encode(`${JSON.stringify(values)}\n${JSON.stringify(whole)}\n`));
        const reading = readRows(host, { name: "t", reader: "jsonl", path: "/d.jsonl" }, "/", rowColumns(data));
        const read = await reading.then(
          () => true,
          (error: unknown) => (error instanceof DiagnosticError ? false : Promise.reject(error)),
        );
        const fits = valid(JSON.parse(JSON.stringify(values)));
        if (fits) kept++;
        else refused++;
        assert.is(read, fits, JSON.stringify(values));
      }),
      { numRuns: 300, seed: 7 },
    );
    assert.ok(kept > 20 && refused > 20, `${kept} kept, ${refused} refused`);
  });

  test("`--schema` prints it", () =>
    inWorld(pipeline, async (folder) => {
      const { out } = await peftIn(folder, "data main.peft --schema");
      assert.equal((JSON.parse(out) as { orders: { required: string[] } }).orders.required, ["slip", "text"]);
    }));

  test("what a run finds wrong with a row stands at its place in the file", () =>
    inWorld(pipeline, async (folder) => {
      // Behind the first 64 KiB, where `check` does not look.
      const rows = Array.from({ length: 3000 }, (_, i) => JSON.stringify({ slip: `${i} soup`, text: "One soup." }));
      writeFileSync(join(folder, "train.jsonl"), `${rows.join("\n")}\n{"slip": "x"}\n`);
      assert.is((await peftIn(folder, "check main.peft")).code, 0);
      const checked = await peftIn(folder, "check main.peft --data");
      const ran = await peftIn(folder, "run main.peft -o out --device cpu");
      for (const text of [checked.out, ran.err]) {
        assert.match(text, "train.jsonl:3001 has no column `text`");
        assert.match(text, /--> main\.peft:8:\d+/);
      }
      assert.is(ran.code, 1);
    }));

  test("a run holds the budgets over its rows before it trains", () =>
    inWorld(`${pipeline}require { truncated(train menu) <= 0%  masked(train menu) <= 10% }\n`, async (folder) => {
      const { code, err } = await peftIn(folder, "run main.peft -o out --device cpu");
      assert.is(code, 1);
      assert.match(err, "[PEFT0324]");
      assert.match(err, "masked(train menu) is");
      assert.not.match(err, "[PEFT0537]");
    }));
});
