// An expression and a scope -> a value. Sizes are computed, tensors become nodes of the current stage's graph. Total: no
// recursion, no loops, so it always ends. Reports what is wrong at the place it is written and goes on with `unknown`.

import type * as tree from "../../grammar/tree.ts";
import type { Span } from "../../grammar/tree.ts";
import type { Details, Diagnostic } from "../../spec/diagnostic.ts";
import { instead, nearest } from "../../spec/diagnostic.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { Attr, Attrs, Dim, Graph, Node, Origin } from "../graph/graph.ts";
import type { Op } from "../graph/op.ts";
import type { Instance } from "../model/instantiate.ts";
import { ops } from "../ops/index.ts";
import { isWhole } from "../ops/shape.ts";
import { type Cases, compared, type Question } from "./cases.ts";
import { add } from "./dims.ts";
import { callFunction, functionNames } from "./functions.ts";
import {
  arithmetic,
  asDim,
  bool,
  describe,
  dimOf,
  none,
  number,
  type Scope,
  size,
  type TensorValue,
  unknown,
  type Value,
} from "./values.ts";

/** What an expression may touch beyond its scope. */
export interface Context {
  readonly report: (diagnostic: Diagnostic) => void;
  /** Graph and number of the stage under construction. Absent where no tensor may occur (sizes, settings). */
  readonly stage?: { readonly graph: Graph; readonly index: number };
  /** A tensor of another stage, as a node of the current one. */
  readonly use?: (tensor: TensorValue) => Node;
  readonly callModule?: (value: Value & { kind: "module" | "repeat" }, args: readonly Value[], at: Span) => Value;
  /** A parameter of a module: `embed.weight`. */
  readonly param?: (instance: Instance, name: string) => Value | undefined;
  /** Calls that are not ops: `branch(…)`, `prepend(…)`. */
  readonly special?: (name: string, call: tree.Call, scope: Scope) => Value | undefined;
  /** What an op's result becomes where a method computes it; undefined after a report. */
  readonly settle?: (node: Node, at: Span) => Node | undefined;
  /** While a definition is checked by itself: what nothing decides is tried both ways. */
  readonly cases?: Cases;
  /** `NAME.grad` where a step of training is computed: the gradient of a trained parameter. */
  readonly gradientOf?: (name: string) => Value | undefined;
  /** Where definitions were entered from, outermost first; prepended to every origin. */
  readonly through: Origin;
}

const maps: Readonly<Record<string, string>> = { "+": "add", "-": "sub", "*": "mul", "/": "div", "^": "pow", "<": "less" };
const constants: Readonly<Record<string, Value>> = {
  true: bool(true),
  false: bool(false),
  none,
  pi: number(Math.PI),
  infinity: number(Infinity),
};

/** Reports at `at`; inside a definition the user's own line comes first and the definition's line is a note. */
export const reportThrough = (
  context: Context,
  at: Span,
  create: (at: Span, details: Details) => Diagnostic,
  details: Details = {},
): Value => {
  const user = context.through[0];
  context.report(
    user
      ? create(user, { ...details, notes: [{ message: details.label ?? "it happens here", at }, ...(details.notes ?? [])] })
      : create(at, details),
  );
  return unknown;
};

export const evaluate = (expr: tree.Expr, scope: Scope, context: Context): Value => {
  switch (expr.kind) {
    case "number":
      return expr.unit ? number(expr.value, expr.unit.text) : number(expr.value);
    case "string":
      return { kind: "text", value: expr.value };
    case "ref":
      return findName(expr.name, expr.at, scope, context);
    case "list":
      return { kind: "list", items: expr.items.map((item) => evaluate(item, scope, context)) };
    case "unary":
      return negate(expr, evaluate(expr.value, scope, context), context);
    case "binary":
      return binary(expr, scope, context);
    case "if":
      return choose(expr, scope, context);
    case "call":
      return call(expr, scope, context);
    case "member":
      return gradient(expr, context) ?? member(expr, evaluate(expr.of, scope, context), context);
    case "index":
      return index(expr, evaluate(expr.of, scope, context), scope, context);
    case "ellipsis":
    case "every":
    case "path":
      return reportThrough(context, expr.at, (at, details) =>
        diagnostics.misplaced_expression(at, { what: expr.kind === "ellipsis" ? ".." : expr.kind }, details),
      );
  }
};

const findName = (name: string, at: Span, scope: Scope, context: Context): Value => {
  const value = scope.find(name, at) ?? constants[name];
  if (value?.kind === "open" && value.type === "bool") return bool(asked({ key: value.name }, value.name, context));
  if (value) return value;
  // An op by its name alone still waits for its tensor: `act: op = relu`.
  const op = ops.get(name);
  if (op?.call?.tensors.length === 1 && Object.values(op.call.attrs ?? {}).every((fallback) => fallback !== undefined))
    return { kind: "op", op, attrs: (op.call.attrs ?? {}) as Attrs };
  const known = [...new Set(scope.names())];
  const near = nearest(name, [...known, ...Object.keys(constants)]);
  return reportThrough(context, at, (place, details) => diagnostics.unknown_name(place, { name }, details), {
    label: "not known here",
    notes: known.length ? [{ message: `known here: ${known.sort().join(", ")}` }] : [],
    ...(near && { help: `did you mean \`${near}\`?`, fixes: [{ at, insert: near, title: `change to \`${near}\`` }] }),
  });
};

/** A truth value that nothing decides: each case of the definition has its own. */
export const asked = (question: Question | boolean, as: string, { cases }: Context): boolean =>
  typeof question === "boolean" ? question : (cases?.holds(question, as) ?? true);

/** A value as a node of the current stage; numbers become constants, and those not known yet inputs. */
export const toNode = (value: Value, context: Context, beside?: Value): Node | undefined => {
  if (value.kind === "tensor") return context.use ? context.use(value) : value.node;
  // Beside whole numbers a whole number is one of them: `positions + 4`.
  const dtype = beside?.kind === "tensor" && isWhole(beside.node.type) ? beside.node.type.dtype : "f32";
  if (value.kind === "number" && context.stage && (dtype === "f32" || Number.isInteger(value.value)))
    return context.stage.graph.constant(value.value, [], dtype);
  if (value.kind === "size" && context.stage) return context.stage.graph.input(value.dim, { dtype, shape: [] });
  return undefined;
};

/** Adds an op to the current stage after its type rule agreed; reports the rule's problem otherwise. */
export const apply = (op: string, inputs: readonly Node[], attrs: Attrs, at: Span, context: Context): Value => {
  const stage = context.stage!;
  const type = ops.get(op)!.type(
    inputs.map((node) => node.type),
    attrs,
  );
  if ("problem" in type)
    return reportThrough(context, at, (place, details) => diagnostics.shapes_do_not_fit(place, { problem: type.problem }, details), {
      notes: [{ message: `shapes here: ${inputs.map((node) => `[${node.type.shape.join(", ")}]`).join(" and ")}` }],
    });
  const made = stage.graph.add(op, inputs, attrs, [...context.through, at]);
  const node = context.settle ? context.settle(made, at) : made;
  if (!node) return unknown;
  const { outputs } = ops.get(op)!;
  if (outputs)
    return {
      kind: "record",
      name: op,
      fields: (name) =>
        outputs.includes(name) ? { kind: "tensor", node: stage.graph.pick(node, outputs.indexOf(name)), stage: stage.index } : undefined,
      names: () => outputs,
    };
  return { kind: "tensor", node: node.types ? stage.graph.pick(node, 0) : node, stage: stage.index };
};

const negate = (expr: tree.Unary, value: Value, context: Context): Value => {
  if (expr.op === "not") return value.kind === "bool" ? bool(!value.value) : wrongKind(expr.at, "not", value, context);
  if (value.kind === "number" || value.kind === "size") return arithmetic("*", value, number(-1))!;
  const node = value.kind === "tensor" ? toNode(value, context) : undefined;
  return node ? apply("neg", [node], {}, expr.at, context) : wrongKind(expr.at, "-", value, context);
};

const wrongKind = (at: Span, op: string, value: Value, context: Context): Value =>
  value.kind === "unknown"
    ? unknown
    : reportThrough(context, at, (place, details) => diagnostics.wrong_operand(place, { op, what: describe(value) }, details));

const binary = (expr: tree.Binary, scope: Scope, context: Context): Value => {
  const left = evaluate(expr.left, scope, context);
  const right = evaluate(expr.right, scope, context);
  if (left.kind === "unknown" || right.kind === "unknown") return unknown;
  const comparison = compared(expr.op, left, right);
  if (comparison) return bool(asked(comparison.question, comparison.as, context) !== comparison.not);
  const scalar = arithmetic(expr.op, left, right);
  if (scalar) return scalar;
  if (expr.op === "and" || expr.op === "or") {
    if (left.kind !== "bool") return wrongKind(expr.left.at, expr.op, left, context);
    if (right.kind !== "bool") return wrongKind(expr.right.at, expr.op, right, context);
    return bool(expr.op === "and" ? left.value && right.value : left.value || right.value);
  }
  if (left.kind === "text" && right.kind === "text") {
    if (expr.op === "+") return { kind: "text", value: left.value + right.value };
    if (expr.op === "==" || expr.op === "!=") return bool((left.value === right.value) === (expr.op === "=="));
  }
  if (left.kind === "bool" && right.kind === "bool" && (expr.op === "==" || expr.op === "!="))
    return bool((left.value === right.value) === (expr.op === "=="));
  if ((left.kind === "none" || right.kind === "none") && (expr.op === "==" || expr.op === "!="))
    return bool((left.kind === right.kind) === (expr.op === "=="));
  if (expr.op === "++" && left.kind === "list" && right.kind === "list") return { kind: "list", items: [...left.items, ...right.items] };
  // An optional parameter that is absent contributes nothing: it may be an addend and nothing else.
  if (expr.op === "+" && right.kind === "none") return left;
  if (expr.op === "+" && left.kind === "none") return right;

  const [a, b] = [toNode(left, context, right), toNode(right, context, left)];
  if (!a) return wrongKind(expr.left.at, expr.op, left, context);
  if (!b) return wrongKind(expr.right.at, expr.op, right, context);
  if (expr.op === "@") return apply("matmul", [a, b], { transpose_a: false, transpose_b: false }, expr.at, context);
  if (expr.op === "++") return apply("concat", [a, b], { axis: -1 }, expr.at, context);
  if (expr.op === ">") return apply("less", [b, a], {}, expr.at, context);
  const op = maps[expr.op];
  return op ? apply(op, [a, b], {}, expr.at, context) : wrongKind(expr.at, expr.op, left, context);
};

const choose = (expr: tree.If, scope: Scope, context: Context): Value => {
  const condition = evaluate(expr.condition, scope, context);
  if (condition.kind === "bool") return evaluate(condition.value ? expr.then : expr.otherwise, scope, context);
  if (condition.kind === "unknown") return unknown;
  const [then, otherwise] = [evaluate(expr.then, scope, context), evaluate(expr.otherwise, scope, context)];
  const nodes = [condition, then, otherwise].map((value) => toNode(value, context));
  if (nodes.every((node) => node !== undefined)) return apply("select", nodes, {}, expr.at, context);
  return wrongKind(expr.condition.at, "if", condition, context);
};

const call = (expr: tree.Call, scope: Scope, context: Context): Value => {
  const name = expr.callee.kind === "ref" ? expr.callee.name : undefined;
  const bound = name !== undefined ? (scope.callee?.(name) ?? scope.find(name, expr.callee.at)) : evaluate(expr.callee, scope, context);
  if (bound?.kind === "module" || bound?.kind === "repeat") {
    const args = expr.args.map((argument) => evaluate(argument.value, scope, context));
    if (args.some((arg) => arg.kind === "unknown") || !context.callModule) return unknown;
    return context.callModule(bound, args, expr.at);
  }
  if (bound?.kind === "unknown") return unknown;
  if (bound?.kind === "op") {
    const [argument, more] = expr.args.map(({ value }) => evaluate(value, scope, context));
    const node = argument && !more ? toNode(argument, context) : undefined;
    if (node && context.stage) return apply(bound.op.name, [node], bound.attrs, expr.at, context);
    return wrongKind(expr.at, `${name}( )`, argument ?? none, context);
  }
  if (name !== undefined) {
    const special = context.special?.(name, expr, scope);
    if (special) return special;
    if (functionNames.includes(name)) {
      const args = expr.args.map((argument) => evaluate(argument.value, scope, context));
      const computed = callFunction(name, args);
      if (computed) return computed;
    }
    const op = ops.get(name);
    if (op?.call) return callOp(op, expr, scope, context);
    const near = nearest(
      name,
      [...ops]
        .filter(([, candidate]) => candidate.call)
        .map(([known]) => known)
        .concat(functionNames, scope.names()),
    );
    return reportThrough(context, expr.callee.at, (at, details) => diagnostics.unknown_function(at, { name }, details), {
      ...instead(expr.callee.at, near),
    });
  }
  return wrongKind(expr.callee.at, "a call", bound ?? unknown, context);
};

const callOp = (op: Op, expr: tree.Call, scope: Scope, context: Context): Value => {
  const { tensors, optional = [], attrs: declared = {}, texts = [] } = op.call!;
  const attrNames = Object.keys(declared);
  const attrs: Record<string, Attr> = {};
  const values: Value[] = [];
  const extra = new Map<string, Value>();
  let missing = false;
  for (const [i, argument] of expr.args.entries()) {
    const value = evaluate(argument.value, scope, context);
    missing ||= value.kind === "unknown" || (value.kind === "list" && value.items.some(({ kind }) => kind === "unknown"));
    const slot = argument.name?.text ?? (i < tensors.length ? undefined : attrNames[i - tensors.length]);
    if (slot === undefined && i < tensors.length) {
      values.push(value);
      continue;
    }
    if (slot !== undefined && optional.includes(slot)) {
      if (value.kind !== "none") extra.set(slot, value);
      continue;
    }
    if (slot === undefined || !attrNames.includes(slot)) {
      const near = slot === undefined ? undefined : nearest(slot, [...optional, ...attrNames]);
      return reportThrough(
        context,
        argument.at,
        (at, details) => diagnostics.unknown_argument(at, { callee: op.name, name: slot ?? `number ${i + 1}` }, details),
        {
          notes: [{ message: `${op.name} takes ${[...tensors, ...[...optional, ...attrNames].map((attr) => `${attr}:`)].join(", ")}` }],
          ...(argument.name && instead(argument.name.at, near)),
        },
      );
    }
    if (value.kind === "text" && typeof declared[slot] !== "string" && !texts.includes(slot))
      return wrongKind(argument.value.at, op.name, value, context);
    if (op.sizes?.includes(slot) && !fitsSize(value, slot === "shape")) return wrongKind(argument.value.at, op.name, value, context);
    attrs[slot] = toAttr(value);
  }
  if (missing) return unknown;
  for (const [attr, fallback] of Object.entries(declared)) {
    if (attrs[attr] !== undefined) continue;
    if (fallback === undefined)
      return reportThrough(context, expr.at, (at, details) => diagnostics.missing_argument(at, { callee: op.name, name: attr }, details));
    attrs[attr] = fallback;
  }
  if (values.length === 0 && tensors.length > 0) return { kind: "op", op, attrs };
  if (values.length < tensors.length)
    return reportThrough(context, expr.at, (at, details) =>
      diagnostics.missing_argument(at, { callee: op.name, name: tensors[values.length]! }, details),
    );
  if (tensors.length > 0 && values.every((value) => value.kind === "number" || value.kind === "size")) return constantOp(op, values, attrs);
  const nodes: Node[] = [];
  for (const [i, value] of values.entries()) {
    const node = toNode(
      value,
      context,
      values.find((other) => other.kind === "tensor"),
    );
    if (!node) return wrongKind(expr.args[i]!.at, op.name, value, context);
    nodes.push(node);
  }
  for (const name of optional) {
    const value = extra.get(name);
    const node = value && toNode(value, context);
    if (value && !node) return wrongKind(expr.at, op.name, value, context);
    if (node) nodes.push(node);
  }
  return context.stage ? apply(op.name, nodes, attrs, expr.at, context) : wrongKind(expr.at, op.name, values[0] ?? none, context);
};

/** One size, or a list of them. What is wrong with another was said. */
const fitsSize = (value: Value, listed: boolean): boolean =>
  value.kind === "list" ? listed && value.items.every((item) => fitsSize(item, false)) : ["number", "size", "unknown"].includes(value.kind);

/** An op on plain numbers is computed now, by its own reference meaning. */
const constantOp = (op: Op, values: readonly Value[], attrs: Attrs): Value => {
  const numbers = values.flatMap((value) => (value.kind === "number" ? [value.value] : []));
  if (numbers.length < values.length) return size(`${op.name}(${values.map(dimOf).join(",")})`);
  const scalar = { dtype: "f32", shape: [] } as const;
  const inputs = numbers.map((value) => ({ shape: [], data: Float64Array.of(value) }));
  return number(op.eval(inputs, attrs, [scalar])[0]!.data[0]!);
};

const toAttr = (value: Value): Attr => {
  if (value.kind === "number" || value.kind === "bool" || value.kind === "text") return value.value;
  if (value.kind === "size") return value.dim;
  if (value.kind === "open") return value.name;
  if (value.kind === "list") return value.items.map(toAttr) as (number | string)[];
  return describe(value);
};

const gradient = (expr: tree.MemberOf, context: Context): Value | undefined =>
  expr.name.text === "grad" && expr.of.kind === "ref" ? context.gradientOf?.(expr.of.name) : undefined;

const member = (expr: tree.MemberOf, of: Value, context: Context): Value => {
  const name = expr.name.text;
  if (of.kind === "unknown") return unknown;
  if (of.kind === "tensor" && name === "T") {
    const node = toNode(of, context)!;
    const rank = node.type.shape.length;
    if (rank < 2) return wrongKind(expr.at, ".T", of, context);
    const order = node.type.shape.map((_, i) => (i < rank - 2 ? i : 2 * rank - 3 - i));
    return apply("permute", [node], { order }, expr.at, context);
  }
  const [found, names]: [Value | undefined, readonly string[]] =
    of.kind === "record"
      ? [of.fields(name), of.names()]
      : of.kind === "module"
        ? [context.param?.(of.instance, name) ?? childOf(of, name), [...of.instance.params.keys(), ...of.instance.children.keys()]]
        : [undefined, of.kind === "tensor" ? ["T"] : []];
  if (found) return found;
  const near = nearest(name, names);
  return reportThrough(context, expr.name.at, (at, details) => diagnostics.unknown_member(at, { of: describe(of), name }, details), {
    notes: names.length ? [{ message: `${describe(of)} has: ${names.join(", ")}` }] : [],
    ...instead(expr.name.at, near),
  });
};

const childOf = (of: Value & { kind: "module" }, name: string): Value | undefined => {
  const child = of.instance.children.get(name);
  if (!child) return undefined;
  return Array.isArray(child) ? { kind: "repeat", instances: child } : { kind: "module", instance: child as never };
};

/** `x[:, none]`, `x[0]`, `x[1:3]`: views of a tensor; an item of a list. */
const index = (expr: tree.Index, of: Value, scope: Scope, context: Context): Value => {
  if (of.kind === "unknown") return unknown;
  if (of.kind === "list") {
    const item = expr.items[0];
    const i = item && item.kind !== "slice" ? evaluate(item, scope, context) : unknown;
    if (i.kind === "unknown") return unknown;
    if (i.kind === "tensor") return apply("lookup", [toNode(i, context)!], { table: toAttr(of) }, expr.at, context);
    return (i.kind === "number" ? of.items[i.value] : undefined) ?? wrongKind(expr.at, "[ ]", of, context);
  }
  const node = of.kind === "tensor" ? toNode(of, context) : undefined;
  if (!node) return wrongKind(expr.at, "[ ]", of, context);
  const shape: Dim[] = [];
  let axis = 0;
  let current: Node = node;
  for (const item of expr.items) {
    if (item.kind === "ref" && item.name === "none") {
      shape.push(1);
      continue;
    }
    const width = node.type.shape[axis];
    if (width === undefined)
      return reportThrough(context, expr.at, (at, details) =>
        diagnostics.shapes_do_not_fit(at, { problem: `more indices than axes of [${node.type.shape.join(", ")}]` }, details),
      );
    if (item.kind === "slice") {
      if (item.from || item.to) {
        const from = item.from ? asDim(evaluate(item.from, scope, context)) : 0;
        const to = item.to ? asDim(evaluate(item.to, scope, context)) : width;
        if (from === undefined || to === undefined) return wrongKind(item.at, "[ : ]", of, context);
        // The whole axis is no cut.
        const cut = from === 0 && to === width ? undefined : apply("slice", [current], { axis, from, to }, expr.at, context);
        if (cut && cut.kind !== "tensor") return unknown;
        current = cut?.node ?? current;
      }
      shape.push(current.type.shape[axis]!);
    } else {
      // One place of the axis, which goes.
      const at = asDim(evaluate(item, scope, context));
      if (at === undefined) return wrongKind(item.at, "[ ]", of, context);
      const cut = apply("slice", [current], { axis, from: at, to: add(at, 1) }, expr.at, context);
      if (cut.kind !== "tensor") return unknown;
      current = cut.node;
    }
    axis++;
  }
  shape.push(...current.type.shape.slice(axis));
  if (shape.join() === current.type.shape.join() && context.stage) return { kind: "tensor", node: current, stage: context.stage.index };
  return apply("reshape", [current], { shape }, expr.at, context);
};
