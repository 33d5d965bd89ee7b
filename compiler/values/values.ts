// What expressions evaluate to while a definition is unfolded: sizes and settings are plain values, tensors are graph nodes.
// `unknown` stands for something already reported, so that one mistake gives one diagnostic.

import type { Span } from "../../grammar/tree.ts";
import type { Attrs, Dim, Node } from "../graph/graph.ts";
import type { Op } from "../graph/op.ts";
import type { Instance } from "../model/instantiate.ts";
import { add, divide, multiply, subtract } from "./dims.ts";

/** A tensor, and the stage (part of the model that becomes one segment) whose graph it is a node of. */
export interface TensorValue {
  readonly kind: "tensor";
  readonly node: Node;
  readonly stage: number;
}

export type Value =
  | { readonly kind: "number"; readonly value: number; readonly unit?: string }
  /** A number not known yet: a size or a setting of a definition that is checked by itself, or what is computed from them. */
  | { readonly kind: "size"; readonly dim: string }
  /** A setting that is no number and not known yet. */
  | { readonly kind: "open"; readonly type: "bool" | "text" | "list"; readonly name: string }
  | { readonly kind: "text"; readonly value: string }
  | { readonly kind: "bool"; readonly value: boolean }
  | { readonly kind: "none" }
  | { readonly kind: "list"; readonly items: readonly Value[] }
  | TensorValue
  | {
      readonly kind: "record";
      readonly name: string;
      readonly fields: (name: string) => Value | undefined;
      readonly names: () => readonly string[];
    }
  | { readonly kind: "module"; readonly instance: Instance }
  | { readonly kind: "repeat"; readonly instances: readonly Instance[] }
  /** An op with its settings but without its tensor: `dropout(p: 0.05)` as the second argument of `branch`. */
  | { readonly kind: "op"; readonly op: Op; readonly attrs: Attrs }
  | { readonly kind: "unknown" };

export const number = (value: number, unit?: string): Value =>
  unit === undefined ? { kind: "number", value } : { kind: "number", value, unit };
export const bool = (value: boolean): Value => ({ kind: "bool", value });
export const none: Value = { kind: "none" };
export const unknown: Value = { kind: "unknown" };
export const size = (dim: Dim): Value => (typeof dim === "number" ? number(dim) : { kind: "size", dim });

/** What a reader of a message would call it. */
export const describe = (value: Value): string => {
  switch (value.kind) {
    case "number":
      return `the number ${value.value}${value.unit ? ` ${value.unit}` : ""}`;
    case "size":
      return `the size ${value.dim}`;
    case "text":
      return `the text "${value.value}"`;
    case "bool":
      return `${value.value}`;
    case "none":
      return "none";
    case "list":
      return "a list";
    case "tensor":
      return `a tensor [${value.node.type.shape.join(", ")}]`;
    case "record":
      return value.name;
    case "module":
      return `the module ${value.instance.definition.name.text}`;
    case "repeat":
      return "a repeated module";
    case "op":
      return `the op ${value.op.name}`;
    case "open":
      return `the setting ${value.name}`;
    case "unknown":
      return "something unknown";
  }
};

/** Whether two settings or sizes are one. What is made anew each time, and what is not known, is not. */
export const sameValue = (a: Value, b: Value): boolean => {
  if (a === b) return true;
  if (a.kind === "list" && b.kind === "list")
    return a.items.length === b.items.length && a.items.every((item, i) => sameValue(item, b.items[i]!));
  if (a.kind === "op" && b.kind === "op") return a.op === b.op && JSON.stringify(a.attrs) === JSON.stringify(b.attrs);
  return a.kind === b.kind && ["number", "size", "open", "text", "bool", "none"].includes(a.kind) && describe(a) === describe(b);
};

export const sameValues = (a: ReadonlyMap<string, Value>, b: ReadonlyMap<string, Value>): boolean => {
  if (a === b) return true;
  if (a.size !== b.size) return false;
  for (const [name, value] of a) {
    const other = b.get(name);
    if (!other || !sameValue(value, other)) return false;
  }
  return true;
};

/** A whole number as a size; undefined when it is none. */
export const asDim = (value: Value): Dim | undefined =>
  value.kind === "size" ? value.dim : value.kind === "number" && Number.isInteger(value.value) && !value.unit ? value.value : undefined;

/** Arithmetic on sizes and numbers; of sizes alone comparisons are questions (cases.ts). Undefined when either is something else. */
export const arithmetic = (op: string, a: Value, b: Value): Value | undefined => {
  if (a.kind === "number" && b.kind === "number") {
    const [x, y] = [a.value, b.value];
    switch (op) {
      case "+":
        return number(x + y);
      case "-":
        return number(x - y);
      case "*":
        return number(x * y);
      case "/":
        return number(x / y);
      case "^":
        return number(x ** y);
      case "<":
        return bool(x < y);
      case "<=":
        return bool(x <= y);
      case ">":
        return bool(x > y);
      case ">=":
        return bool(x >= y);
      case "==":
        return bool(x === y);
      case "!=":
        return bool(x !== y);
    }
    return undefined;
  }
  const [x, y] = [dimOf(a), dimOf(b)];
  if (x === undefined || y === undefined) return undefined;
  switch (op) {
    case "+":
      return size(add(x, y));
    case "-":
      return size(subtract(x, y));
    case "*":
      return size(multiply(x, y));
    case "/": {
      const quotient = divide(x, y);
      return quotient === undefined ? undefined : size(quotient);
    }
    case "^":
      return size(`pow(${x},${y})`);
  }
  return undefined;
};

/** A number or a size without a unit, whole or not. */
export const dimOf = (value: Value): Dim | undefined =>
  value.kind === "size" ? value.dim : value.kind === "number" && !value.unit ? value.value : undefined;

/** A chain of names to values, innermost first. */
export interface Scope {
  readonly find: (name: string, at: Span) => Value | undefined;
  readonly names: () => readonly string[];
  /** What a name means where it is called: children have a namespace of their own. */
  readonly callee?: (name: string) => Value | undefined;
}

export const scopeOf = (values: ReadonlyMap<string, Value>, outer?: Scope): Scope => ({
  find: (name, at) => values.get(name) ?? outer?.find(name, at),
  names: () => [...values.keys(), ...(outer?.names() ?? [])],
  ...(outer?.callee && { callee: outer.callee }),
});
