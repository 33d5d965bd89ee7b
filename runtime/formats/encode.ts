// A tensor -> the pieces it is stored as, and back. Works through the tensor in runs of whole blocks, so that beside the tensor and
// its pieces only one run is in memory. For its states, a last block that is not full is filled up with its own last element, which
// changes no maximum and no minimum.

import type { Format } from "../../spec/job-formats.ts";
import { narrow, widen } from "../dtype.ts";
import { makeRoom } from "../room.ts";
import { evaluateNode, type Lot } from "./evaluate.ts";

/** Codes packed in bytes, halves as their bits, states as f32. */
export type PieceData = Uint8Array | Uint16Array | Float32Array;

/** Pieces by what is added to the parameter's name: "", ".code", ".scale", ".scale.code", … */
export type Pieces = Map<string, PieceData>;

/** Elements of one run, about. */
const runLength = 1 << 13;

export const blockOf = (format: Format, shape: readonly number[]): number => format.block ?? shape.at(-1) ?? 1;

/** The pieces of a tensor of this shape, with how many elements each has. */
export const piecesOf = (
  format: Format,
  shape: readonly number[],
  prefix = "",
): { readonly suffix: string; readonly dtype: Format["dtype"]; readonly elements: number }[] => {
  const elements = shape.reduce((a, b) => a * b, 1);
  if (format.dtype !== "u8") return [{ suffix: prefix, dtype: format.dtype, elements }];
  const blocks = Math.ceil(elements / blockOf(format, shape));
  return [
    { suffix: `${prefix}.code`, dtype: "u8", elements: Math.ceil((elements * format.bits) / 8) },
    ...format.state.flatMap(({ name, per, format: inner }) => {
      const own = per === "block" ? [blocks] : [];
      const suffix = `${prefix}.${name}`;
      return inner ? piecesOf(inner, own, suffix) : [{ suffix, dtype: "f32" as const, elements: per === "block" ? blocks : 1 }];
    }),
  ];
};

export const encode = (format: Format, values: Float32Array, shape: readonly number[], prefix = ""): Pieces => {
  const pieces: Pieces = new Map();
  if (format.dtype !== "u8") {
    pieces.set(prefix, format.dtype === "f32" ? values.slice() : halves(values, format.dtype === "f16" ? "F16" : "BF16"));
    return pieces;
  }
  const block = blockOf(format, shape);
  const blocks = Math.ceil(values.length / block);
  const all: Lot = { per: "tensor", data: values };
  const first = new Map(format.state.map((state) => [state.name, new Float32Array(state.per === "block" ? blocks : 1)]));
  for (const run of runsOf(values, block, values.at(-1) ?? 0)) {
    const inputs = new Map<string, Lot>([
      ["x", { per: "element", data: run.data }],
      ["all", all],
    ]);
    for (const state of format.state) {
      if (state.per === "tensor" && run.start > 0) {
        inputs.set(state.name, { per: "tensor", data: first.get(state.name)! });
        continue;
      }
      const lot = evaluateNode(format, state.first, { ...run, block, inputs });
      first.get(state.name)!.set(lot.data, state.per === "block" ? run.start : 0);
      inputs.set(state.name, { per: state.per, data: lot.data });
    }
  }
  // What codes are computed from is what was stored.
  const stored = new Map<string, Lot>();
  for (const state of format.state) {
    const data = first.get(state.name)!;
    const own = state.per === "block" ? [blocks] : [];
    const suffix = `${prefix}.${state.name}`;
    if (!state.format) pieces.set(suffix, data);
    else for (const [name, piece] of encode(state.format, data, own, suffix)) pieces.set(name, piece);
    stored.set(state.name, { per: state.per, data: state.format ? decode(state.format, pieces, own, suffix) : data });
  }
  const codes = new Uint8Array(Math.ceil((values.length * format.bits) / 8));
  for (const run of runsOf(values, block, 0)) {
    const inputs = new Map<string, Lot>([
      ["x", { per: "element", data: run.data }],
      ["all", all],
      ...[...stored].map(([name, lot]): [string, Lot] => [name, part(lot, run.start, run.blocks)]),
    ]);
    const { data } = evaluateNode(format, format.code, { ...run, block, inputs });
    // The half of a byte that an odd tensor leaves holds the code of 0, as libraries leave it.
    pack(data, run.start * block, Math.min((codes.length * 8) / format.bits - run.start * block, data.length), format.bits, codes);
  }
  return new Map([[`${prefix}.code`, codes], ...pieces]);
};

/** The tensor as it reads back. */
export const decode = (format: Format, pieces: ReadonlyMap<string, PieceData>, shape: readonly number[], prefix = ""): Float32Array => {
  const piece = (suffix: string): PieceData => {
    const found = pieces.get(suffix);
    if (!found) throw new Error(`a stored tensor has no piece ${suffix || "of its own"}`);
    return found;
  };
  if (format.dtype === "f32") return piece(prefix) as Float32Array;
  const elements = shape.reduce((a, b) => a * b, 1);
  const out = new Float32Array(elements);
  if (format.dtype !== "u8") {
    widen(piece(prefix) as Uint16Array, format.dtype === "f16" ? "F16" : "BF16", out);
    return out;
  }
  const block = blockOf(format, shape);
  const blocks = Math.ceil(elements / block);
  const states = format.state.map(({ name, per, format: inner }): [string, Lot] => {
    const suffix = `${prefix}.${name}`;
    return [name, { per, data: inner ? decode(inner, pieces, per === "block" ? [blocks] : [], suffix) : (piece(suffix) as Float32Array) }];
  });
  const codes = piece(`${prefix}.code`) as Uint8Array;
  const runBlocks = Math.max(1, Math.floor(runLength / block));
  for (let start = 0; start < blocks; start += runBlocks) {
    const count = Math.min(runBlocks, blocks - start);
    const code = unpack(codes, start * block, count * block, format);
    const inputs = new Map<string, Lot>([
      ["code", { per: "element", data: code }],
      ...states.map(([name, lot]): [string, Lot] => [name, part(lot, start, count)]),
    ]);
    const { data } = evaluateNode(format, format.value, { blocks: count, block, inputs });
    out.set(data.subarray(0, Math.min(data.length, elements - start * block)), start * block);
  }
  return out;
};

const part = ({ per, data }: Lot, start: number, count: number): Lot => ({
  per,
  data: per === "block" ? data.subarray(start, start + count) : data,
});

const runsOf = function* (
  values: Float32Array,
  block: number,
  beyond: number,
): Generator<{ start: number; blocks: number; data: Float32Array }> {
  const blocks = Math.ceil(values.length / block);
  const most = Math.max(1, Math.floor(runLength / block));
  for (let start = 0; start < blocks; start += most) {
    const count = Math.min(most, blocks - start);
    const end = (start + count) * block;
    let data = values.subarray(start * block, Math.min(end, values.length));
    if (end > values.length) {
      const full = new Float32Array(count * block).fill(beyond);
      full.set(data);
      data = full;
    }
    yield { start, blocks: count, data };
  }
};

const pack = (codes: Float32Array, from: number, count: number, bits: number, into: Uint8Array): void => {
  if (bits === 8) for (let i = 0; i < count; i++) into[from + i] = codes[i]!;
  else if (from % 2 === 0 && count % 2 === 0)
    for (let i = 0, at = from >> 1; i < count; i += 2, at++) into[at] = ((codes[i]! & 15) << 4) | (codes[i + 1]! & 15);
  else
    for (let i = 0; i < count; i++) {
      const at = from + i;
      into[at >> 1] = at % 2 === 0 ? (codes[i]! & 15) << 4 : into[at >> 1]! | (codes[i]! & 15);
    }
};

const room = makeRoom();

/** Numbers of codes, until the next run. */
const unpack = (bytes: Uint8Array, from: number, count: number, { bits, signed }: Format): Float32Array => {
  const out = room(count);
  for (let i = 0; i < count; i++) {
    const at = from + i;
    // Past the tensor's end there is nothing, and what reads back from it is cut off.
    if (at * bits >= bytes.length * 8) {
      out[i] = 0;
      continue;
    }
    const code = bits === 8 ? bytes[at]! : at % 2 === 0 ? bytes[at >> 1]! >> 4 : bytes[at >> 1]! & 15;
    out[i] = signed && code >= 2 ** (bits - 1) ? code - 2 ** bits : code;
  }
  return out;
};

const halves = (values: Float32Array, dtype: "F16" | "BF16"): Uint16Array => {
  const words = new Uint16Array(values.length);
  narrow(values, dtype, words);
  return words;
};
