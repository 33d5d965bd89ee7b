// A stage: the part of an amended graph that one segment will run, with what it reads and what later stages use of it.

import type { AdapterObserved, AdapterParam, AdapterState } from "../adapters/amend.ts";
import type { Graph, Node } from "../graph/graph.ts";
import type { ParamSpec } from "../model/instantiate.ts";

/** Where an input of a stage comes from. */
export type StageInput =
  /** A parameter of the base, or one piece of a stored one: what is added to its name. */
  | { readonly kind: "param"; readonly param: ParamSpec; readonly piece?: string }
  | { readonly kind: "adapter"; readonly param: AdapterParam }
  /** The gradient of an adapter's parameter. */
  | { readonly kind: "gradient"; readonly param: AdapterParam }
  /** What a method keeps from step to step. */
  | { readonly kind: "state"; readonly param: AdapterState }
  /** What is summed over the data before first values. */
  | { readonly kind: "observed"; readonly observed: AdapterObserved }
  | { readonly kind: "value"; readonly stage: number; readonly node: Node }
  /** Given with each batch: ids, positions, rows, targets, scale, seed. */
  | { readonly kind: "batch"; readonly name: string };

/** The value that holds a parameter's gradient. */
export const gradientOf = (param: string): string => `gradient(${param})`;

/** The value that holds the sum of a parameter's gradients over the micro-batches of a step. */
export const accumulatedOf = (param: string): string => `accumulated(${param})`;

/** The value that an input is bound to; `earlier` names what an earlier stage made. */
export const boundTo = (from: StageInput, earlier: (stage: number, node: Node) => string): string => {
  switch (from.kind) {
    case "param":
      return `${from.param.path}${from.piece ?? ""}`;
    case "adapter":
    case "state":
      return from.param.name;
    case "observed":
      return from.observed.name;
    case "gradient":
      return gradientOf(from.param.name);
    case "batch":
      return from.name;
    case "value":
      return earlier(from.stage, from.node);
  }
};

export interface Stage {
  readonly name: string;
  readonly graph: Graph;
  readonly inputs: Map<string, { readonly node: Node; readonly from: StageInput }>;
  /** Nodes that later stages use, in order of first use. */
  readonly outputs: Node[];
}
