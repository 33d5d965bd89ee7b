// Trained parameters that the model reads and no gradient reaches: they go through what has no derivative. Found in the unfolded graph
// without differentiating it, since a check must stay quick.

import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { AdapterParam } from "../adapters/amend.ts";
import type { AdapterPlan, InjectionPlan } from "../adapters/inject.ts";
import { type Node, reachable } from "../graph/graph.ts";
import { ops } from "../ops/index.ts";
import type { Model } from "../unfold/elaborate.ts";
import type { Context } from "../values/expressions.ts";
import { readBy } from "./check-effects.ts";

/** Names of the trained parameters on a path to the model's result along which gradients flow. */
const reachedIn = ({ stages, result }: Model): Set<string> => {
  const reached = new Set<string>();
  const ends = stages.map((): Node[] => []);
  ends.at(-1)!.push(result);
  const walked = new Map<string, ReadonlySet<Node>>();
  for (const [i, { graph, inputs }] of [...stages.entries()].reverse()) {
    // Equal layers share a graph.
    const key = `${stages.findIndex((stage) => stage.graph === graph)} ${ends[i]!.map(({ id }) => id).join()}`;
    const here = walked.get(key) ?? flowing(ends[i]!);
    walked.set(key, here);
    for (const { node, from } of inputs.values()) {
      if (!here.has(node)) continue;
      if (from.kind === "adapter") reached.add(from.param.name);
      if (from.kind === "value") ends[from.stage]!.push(from.node);
    }
  }
  return reached;
};

/** Nodes that a gradient of `ends` flows to. */
const flowing = (ends: readonly Node[]): ReadonlySet<Node> => {
  const here = new Set(ends);
  for (const node of reachable(ends).reverse()) if (here.has(node) && passes(node.op)) for (const input of node.inputs) here.add(input);
  return here;
};

/** A branch is unfolded before anything is differentiated, and has no gradient by itself. */
const passes = (op: string): boolean => {
  const known = ops.get(op);
  return op === "pick" || op === "branch" || (known?.gradient !== undefined && !known.stops);
};

/** Reports what is trained in vain, once for each name in each line. `added` are parameters that something added to the loss depends on. */
export const checkReached = (adapter: AdapterPlan, model: Model, added: ReadonlySet<string>, context: Context): void => {
  const [read, reached] = [readBy(model), reachedIn(model)];
  const said = new Set<string>();
  for (const injection of adapter.injections)
    for (const param of injection.params) {
      const key = `${injection.at.start} ${param.local}`;
      if (!param.trained || !read.has(param.name) || reached.has(param.name) || added.has(param.name) || said.has(key)) continue;
      said.add(key);
      report(injection, param, context);
    }
};

const report = ({ at, method }: InjectionPlan, param: AdapterParam, context: Context): void => {
  const all = method.members.flatMap((member) => (member.kind === "each" ? member.members : [member]));
  const declared = all.find((member) => member.kind === "param" && member.names.some(({ text }) => text === param.local));
  const place = param.name.slice(param.name.indexOf(":") + 1);
  context.report(
    diagnostics.no_gradient(
      at,
      { name: place },
      declared
        ? { notes: [{ message: "declared here", at: declared.at }], help: "let what is computed depend on it, or write `frozen param`" }
        : { help: "what the model makes of it has no derivative: narrow the pattern" },
    ),
  );
};
