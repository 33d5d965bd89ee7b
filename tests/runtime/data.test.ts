import { encodeExamples, readExamples } from "../../runtime/data/examples.ts";
import { readRows } from "../../runtime/data/read.ts";
import { fillTemplate, parseTemplate } from "../../runtime/data/template.ts";
import { memoryHost } from "../../runtime/memory-host.ts";
import { nodeHost } from "../../runtime/node-host.ts";
import type { Tokenizer } from "../../runtime/tokenizer.ts";
import type { Data, Overlong, Split } from "../../spec/job-data.ts";
import { assert, group } from "../harness.ts";
import { caught } from "./caught.ts";
import { shared, without } from "./shared.ts";

const hostWith = (path: string, content: string | Uint8Array) => {
  const host = memoryHost();
  host.files.set(`/${path}`, typeof content === "string" ? new TextEncoder().encode(content) : content);
  return host;
};

const readerOf = (path: string): Split["reader"] =>
  path.endsWith("tsv") ? "csv" : (path.split(".").at(-1)!.replace("txt", "text") as Split["reader"]);

const read = (path: string, content: string | Uint8Array, columns: readonly string[] = [], more: Partial<Split> = {}) =>
  readRows(hostWith(path, content), { name: "train", reader: readerOf(path), path, ...more }, "/", { needed: columns, optional: [] });

const told = async (body: () => unknown) => (await caught(body)).map((d) => `${d.code} ${d.message}`);

/** One id per character, 1 and 2 as bos and eos. */
const letters = (prefix: number[], eos: number | undefined): Tokenizer => {
  const encode = (text: string) => Array.from(text, (c) => c.codePointAt(0)!);
  return {
    encode,
    continue: encode,
    decode: (ids) => String.fromCodePoint(...ids),
    prefix,
    bos: 1,
    eos,
    stops: [],
    size: 300,
    idOf: () => undefined,
    tokenOf: (id) => String.fromCodePoint(id),
    specials: [],
    named: {},
    template: undefined,
  };
};

const data = (part: Partial<Data> = {}): Data => ({ name: "d", splits: [], prompt: "{m}|", answer: "{r}", loss_on: "answer", ...part });

const encode = (
  values: readonly Record<string, unknown>[],
  part: Partial<Data> = {},
  limit = 100,
  tokenizer = letters([1], 2),
  overlong?: Overlong,
) =>
  encodeExamples(
    values.map((v, i) => ({ number: i + 1, values: v })),
    data(part),
    tokenizer,
    { limit, vocabulary: 300, overlong },
    "d.jsonl",
    (row) => `d.jsonl:${row.number}`,
  );

const text = (ids: Int32Array) => [...ids].map((id) => (id < 3 ? `<${id}>` : String.fromCodePoint(id))).join("");

group("data readers", (test) => {
  test("JSONL: rows with their line numbers; blank lines, \\r\\n, a byte order mark and a missing last newline are fine", async () => {
    const rows = await read("a.jsonl", '\ufeff{"x":"a"}\r\n\n  \n{"x":"b"}\n{"x":"ü"}', ["x"]);
    assert.equal(
      rows.map((r) => [r.number, r.values.x]),
      [
        [1, "a"],
        [4, "b"],
        [5, "ü"],
      ],
    );
  });

  test("a file of many blocks has the same rows and numbers as one", async () => {
    const line = (i: number) => `{"x":"${"é".repeat(i % 50)}${i}"}`;
    const content = Array.from({ length: 150_000 }, (_, i) => line(i)).join("\n");
    assert.ok(content.length > 1.25 * (4 << 20), "more than one block");
    const rows = await read("a.jsonl", content, ["x"]);
    assert.is(rows.length, 150_000);
    for (let i = 0; i < rows.length; i += 997) {
      assert.is(rows[i]!.number, i + 1);
      assert.is(rows[i]!.values.x, JSON.parse(line(i)).x);
    }
  });

  test("JSONL: every kind of bad row is named by its line, several at once", async () => {
    const bad = '{"x":"a"}\n{"x":\n[1]\n{"y":1}\n{"x":null}\n{"x":["a"]}\n{"x":true}\nnull\n"s"\n';
    const found = await told(() => read("a.jsonl", bad, ["x"]));
    assert.match(found[0]!, /^PEFT0560 \/a\.jsonl:2 is not JSON: /);
    assert.equal(found.slice(1), [
      "PEFT0561 /a.jsonl:3 is a list, not an object with columns",
      "PEFT0561 /a.jsonl:8 is null, not an object with columns",
      "PEFT0561 /a.jsonl:9 is text, not an object with columns",
      "PEFT0563 /a.jsonl:5 has null in the column `x`, not text or a number",
      "PEFT0563 /a.jsonl:6 has a list in the column `x`, not text or a number",
      "PEFT0563 /a.jsonl:7 has a boolean in the column `x`, not text or a number",
      "PEFT0562 /a.jsonl:4 has no column `x`, which a template uses",
    ]);
  });

  test("a thousand bad rows stop at ten", async () => {
    assert.is((await caught(() => read("a.jsonl", "[]\n".repeat(1000)))).length, 10);
  });

  test("a column that no row has: the columns, and the nearest name", async () => {
    const [found] = await caught(() => read("a.jsonl", '{"meaning":"a","reference":"b"}\n', ["meanings"]));
    assert.is(found!.code, "PEFT0567");
    assert.is(found!.notes[0]!.message, "columns: meaning, reference");
    assert.match(found!.help!, "{meaning}");
  });

  test("a column named like a method of every object is not there", async () => {
    const [found] = await caught(() => read("a.jsonl", '{"x":"a"}\n', ["toString"]));
    assert.is(found!.code, "PEFT0567");
  });

  test("invalid UTF-8 is named by its line", async () => {
    const bytes = new TextEncoder().encode('{"x":"a"}\n{"x":"?"}\n{"x":"b"}\n');
    bytes[16] = 0xff;
    assert.equal(await told(() => read("a.jsonl", bytes, ["x"])), ["PEFT0565 /a.jsonl:2 is not valid UTF-8"]);
    assert.equal(await told(() => read("a.txt", bytes, ["text"])), ["PEFT0565 /a.txt:2 is not valid UTF-8"]);
    assert.equal(await told(() => read("a.json", bytes)), ["PEFT0565 /a.json is not valid UTF-8"]);
    assert.equal(await told(() => read("a.csv", bytes)), ["PEFT0565 /a.csv is not valid UTF-8"]);
  });

  test("an empty file, and one that skip empties", async () => {
    for (const path of ["a.jsonl", "a.json", "a.csv", "a.txt"])
      assert.equal(await told(() => read(path, "")), [`PEFT0564 \`/${path}\` has no rows`]);
    assert.equal(await told(() => read("a.csv", "x,y\n")), ["PEFT0564 `/a.csv` has no rows"]);
    assert.equal(await told(() => read("a.txt", "a\nb\n", [], { skip: 2 })), [
      "PEFT0564 `/a.txt` has no rows: `skip` 2 leaves none of its 2",
    ]);
  });

  test("skip and rows choose a window", async () => {
    const rows = await read("a.txt", "a\nb\n\nc\nd\n", ["text"], { skip: 1, rows: 2 });
    assert.equal(
      rows.map((r) => [r.number, r.values.text]),
      [
        [2, "b"],
        [4, "c"],
      ],
    );
  });

  test("shares of a file's rows are rounded to whole rows, and two that meet leave none out", async () => {
    const content = Array.from({ length: 11 }, (_, i) => `${i}\n`).join("");
    const texts = async (more: Partial<Split>) => (await read("a.txt", content, ["text"], more)).map(({ values }) => Number(values.text));
    const [first, rest] = [await texts({ rows_share: 0.2 }), await texts({ skip_share: 0.2 })];
    assert.equal(first, [0, 1]);
    assert.equal(
      [...first, ...rest],
      Array.from({ length: 11 }, (_, i) => i),
    );
    assert.equal(await texts({ skip_share: 0.5, rows: 2 }), [6, 7]);
  });

  test("an absent file: what lies beside it and the nearest name", async () => {
    const host = hostWith("train.jsonl", "");
    const [found] = await caught(() =>
      readRows(host, { name: "t", reader: "jsonl", path: "tran.jsonl" }, "/", { needed: [], optional: [] }),
    );
    assert.is(found!.code, "PEFT0500");
    assert.match(found!.help!, "train.jsonl");
    const [nowhere] = await caught(() =>
      readRows(host, { name: "t", reader: "jsonl", path: "no/such.jsonl" }, "/", { needed: [], optional: [] }),
    );
    assert.match(nowhere!.notes[0]!.message, "no folder");
  });

  test("JSON: a list of objects, and what else it may turn out to be", async () => {
    const rows = await read("a.json", '[{"x":1},{"x":"b"}]', ["x"]);
    assert.equal(
      rows.map((r) => [r.number, r.values.x]),
      [
        [1, 1],
        [2, "b"],
      ],
    );
    assert.match((await told(() => read("a.json", '[{"x":1},')))[0]!, /^PEFT0560 \/a\.json is not JSON/);
    const [wrapped] = await caught(() => read("a.json", '{"data":[{"x":1}]}'));
    assert.is(wrapped!.code, "PEFT0561");
    assert.match(wrapped!.help!, "`data`");
    const [lines] = await caught(() => read("a.json", '{"x":1}\n{"x":2}\n'));
    assert.match(lines!.help!, "jsonl");
    assert.equal(await told(() => read("a.json", '[{"x":1}, 3]', ["x"])), [
      "PEFT0561 /a.json, row 2, is a number, not an object with columns",
    ]);
  });

  test("CSV: quotes, commas, line breaks inside fields, and the line each row ends on", async () => {
    const rows = await read("a.csv", 'x,y\r\n"a, ""b""",1\r\n"two\nlines",2\nc,3\n', ["x", "y"]);
    assert.equal(
      rows.map((r) => [r.number, r.values.x, r.values.y]),
      [
        [2, 'a, "b"', "1"],
        [4, "two\nlines", "2"],
        [5, "c", "3"],
      ],
    );
  });

  test("CSV: uneven rows, a quote that never ends, nameless and doubled columns", async () => {
    assert.equal(await told(() => read("a.csv", "x,y\na,b\nc\nd,e,f\n")), [
      "PEFT0566 /a.csv:3: 1 field, but the first row names 2 columns",
      "PEFT0566 /a.csv:4: 3 fields, but the first row names 2 columns",
    ]);
    assert.match((await told(() => read("a.csv", 'x\n"a\nb\n')))[0]!, /^PEFT0566 \/a\.csv:\d/);
    assert.equal(await told(() => read("a.tsv", "one\t0\ntwo\n", ["text"], { columns: ["text", "label"] })), [
      "PEFT0566 /a.tsv:2: 1 field, but `columns` names 2 columns",
    ]);
    assert.match((await told(() => read("a.csv", "x,\na,b\n")))[0]!, "column 2 has no name");
    assert.match((await told(() => read("a.csv", "x,x\na,b\n")))[0]!, "two columns are named `x`");
  });

  test("a .tsv file has tabs, and quotes mean themselves", async () => {
    const rows = await read("a.tsv", 'x\ty\n"half\t1\n', ["x"]);
    assert.equal(rows[0]!.values, { x: '"half', y: "1" });
  });
});

group("templates", (test) => {
  const fill = (template: string, values: Record<string, unknown>) => fillTemplate(parseTemplate(template), values);

  test("columns, doubled braces, numbers, text that looks like a template", () => {
    assert.is(fill("{meaning} ||", { meaning: "a" }), "a ||");
    assert.is(fill("{a}{b}-{ a }", { a: 1.5, b: "{a}" }), "1.5{a}-1.5");
    assert.is(fill('{{"x": {a}}}', { a: "$&" }), '{"x": $&}');
    assert.equal(parseTemplate("no columns").columns, []);
  });

  test("a part that is there when a column holds something, and one that is there when it does not", () => {
    const template = "{q}{#input}\nInput: {input}{/input}{^input} (none){/input}\n";
    assert.is(fill(template, { q: "a", input: "b" }), "a\nInput: b\n");
    for (const values of [{ q: "a", input: "" }, { q: "a", input: null }, { q: "a" }]) assert.is(fill(template, values), "a (none)\n");
    assert.is(fill("{#n}{n}{/n}", { n: 0 }), "0", "zero is something");
    assert.is(fill("{#a}x{#b}y{/b}{^b}z{/b}{/a}", { a: "1" }), "xz");
    assert.is(fill("{#toString}x{/toString}", {}), "", "what every object has is no column");
  });

  test("a column that only such a part names may be missing", () => {
    const needed = (template: string) => [...parseTemplate(template).needed];
    assert.equal(needed("{a}{#b}{b}{/b}"), ["a"]);
    assert.equal(needed("{#b}{a}{/b}"), ["a"]);
    assert.equal(needed("{^b}{b}{/b}"), ["b"]);
    assert.equal(needed("{#b}{b}{/b}{b}"), ["b"]);
  });

  test("rows: a column that may be missing is text, a number or nothing where it is there, and is in some row", async () => {
    const columns = { needed: ["a"], optional: ["b"] };
    const rows = (content: string) => readRows(hostWith("a.jsonl", content), { name: "t", reader: "jsonl", path: "a.jsonl" }, "/", columns);
    assert.is((await rows('{"a":"x"}\n{"a":"x","b":null}\n{"a":"x","b":"y"}\n')).length, 3);
    assert.equal(await told(() => rows('{"a":"x","b":["y"]}\n')), [
      "PEFT0563 /a.jsonl:1 has a list in the column `b`, not text or a number",
    ]);
    assert.match((await told(() => rows('{"a":"x"}\n')))[0]!, "PEFT0567");
  });

  test("braces that do not match are a diagnostic", async () => {
    for (const bad of ["{a", "a}", "{}", "{a{b}}", "{ }", "{#a}", "{#a}x{/b}", "x{/a}", "{#}x{/}", "{#a}{^b}{/a}{/b}"])
      assert.match((await told(() => parseTemplate(bad)))[0]!, /^PEFT0568 /, bad);
  });
});

group("examples", (test) => {
  test("prefix, prompt, answer, eos; labels on the answer and eos", () => {
    const { examples, report } = encode([{ m: "ab", r: "xy" }]);
    assert.is(text(examples.ids), "<1>ab|xy<2>");
    assert.equal([...examples.labels], [0, 0, 0, 0, 1, 1, 1]);
    assert.is(report.labels, 3);
    assert.equal([...examples.starts], [0, 7]);
  });

  test("loss on all: every token but the first", () => {
    assert.equal([...encode([{ m: "ab", r: "xy" }], { loss_on: "all" }).examples.labels], [0, 1, 1, 1, 1, 1, 1]);
  });

  test("without a prompt the answer follows the prefix, or bos when there is no prefix", () => {
    const { prompt: _, ...rest } = data();
    const only = (tokenizer: Tokenizer) =>
      encodeExamples([{ number: 1, values: { r: "xy" } }], rest, tokenizer, { limit: 9, vocabulary: 300 }, "d", () => "d").examples;
    for (const tokenizer of [letters([1], 2), letters([], 2)]) {
      assert.is(text(only(tokenizer).ids), "<1>xy<2>");
      assert.equal([...only(tokenizer).labels], [0, 1, 1, 1]);
    }
  });

  test("no eos: the answer's own tokens are the labels", () => {
    const { examples } = encode([{ m: "a", r: "xy" }], {}, 100, letters([1], undefined));
    assert.is(text(examples.ids), "<1>a|xy");
    assert.equal([...examples.labels], [0, 0, 0, 1, 1]);
  });

  test("a row that is too long loses its end, and is counted", () => {
    const { examples, report } = encode(
      [
        { m: "a", r: "vwxyz" },
        { m: "a", r: "x" },
      ],
      {},
      5,
    );
    assert.is(text(examples.ids), "<1>a|vw<1>a|x<2>");
    assert.is(report.truncated, 1);
    assert.is(report.longest, 9);
    assert.equal(
      report.warnings.map((w) => `${w.code} ${w.severity} ${w.message}`),
      ["PEFT0570 warning 1 of 2 rows of `d.jsonl` are longer than sequence_len 5 and lose their end"],
    );
  });

  test("a row that is too long is left out, or stops everything, where the block says so", async () => {
    const rows = [
      { m: "a", r: "vwxyz" },
      { m: "a", r: "x" },
      { m: "abcdef", r: "x" },
    ];
    const { examples, report } = encode(rows, {}, 5, letters([1], 2), "drop");
    assert.is(text(examples.ids), "<1>a|x<2>");
    assert.equal([...examples.rows], [2]);
    assert.equal([report.rows, report.truncated, report.longest], [1, 2, 10]);
    assert.equal(
      report.warnings.map((w) => `${w.code} ${w.message}`),
      ["PEFT0618 2 of 3 rows of `d.jsonl` are longer than sequence_len 5 and are left out"],
    );
    assert.equal(await told(() => encode(rows, {}, 5, letters([1], 2), "error")), [
      "PEFT0619 2 of 3 rows of `d.jsonl` are longer than sequence_len 5",
    ]);
    assert.equal(await told(() => encode(rows, {}, 2, letters([1], 2), "drop")), [
      "PEFT0564 `d.jsonl` has no rows left: none fits into 2 tokens",
    ]);
    assert.is(encode(rows, {}, 10, letters([1], 2), "error").report.truncated, 0);
  });

  test("so is a row of classes", async () => {
    const rows = [
      { m: "abcdef", r: "no" },
      { m: "a", r: "yes" },
    ];
    const classes = { classes: ["no", "yes"] };
    const { examples, report } = encode(rows, classes, 5, letters([], undefined), "drop");
    assert.equal([...examples.classes!, ...examples.rows], [1, 2]);
    assert.equal([report.rows, report.truncated], [1, 1]);
    assert.match((await told(() => encode(rows, classes, 5, letters([], undefined), "error")))[0]!, "PEFT0619");
  });

  test("a prompt that leaves no room for an answer stops everything", async () => {
    const [found] = await caught(() =>
      encode(
        [
          { m: "a", r: "x" },
          { m: "abcdef", r: "x" },
        ],
        {},
        5,
      ),
    );
    assert.is(found!.code, "PEFT0571");
    assert.match(found!.message, "1 of 2");
    assert.match(found!.notes[0]!.message, "d.jsonl:2");
    assert.match(found!.help!, "sequence_len: 10");
  });

  test("empty answers: all of them is an error, some of them a warning", async () => {
    assert.equal(
      (await caught(() => encode([{ m: "a", r: "" }]))).map((d) => d.code),
      ["PEFT0569"],
    );
    const { examples, report } = encode([
      { m: "a", r: "" },
      { m: "a", r: "x" },
    ]);
    assert.is(examples.count, 2);
    assert.equal(
      report.warnings.map((w) => w.code),
      ["PEFT0572"],
    );
    const left = encode(
      [
        { m: "a", r: "" },
        { m: "a", r: "x" },
      ],
      {},
      100,
      letters([1], undefined),
    );
    assert.is(left.examples.count, 1);
    assert.equal([...left.examples.rows], [2]);
    assert.is(left.report.emptyAnswers, 1);
  });

  test("an id beyond the base's embedding is found before training", async () => {
    const [found] = await caught(() => encode([{ m: "a", r: "ĭ" }])); // U+012D is 301
    assert.is(found!.code, "PEFT0552");
    assert.match(found!.message, "301");
  });

  test(
    "real: E2E valid encodes with the stories260k tokenizer, and every example decodes to its text",
    async () => {
      const { openTokenizer } = await import("../../runtime/tokenizer.ts");
      const tokenizer = await openTokenizer(nodeHost, shared("models/stories260k"));
      const split: Split = { name: "valid", reader: "jsonl", path: shared("e2e/valid.jsonl"), rows: 1000 };
      const e2e = data({ prompt: "{meaning} ||", answer: " {reference}" });
      const { examples, report } = await readExamples(nodeHost, e2e, split, "", tokenizer, { limit: 512, vocabulary: 512 });
      const rows = await readRows(nodeHost, split, "", { needed: ["meaning", "reference"], optional: [] });
      assert.is(report.truncated, 0);
      for (let i = 0; i < examples.count; i++) {
        const ids = [...examples.ids.subarray(examples.starts[i]!, examples.starts[i + 1]!)];
        const { meaning, reference } = rows[i]!.values;
        assert.is(ids[0], 1);
        assert.is(ids.at(-1), 2);
        assert.is(tokenizer.decode(ids), `${meaning} || ${reference}`);
        const first = examples.labels.subarray(examples.starts[i]!).indexOf(1);
        assert.is(tokenizer.decode(ids.slice(0, first)), `${meaning} ||`);
      }
    },
    { skip: without("e2e") ?? without("models") },
  );

  test(
    "real: instruction rows (JSON), SST-2 (TSV), tinyshakespeare (text) and dialogues (JSONL) are read",
    async () => {
      const at = async (path: string, reader: Split["reader"], columns: string[]) =>
        readRows(nodeHost, { name: "x", reader, path: shared(path) }, "", { needed: columns, optional: [] });
      assert.is((await at("instruction/rasbt/instruction-data.json", "json", ["instruction", "output"])).length, 1100);
      // SST-2 as distributed here has no header row: the columns in the note show its first sentence.
      const [headless] = await caught(() => at("classification/sst2/dev.tsv", "csv", ["sentence"]));
      assert.is(headless!.notes[0]!.message, "columns: 0, one long string of cliches");
      const named = { name: "x", reader: "csv", path: shared("classification/sst2/dev.tsv"), columns: ["sentence", "label"] } as const;
      const [first] = await readRows(nodeHost, named, "", { needed: ["sentence"], optional: [] });
      assert.equal(first, { number: 1, values: { sentence: "one long string of cliches", label: "0" } });
      assert.ok((await at("text/tinyshakespeare.txt", "text", ["text"])).length > 30_000);
      assert.is((await at("dialogue/dialogsum.dev.jsonl", "jsonl", ["dialogue", "summary"])).length, 500);
    },
    { skip: without("instruction") ?? without("classification") ?? without("text") ?? without("dialogue") },
  );
});
