// First values that are drawn. Element i of a parameter is a function of (seed, parameter's name, i) and of nothing else: the
// same bits on every device, in every order, on every machine.
//
// Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): key = seed, counter = (block, hash of the
// name); a block is 128 bits, which make two doubles, which make elements 2·block and 2·block + 1.
// log, sin and cos are computed here with + − × ÷ alone, because the standard leaves Math.log and Math.cos to the engine.

import type { Job, Source } from "../spec/job.ts";

type Draw = Extract<Source, { kind: "draw" }>;

/** High 32 bits of a 32 by 32 bit product. Exact: no partial product reaches 2^53. */
const high = (a: number, b: number): number => {
  const low = a * (b & 0xffff);
  return Math.floor((a * (b >>> 16) + Math.floor(low / 65536)) / 65536);
};

/** Fills `out` with one block: four 32-bit words for a 128-bit counter and a 64-bit key. */
export const philox = (c0: number, c1: number, c2: number, c3: number, k0: number, k1: number, out: Uint32Array): void => {
  let [x0, x1, x2, x3, a, b] = [c0, c1, c2, c3, k0, k1];
  for (let round = 0; round < 10; round++) {
    const h0 = high(0xd2511f53, x0);
    const l0 = Math.imul(0xd2511f53, x0) >>> 0;
    const h1 = high(0xcd9e8d57, x2);
    const l1 = Math.imul(0xcd9e8d57, x2) >>> 0;
    x0 = (h1 ^ x1 ^ a) >>> 0;
    x1 = l1;
    x2 = (h0 ^ x3 ^ b) >>> 0;
    x3 = l0;
    a = (a + 0x9e3779b9) >>> 0;
    b = (b + 0xbb67ae85) >>> 0;
  }
  out[0] = x0;
  out[1] = x1;
  out[2] = x2;
  out[3] = x3;
};

/** 64-bit FNV-1a of a name's UTF-8, as two words. */
const hashOf = (name: string): readonly [number, number] => {
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(name)) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return [Number(hash & 0xffffffffn), Number(hash >> 32n)];
};

/** A stream of random words named by a seed and a text; block i is the same whatever was asked before. */
export const stream = (seed: number, name: string): ((block: number, out: Uint32Array) => void) => {
  const [h0, h1] = hashOf(name);
  const k0 = seed >>> 0;
  const k1 = Math.floor(seed / 2 ** 32) >>> 0;
  return (block, out) => philox(block >>> 0, Math.floor(block / 2 ** 32) >>> 0, h0, h1, k0, k1, out);
};

/** 53 bits to a double in [0, 1). */
const unit = (a: number, b: number): number => ((a >>> 5) * 67108864 + (b >>> 6)) / 9007199254740992;

/** Natural logarithm of a double in (0, 1], to an error near 1e-16: 2 atanh((m − 1) / (m + 1)) on a mantissa near one. */
const log = (x: number): number => {
  let mantissa = x;
  let exponent = 0;
  while (mantissa < 1 / 65536) {
    mantissa *= 65536;
    exponent -= 16;
  }
  while (mantissa < Math.SQRT1_2) {
    mantissa *= 2;
    exponent--;
  }
  const s = (mantissa - 1) / (mantissa + 1); // |s| < 0.172
  const z = s * s;
  let sum = 0;
  for (let k = 21; k >= 1; k -= 2) sum = sum * z + 1 / k;
  return 2 * s * sum + exponent * Math.LN2;
};

/** sin and cos of 2πu for u in [0, 1): the octant is taken off exactly, then Taylor on [−π/4, π/4]. */
const turn = (u: number, out: Float64Array): void => {
  const quarter = Math.floor(u * 4 + 0.5);
  const x = (u - quarter / 4) * 2 * Math.PI;
  const z = x * x;
  let sin = 0;
  let cos = 0;
  for (let k = 17; k >= 1; k -= 2) sin = 1 - (z / ((k + 1) * (k + 2))) * sin;
  sin *= x;
  for (let k = 18; k >= 0; k -= 2) cos = 1 - (z / ((k + 1) * (k + 2))) * cos;
  out[0] = quarter & 1 ? (quarter & 2 ? -cos : cos) : quarter & 2 ? -sin : sin;
  out[1] = quarter & 1 ? (quarter & 2 ? sin : -sin) : quarter & 2 ? -cos : cos;
};

/**
 * Fills `out` with elements `from`, `from + 1`, … of a drawn parameter, each rounded once from a double.
 * uniform: from low to high; normal: mean 0 and the given standard deviation (Box–Muller). Throws nothing.
 */
export const draw = (source: Draw, seed: number, name: string, out: Float32Array, from = 0): void => {
  const { distribution, args } = source;
  if (distribution === "zeros") return void out.fill(0);
  if (distribution === "ones") return void out.fill(1);
  if (distribution === "constant") return void out.fill(args[0]!);
  if (distribution === "distinct") throw new Error(`${name}: distinct numbers are whole`);
  const block = stream(seed, name);
  const words = new Uint32Array(4);
  const sincos = new Float64Array(2);
  const low = args[0]!;
  const span = distribution === "uniform" ? args[1]! - low : 0;
  for (let i = from - (from % 2); i < from + out.length; i += 2) {
    block(i / 2, words);
    let first = unit(words[0]!, words[1]!);
    let second = unit(words[2]!, words[3]!);
    if (distribution === "uniform") {
      first = low + first * span;
      second = low + second * span;
    } else {
      turn(second, sincos);
      const radius = args[0]! * Math.sqrt(-2 * log(1 - first)); // 1 − first is in (0, 1]
      first = radius * sincos[1]!;
      second = radius * sincos[0]!;
    }
    if (i >= from) out[i - from] = first;
    if (i + 1 - from < out.length) out[i + 1 - from] = second;
  }
};

/**
 * Whole numbers. distinct: `count` different ones from 0 to below the given number, ascending, every such set as likely as any other
 * (rejection; where more than half are wanted, the others are drawn and left out). zeros, constant: that number.
 */
export const drawWhole = ({ distribution, args }: Draw, seed: number, name: string, count: number): Int32Array => {
  if (distribution !== "distinct")
    return new Int32Array(count).fill(distribution === "constant" ? args[0]! : distribution === "ones" ? 1 : 0);
  const below = args[0]!;
  if (count > below) throw new Error(`${name}: ${count} distinct numbers below ${below}`);
  const few = Math.min(count, below - count);
  const block = stream(seed, name);
  const words = new Uint32Array(4);
  const drawn = new Set<number>();
  for (let i = 0; drawn.size < few; i++) {
    block(i, words);
    for (const half of [0, 2]) if (drawn.size < few) drawn.add(Math.floor(unit(words[half]!, words[half + 1]!) * below));
  }
  if (few === count) return Int32Array.from(drawn).sort();
  return Int32Array.from({ length: below }, (_, i) => i).filter((i) => !drawn.has(i));
};

/** The seed of every adapter's parameters: that of the first training of it, or of a bank that holds it. All else is drawn with the base's seed. */
export const adapterSeeds = (job: Job): ReadonlyMap<string, number> => {
  const seeds = new Map<string, number>();
  const find = (name: string) => job.adapters.find((adapter) => adapter.name === name);
  for (const { adapter, seed } of job.train)
    for (const moved of [adapter, ...(find(adapter)?.bank ?? [])])
      for (const name of find(moved)?.parameters ?? []) if (!seeds.has(name)) seeds.set(name, seed);
  return seeds;
};
