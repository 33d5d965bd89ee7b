// Stages -> programs: lists of segment calls over named values. Training runs every stage forward, keeping what the backward
// pass will need, then backward from the loss; evaluation and generation run forward only. Values are named here and placed
// by plan.ts.

import { type AssociateOptions, associate, reassociate } from "../graph/associate.ts";
import { differentiate } from "../graph/differentiate.ts";
import { type Graph, type Node, reachable, type SegmentGraph, type TensorType } from "../graph/graph.ts";
import { lookUpRows } from "../graph/look-up-rows.ts";
import { alongTokens } from "../graph/over-tokens.ts";
import { cut, substitute } from "../graph/segments.ts";
import { ops } from "../ops/index.ts";
import type { Model } from "../unfold/elaborate.ts";
import { boundTo, gradientOf, type Stage, type StageInput } from "../unfold/stage.ts";
import { symbolsOf } from "../values/dims.ts";
import { inHalves } from "./in-halves.ts";

export interface Step {
  readonly segment: SegmentGraph;
  /** Value names, one per end of the segment. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

export interface ProgramGraph {
  readonly steps: readonly Step[];
  /** Types of all values that occur. */
  readonly values: ReadonlyMap<string, TensorType>;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

export interface ProgramOptions {
  readonly sizes: Readonly<Record<string, number>>;
  readonly vocabulary: number;
  /** Layers of the repeated part, from the first, whose activations are not kept but computed again. */
  readonly recompute?: number;
  /** Activations and their gradients have 16 bits. */
  readonly half?: boolean;
}

/** One stage after association, with the names of everything it reads. */
export interface Prepared {
  readonly stage: Stage;
  readonly graph: Graph;
  /** What later stages use, rewritten; for the last stage the loss or the logits. */
  readonly outputs: readonly Node[];
  /** All inputs of the stage's graph that may occur: node -> where from. */
  readonly inputs: Map<Node, { readonly name: string; readonly from: StageInput }>;
}

const valueName = (from: StageInput, prepared: readonly Prepared[]): string =>
  boundTo(from, (index, node) => {
    const { stage } = prepared[index]!;
    return `${stage.name}/${stage.outputs.indexOf(node)}`;
  });

const isTrained = (from: StageInput): boolean => from.kind === "adapter" && from.param.trained;

export const prepare = (
  model: Model,
  training: boolean,
  { sizes }: ProgramOptions,
  finish: (last: Prepared, logits: Node, input: (name: string, type: TensorType) => Node) => readonly Node[],
): Prepared[] => {
  // Equal layers share a graph, and so everything that follows from it.
  const known = new Map<Graph, Prepared>();
  return model.stages.map((stage, index) => {
    const { graph } = stage;
    const inputs: Prepared["inputs"] = new Map([...stage.inputs].map(([name, { node, from }]) => [node, { name, from }]));
    const same = known.get(graph);
    if (same && index < model.stages.length - 1 && sameNodes(same.stage.outputs, stage.outputs)) {
      for (const [node, { name, from }] of same.inputs)
        if (from.kind === "batch") inputs.set(node, { name, from: name === "seed" ? { kind: "batch", name: `seed.${stage.name}` } : from });
      return { stage, graph, outputs: same.outputs, inputs };
    }
    const batch = (name: string, type: TensorType, value = name): Node => {
      const node = graph.input(name, type);
      inputs.set(node, { name, from: { kind: "batch", name: value } });
      return node;
    };
    const options: AssociateOptions = {
      sizes,
      training,
      trained: new Set([...inputs].filter(([, { from }]) => isTrained(from) || from.kind === "value").map(([node]) => node)),
      seed: () => batch("seed", { dtype: "i32", shape: [] }, `seed.${stage.name}`),
    };
    const base: Prepared = { stage, graph, outputs: stage.outputs, inputs };
    const last = index === model.stages.length - 1;
    const outputs = last ? finish(base, model.result, batch) : stage.outputs;
    const prepared: Prepared = { ...base, outputs: associate(graph, lookUpRows(graph, outputs), options) };
    known.set(graph, prepared);
    return prepared;
  });
};

const sameNodes = (a: readonly Node[], b: readonly Node[]): boolean => a.length === b.length && a.every((node, i) => node === b[i]);

/** Only the chosen rows go through what is computed for each token alone: `rows` indexes [b·t]. */
const selectRows = (last: Prepared, logits: Node, input: (name: string, type: TensorType) => Node): Node => {
  const rows = input("rows", { dtype: "i32", shape: ["n"] });
  // One result for a whole row: `rows` are rows of the batch.
  if (logits.type.shape.length === 2) return last.graph.add("take_rows", [logits, rows]);
  const mixes = reachable([logits]).some((node) => ops.get(node.op)?.mixes === "time" || alongTokens(node));
  if (!mixes) {
    const replaced = new Map(
      [...last.inputs].flatMap(([node, { from }]) =>
        from.kind === "value" ? [[node, last.graph.add("take_rows", [node, rows])] as const] : [],
      ),
    );
    // The replaced inputs stay inputs of the take_rows nodes; everything after them sees [n, …].
    const [selected] = substitute(last.graph, [logits], replaced) ?? [];
    // Where the last part has something of its own for each row of the batch, a list of tokens no longer says which row they are of.
    if (selected && selected.type.shape.length === logits.type.shape.length - 1) return selected;
  }
  return last.graph.add("take_rows", [logits, rows]);
};

const lossOf = (last: Prepared, logits: Node, input: (name: string, type: TensorType) => Node): Node =>
  lossOver(last, selectRows(last, logits, input), input);

const lossOver = ({ graph }: Prepared, chosen: Node, input: (name: string, type: TensorType) => Node): Node => {
  const losses = graph.add("cross_entropy", [chosen, input("targets", { dtype: "i32", shape: ["n"] })]);
  return graph.add("mul", [graph.add("sum", [losses], { axes: [0], keep: false }), input("scale", { dtype: "f32", shape: [] })]);
};

/** Collects steps and the types of the values they touch. */
export const recorder = (prepared: readonly Prepared[]) => {
  const steps: Step[] = [];
  const values = new Map<string, TensorType>();
  const cuts = new Map<string, SegmentGraph>();
  const graphs = new Map<Graph, number>();
  const add = (
    graph: Graph,
    name: string,
    ends: ReadonlyMap<Node, { readonly name: string; readonly value: string }>,
    outputs: readonly { readonly name: string; readonly value: string; readonly node: Node }[],
  ): void => {
    if (!graphs.has(graph)) graphs.set(graph, graphs.size);
    const key = `${graphs.get(graph)} ${name} ${[...ends].map(([node, end]) => `${node.id}:${end.name}`).join()} ${outputs.map((output) => `${output.node.id}:${output.name}`).join()}`;
    const segment = cuts.get(key) ?? cut({ name, inputs: new Map([...ends].map(([node, end]) => [node, end.name])), outputs });
    cuts.set(key, segment);
    const byName = new Map([...ends.values()].map((end) => [end.name, end.value]));
    const inputs = segment.inputs.map((input) => byName.get(input.name)!);
    for (const [i, input] of segment.inputs.entries()) if (!values.has(inputs[i]!)) values.set(inputs[i]!, input.node.type);
    for (const [i, output] of segment.outputs.entries()) values.set(outputs[i]!.value, output.node.type);
    steps.push({ segment, inputs, outputs: outputs.map((output) => output.value) });
  };
  const endsOf = (p: Prepared): Map<Node, { name: string; value: string }> =>
    new Map([...p.inputs].map(([node, { name, from }]) => [node, { name, value: valueName(from, prepared) }]));
  const finish = (outputs: readonly string[]): ProgramGraph => {
    const written = new Set<string>();
    const inputs = new Set<string>();
    for (const step of steps) {
      for (const value of step.inputs) if (!written.has(value)) inputs.add(value);
      for (const value of step.outputs) written.add(value);
    }
    return { steps, values, inputs: [...inputs], outputs };
  };
  return { add, endsOf, finish };
};

/** Segment names are for people; equal layers share one, so the index is dropped. */
const kindOf = (stage: Stage): string => stage.name.replace(/\.\d+$/, "");

/** The loss of the chosen rows, and how many of their targets were the likeliest. */
export const evaluationProgram = (model: Model, options: ProgramOptions): ProgramGraph =>
  forwardProgram(
    prepare(model, false, options, (last, logits, input) => {
      const chosen = selectRows(last, logits, input);
      const hits = last.graph.add("likeliest", [chosen, input("targets", { dtype: "i32", shape: ["n"] })]);
      return [lossOver(last, chosen, input), last.graph.add("sum", [hits], { axes: [0], keep: false })];
    }),
    ["loss", "right"],
    "evaluate",
  );

/** A stage run forward: its results by their own names, or by those given. */
export const forwardOf = (record: ReturnType<typeof recorder>, p: Prepared, verb: string, results?: readonly string[]): void =>
  record.add(
    p.graph,
    `${kindOf(p.stage)}.${verb}`,
    record.endsOf(p),
    p.outputs.map((node, k) => ({ name: results?.[k] ?? `y${k}`, value: results?.[k] ?? `${p.stage.name}/${k}`, node })),
  );

const forwardProgram = (prepared: readonly Prepared[], results: readonly string[], verb: string): ProgramGraph => {
  const record = recorder(prepared);
  for (const [i, p] of prepared.entries())
    if (p.outputs.length > 0) forwardOf(record, p, verb, i === prepared.length - 1 ? results : undefined);
  return record.finish(results);
};

/** Tokens in, logits of chosen rows out, with what mixes time reading and writing caches [b, s, …]. */
export const generationProgram = (model: Model, options: ProgramOptions): ProgramGraph => {
  const prepared = prepare(model, false, options, (last, logits, input) => [selectRows(last, logits, input)]);
  const record = recorder(prepared);
  for (const [i, p] of prepared.entries()) {
    if (p.outputs.length === 0) continue;
    const last = i === prepared.length - 1;
    const ends = record.endsOf(p);
    const caches: { name: string; value: string; node: Node }[] = [];
    const outputs = substitute(p.graph, p.outputs, new Map(), (node, inputs) => {
      const cache = ops.get(node.op)?.cache;
      if (!cache) return undefined;
      const keep = (input: Node): Node => {
        // What no token adds to, such as slots that are parameters or what an encoder read, is there anew at each step.
        if (!symbolsOf([input.type.shape[1]!]).includes("t")) return input;
        const behind = ops.get(input.op)?.behind;
        if (behind !== undefined)
          return p.graph.add(
            input.op,
            input.inputs.map((inner, k) => (k === behind ? keep(inner) : inner)),
            input.attrs,
            input.origin,
          );
        const name = `cache${caches.length}`;
        const value = `cache(${p.stage.name}, ${caches.length})`;
        const old = p.graph.input(name, { dtype: input.type.dtype, shape: [input.type.shape[0]!, "s", ...input.type.shape.slice(2)] });
        ends.set(old, { name, value });
        const next = p.graph.add("cache_write", [old, input, tokenPositions(p.graph, inputs[cache.positions]!)]);
        caches.push({ name: `${name}_next`, value, node: next });
        return next;
      };
      const kept = inputs.map((input, k) => (cache.inputs.includes(k) ? keep(input) : input));
      return p.graph.add(node.op, kept, node.attrs, node.origin);
    })!;
    record.add(p.graph, `${kindOf(p.stage)}.generate`, ends, [
      ...outputs.map((node, k) => ({ name: last ? "logits" : `y${k}`, value: last ? "logits" : `${p.stage.name}/${k}`, node })),
      ...caches,
    ]);
  }
  return record.finish(["logits"]);
};

/** Of what an op says about each query, its own position: [b, t], or the last of several numbers [b, t, n]. */
const tokenPositions = (graph: Graph, node: Node): Node => {
  const [b, t, n] = node.type.shape;
  if (typeof n !== "number") return node;
  return graph.add("reshape", [graph.add("slice", [node], { axis: 2, from: n - 1, to: n })], { shape: [b!, t!] });
};

export const trainingProgram = (model: Model, options: ProgramOptions): ProgramGraph => {
  const prepared = prepare(model, true, options, (last, logits, input) => [lossOf(last, logits, input)]);
  const record = recorder(prepared);

  // What depends on something trained: only there do gradients flow. Backward passes are built first: they say what
  // forward must keep. Equal layers with equal live inputs share both.
  const live: ReadonlySet<Node>[] = [];
  const known = new Map<string, { readonly live: ReadonlySet<Node>; readonly backward: Backward }>();
  const graphs = new Map<Graph, number>();
  const backward = prepared.map((p, i) => {
    const starts = new Set<Node>();
    for (const [node, { from }] of p.inputs) {
      const source = from.kind === "value" ? prepared[from.stage]! : undefined;
      if (
        isTrained(from) ||
        (source && from.kind === "value" && live[from.stage]!.has(source.outputs[source.stage.outputs.indexOf(from.node)]!))
      )
        starts.add(node);
    }
    if (!graphs.has(p.graph)) graphs.set(p.graph, graphs.size);
    const key = `${graphs.get(p.graph)} ${[...starts].map((node) => node.id).join()} ${p.outputs.map((node) => node.id).join()}`;
    const found = known.get(key);
    if (found) {
      live.push(found.live);
      return found.backward;
    }
    const here = new Set<Node>();
    for (const node of reachable(p.outputs)) if (starts.has(node) || node.inputs.some((input) => here.has(input))) here.add(node);
    live.push(here);
    const built = buildBackward(p, here, i === prepared.length - 1, options);
    known.set(key, { live: here, backward: built });
    return built;
  });
  const savedOf = (p: Prepared, i: number) =>
    backward[i]!.saved.map((node, k) => ({ name: `saved${k}`, value: `${p.stage.name}/saved${k}`, node }));
  // Stage 0 is what stands before the layers. Of an earlier layer the activations are kept longest, so those go first.
  const again = (i: number): boolean => i >= 1 && i <= (options.recompute ?? 0) && backward[i]!.saved.length > 0;
  for (const [i, p] of prepared.entries()) {
    if (i === prepared.length - 1 || p.outputs.length === 0) continue;
    record.add(p.graph, `${kindOf(p.stage)}.forward`, record.endsOf(p), [
      ...p.outputs.map((node, k) => ({ name: `y${k}`, value: `${p.stage.name}/${k}`, node })),
      ...(again(i) ? [] : savedOf(p, i)),
    ]);
  }

  // Contributions still to come per gradient, so that the last one writes the final place.
  const remaining = new Map<string, number>();
  const sums = new Map<string, string>();
  const target = (p: Prepared, node: Node): string => gradientOf(valueName(p.inputs.get(node)!.from, prepared));
  for (const [i, p] of prepared.entries())
    for (const node of backward[i]!.gradients.keys()) remaining.set(target(p, node), (remaining.get(target(p, node)) ?? 0) + 1);

  for (let i = prepared.length - 1; i >= 0; i--) {
    const p = prepared[i]!;
    const { gradients, saved, seeds } = backward[i]!;
    const last = i === prepared.length - 1;
    if (gradients.size === 0 && !last) continue;
    // Where 16 bits carry gradients they are of a token's loss, and its share in the batch's is taken at the end, in f32.
    const share = options.half ? shareOf(p) : undefined;
    if (again(i)) record.add(p.graph, `${kindOf(p.stage)}.recompute`, record.endsOf(p), savedOf(p, i));
    const ends = record.endsOf(p);
    for (const [k, node] of saved.entries()) ends.set(node, { name: `saved${k}`, value: `${p.stage.name}/saved${k}` });
    for (const [k, node] of seeds) ends.set(node, { name: `d${k}`, value: sums.get(gradientOf(`${p.stage.name}/${k}`))! });
    const outputs: { name: string; value: string; node: Node }[] = last ? [{ name: "loss", value: "loss", node: p.outputs[0]! }] : [];
    for (const [input, gradient] of gradients) {
      const name = target(p, input);
      const left = remaining.get(name)! - 1;
      remaining.set(name, left);
      let node = share && !name.includes("/") ? p.graph.add("mul", [gradient, share]) : gradient;
      const before = sums.get(name);
      if (before !== undefined) {
        const sum = p.graph.input(`sum(${p.inputs.get(input)!.name})`, input.type);
        ends.set(sum, { name: `sum(${p.inputs.get(input)!.name})`, value: before });
        node = p.graph.add("add", [sum, node]);
      }
      const value = left === 0 ? name : `${name}+${left}`;
      sums.set(name, value);
      outputs.push({ name: `d(${p.inputs.get(input)!.name})`, value, node });
    }
    record.add(p.graph, `${kindOf(p.stage)}.${last ? "loss" : "backward"}`, ends, outputs);
  }
  const program = record.finish(["loss", ...[...remaining.keys()].filter((name) => !name.includes("/"))]);
  return options.half ? inHalves(program) : program;
};

/** One parameter as its adapter rebinds it: the base's tensor goes in as "base", so that merging streams. */
export const mergeProgram = (model: Model, path: string): ProgramGraph => {
  const stage = model.stages[0]!;
  const values = new Map<string, TensorType>();
  const names = new Map<Node, string>();
  const bound = new Map<string, string>();
  for (const [name, { node, from }] of stage.inputs) {
    names.set(node, name);
    bound.set(name, from.kind === "param" && from.param.path === path ? "base" : valueName(from, []));
  }
  const segment = cut({ name: "merge", inputs: names, outputs: [{ name: "merged", node: model.result }] });
  const inputs = segment.inputs.map((input) => bound.get(input.name)!);
  for (const [i, input] of segment.inputs.entries()) values.set(inputs[i]!, input.node.type);
  values.set("merged", model.result.type);
  return { steps: [{ segment, inputs, outputs: ["merged"] }], values, inputs, outputs: ["merged"] };
};

/** The share of a token in the loss. */
const shareOf = ({ graph, inputs }: Prepared): Node => {
  const node = graph.input("scale", { dtype: "f32", shape: [] });
  inputs.set(node, { name: "scale", from: { kind: "batch", name: "scale" } });
  return node;
};

interface Backward {
  /** Gradient of each input that wants one. */
  readonly gradients: ReadonlyMap<Node, Node>;
  /** Forward nodes that the backward pass reads. */
  readonly saved: readonly Node[];
  /** Incoming gradients, by index of the output. */
  readonly seeds: ReadonlyMap<number, Node>;
}

const buildBackward = (p: Prepared, live: ReadonlySet<Node>, last: boolean, options: ProgramOptions): Backward => {
  const { graph } = p;
  const wanted = new Set([...p.inputs].filter(([node]) => live.has(node)).map(([node]) => node));
  const seeds = new Map<number, Node>();
  const d = new Map<Node, Node>();
  for (const [k, node] of p.outputs.entries()) {
    if (!live.has(node)) continue;
    const seed = last
      ? options.half
        ? graph.add("div", [graph.constant(1), shareOf(p)])
        : graph.constant(1)
      : graph.input(`d${k}`, node.type);
    if (!last) seeds.set(k, seed);
    d.set(node, seed);
  }
  if (d.size === 0 || wanted.size === 0) return { gradients: new Map(), saved: [], seeds };
  const forward = new Set(reachable(p.outputs));
  const raw = differentiate(graph, d, wanted);
  const keys = [...raw.keys()];
  const roots = reassociate(graph, [...raw.values()], {
    sizes: options.sizes,
    training: true,
    trained: wanted,
    seed: () => graph.constant(0),
  });
  const gradients = new Map(keys.map((key, k) => [key, roots[k]!]));
  return { gradients, saved: last ? [] : chooseSaved(roots, forward, p), seeds };
};

/**
 * Forward results that the backward pass reads, less those that are cheaper to compute again: an elementwise result of
 * things that are kept anyway costs less than its own trip to memory. What depends on parameters alone (a weight with its
 * delta added) is always computed again: kept, it would double the memory of the weights.
 */
const chooseSaved = (roots: readonly Node[], outputs: ReadonlySet<Node>, p: Prepared): Node[] => {
  // An output of a forward node belongs to forward even if only the backward pass takes it (attention's log-sum-exp).
  const forward = new Set(outputs);
  for (const node of reachable(roots)) if (node.op === "pick" && forward.has(node.inputs[0]!)) forward.add(node);
  const given = (node: Node): boolean => p.inputs.has(node) || node.inputs.length === 0;
  const weights = new Set<Node>();
  for (const node of forward) {
    const from = p.inputs.get(node)?.from;
    if (
      from
        ? from.kind === "param" || from.kind === "adapter"
        : node.op === "constant" || (node.inputs.length > 0 && node.inputs.every((input) => weights.has(input)))
    )
      weights.add(node);
  }
  const isWeight = (node: Node): boolean => weights.has(node);
  const crossing = new Set<Node>();
  for (const node of reachable(roots))
    if (!forward.has(node)) for (const input of node.inputs) if (forward.has(input) && !given(input)) crossing.add(input);
  for (const node of crossing) if (node.types || isWeight(node)) crossing.delete(node);
  const kept = new Set(crossing);
  const cheap = (node: Node): boolean => {
    const form = ops.get(node.op)?.wgsl;
    return form?.form === "map" || form?.form === "flat" || (form?.form === "element" && form.cost === "view");
  };
  const recomputable = (node: Node, depth: number): boolean =>
    given(node) ||
    isWeight(node) ||
    kept.has(node) ||
    (depth > 0 && cheap(node) && node.inputs.every((input) => recomputable(input, depth - 1)));
  for (const node of [...crossing].sort((a, b) => b.id - a.id)) {
    if (!cheap(node)) continue;
    kept.delete(node);
    if (!node.inputs.every((input) => recomputable(input, 4))) kept.add(node);
  }
  return [...kept].sort((a, b) => a.id - b.id);
};
