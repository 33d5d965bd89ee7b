// An optimizer and a schedule from the library -> the program of one step over flat arenas: all parameters of an adapter lie
// in one buffer, their gradients in another, each state in one more, so the whole update is one elementwise kernel. What
// depends only on the step's number is taken out and computed by the host in double precision: powers like beta^t would lose
// digits in f32, and both devices then see the same bits.

import type * as tree from "../../grammar/tree.ts";
import { instead, nearest } from "../../spec/diagnostic.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { ScalarExpr } from "../../spec/job.ts";
import { bindArguments } from "../blocks/arguments.ts";
import type { Library } from "../blocks/resolve.ts";
import { createGraph, type Graph, type Node, type SegmentGraph, type TensorType } from "../graph/graph.ts";
import { expressionOf, hoist } from "../graph/hoist.ts";
import { cut, substitute } from "../graph/segments.ts";
import { type Context, evaluate, reportThrough, toNode } from "../values/expressions.ts";
import { describe, number, type Scope, scopeOf, type Value } from "../values/values.ts";
import type { ProgramGraph, Step } from "./programs.ts";
import { recordCalls } from "./record-calls.ts";

export interface Update {
  /** With paged state: the programs of one update, a page each. */
  readonly pages?: readonly ProgramGraph[];
  /** The gradients' norm, and the vector of factors that the program below reads. Nothing is changed yet. */
  readonly norm: ProgramGraph;
  readonly program: ProgramGraph;
  readonly scalars: readonly ScalarExpr[];
  readonly rate: ScalarExpr;
  /** What the schedule makes of the learning rate. */
  readonly factor: ScalarExpr;
  readonly states: readonly { readonly name: string; readonly init: number }[];
}

/** From which element of the arena on parameters learn at which multiple of the rate. */
export type Rates = readonly { readonly from: number; readonly ratio: number }[];

/** Parameters begin at multiples of this many elements; counted in these, places stay exact in f32. */
const grain = 64;

/** The multiple of the rate at each of `count` elements from `first` on. */
const ratios = (graph: Graph, count: number, first: number, rates: Rates): Node => {
  const places = graph.add("iota", [], { count: Math.ceil(count / grain) });
  const of = rates.reduceRight<Node | undefined>((after, { from, ratio }) => {
    const here = graph.constant(ratio);
    const next = rates.find((other) => other.from > from);
    return next ? graph.add("select", [graph.add("less", [places, graph.constant((next.from - first) / grain)]), here, after!]) : here;
  }, undefined)!;
  if (of.type.shape.length === 0) return of;
  const column = graph.add("reshape", [of], { shape: [Math.ceil(count / grain), 1] });
  const all = graph.add("broadcast", [column], { shape: [Math.ceil(count / grain), grain] });
  return graph.add("reshape", [all], { shape: [count] });
};

/**
 * Elements of one optimizer dispatch: as many as fit one storage binding of the smallest profile. Where every chunk is like the next,
 * fewer: the cpu device writes new values beside the old ones, and needs room for one chunk of them.
 */
export const chunkOf = (elements: number, rates: Rates): number =>
  rates.length > 0 ? 1 << 25 : Math.min(1 << 25, Math.max(1 << 18, grain * Math.ceil(elements / (64 * grain))));

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
  paged = false,
  rates: Rates = [],
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

  const states = definition.members.flatMap((member) => {
    if (member.kind !== "state") return [];
    if (member.shape)
      reportThrough(inner, member.at, (at, details) =>
        diagnostics.bad_state(at, { name: member.name.text, problem: "of an optimizer takes the parameter's shape" }, details),
      );
    const init = evaluate(member.value, scopeOf(settings), inner);
    return [{ name: member.name.text, init: init.kind === "number" ? init.value : 0 }];
  });
  const chunk = chunkOf(elements, rates);
  const counts = Array.from({ length: Math.ceil(elements / chunk) }, (_, i) => Math.min(chunk, elements - i * chunk));
  const part = (name: string, i: number): string => (counts.length === 1 ? name : `${name}[${i}]`);
  const leaves = { rate: expressionOf(rate), t: expressionOf(t), step: ["step"], total: ["total"] } as const;
  const equation = once((count, first) => equationsOf(definition, settings, states, { count, first, rates }, leaves, inner), rates);
  const equations = counts.map((count, i) => equation(count, i * chunk));
  const scalars = equations[0]?.scalars ?? [];
  if (equations.some((one) => !one)) return undefined;

  const factors = `${adapter}.factors`;
  const measure = recordCalls();
  const squared = once(squares, []);
  for (const [i, count] of counts.entries()) measure.record(squared(count, 0), { g: part(gradients, i) }, [`squares${i}`]);
  const sums = Object.fromEntries(counts.map((_, i) => [`s${i}`, `squares${i}`]));
  measure.record(clip(counts.length, scalars.length, maxNorm), { ...sums, scalars: `${adapter}.scalars` }, ["norm", factors]);
  const pages = paged
    ? pageProgram(adapter, elements, gradients, factors, states, (count, first) => equation(count, first)!.segment)
    : undefined;
  const move = recordCalls();
  for (const [i, equation] of equations.entries()) {
    const bound: Record<string, string> = { p: part(`${adapter}.parameters`, i), g: part(gradients, i), factors };
    for (const { name } of states) bound[name] = part(`${adapter}.${name}`, i);
    move.record(
      equation!.segment,
      bound,
      ["p", ...states.map((state) => state.name)].map((name) => bound[name]!),
    );
  }
  const parts = counts.map((_, i) => part(gradients, i));
  return {
    norm: {
      steps: measure.steps,
      values: measure.values,
      inputs: [...(scalars.length > 0 ? [`${adapter}.scalars`] : []), ...parts],
      outputs: ["norm", factors],
    },
    ...(pages && { pages }),
    program: { steps: move.steps, values: move.values, inputs: [factors, ...parts], outputs: [] },
    scalars,
    rate: expressionOf(rate),
    factor: expressionOf(factorNode),
    states,
  };
};

/** Elements of a page: a sixteenth of the state, 4 MiB at most; starts are multiples of 256 bytes. */
export const pageSize = (elements: number): number => Math.min(1 << 20, Math.max(4096, 64 * Math.ceil(elements / (16 * 64))));

/** Ranges of an arena that pages stand for, and where a page of state lies while it is in memory. */
export const pagesOf = (elements: number): { readonly first: number; readonly count: number; readonly place: string }[] =>
  Array.from({ length: Math.ceil(elements / pageSize(elements)) }, (_, i) => {
    const size = pageSize(elements);
    const count = Math.min(size, elements - i * size);
    return { first: i * size, count, place: count === size ? "page" : "rest" };
  });

const pageProgram = (
  adapter: string,
  elements: number,
  gradients: string,
  factors: string,
  states: readonly { readonly name: string }[],
  equation: (count: number, first: number) => SegmentGraph,
): ProgramGraph[] =>
  pagesOf(elements).map(({ first, count, place }, i) => {
    const bound: Record<string, string> = { p: `${adapter}.parameters{${i}}`, g: `${gradients}{${i}}`, factors };
    for (const { name } of states) bound[name] = `${adapter}.${name}[${place}]`;
    const one = recordCalls();
    one.record(
      equation(count, first),
      bound,
      ["p", ...states.map((state) => state.name)].map((name) => bound[name]!),
    );
    return { steps: one.steps, values: one.values, inputs: [factors, bound.g!], outputs: [] };
  });

/** Makes what a part of an arena needs. Parts of one length share it, unless rates change along the arena. */
const once = <T>(make: (count: number, first: number) => T, rates: Rates): ((count: number, first: number) => T) => {
  const made = new Map<string, T>();
  return (count, first) => {
    const key = rates.length > 0 ? `${count} ${first}` : `${count}`;
    if (!made.has(key)) made.set(key, make(count, first));
    return made.get(key)!;
  };
};

const scalarType: TensorType = { dtype: "f32", shape: [] };
const ends = (...nodes: readonly Node[]): Map<Node, string> => new Map(nodes.map((node) => [node, node.attrs.name as string]));

/** The sum of squares of one chunk of the gradients. */
const squares = (count: number): SegmentGraph => {
  const graph = createGraph();
  const g = graph.input("g", { dtype: "f32", shape: [count] });
  const sum = graph.add("sum", [graph.add("mul", [g, g])], { axes: [0], keep: false });
  return cut({ name: "squares", inputs: ends(g), outputs: [{ name: "sum", node: sum }] });
};

/** A sum by halves: of thousands of chunks a chain would be as deep as it is long. */
const halved = (graph: Graph, nodes: readonly Node[]): Node => {
  const [first, second] = nodes;
  if (!second) return first!;
  const middle = nodes.length >> 1;
  return graph.add("add", [halved(graph, nodes.slice(0, middle)), halved(graph, nodes.slice(middle))]);
};

/** The norm over all gradients, and every factor of the update in one vector: how much gradients shrink, then the host's scalars. */
const clip = (parts: number, scalarCount: number, maxNorm: number | undefined): SegmentGraph => {
  const graph = createGraph();
  const sums = Array.from({ length: parts }, (_, i) => graph.input(`s${i}`, scalarType));
  const scalars = graph.input("scalars", { dtype: "f32", shape: [scalarCount] });
  const norm = graph.add("sqrt", [halved(graph, sums)]);
  const vector = (node: Node): Node => graph.add("reshape", [node], { shape: [1] });
  const shrink =
    maxNorm === undefined
      ? graph.constant(1, [1])
      : vector(
          graph.add("min", [
            graph.constant(1),
            graph.add("div", [graph.constant(maxNorm), graph.add("add", [norm, graph.constant(1e-6)])]),
          ]),
        );
  const factors = scalarCount > 0 ? graph.add("concat", [shrink, scalars], { axis: 0 }) : graph.add("mul", [shrink, graph.constant(1)]);
  return cut({
    name: "clip",
    inputs: ends(...sums, scalars),
    outputs: [
      { name: "norm", node: norm },
      { name: "factors", node: factors },
    ],
  });
};

/** The update as the definition writes it, over `count` parameters. Undefined after a report. */
const equationsOf = (
  definition: tree.OptimizerDef,
  settings: ReadonlyMap<string, Value>,
  states: readonly { readonly name: string }[],
  { count, first, rates }: { readonly count: number; readonly first: number; readonly rates: Rates },
  leaves: Readonly<Record<string, ScalarExpr>>,
  context: Context,
): { readonly segment: SegmentGraph; readonly scalars: readonly ScalarExpr[] } | undefined => {
  const graph = createGraph();
  const local: Context = { ...context, stage: { graph, index: 0 } };
  const flat: TensorType = { dtype: "f32", shape: [count] };
  const tensor = (node: Node): Value => ({ kind: "tensor", node, stage: 0 });
  const shrink = graph.input("shrink", scalarType);
  const [p, g] = [graph.input("p", flat), graph.input("g", flat)];
  const bound = new Map<string, Value>(settings);
  bound.set("p", tensor(p)).set("g", tensor(graph.add("mul", [g, shrink])));
  for (const name of ["rate", "t"]) bound.set(name, tensor(graph.input(name, scalarType)));
  if (rates.length > 0) bound.set("rate", tensor(graph.add("mul", [graph.input("rate", scalarType), ratios(graph, count, first, rates)])));
  for (const { name } of states) bound.set(name, tensor(graph.input(name, flat)));
  const assigned = ["p", ...states.map((state) => state.name)];
  for (const member of definition.members) {
    if (member.kind === "let") bound.set(member.name.text, evaluate(member.value, scopeOf(bound), local));
    if (member.kind !== "bind") continue;
    const name = member.target[0]!;
    if (member.target.length === 1 && assigned.includes(name.text)) bound.set(name.text, evaluate(member.value, scopeOf(bound), local));
    else {
      const near = nearest(name.text, assigned);
      context.report(diagnostics.unknown_name(name.at, { name: name.text }, instead(name.at, near)));
    }
  }
  const nodes = assigned.map((name) => toNode(bound.get(name)!, local));
  if (!nodes.every((node) => node !== undefined)) return undefined;
  // Placeholders first: how long the vector is shows only after hoisting.
  const hoisted = hoist(graph, nodes, leaves, (i) => graph.input(`scalar ${i}`, scalarType));
  const factors = graph.input("factors", { dtype: "f32", shape: [1 + hoisted.scalars.length] });
  const factor = (i: number): Node => graph.add("reshape", [graph.add("slice", [factors], { axis: 0, from: i, to: i + 1 })], { shape: [] });
  const replaced = new Map([
    [shrink, factor(0)],
    ...hoisted.scalars.map((_, i) => [graph.input(`scalar ${i}`, scalarType), factor(i + 1)] as const),
  ]);
  const outputs = substitute(graph, hoisted.outputs, replaced)!;
  const inputs = ends(p, g, factors, ...states.map(({ name }) => graph.input(name, flat)));
  const segment = cut({ name: "update", inputs, outputs: outputs.map((node, k) => ({ name: `${assigned[k]}_next`, node })) });
  return { segment, scalars: hoisted.scalars };
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

/** accumulated = gradients, plus what was accumulated unless `keep` is 0 (a step's first micro-batch). */
export const buildAccumulate = (adapter: string, elements: number, rates: Rates): ProgramGraph => {
  const chunk = chunkOf(elements, rates);
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
