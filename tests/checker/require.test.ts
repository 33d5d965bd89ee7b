// Facts that `require` holds: each is what the compiled job says, a bound just below it fails and the value itself passes.

import { readFileSync } from "node:fs";
import { factTable, type RowFacts } from "../../compiler/check/fact-table.ts";
import { type Compiled, compile } from "../../compiler/compile.ts";
import { at } from "../../compiler/values/dims.ts";
import { holdScores } from "../../runtime/held-scores.ts";
import type { EvaluateResult, Result } from "../../spec/result.ts";
import { peft } from "../cli/run-cli.ts";
import { llamaConfig, memoryHost } from "../compiler/support.ts";
import { assert, group } from "../harness.ts";

const pipeline = `peft 1
base tiny = blank("base/", seed: 3)
adapter some = lora(r: 4) into tiny.layers.*.attn.{q, v}
data rows { train = text("rows.txt")  eval = text("held.txt")  answer = "{text}" }
train some on rows { optimizer: adamw(learning_rate: 1e-3)  epochs: 3  micro_batch_size: 4  gradient_accumulation_steps: 2  sequence_len: 16 }
evaluate some, tiny on rows { micro_batch_size: 4  sequence_len: 16  generate: greedy(max_new_tokens: 8) }
`;

const rows = new Map<string, RowFacts>([
  ["train some", { rows: 41, tokens: 400, labels: 100, truncated: 2 }],
  ["evaluate some", { rows: 7, tokens: 70, labels: 70, truncated: 7 }],
]);

const run = (
  constraint: string,
  goal: "check" | "build" = "check",
  more: Parameters<typeof compile>[0]["rows"] = rows,
): Promise<Compiled> =>
  compile(
    { file: "main.peft", goal, ...(more && { rows: more }) },
    memoryHost({ "main.peft": `${pipeline}require { ${constraint} }\n`, "base/config.json": JSON.stringify(llamaConfig) }),
  );

const codes = async (constraint: string, facts = rows): Promise<readonly string[]> =>
  (await run(constraint, "check", facts)).diagnostics.map(({ code }) => code);

group("require", (test) => {
  test("every fact of the table: its value passes, one less fails, and the message says the value", async () => {
    const { job } = await run("trainable(some) > 0", "build");
    assert.ok(job);
    const step = job.programs[job.train[0]!.step]!;
    const kernels = (program: string): number =>
      job.programs[program]!.calls.reduce((sum, { segment }) => sum + job.segments[segment]!.kernels.length, 0);
    const tiny = job.evaluate.find(({ subject }) => subject === "tiny")!;
    // Counted by hand where the job does not say it: r (in + out) for q [16, 16] and v [8, 16] of three layers.
    const facts: readonly [string, number][] = [
      ["trainable(some)", 3 * 4 * (16 + 16 + (16 + 8))],
      ["modules(some)", 6],
      ["memory(train some)", job.plan["train some"]!],
      ["memory(evaluate tiny)", job.programs[tiny.program]!.peak],
      ["memory(generate tiny)", job.programs[tiny.generator!]!.peak],
      ["flops(train some)", 2 * at(step.flops, step.dims)],
      ["kernels(train some)", kernels(job.train[0]!.step)],
      ["kernels(generate tiny)", kernels(tiny.generator!)],
      ["steps(train some)", 3 * 6], // 41 rows in batches of 4 are 11, two to a step
      ["rows(train some)", 41],
      ["tokens(evaluate some)", 70],
      ["truncated(train some)", 2],
      ["masked(train some)", 300],
    ];
    for (const [fact, value] of facts) {
      assert.ok(Number.isInteger(value) && value > 0, fact);
      assert.equal(await codes(`${fact} == ${value}`), [], fact);
      // A training's memory is a budget: below what it takes something is given up first (memory.md, Y2).
      const bound = fact === "memory(train some)" ? 1 : value;
      const [failed] = (await run(`${fact} < ${bound}`)).diagnostics;
      assert.is(failed?.code, "PEFT0324", fact);
      assert.match(failed!.message, bound === value ? `${fact} is ${value}` : `${fact} is `);
    }
    const tried = new Set(facts.map(([fact]) => fact.slice(0, fact.indexOf("("))));
    assert.equal(
      Object.keys(factTable).filter((name) => !tried.has(name)),
      ["file"], // its bytes are compared with a written file in the adapter's own tests
    );
  });

  test("shares are percentages of what they are a share of", async () => {
    assert.equal(await codes("masked(train some) <= 75%"), []);
    assert.equal(await codes("masked(train some) <= 74.9%"), ["PEFT0324"]);
    assert.equal(await codes("truncated(evaluate some) == 100%"), []);
  });

  test("without the data's tokens a fact of theirs is unchecked, and a fact of no block is an error", async () => {
    assert.equal(await codes("truncated(train some) <= 1%", new Map()), ["PEFT0537"]);
    assert.equal(await codes("steps(train some) <= 100", new Map()), ["PEFT0537"]);
    assert.equal(await codes("truncated(evaluate tiny) <= 1%", new Map()), ["PEFT0537"]);
    assert.equal(await codes("memory(train some) <= 1 GiB", new Map()), []);
  });

  test("a score is held by the run, of what an evaluation measures", async () => {
    const { job, diagnostics } = await run("loss(evaluate some) <= 0.5  loss(evaluate tiny) > 1", "build");
    assert.equal(diagnostics, []);
    assert.equal(
      job!.require!.map(({ fact, score, subject, compare, bound }) => [fact, score, subject, compare, bound]),
      [
        ["loss(evaluate some)", "loss", "some", "<=", 0.5],
        ["loss(evaluate tiny)", "loss", "tiny", ">", 1],
      ],
    );
    assert.equal(await codes("bleu(evaluate some) >= 1"), ["PEFT0707"]);
    assert.equal(await codes("loss(some) <= 0.5"), ["PEFT0536"]);
    assert.equal(await codes("loss(evaluate some) <= 5%"), ["PEFT0326"]);
    assert.equal(await codes("lss(evaluate some) <= 5"), ["PEFT0325"]);

    const bounds = job!.require!;
    const measured = (subject: string, loss: number): EvaluateResult =>
      ({ subject, data: "rows", split: "eval", metrics: { loss } }) as unknown as EvaluateResult;
    const held = (...results: EvaluateResult[]) => holdScores(bounds, results).map(({ value, holds }) => [value, holds]);
    assert.equal(held(measured("some", 0.5), measured("some", 0.4)), [[0.5, true]]);
    assert.equal(held(measured("some", 0.4), measured("some", 0.6), measured("tiny", 1)), [
      [0.6, false],
      [1, false],
    ]);
    assert.equal(held(), []);
  });

  test("a run that breaks a bound is saved, and ends with 1", async () => {
    const config = JSON.stringify({ ...llamaConfig, vocab_size: 384 });
    const tokenizer = (name: string) => readFileSync(new URL(`../../examples/base/shape/${name}`, import.meta.url), "utf8");
    const files = {
      "base/config.json": config,
      "base/tokenizer.json": tokenizer("tokenizer.json"),
      "base/tokenizer_config.json": tokenizer("tokenizer_config.json"),
      "rows.txt": "Ada gives a bun to Felix.\n".repeat(8),
      "held.txt": "Ada gives a cup to Karl.\n",
    };
    const text = (bound: string): string =>
      `${pipeline.replace("epochs: 3", "steps: 1").replace("  generate: greedy(max_new_tokens: 8)", "")}require { loss(evaluate some) ${bound} }\n`;
    const broken = await peft("run main.peft -o out --device cpu", { files: { ...files, "main.peft": text("<= 0.01") } });
    assert.is(broken.code, 1);
    assert.match(broken.err, /PEFT0324.*loss\(evaluate some\) is \d/);
    const result = JSON.parse(broken.file("out/result.json")!) as Result;
    assert.is(result.outcome, "done");
    assert.equal(
      result.require!.map(({ fact, holds }) => [fact, holds]),
      [["loss(evaluate some)", false]],
    );
    assert.is((await peft("run main.peft -o out --device cpu", { files: { ...files, "main.peft": text("<= 100") } })).code, 0);
  });

  test("one mistake in a constraint gives one error, with its fix", async () => {
    const wrong: readonly [string, string, string | undefined][] = [
      ["memory(some) <= 1 GiB", "PEFT0536", "memory(train some) <= 1 GiB"],
      ["trainable(train some) <= 1%", "PEFT0536", "trainable(some) <= 1%"],
      ["trainble(some) <= 90%", "PEFT0325", "trainable(some) <= 90%"],
      ["trainable(sme) <= 90%", "PEFT0320", "trainable(some) <= 90%"],
      ["memory(train tiny) <= 1 GiB", "PEFT0538", undefined],
      ["file(some) <= 2 rows", "PEFT0326", undefined],
      ["trainable(tiny) <= 1%", "PEFT0320", undefined],
    ];
    for (const [constraint, code, fixed] of wrong) {
      const { diagnostics, texts } = await run(constraint);
      assert.equal(
        diagnostics.map((found) => found.code),
        [code],
        constraint,
      );
      if (fixed === undefined) continue;
      const fix = diagnostics[0]!.fixes[0]!;
      const text = texts.get("main.peft")!;
      assert.match(text.slice(0, fix.at.start) + fix.insert + text.slice(fix.at.end), `require { ${fixed} }`);
    }
  });

  test("when the plan cannot be made, its facts add no error of their own", async () => {
    const { diagnostics } = await compile(
      { file: "main.peft", goal: "check" },
      memoryHost({
        "main.peft": `${pipeline.replace("adamw(", "adamw(nothing: 1, ")}require { memory(train some) <= 1 GiB  kernels(train some) <= 1 }\n`,
        "base/config.json": JSON.stringify(llamaConfig),
      }),
    );
    assert.equal(
      diagnostics.map(({ code }) => code),
      ["PEFT0306"],
    );
  });
});
