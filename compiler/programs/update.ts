// An optimizer and a schedule from the library -> the program of one step over flat arenas: all parameters of an adapter lie
// in one buffer, their gradients in another, each state in one more, so the whole update is one elementwise kernel. What
// depends only on the step's number is taken out and computed by the host in double precision: powers like beta^t would lose
// digits in f32, and both devices then see the same bits. A state that is kept in a format is read back where the update reads it, and
// stored by a call of its own once its new values are there.

import type * as tree from "../../grammar/tree.ts";
import { instead, nearest } from "../../spec/diagnostic.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { ScalarExpr } from "../../spec/job.ts";
import { bindArguments } from "../blocks/arguments.ts";
import type { Library } from "../blocks/resolve.ts";
import { createGraph, type Graph, type Node, type SegmentGraph, type TensorType } from "../graph/graph.ts";
import { expressionOf, hoist } from "../graph/hoist.ts";
import { cut, substitute } from "../graph/segments.ts";
import { decoded, type FormatPlan } from "../model/format.ts";
import { encoded } from "../model/format-encode.ts";
import { type Context, evaluate, reportThrough, toNode } from "../values/expressions.ts";
import { describe, number, type Scope, scopeOf, type Value } from "../values/values.ts";
import { type Arena, arraysOf, chunksOf, grain, type Part, pagesOf, type Rates, type StateFormats } from "./arena.ts";
import type { ProgramGraph, Step } from "./programs.ts";
import { recordCalls } from "./record-calls.ts";

export interface Update {
  /** With paged state: the programs of one update, a page each. */
  readonly pages?: readonly { readonly part: Part; readonly program: ProgramGraph }[];
  /** The gradients' norm, and the vector of factors that the program below reads. Nothing is changed yet. */
  readonly norm: ProgramGraph;
  readonly program: ProgramGraph;
  readonly scalars: readonly ScalarExpr[];
  readonly rate: ScalarExpr;
  /** What the schedule makes of the learning rate. */
  readonly factor: ScalarExpr;
  readonly states: readonly { readonly name: string; readonly init: number }[];
}

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

export const buildUpdate = (
  adapter: string,
  arena: Arena,
  gradients: string,
  optimizer: tree.Call,
  schedule: tree.Call | undefined,
  maxNorm: number | undefined,
  library: Library,
  scope: Scope,
  context: Context,
  paged = false,
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
  const { rates } = arena;
  const chunks = chunksOf(arena);
  const place = (name: string, i: number): string => (chunks.length === 1 ? name : `${name}[${i}]`);
  const leaves = { rate: expressionOf(rate), t: expressionOf(t), step: ["step"], total: ["total"] } as const;
  const equation = once((part) => equationsOf(definition, settings, states, part, rates, leaves, inner), rates);
  const equations = chunks.map(equation);
  const scalars = equations[0]?.scalars ?? [];
  if (equations.some((one) => !one)) return undefined;

  const factors = `${adapter}.factors`;
  const measure = recordCalls();
  const squared = once(squares, []);
  for (const [i, chunk] of chunks.entries()) measure.record(squared(chunk), { g: place(gradients, i) }, [`squares${i}`]);
  const sums = Object.fromEntries(chunks.map((_, i) => [`s${i}`, `squares${i}`]));
  measure.record(clip(chunks.length, scalars.length, maxNorm), { ...sums, scalars: `${adapter}.scalars` }, ["norm", factors]);
  const arrays = new Map(states.map(({ name }) => [name, arraysOf(arena, name)]));
  const stores = new Map<string, (part: Part) => SegmentGraph>();
  /** The calls that move one part: the equation, then what stores the states that it made. `suffixed` names the part's range of an array. */
  const moved = (part: Part, p: string, g: string, suffixed: (array: string) => string): ProgramGraph => {
    const move = recordCalls();
    const bound: Record<string, string> = { p, g, factors };
    const made: string[] = [];
    for (const { name } of states) {
      for (const { suffix, rangeOf } of arrays.get(name)!)
        if (rangeOf(part)) bound[name + suffix] = suffixed(`${adapter}.${name}${suffix}`);
      made.push(part.stretch.formats.has(name) ? suffixed(`${adapter}.${name} next`) : bound[name]!);
    }
    move.record(equation(part)!.segment, bound, [p, ...made]);
    for (const [i, { name }] of states.entries()) {
      const format = part.stretch.formats.get(name);
      if (!format) continue;
      const store = stores.get(format.label) ?? once(({ count }) => storing(format, count), []);
      stores.set(format.label, store);
      const segment = store(part);
      move.record(
        segment,
        { x: made[i]! },
        segment.outputs.map((output) => bound[name + output.name]!),
      );
    }
    return { steps: move.steps, values: move.values, inputs: [factors, g], outputs: [] };
  };
  const pages = paged
    ? pagesOf(arena).map((part, i) => ({
        part,
        program: moved(part, `${adapter}.parameters{${i}}`, `${gradients}{${i}}`, (array) => `${array}{${i}}`),
      }))
    : undefined;
  const moves = chunks.map((part, i) => moved(part, place(`${adapter}.parameters`, i), place(gradients, i), (array) => place(array, i)));
  const parts = chunks.map((_, i) => place(gradients, i));
  return {
    norm: {
      steps: measure.steps,
      values: measure.values,
      inputs: [...(scalars.length > 0 ? [`${adapter}.scalars`] : []), ...parts],
      outputs: ["norm", factors],
    },
    ...(pages && { pages }),
    program: {
      steps: moves.flatMap(({ steps }) => steps),
      values: new Map(moves.flatMap(({ values }) => [...values])),
      inputs: [factors, ...parts],
      outputs: [],
    },
    scalars,
    rate: expressionOf(rate),
    factor: expressionOf(factorNode),
    states,
  };
};

/** Makes what a part of an arena needs. Parts of one length and kind share it, unless rates change along the arena. */
const once = <T>(make: (part: Part) => T, rates: Rates): ((part: Part) => T) => {
  const made = new Map<string, T>();
  return (part) => {
    const { first, count, stretch } = part;
    const key = `${count} ${[...stretch.formats.keys()]}${rates.length > 0 ? ` ${first}` : ""}`;
    if (!made.has(key)) made.set(key, make(part));
    return made.get(key)!;
  };
};

const scalarType: TensorType = { dtype: "f32", shape: [] };
const ends = (...nodes: readonly Node[]): Map<Node, string> => new Map(nodes.map((node) => [node, node.attrs.name as string]));

/** The sum of squares of one chunk of the gradients. */
const squares = ({ count }: Part): SegmentGraph => {
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

/** The pieces of a state's new values. */
const storing = (format: FormatPlan, count: number): SegmentGraph => {
  const graph = createGraph();
  const x = graph.input("x", { dtype: "f32", shape: [count] });
  const outputs = [...encoded(graph, format, x)].map(([name, node]) => ({ name, node }));
  return cut({ name: "store", inputs: ends(x), outputs });
};

/** The update as the definition writes it, over a part of the arena. Undefined after a report. */
const equationsOf = (
  definition: tree.OptimizerDef,
  settings: ReadonlyMap<string, Value>,
  states: readonly { readonly name: string }[],
  { count, first, stretch: { formats } }: Part,
  rates: Rates,
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
  const read = new Map(states.map(({ name }) => [name, stateOf(graph, name, formats, count)]));
  for (const [name, { value }] of read) bound.set(name, tensor(value));
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
  const inputs = ends(p, g, factors, ...[...read.values()].flatMap(({ leaves }) => leaves));
  const segment = cut({ name: "update", inputs, outputs: outputs.map((node, k) => ({ name: `${assigned[k]}_next`, node })) });
  return { segment, scalars: hoisted.scalars };
};

/** A state where the update reads it, and the inputs that it is read from. */
const stateOf = (graph: Graph, name: string, formats: StateFormats, count: number): { readonly value: Node; readonly leaves: Node[] } => {
  const leaves: Node[] = [];
  const leaf = (suffix: string, type: TensorType): Node => {
    const node = graph.input(name + suffix, type);
    leaves.push(node);
    return node;
  };
  const format = formats.get(name);
  const value = format ? decoded(graph, format, [count], leaf) : leaf("", { dtype: "f32", shape: [count] });
  return { value, leaves };
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
export const buildAccumulate = (adapter: string, arena: Arena): ProgramGraph => {
  const chunks = chunksOf(arena);
  const steps: Step[] = [];
  const values = new Map<string, TensorType>();
  const inputs: string[] = ["keep"];
  for (const [i, { count }] of chunks.entries()) {
    const part = (name: string): string => (chunks.length === 1 ? name : `${name}[${i}]`);
    const graph = createGraph();
    const flat: TensorType = { dtype: "f32", shape: [count] };
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
