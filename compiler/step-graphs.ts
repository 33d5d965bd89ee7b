// An adapter -> what its methods bind of a training's step, a graph for each module they amend.

import type { Amendment } from "./amend.ts";
import type { End } from "./clocked-program.ts";
import { differentiate } from "./differentiate.ts";
import { elaborate } from "./elaborate.ts";
import type { Context } from "./expressions.ts";
import type { Graph, Node } from "./graph.ts";
import type { AdapterPlan } from "./inject.ts";
import { type Instance, modulesOf } from "./instantiate.ts";
import { layersOf } from "./layers.ts";
import { gradientOf, type StageInput } from "./stage.ts";
import { bindsStep } from "./training-bindings.ts";
import { describe, number } from "./values.ts";

/** One amendment's rules. */
export interface StepGraph {
  readonly amendment: Amendment;
  readonly graph: Graph;
  /** Everything it reads. */
  readonly inputs: readonly End[];
  /** Trained parameters among them. */
  readonly trained: readonly End[];
  /** By the names of step-rules.ts. */
  readonly results: ReadonlyMap<string, Node>;
}

type RuleContext = Pick<Context, "report" | "through">;

/** The amendments of an adapter that bind something of a step, in model order. */
export const bindingStep = (adapter: string, root: Instance): readonly Amendment[] =>
  [...modulesOf(root)].flatMap(({ amendments }) => amendments.filter((own) => own.adapter === adapter && bindsStep(own.members)));

/** The value behind an input. */
const valueBehind = (from: StageInput): string => {
  switch (from.kind) {
    case "param":
      return `${from.param.path}${from.piece ?? ""}`;
    case "adapter":
      return from.param.name;
    case "gradient":
      return gradientOf(from.param.name);
    case "batch":
      return from.name;
    case "value":
      throw new Error("a rule reads no earlier stage");
  }
};

/** Undefined after a report. */
const graphOf = (
  amendment: Amendment,
  all: readonly Amendment[],
  root: Instance,
  adapters: ReadonlyMap<string, AdapterPlan>,
  context: RuleContext,
): StepGraph | undefined => {
  const alike = all.filter(({ at, members }) => at === amendment.at && members === amendment.members);
  const targets = alike.reduce((sum, { module }) => sum + Number(module.stack ?? 1), 0);
  const choice = { layers: layersOf(amendment.adapter, adapters), training: false };
  const model = elaborate(root, choice, { amendment, step: { targets: number(targets) } }, context);
  if (!model?.results) return undefined;
  const { graph, inputs } = model.stages[0]!;
  const ends = [...inputs].flatMap(([port, { node, from }]): (End & { readonly trained: boolean })[] => {
    return [{ node, port, value: valueBehind(from), trained: from.kind === "adapter" && from.param.trained }];
  });
  return { amendment, graph, inputs: ends, trained: ends.filter(({ trained }) => trained), results: model.results };
};

/** Undefined after a report. */
export const stepGraphs = (
  adapter: string,
  root: Instance,
  adapters: ReadonlyMap<string, AdapterPlan>,
  context: RuleContext,
): readonly StepGraph[] | undefined => {
  const all = bindingStep(adapter, root);
  const graphs = all.flatMap((amendment) => graphOf(amendment, all, root, adapters, context) ?? []);
  return graphs.length === all.length ? graphs : undefined;
};

/** The gradient of what is added to the loss, by the node of each trained parameter that it depends on. */
export const slopesOf = ({ graph, results, trained }: StepGraph): ReadonlyMap<Node, Node> => {
  const loss = results.get("loss");
  return loss ? differentiate(graph, new Map([[loss, graph.constant(1)]]), new Set(trained.map(({ node }) => node))) : new Map();
};

/**
 * Reports what is wrong with an adapter's rules: once per line and sizes of a module, as equal ones are equally wrong. Returns the
 * trained parameters that an addend of the loss depends on.
 */
export const checkStep = (
  adapter: string,
  root: Instance,
  adapters: ReadonlyMap<string, AdapterPlan>,
  context: RuleContext,
): ReadonlySet<string> => {
  const all = bindingStep(adapter, root);
  const known = new Map<string, readonly string[]>();
  const reached = new Set<string>();
  for (const amendment of all) {
    const sizes = [...(amendment.face?.sizes ?? [])].map(([name, value]) => `${name}=${describe(value)}`);
    const key = [amendment.at?.start, all.findIndex(({ members }) => members === amendment.members), ...sizes].join();
    if (!known.has(key)) {
      const one = graphOf(amendment, all, root, adapters, context);
      const slopes = one && slopesOf(one);
      const names = one?.trained.flatMap(({ node, value }) => (slopes!.has(node) ? [value] : [])) ?? [];
      known.set(
        key,
        [...amendment.params.values()].flatMap(({ name, local }) => (names.includes(name) ? [local] : [])),
      );
    }
    for (const local of known.get(key)!) reached.add(amendment.params.get(local)!.name);
  }
  return reached;
};
