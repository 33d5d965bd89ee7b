import fc from "fast-check";
import { bitsOf, fromBytes, narrow, storedDTypes, toBytes, transpose, widen } from "../../runtime/dtype.ts";
import { assert, group } from "../harness.ts";

const bitsOfFloat = (x: number): number => new Uint32Array(new Float32Array([x]).buffer)[0]!;

/** The value of a half by its definition. */
const half = (word: number): number => {
  const sign = word & 0x8000 ? -1 : 1;
  const exponent = (word >> 10) & 31;
  const mantissa = word & 1023;
  if (exponent === 31) return mantissa ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? sign * mantissa * 2 ** -24 : sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
};

const narrowed = (x: number, dtype: "F16" | "BF16"): number => {
  const out = new Uint16Array(1);
  narrow(new Float32Array([x]), dtype, out);
  return out[0]!;
};

group("dtype", (test) => {
  test("every half widens to the value its bits mean, and narrows back to the same bits", () => {
    const words = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const wide = new Float32Array(65536);
    widen(words, "F16", wide);
    const back = new Uint16Array(65536);
    narrow(wide, "F16", back);
    for (let i = 0; i < 65536; i++) {
      if (!Object.is(wide[i], half(i))) assert.unreachable(`half ${i}: ${wide[i]} is not ${half(i)}`);
      if (Number.isNaN(wide[i]!)) assert.ok(Number.isNaN(half(back[i]!)));
      else assert.is(back[i], i);
    }
  });

  test("every bf16 widens exactly and narrows back to the same bits", () => {
    const words = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const wide = new Float32Array(65536);
    widen(words, "BF16", wide);
    const back = new Uint16Array(65536);
    narrow(wide, "BF16", back);
    const seen = new Uint32Array(wide.buffer);
    for (let i = 0; i < 65536; i++) {
      assert.is(seen[i], (i << 16) >>> 0);
      if (Number.isNaN(wide[i]!)) assert.ok((back[i]! & 0x7fff) > 0x7f80);
      else assert.is(back[i], i);
    }
  });

  test("narrowing takes the nearest, and the even one of two equally near", () => {
    // Between two neighbouring halves (or bf16s) the middle goes to the even one, a hair beside it to its own side.
    for (const [dtype, top] of [
      ["F16", 0x7bff],
      ["BF16", 0x7f7f],
    ] as const) {
      const value = (word: number): number => {
        const out = new Float32Array(1);
        widen(new Uint16Array([word]), dtype, out);
        return out[0]!;
      };
      for (let low = 0; low < top; low += dtype === "F16" ? 1 : 7) {
        const [a, b] = [value(low), value(low + 1)];
        const middle = (a + b) / 2; // exact in f32 for halves; bf16 has 16 spare bits
        const even = low % 2 === 0 ? low : low + 1;
        assert.is(narrowed(middle, dtype), even);
        assert.is(narrowed(-middle, dtype), even | 0x8000);
        const word = bitsOfFloat(middle);
        assert.is(narrowed(new Float32Array(new Uint32Array([word - 1]).buffer)[0]!, dtype), low);
        assert.is(narrowed(new Float32Array(new Uint32Array([word + 1]).buffer)[0]!, dtype), low + 1);
      }
    }
  });

  test("beyond the largest half: 65519.996 stays finite, 65520 is infinite", () => {
    assert.is(half(narrowed(65519.996, "F16")), 65504);
    assert.is(half(narrowed(65520, "F16")), Number.POSITIVE_INFINITY);
    assert.is(half(narrowed(-1e30, "F16")), Number.NEGATIVE_INFINITY);
    assert.is(half(narrowed(2 ** -25, "F16")), 0);
    assert.is(half(narrowed(2 ** -25 * 1.0001, "F16")), 2 ** -24);
  });

  test("a NaN whose bits lie in the lost half stays a NaN", () => {
    const hidden = new Float32Array(new Uint32Array([0x7f800001]).buffer);
    for (const dtype of ["F16", "BF16"] as const) {
      const bytes = toBytes(hidden, dtype);
      assert.ok(Number.isNaN(fromBytes(bytes, dtype)[0]!), dtype);
    }
  });

  test("bytes at an odd address are read", () => {
    const bytes = new Uint8Array(9);
    bytes.set(toBytes(new Float32Array([1.5, -2]), "F32"), 1);
    assert.equal([...fromBytes(bytes.subarray(1), "F32")], [1.5, -2]);
    const halves = new Uint8Array(5);
    halves.set(toBytes(new Float32Array([1.5, -2]), "F16"), 1);
    assert.equal([...fromBytes(halves.subarray(1), "F16")], [1.5, -2]);
  });

  test("transposing twice is the identity and once moves [i, j] to [j, i]", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 70 }), fc.integer({ min: 1, max: 70 }), (rows, columns) => {
        const from = Float32Array.from({ length: rows * columns }, (_, i) => i);
        const to = transpose(from, [rows, columns]);
        for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) if (to[j * rows + i] !== from[i * columns + j]) return false;
        return transpose(to, [columns, rows]).every((x, i) => x === from[i]);
      }),
      { numRuns: 40 },
    );
  });

  test("every stored format has a size", () => {
    for (const dtype of storedDTypes) assert.ok(bitsOf(dtype) >= 4 && bitsOf(dtype) <= 64, dtype);
  });
});
