// The nodes of a format over a run of blocks, in f32: what storing and reading back a tensor computes. Each node is evaluated for all
// blocks of the run at once; every operation rounds to f32, as libraries do that compute with f32 arrays, so codes come out with
// the same bits.

import type { Format, FormatNode } from "../../spec/job-formats.ts";
import { narrow, widen } from "../dtype.ts";
import { makeRoom } from "../room.ts";

/** One value of a run: a number for each element, for each block, or for the tensor. */
export interface Lot {
  readonly per: "element" | "block" | "tensor";
  readonly data: Float32Array;
}

export interface Run {
  readonly blocks: number;
  readonly block: number;
  readonly inputs: ReadonlyMap<string, Lot>;
}

/** One run follows the other, so their nodes' values can lie in the same places. */
const room = makeRoom();

type Allot = (length: number) => Float32Array;

/** The value of one node, until the next run. Nodes that several others read are computed once. */
export const evaluateNode = (format: Format, root: number, run: Run): Lot => {
  const known = new Map<number, Lot>();
  const of = (i: number): Lot => {
    const ready = known.get(i);
    if (ready) return ready;
    const made = compute(format.nodes[i]!, of, run, (length) => room(length, String(i)));
    known.set(i, made);
    return made;
  };
  return of(root);
};

/** One loop per op: a function called for each element would cost more than its arithmetic. */
const unary = (op: string, from: Float32Array, array: Allot): Float32Array | undefined => {
  const out = array(from.length);
  switch (op) {
    case "neg":
      for (let i = 0; i < out.length; i++) out[i] = -from[i]!;
      return out;
    case "abs":
      for (let i = 0; i < out.length; i++) out[i] = Math.abs(from[i]!);
      return out;
    case "sqrt":
      for (let i = 0; i < out.length; i++) out[i] = Math.sqrt(from[i]!);
      return out;
    case "round":
      for (let i = 0; i < out.length; i++) {
        const x = from[i]!;
        const near = Math.round(x);
        // Math.round takes halves up.
        out[i] = near - x === 0.5 && near % 2 !== 0 ? near - 1 : near;
      }
      return out;
    default:
      return undefined;
  }
};

/** Walks `count` elements of both; a step of 0 stays on one number. */
const binary = (op: string, out: Float32Array, from: number, count: number, a: Operand, b: Operand): void => {
  const [x, y] = [a.data, b.data];
  const [xs, ys] = [a.step, b.step];
  let [i, j] = [a.at, b.at];
  const end = from + count;
  switch (op) {
    case "add":
      for (let k = from; k < end; k++, i += xs, j += ys) out[k] = x[i]! + y[j]!;
      return;
    case "sub":
      for (let k = from; k < end; k++, i += xs, j += ys) out[k] = x[i]! - y[j]!;
      return;
    case "mul":
      for (let k = from; k < end; k++, i += xs, j += ys) out[k] = x[i]! * y[j]!;
      return;
    case "div":
      for (let k = from; k < end; k++, i += xs, j += ys) out[k] = x[i]! / y[j]!;
      return;
    case "max":
      for (let k = from; k < end; k++, i += xs, j += ys) out[k] = Math.max(x[i]!, y[j]!);
      return;
    case "min":
      for (let k = from; k < end; k++, i += xs, j += ys) out[k] = Math.min(x[i]!, y[j]!);
      return;
    default:
      throw new Error(`a format uses ${op}, which storing does not know`);
  }
};

interface Operand {
  readonly data: Float32Array;
  readonly at: number;
  readonly step: number;
}

const compute = (node: FormatNode, of: (i: number) => Lot, run: Run, array: Allot): Lot => {
  const args = node.inputs.map(of);
  const [a, b] = args;
  switch (node.op) {
    case "input": {
      const input = run.inputs.get(node.name!);
      if (!input) throw new Error(`a format reads ${node.name}, which is not known where it is evaluated`);
      return input;
    }
    case "constant":
      return { per: "tensor", data: Float32Array.of(node.value!) };
    case "largest":
      return { per: "block", data: blockMaxima(a!, run, array) };
    case "mean":
      return { per: "tensor", data: Float32Array.of(meanOf(a!.data)) };
    case "clamp":
      return { per: a!.per, data: clamped(a!.data, node.low!, node.high!, array) };
    case "nearest":
      return { per: a!.per, data: nearestOf(a!.data, node.table!, array) };
    case "lookup":
      return { per: a!.per, data: looked(a!.data, Float32Array.from(node.table!), array) };
    case "cast":
      return node.dtype === "f16" || node.dtype === "bf16"
        ? { per: a!.per, data: rounded(a!.data, node.dtype === "f16" ? "F16" : "BF16", array) }
        : a!;
  }
  if (a && b) return both(node.op, a, b, run, array);
  const data = a && unary(node.op, a.data, array);
  if (!a || !data) throw new Error(`a format uses ${node.op}, which storing does not know`);
  return { per: a.per, data };
};

const order = { tensor: 0, block: 1, element: 2 } as const;

const both = (op: string, a: Lot, b: Lot, { blocks, block }: Run, array: Allot): Lot => {
  const per = order[a.per] > order[b.per] ? a.per : b.per;
  const whole = per === "element" ? blocks * block : per === "block" ? blocks : 1;
  const out = array(whole);
  const operand = (lot: Lot, at: number): Operand =>
    lot.per === per ? { data: lot.data, at, step: 1 } : { data: lot.data, at: lot.per === "block" ? at / block : 0, step: 0 };
  // Numbers of a block meet numbers of its elements block by block; everything else is one walk.
  const walk = per === "element" && (a.per === "block" || b.per === "block") ? block : whole;
  for (let at = 0; at < whole; at += walk) binary(op, out, at, walk, operand(a, at), operand(b, at));
  return { per, data: out };
};

const blockMaxima = ({ data }: Lot, { blocks, block }: Run, array: Allot): Float32Array => {
  const out = array(blocks);
  for (let k = 0; k < blocks; k++) {
    let most = -Infinity;
    for (let i = k * block; i < (k + 1) * block; i++) if (data[i]! > most) most = data[i]!;
    out[k] = most;
  }
  return out;
};

/** In double precision, rounded once: no order of summing in f32 is more right than another. */
const meanOf = (data: Float32Array): number => {
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += data[i]!;
  return sum / data.length;
};

const clamped = (data: Float32Array, low: number, high: number, array: Allot): Float32Array => {
  const out = array(data.length);
  for (let i = 0; i < out.length; i++) out[i] = Math.min(Math.max(data[i]!, low), high);
  return out;
};

const looked = (codes: Float32Array, table: Float32Array, array: Allot): Float32Array => {
  const out = array(codes.length);
  for (let i = 0; i < out.length; i++) out[i] = table[codes[i]!]!;
  return out;
};

const rounded = (data: Float32Array, dtype: "F16" | "BF16", array: Allot): Float32Array => {
  const words = new Uint16Array(data.length);
  narrow(data, dtype, words);
  const out = array(data.length);
  widen(words, dtype, out);
  return out;
};

/** Where each number stands among the bounds, from a first guess by its size; see compiler/ops/codebook.ts for the meaning. */
interface Finder {
  readonly order: Uint8Array;
  readonly bounds: Float32Array;
  readonly low: number;
  readonly scale: number;
  /** Of each of many equal steps from `low` up, how many bounds are surely below it. */
  readonly below: Uint8Array;
}

const finders = new Map<string, Finder>();
const steps = 4096;

const finderOf = (table: readonly number[]): Finder => {
  const key = table.join();
  const known = finders.get(key);
  if (known) return known;
  const entries = table.map(Math.fround);
  const sorted = entries.map((_, i) => i).sort((a, b) => entries[a]! - entries[b]! || a - b);
  const bounds = Float32Array.from(sorted.slice(1), (entry, i) => Math.fround(entries[sorted[i]!]! + entries[entry]!) / 2);
  const low = bounds[0]!;
  const scale = steps / (bounds.at(-1)! - low || 1);
  const below = new Uint8Array(steps + 2);
  // One step less than the number's own, so that rounding of the step never skips a bound.
  for (let i = 0; i < below.length; i++) {
    const edge = low + (i - 1) / scale;
    let count = 0;
    while (count < bounds.length && bounds[count]! < edge) count++;
    below[i] = count;
  }
  const made = { order: Uint8Array.from(sorted), bounds, low, scale, below };
  finders.set(key, made);
  return made;
};

const nearestOf = (data: Float32Array, table: readonly number[], array: Allot): Float32Array => {
  const { order: places, bounds, low, scale, below } = finderOf(table);
  const out = array(data.length);
  const last = bounds.length;
  for (let i = 0; i < out.length; i++) {
    const x = data[i]!;
    const step = (x - low) * scale;
    let count = step > 0 ? below[step < steps ? step | 0 : steps]! : 0;
    while (count < last && x > bounds[count]!) count++;
    out[i] = places[count]!;
  }
  return out;
};
