// Plain records -> bytes of an ONNX model: the few protobuf messages that a graph of ours needs, field numbers from onnx.proto3.
// Fields are written in a fixed order and nothing depends on time or maps, so equal graphs give equal bytes.

import type { OnnxAttr } from "./onnx-writer.ts";

export interface OnnxValue {
  readonly name: string;
  /** ONNX's number of the dtype. */
  readonly type: number;
  readonly shape: readonly (number | string)[];
}

export interface OnnxTensor {
  readonly name: string;
  readonly type: number;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

export interface OnnxNode {
  readonly op: string;
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attrs: Readonly<Record<string, OnnxAttr>>;
}

export interface OnnxModel {
  readonly name: string;
  readonly opsets: readonly { readonly domain: string; readonly version: number }[];
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  readonly constants: readonly OnnxTensor[];
  readonly nodes: readonly OnnxNode[];
}

type Field = Uint8Array;

const utf8 = new TextEncoder();

const concat = (parts: readonly Uint8Array[]): Uint8Array => {
  const all = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
};

/** Base-128, lowest group first; negative numbers as 64-bit two's complement. */
const varint = (value: number): Uint8Array => {
  let rest = BigInt.asUintN(64, BigInt(value));
  const bytes: number[] = [];
  while (rest > 127n) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
};

const int = (field: number, value: number): Field => concat([varint(field << 3), varint(value)]);
const bytes = (field: number, value: Uint8Array): Field => concat([varint((field << 3) | 2), varint(value.length), value]);
const text = (field: number, value: string): Field => bytes(field, utf8.encode(value));
const message = (field: number, ...fields: readonly Field[]): Field => bytes(field, concat(fields));
const float = (field: number, value: number): Field => {
  const four = new Uint8Array(4);
  new DataView(four.buffer).setFloat32(0, value, true);
  return concat([varint((field << 3) | 5), four]);
};

const attribute = (name: string, value: OnnxAttr): Field => {
  const head = text(1, name);
  if (typeof value === "number") return message(5, head, int(3, value), int(20, 2));
  if (typeof value === "string") return message(5, head, text(4, value), int(20, 3));
  if ("float" in value) return message(5, head, float(2, value.float), int(20, 1));
  return message(5, head, ...value.map((v) => int(8, v)), int(20, 7));
};

const node = ({ op, domain, inputs, outputs, attrs }: OnnxNode): Field =>
  message(
    1,
    ...inputs.map((name) => text(1, name)),
    ...outputs.map((name) => text(2, name)),
    text(4, op),
    ...Object.keys(attrs)
      .sort()
      .map((name) => attribute(name, attrs[name]!)),
    ...(domain ? [text(7, domain)] : []),
  );

const value = (field: number, { name, type, shape }: OnnxValue): Field => {
  const dims = shape.map((dim) => message(1, typeof dim === "number" ? int(1, dim) : text(2, dim)));
  return message(field, text(1, name), message(2, message(1, int(1, type), message(2, ...dims))));
};

const tensor = ({ name, type, shape, bytes: raw }: OnnxTensor): Field =>
  message(5, ...shape.map((dim) => int(1, dim)), int(2, type), text(8, name), bytes(9, raw));

export const encodeModel = ({ name, opsets, inputs, outputs, constants, nodes }: OnnxModel): Uint8Array =>
  concat([
    int(1, 10), // IR version 10
    text(2, "peft"),
    message(
      7,
      ...nodes.map(node),
      text(2, name),
      ...constants.map(tensor),
      ...inputs.map((v) => value(11, v)),
      ...outputs.map((v) => value(12, v)),
    ),
    ...opsets.map(({ domain, version }) => message(8, text(1, domain), int(2, version))),
  ]);
