// The library's definitions as a user's own: each is checked by itself, with its sizes and settings as symbols, and nothing is found;
// and a method that is copied into a project compiles to the very job that the library's does. What is wrong in one case alone is found too.

import { std } from "../../cli/embedded/std.ts";
import { compile } from "../../compiler/compile.ts";
import { llamaConfig, memoryHost } from "../compiler/support.ts";
import { assert, group } from "../harness.ts";
import { methodSamples } from "../method-samples.ts";

const config = { "base/config.json": JSON.stringify(llamaConfig) };

const found = async (text: string): Promise<readonly string[]> =>
  (await compile({ file: "main.peft", goal: "check" }, memoryHost({ "main.peft": text, ...config }))).diagnostics
    .filter(({ code }) => code !== "PEFT0206") // it shadows the library, as said
    .map(({ code, message, notes }) => [code, message, ...notes.map((note) => note.message)].join("; "));

const codes = async (body: string): Promise<readonly string[]> => (await found(`peft 1\n${body}\n`)).map((line) => line.slice(0, 8));

group("definitions by themselves", (test) => {
  for (const [path, text] of std)
    test(`${path} is clean as a user's own file`, async () => {
      assert.equal(await found(text), []);
    });

  for (const [name, { use, observes }] of Object.entries(methodSamples))
    test(`${name} copied into a project compiles to the library's job`, async () => {
      const training = `data rows { train = text("rows.txt")  answer = "{text}" }
train menu on rows { optimizer: sgd(learning_rate: 0.1)  steps: 2  sequence_len: 8  observe: 4 rows }`;
      const pipeline = `base tiny = blank("base/")
adapter menu ${use.startsWith("{") ? use : `= ${use}`}
merge menu into "merged/"
${observes ? training : ""}
`;
      const job = async (definition: string): Promise<string> => {
        const files = { "main.peft": `${definition}\n${pipeline}`, ...config };
        const { job, diagnostics } = await compile({ file: "main.peft", goal: "plan" }, memoryHost(files));
        assert.ok(job, diagnostics.map(({ message }) => message).join("; "));
        return JSON.stringify({ ...job, source: undefined });
      };
      assert.ok((await job(std.get(`methods/${name}.peft`)!)) === (await job("peft 1")), "the jobs are the same");
    });

  test("a first value that is computed has the shape its parameter declares", async () => {
    const check = (axis: number) =>
      codes(`method mine() amends Linear {\n  param m: [out] = norm(base.weight, axis: ${axis})\n  weight = base.weight * m[:, none]\n}`);
    assert.equal(await check(1), []);
    assert.equal(await check(0), ["PEFT0403"]);
  });

  test("every case of a switch is checked, and a mistake in one says in which", async () => {
    const method = (other: string) =>
      `method mine(wide: bool = true) amends Linear {\n  param m: [out] ~ ones\n  weight = base.weight * (if wide then m[:, none] else ${other})\n}`;
    assert.equal(await codes(method("1")), []);
    const [line] = await found(`peft 1\n${method("m[none, :]")}\n`);
    assert.match(line ?? "", /PEFT0403.*where it is not so that `wide`/);
  });

  test("texts and sizes decide cases too", async () => {
    const method = (kind: string, size: string) =>
      `method mine(kind: string = "a", r: int = 2) amends Linear {\n  param m: [out] ~ ones\n  param n: [in] ~ ones\n  weight = base.weight * (if kind == "b" then ${kind} else if r <= 4 then m[:, none] else ${size})\n}`;
    assert.equal(await codes(method("n[none, :]", "1")), []);
    assert.equal(await codes(method("n[:, none]", "1")), ["PEFT0403"]);
    assert.equal(await codes(method("1", "n[:, none]")), ["PEFT0403"]);
  });

  test("what a method needs is taken to hold", async () => {
    const square = "param w: [in, in] ~ zeros\n  weight = base.weight + w";
    assert.equal(await codes(`method mine() amends Linear {\n  ${square}\n}`), ["PEFT0403"]);
    assert.equal(await codes(`method mine() amends Linear {\n  needs in == out\n  ${square}\n}`), []);
    assert.equal(await codes(`method mine() amends Linear {\n  needs 1 == 2\n  ${square}\n}`), ["PEFT0423"]);
  });

  test("a quotient times its divisor is its dividend, and times another size is not", async () => {
    const method = (count: string) =>
      `method mine(k: int = 2, n: int = 3) amends Linear {\n  param s: [out / k, k] ~ ones\n  weight = base.weight * reshape(s, shape: [out / k * ${count}])[:, none]\n}`;
    assert.equal(await codes(method("k")), []);
    assert.equal(await codes(method("n")), ["PEFT0403"]);
  });

  test("whole numbers that a forward declares are whole numbers", async () => {
    const use = (given: string) =>
      `module Rows(n: int, width: int) {\n  param weight: [n, width] ~ normal(1)\n  forward(ids: int [..]) -> [.., width] = gather(weight, ids)\n}\nmodule Two(n: int, width: int) {\n  rows = Rows(n, width)\n  forward(x: [.., width], ids: int [..]) -> [.., width] = rows(${given})\n}`;
    assert.equal(await codes(use("ids")), []);
    assert.equal(await codes(use("x")), ["PEFT0403"]);
  });

  test("a draw takes numbers", async () => {
    const method = (deviation: string) =>
      `method mine() amends Linear {\n  param s: [out] ~ normal(${deviation})\n  weight = base.weight * s[:, none]\n}`;
    assert.equal(await codes(method("1 / sqrt(in)")), []);
    assert.equal(await codes(method('"small"')), ["PEFT0404"]);
  });
});
