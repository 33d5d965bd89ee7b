// An optimizer and a schedule from the library -> the program of one step over flat arenas: all parameters of an adapter lie
// in one buffer, their gradients in another, each state in one more, so the whole update is one elementwise kernel. What
// depends only on the step's number is taken out and computed by the host in double precision: powers like beta^t would lose
// digits in f32, and both devices then see the same bits.

import type * as tree from "../grammar/tree.ts";
import { nearest } from "../spec/diagnostic.ts";
import { diagnostics } from "../spec/diagnostics.generated.ts";
import type { ScalarExpr } from "../spec/job.ts";
import { bindArguments } from "./arguments.ts";
import { type Context, evaluate, toNode } from "./expressions.ts";
import { createGraph, type Graph, type Node, reachable, type TensorType } from "./graph.ts";
import type { ProgramGraph, Step } from "./programs.ts";
import type { Library } from "./resolve.ts";
import { cut } from "./segments.ts";
import { describe, number, type Scope, scopeOf, type Value } from "./values.ts";

export interface Update {
  readonly program: ProgramGraph;
  readonly scalars: Readonly<Record<string, ScalarExpr>>;
  readonly rate: ScalarExpr;
  readonly states: readonly { readonly name: string; readonly init: number }[];
}

/** Elements of one optimizer dispatch: as many as fit one storage binding of the smallest profile. */
export const chunk = 1 << 25;

export const buildUpdate = (
  adapter: string,
  elements: number,
  gradients: string,
  optimizer: tree.Call,
  schedule: tree.Call | undefined,
  maxNorm: number | undefined,
  library: Library,
  scope: Scope,
  context: Context,
): Update | undefined => {
  const definition = findDefinition("optimizer", optimizer, library, context);
  const curve = schedule && findDefinition("schedule", schedule, library, context);
  if (!definition || (schedule && !curve)) return undefined;
  const settings = bindArguments(
    { what: `optimizer ${definition.name.text}`, at: optimizer.at, parameters: definition.parameters },
    optimizer.args,
    scope,
    context,
  );

  const scalarGraph = createGraph();
  const inner: Context = { report: context.report, through: [optimizer.at], stage: { graph: scalarGraph, index: 0 } };
  const step = scalarGraph.input("step", { dtype: "f32", shape: [] });
  const total = scalarGraph.input("total", { dtype: "f32", shape: [] });
  const tensor = (node: Node): Value => ({ kind: "tensor", node, stage: 0 });
  let factor: Value = number(1);
  if (curve && schedule) {
    const bound = bindArguments(
      { what: `schedule ${curve.name.text}`, at: schedule.at, parameters: curve.parameters },
      schedule.args,
      scope,
      context,
    );
    const spans = new Map(
      [...bound].map(([name, value]) => [name, value.kind === "number" && value.unit ? spanOf(value, total, scalarGraph) : value]),
    );
    spans.set("step", tensor(step)).set("total", tensor(total));
    factor = evaluate(curve.value, scopeOf(spans), { ...inner, through: [schedule.at] });
  }
  const learningRate = settings.get("learning_rate");
  const factorNode = toNode(factor, inner);
  if (!factorNode || learningRate?.kind !== "number") {
    if (learningRate && learningRate.kind !== "unknown" && learningRate.kind !== "number")
      context.report(diagnostics.wrong_operand(optimizer.at, { op: "learning_rate", what: describe(learningRate) }));
    return undefined;
  }
  const rate = scalarGraph.add("mul", [scalarGraph.constant(learningRate.value), factorNode]);
  const t = scalarGraph.add("add", [step, scalarGraph.constant(1)]);

  // The update, as the definition writes it, over the first chunk's size; other sizes are the same graph.
  const states = definition.members.flatMap((member) => {
    if (member.kind !== "state") return [];
    const init = evaluate(member.value, scopeOf(settings), inner);
    return [{ name: member.name.text, init: init.kind === "number" ? init.value : 0 }];
  });
  const steps: Step[] = [];
  const values = new Map<string, { dtype: "f32"; shape: number[] }>();
  const counts = Array.from({ length: Math.ceil(elements / chunk) }, (_, i) => Math.min(chunk, elements - i * chunk));
  const part = (name: string, i: number): string => (counts.length === 1 ? name : `${name}[${i}]`);

  const record = (segment: Step["segment"], inputs: readonly string[], outputs: readonly string[]): void => {
    for (const [k, end] of segment.inputs.entries()) values.set(inputs[k]!, end.node.type as never);
    for (const [k, end] of segment.outputs.entries()) values.set(outputs[k]!, end.node.type as never);
    steps.push({ segment, inputs, outputs });
  };

  // The norm over all gradients, in f32 sums of squares.
  const squares = counts.map((count, i) => {
    const graph = createGraph();
    const g = graph.input("g", { dtype: "f32", shape: [count] });
    const sum = graph.add("sum", [graph.add("mul", [g, g])], { axes: [0], keep: false });
    record(
      cut({ name: "squares", inputs: new Map([[g, "g"]]), outputs: [{ name: "sum", node: sum }] }),
      [part(gradients, i)],
      [`squares${i}`],
    );
    return `squares${i}`;
  });
  {
    const graph = createGraph();
    const parts = squares.map((_, i) => graph.input(`s${i}`, { dtype: "f32", shape: [] }));
    const norm = graph.add("sqrt", [parts.reduce((a, b) => graph.add("add", [a, b]))]);
    const clip =
      maxNorm === undefined
        ? graph.constant(1)
        : graph.add("min", [
            graph.constant(1),
            graph.add("div", [graph.constant(maxNorm), graph.add("add", [norm, graph.constant(1e-6)])]),
          ]);
    // `clip` must be a computed value even without clipping, so that the segment has it to write.
    const coefficient = maxNorm === undefined ? graph.add("add", [graph.add("mul", [norm, graph.constant(0)]), clip]) : clip;
    record(
      cut({
        name: "clip",
        inputs: new Map(parts.map((node, i) => [node, `s${i}`])),
        outputs: [
          { name: "norm", node: norm },
          { name: "clip", node: coefficient },
        ],
      }),
      squares,
      ["norm", "clip"],
    );
  }

  const scalars: Record<string, ScalarExpr> = {};
  for (const [i, count] of counts.entries()) {
    const graph = createGraph();
    const flat = { dtype: "f32", shape: [count] } as const;
    const p = graph.input("p", flat);
    const raw = graph.input("g", flat);
    const ends = new Map<Node, string>([
      [p, part(`${adapter}.parameters`, i)],
      [raw, part(gradients, i)],
    ]);
    const bound = new Map<string, Value>(settings);
    const put = (name: string, node: Node): void => void bound.set(name, tensor(node));
    put("p", p);
    const clipInput = graph.input("clip", { dtype: "f32", shape: [] });
    ends.set(clipInput, "clip");
    put("g", graph.add("mul", [raw, clipInput]));
    put("rate", graph.input("rate", { dtype: "f32", shape: [] }));
    put("t", graph.input("t", { dtype: "f32", shape: [] }));
    for (const state of states) {
      const node = graph.input(state.name, flat);
      ends.set(node, part(`${adapter}.${state.name}`, i));
      put(state.name, node);
    }
    const local: Context = { ...inner, stage: { graph, index: 0 } };
    for (const member of definition.members) {
      if (member.kind === "let") bound.set(member.name.text, evaluate(member.value, scopeOf(bound), local));
      if (member.kind !== "bind") continue;
      const name = member.target[0]!.text;
      if (member.target.length !== 1 || (name !== "p" && !states.some((state) => state.name === name))) {
        const near = nearest(name, ["p", ...states.map((state) => state.name)]);
        context.report(diagnostics.unknown_name(member.target[0]!.at, { name }, near ? { help: `did you mean \`${near}\`?` } : {}));
        continue;
      }
      bound.set(name, evaluate(member.value, scopeOf(bound), local));
    }
    const results = ["p", ...states.map((state) => state.name)].map((name) => ({ name, node: toNode(bound.get(name)!, local) }));
    if (results.some((result) => !result.node)) return undefined;
    const hoisted = hoist(
      graph,
      results.map((result) => result.node!),
      { rate: exprOf(rate), t: exprOf(t), step: ["step"], total: ["total"] },
    );
    for (const [name, { node, expr }] of hoisted.inputs) {
      ends.set(node, name);
      scalars[name] = expr;
    }
    // Unused leaves are dropped by cut.
    const named = new Map([...ends].map(([node]) => [node, node.attrs.name as string]));
    const segment = cut({
      name: "update",
      inputs: named,
      outputs: hoisted.outputs.map((node, k) => ({ name: `${results[k]!.name}_next`, node })),
    });
    const byName = new Map([...ends].map(([node, value]) => [node.attrs.name as string, value]));
    record(
      segment,
      segment.inputs.map((input) => byName.get(input.name)!),
      results.map((result) => part(`${adapter}.${result.name === "p" ? "parameters" : result.name}`, i)),
    );
  }
  return {
    program: { steps, values, inputs: [...Object.keys(scalars), ...counts.map((_, i) => part(gradients, i))], outputs: ["norm"] },
    scalars,
    rate: exprOf(rate),
    states,
  };
};

const findDefinition = <K extends "optimizer" | "schedule">(kind: K, call: tree.Call, library: Library, context: Context) => {
  const name = call.callee.kind === "ref" ? call.callee.name : "";
  const found = library.find(kind, name);
  if (!found) {
    const near = nearest(name, library.names(kind));
    context.report(
      diagnostics.unknown_definition(
        call.callee.at,
        { kind, name },
        {
          notes: [{ message: `${kind}s: ${library.names(kind).join(", ")}` }],
          ...(near && { help: `did you mean \`${near}\`?`, fixes: [{ at: call.callee.at, insert: near, title: `change to \`${near}\`` }] }),
        },
      ),
    );
  }
  return found;
};

/** A stretch in steps: `100 steps` as it is, `3%` of the whole run. */
const spanOf = (value: Value & { kind: "number" }, total: Node, graph: Graph): Value =>
  value.unit === "%"
    ? { kind: "tensor", node: graph.add("mul", [total, graph.constant(value.value / 100)]), stage: 0 }
    : number(value.value);

/** A scalar graph as an expression the host evaluates. */
const exprOf = (node: Node, leaves: Readonly<Record<string, ScalarExpr>> = {}): ScalarExpr => {
  if (node.op === "constant") return node.attrs.value as number;
  if (node.op === "input") return leaves[node.attrs.name as string] ?? [node.attrs.name as string];
  return [node.op, ...node.inputs.map((input) => exprOf(input, leaves))];
};

/** Takes the largest scalar-only parts out of a graph: each becomes an input, computed by the host. */
const hoist = (
  graph: Graph,
  outputs: readonly Node[],
  leaves: Readonly<Record<string, ScalarExpr>>,
): { outputs: Node[]; inputs: Map<string, { node: Node; expr: ScalarExpr }> } => {
  const scalar = new Map<Node, boolean>();
  const order = reachable(outputs);
  for (const node of order)
    scalar.set(
      node,
      node.type.shape.length === 0 &&
        (node.op === "constant" ||
          (node.op === "input" ? (node.attrs.name as string) in leaves : node.inputs.every((input) => scalar.get(input)))),
    );
  const varies = (node: Node): boolean => reachable([node]).some((inner) => inner.op === "input");
  const inputs = new Map<string, { node: Node; expr: ScalarExpr }>();
  const copies = new Map<Node, Node>();
  for (const node of order) {
    if (scalar.get(node)) continue;
    const from = node.inputs.map((input) => {
      if (!scalar.get(input) || !varies(input)) return copies.get(input) ?? input;
      const expr = exprOf(input, leaves);
      const name = `scalar.${[...inputs.values()].findIndex((known) => JSON.stringify(known.expr) === JSON.stringify(expr)) + 1 || inputs.size + 1}`;
      const fresh = graph.input(name, { dtype: "f32", shape: [] });
      inputs.set(name, { node: fresh, expr });
      return fresh;
    });
    copies.set(node, node.inputs.length === 0 ? node : graph.add(node.op, from, node.attrs, node.origin));
  }
  return { outputs: outputs.map((node) => copies.get(node) ?? node), inputs };
};

/** accumulated = gradients, plus what was accumulated unless `keep` is 0 (a step's first micro-batch). */
export const buildAccumulate = (adapter: string, elements: number): ProgramGraph => {
  const steps: Step[] = [];
  const values = new Map<string, TensorType>();
  const inputs: string[] = ["keep"];
  for (let i = 0; i * chunk < elements; i++) {
    const part = (name: string): string => (elements <= chunk ? name : `${name}[${i}]`);
    const graph = createGraph();
    const flat: TensorType = { dtype: "f32", shape: [Math.min(chunk, elements - i * chunk)] };
    const [sum, g, keep] = [graph.input("sum", flat), graph.input("g", flat), graph.input("keep", { dtype: "f32", shape: [] })];
    // select, not a product: what an unused sum holds must not matter, were it even infinite
    const next = graph.add("select", [keep, graph.add("add", [sum, g]), g]);
    const names = new Map([
      [sum, "sum"],
      [g, "g"],
      [keep, "keep"],
    ]);
    const segment = cut({ name: "accumulate", inputs: names, outputs: [{ name: "next", node: next }] });
    const byName: Readonly<Record<string, string>> = { sum: part(`${adapter}.accumulated`), g: part(`${adapter}.gradients`), keep: "keep" };
    const bound = segment.inputs.map((input) => byName[input.name]!);
    for (const [k, end] of segment.inputs.entries()) values.set(bound[k]!, end.node.type);
    values.set(part(`${adapter}.accumulated`), flat);
    inputs.push(part(`${adapter}.gradients`));
    steps.push({ segment, inputs: bound, outputs: [part(`${adapter}.accumulated`)] });
  }
  return { steps, values, inputs, outputs: [] };
};
