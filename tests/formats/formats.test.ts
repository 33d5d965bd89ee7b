// The formats of the library: what is stored reads back the same wherever it is decoded, errors are those published, sizes those
// promised, and what is no format is refused in words.

import { readFileSync } from "node:fs";
import { createGraph } from "../../compiler/graph/graph.ts";
import { interpret } from "../../compiler/graph/interpret.ts";
import type { Tensor } from "../../compiler/graph/op.ts";
import { bitsPerElement, decoded, type FormatPlan } from "../../compiler/model/format.ts";
import { decode, encode } from "../../runtime/formats/encode.ts";
import { build, llamaConfig } from "../compiler/support.ts";
import { assert, group } from "../harness.ts";
import { shared, without } from "../runtime/shared.ts";
import { formatNamed, normal, storedPipeline } from "./support.ts";

const planNamed = async (call: string): Promise<FormatPlan> => {
  const { compiled } = await build(storedPipeline(`layers.** as ${call}`), llamaConfig);
  return compiled.checked!.base.stores[0]!.format;
};

const calls = [
  "nf4()",
  "nf4(block: 32, double: true)",
  "fp4(block: 128)",
  "fp4(double: true)",
  "dynamic8()",
  "int8()",
  "affine8()",
  "affine4(block: 16)",
  "f16()",
  "bf16()",
  "f32()",
];

/** Whole blocks, a last block that is not full, an odd number of codes. */
const shapes = [
  [6, 64],
  [5, 37],
  [7, 33],
];

const worst = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs(a[i]! - b[i]!));
  return most;
};

group("formats", (test) => {
  for (const call of calls)
    test(`${call}: the host's value is the graph's, and storing it again moves nothing`, async () => {
      const plan = await planNamed(call);
      for (const [k, shape] of shapes.entries()) {
        const values = normal(shape[0]! * shape[1]!, k + 1);
        const pieces = encode(plan.job, values, shape);
        const host = decode(plan.job, pieces, shape);
        const graph = createGraph();
        const inputs: Record<string, Tensor> = {};
        const node = decoded(graph, plan, shape, (suffix, type) => {
          const data = pieces.get(suffix)!;
          // A half's bits are its number only after widening, which `cast` leaves to the device.
          const numbers = type.dtype === "f16" || type.dtype === "bf16" ? host : data;
          assert.is(
            numbers.length,
            type.shape.reduce<number>((a, b) => a * Number(b), 1),
            `${suffix} has its planned size`,
          );
          inputs[`piece${suffix}`] = { shape: type.shape.map(Number), data: Float64Array.from(numbers) };
          return graph.input(`piece${suffix}`, type);
        });
        const meant = interpret([node], inputs)[0]!;
        assert.equal([...meant.shape], shape);
        const size = host.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
        assert.ok(worst(host, meant.data) <= 1.5e-7 * size, `${call} on [${shape}]: off by ${worst(host, meant.data)}`);
        assert.ok(worst(host, values) > 0 === (call !== "f32()"), "a format that loses nothing, or loses all, is none");
        // The scales of a double format move when they are stored again, and its values with them; all others stand still.
        if (call.includes("double") || call.startsWith("dynamic8")) continue;
        const again = encode(plan.job, host, shape);
        const drift = worst(decode(plan.job, again, shape), host);
        assert.ok(drift <= 1.5e-7 * size, `${call} on [${shape}]: stored again, it moves by ${drift}`);
      }
    });

  test("double storage of scales gives back 0.373 bit per parameter, as published", async () => {
    const [plain, double] = [await planNamed("nf4()"), await planNamed("nf4(double: true)")];
    const shape = [4096, 4096];
    assert.is(bitsPerElement(plain, shape), 4.5);
    assert.ok(Math.abs(bitsPerElement(plain, shape) - bitsPerElement(double, shape) - 0.373) < 5e-4);
  });

  test(
    "mean errors on normal numbers are those published for every block size",
    async () => {
      const published = JSON.parse(readFileSync(shared("numeric/bnb-4bit.json"), "utf8")) as Record<
        "abs_err" | "rel_err",
        Record<string, Record<string, [number, number]>>
      >;
      const values = normal(1024 * 1024, 9);
      for (const [name, blocks] of Object.entries(published.abs_err))
        for (const [block, [mean, deviation]] of Object.entries(blocks)) {
          const format = await formatNamed(`${name}(block: ${block})`);
          const back = decode(format, encode(format, values, [1024, 1024]), [1024, 1024]);
          const absolute = back.reduce((sum, x, i) => sum + Math.abs(x - values[i]!), 0) / values.length;
          const relative = back.reduce((sum, x, i) => sum + Math.abs(x - values[i]!) / Math.abs(values[i]! + 1e-8), 0) / values.length;
          assert.ok(Math.abs(absolute - mean) < 5 * deviation, `${name} ${block}: mean error ${absolute}, published ${mean}`);
          const [share, spread] = published.rel_err[name]![block]!;
          assert.ok(Math.abs(relative - share) < 6 * spread, `${name} ${block}: mean relative error ${relative}, published ${share}`);
        }
    },
    { skip: without("numeric/bnb-4bit.json") },
  );

  const refused: readonly [string, string, RegExp][] = [
    [
      "a code that is not rounded",
      "state scale = largest(abs(x), axes: 1, keep: true)  code = clamp(x / scale, low: 0, high: 15)  value = code * scale",
      /not rounded/,
    ],
    [
      "a codebook of three",
      "codebook = [-1.0, 0, 1.0]  state s = largest(abs(x), axes: 1, keep: true)  code = nearest(x / s, codebook)  value = codebook[code] * s",
      /3 entries/,
    ],
    [
      "a value that is no scaled code",
      "state s = largest(abs(x), axes: 1, keep: true)  code = clamp(round(x / s), low: 0, high: 15)  value = sqrt(code * s)",
      /times a scale/,
    ],
    [
      "a state for every element",
      "state s = abs(x)  code = clamp(round(x / s), low: 0, high: 15)  value = code * s",
      /one number for each block/,
    ],
    [
      "an op that storing does not know",
      "state s = largest(exp(x), axes: 1, keep: true)  code = clamp(round(x / s), low: 0, high: 15)  value = code * s",
      /`exp` cannot/,
    ],
    [
      "a mean for each block",
      "state s = mean(abs(x), axes: 1, keep: true)  code = clamp(round(x / s), low: 0, high: 15)  value = code * s",
      /`mean` gives \[blocks, 1\]/,
    ],
    ["no value", "state s = largest(abs(x), axes: 1, keep: true)  code = clamp(round(x / s), low: 0, high: 15)", /no `value`/],
    [
      "a name that means nothing",
      "state s = largest(abs(x), axes: 1, keep: true)  code = clamp(round(x / s), low: 0, high: 15)  value = code * s  zero = 1",
      /it binds `zero`/,
    ],
    [
      "states stored in themselves",
      "state s = odd(largest(abs(x), axes: 1, keep: true))  code = clamp(round(x / s), low: 0, high: 15)  value = code * s",
      /without end/,
    ],
  ];
  for (const [what, body, words] of refused)
    test(`${what} is refused`, async () => {
      const text = `${storedPipeline("layers.** as odd()")}format odd(block: int = 32) { ${body} }`;
      let said = "";
      await build(text, llamaConfig).catch((error: Error) => {
        said = error.message;
      });
      assert.match(said, /PEFT0640/);
      assert.match(said, words);
    });

  test("a user's own format is stored, trained on and read like those of the library", async () => {
    const text = `${storedPipeline("layers.** as thirds(block: 8)")}
format thirds(block: int = 16) {
  let top = largest(abs(x), axes: 1, keep: true)
  state scale = top
  state zero = mean(all, axes: 0)
  code = clamp(round((x - zero) / max(scale, 1e-38) * 7), low: -8, high: 7)
  value = zero + scale * (code / 7)
}`;
    const { job } = await build(text, llamaConfig);
    const format = Object.values(job.formats)[0]!;
    const values = normal(160, 4);
    const back = decode(format, encode(format, values, [10, 16]), [10, 16]);
    assert.ok(worst(back, values) < 0.5 && worst(back, values) > 0.01, `off by ${worst(back, values)}`);
  });
});
