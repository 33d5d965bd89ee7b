// The library's definitions as a user's own: each is checked by itself, with its sizes as symbols, and nothing is found.

import { std } from "../../cli/embedded/std.ts";
import { compile } from "../../compiler/compile.ts";
import { llamaConfig, memoryHost } from "../compiler/support.ts";
import { assert, group } from "../harness.ts";

/**
 * Known to be refused though they are right: their sizes are quotients that symbols do not tell to be whole, or a `needs` that no
 * symbol decides. Checked on a model's own sizes they are clean. One that passes must leave this list.
 */
const beyondSymbols = new Set(
  "boft c3a compacter delora fourierft gralora hra lokr oft randlora road tokens vblora".split(" ").map((name) => `methods/${name}.peft`),
)
  .add("modules/Embedding.peft")
  .add("modules/attention.peft")
  .add("modules/rotary.peft");

group("definitions by themselves", (test) => {
  for (const [path, text] of std)
    if (/^(methods|modules|optimizers|schedules)\//.test(path))
      test(`${path} is ${beyondSymbols.has(path) ? "beyond symbols" : "clean"} as a user's own file`, async () => {
        const files = { "main.peft": text, "base/config.json": JSON.stringify(llamaConfig) };
        const { diagnostics } = await compile({ file: "main.peft", goal: "check" }, memoryHost(files));
        const found = diagnostics.filter(({ code }) => code !== "PEFT0206"); // it shadows the library, as said
        if (beyondSymbols.has(path)) return assert.ok(found.length > 0, `${path} is clean by now: take it off the list`);
        assert.equal(
          found.map(({ code, message, notes }) => [code, message, ...notes.map((note) => note.message)]),
          [],
        );
      });

  test("a first value that is computed has the shape its parameter declares", async () => {
    const check = async (axis: number): Promise<readonly string[]> => {
      const text = `peft 1\nmethod mine() amends Linear {\n  param m: [out] = norm(base.weight, axis: ${axis})\n  weight = base.weight * m[:, none]\n}\n`;
      return (await compile({ file: "main.peft", goal: "check" }, memoryHost({ "main.peft": text }))).diagnostics.map(({ code }) => code);
    };
    assert.equal(await check(1), []);
    assert.equal(await check(0), ["PEFT0403"]);
  });
});
