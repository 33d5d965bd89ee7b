// An adapter -> what its methods bind of a training's step, a graph for each module they amend.

import { diagnostics } from "../../spec/diagnostics.generated.ts";
import { differentiate } from "../graph/differentiate.ts";
import type { Graph, Node } from "../graph/graph.ts";
import { type Instance, modulesOf } from "../model/instantiate.ts";
import type { End } from "../programs/clocked-program.ts";
import { elaborate } from "../unfold/elaborate.ts";
import { boundTo } from "../unfold/stage.ts";
import type { Context } from "../values/expressions.ts";
import { describe, number } from "../values/values.ts";
import type { Amendment } from "./amend.ts";
import type { AdapterPlan } from "./inject.ts";
import { layersOf } from "./layers.ts";
import { bindsStep, type Moment, moments } from "./training-bindings.ts";

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

/** The amendments of an adapter that bind something of a step at that moment, in model order. */
export const bindingStep = (adapter: string, root: Instance, moment: Moment): readonly Amendment[] =>
  modulesOf(root).flatMap(({ amendments }) => amendments.filter((own) => own.adapter === adapter && bindsStep(own.members, moment)));

const noEarlier = (): never => {
  throw new Error("a rule reads no earlier stage");
};

/** Undefined after a report. */
const graphOf = (
  amendment: Amendment,
  moment: Moment,
  all: readonly Amendment[],
  root: Instance,
  adapters: ReadonlyMap<string, AdapterPlan>,
  context: RuleContext,
): StepGraph | undefined => {
  const alike = all.filter(({ at, members }) => at === amendment.at && members === amendment.members);
  const targets = alike.reduce((sum, { module }) => sum + Number(module.stack ?? 1), 0);
  const choice = { layers: layersOf(amendment.adapter, adapters), training: false };
  const model = elaborate(root, choice, { amendment, step: { moment, targets: number(targets) } }, context);
  if (!model?.results) return undefined;
  const { graph, inputs } = model.stages[0]!;
  const ends = [...inputs].flatMap(([port, { node, from }]): (End & { readonly trained: boolean })[] => {
    return [{ node, port, value: boundTo(from, noEarlier), trained: from.kind === "adapter" && from.param.trained }];
  });
  return { amendment, graph, inputs: ends, trained: ends.filter(({ trained }) => trained), results: model.results };
};

/** Undefined after a report. */
export const stepGraphs = (
  adapter: string,
  moment: Moment,
  root: Instance,
  adapters: ReadonlyMap<string, AdapterPlan>,
  context: RuleContext,
): readonly StepGraph[] | undefined => {
  const all = bindingStep(adapter, root, moment);
  const graphs = all.flatMap((amendment) => graphOf(amendment, moment, all, root, adapters, context) ?? []);
  if (graphs.length < all.length) return undefined;
  const odd = graphs.find((one) => !sidesFit(one, graphs));
  if (odd)
    context.report(diagnostics.bad_everywhere(odd.amendment.at, { problem: "takes lists of one length from all targets of a line" }));
  return odd ? undefined : graphs;
};

/** What is one line of an adapter, or one `each` of it. */
export const lineOf = ({ amendment: { at, members } }: StepGraph): string => `${at?.start} ${members[0]?.at.start}`;

/** Whether what `everywhere` reads here is as long as what all targets of the line give. */
const sidesFit = (one: StepGraph, graphs: readonly StepGraph[]): boolean =>
  one.inputs.every(({ port, node }) => {
    if (!port.startsWith("everywhere.")) return true;
    const parts = graphs.flatMap((other) => (lineOf(other) === lineOf(one) ? (other.results.get(port.replace(".", " ")) ?? []) : []));
    return parts.reduce((sum, { type }) => sum + Number(type.shape[0]), 0) === node.type.shape[0];
  });

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
  const reached = new Set<string>();
  for (const moment of moments) {
    const all = bindingStep(adapter, root, moment);
    const known = new Map<string, readonly string[]>();
    for (const amendment of all) {
      const sizes = [...(amendment.face?.sizes ?? [])].map(([name, value]) => `${name}=${describe(value)}`);
      const key = [amendment.at?.start, all.findIndex(({ members }) => members === amendment.members), ...sizes].join();
      if (!known.has(key)) {
        const one = graphOf(amendment, moment, all, root, adapters, context);
        const slopes = one && slopesOf(one);
        const names = one?.trained.flatMap(({ node, value }) => (slopes!.has(node) ? [value] : [])) ?? [];
        known.set(
          key,
          [...amendment.params.values()].flatMap(({ name, local }) => (names.includes(name) ? [local] : [])),
        );
      }
      for (const local of known.get(key)!) reached.add(amendment.params.get(local)!.name);
    }
  }
  return reached;
};
