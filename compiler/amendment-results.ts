// One amendment by itself -> what it computes beside the model: its parameters' first values, or what it binds of a step of training. At a
// stack this is unfolded for one of its modules and comes out for all of them, except the loss, which is their sum.

import type { AdapterParam, Amendment } from "./amend.ts";
import type { Context } from "./expressions.ts";
import { firstValues } from "./first-values.ts";
import type { Node, TensorType } from "./graph.ts";
import type { StageInput } from "./stage.ts";
import { type RuleTools, stepRules } from "./step-rules.ts";
import type { Scope, TensorValue } from "./values.ts";

export interface AmendmentGoal {
  readonly amendment: Amendment;
  /** What it binds of a step, at a line of so many targets; absent: its first values. */
  readonly step?: Pick<RuleTools, "targets">;
}

/** What elaboration lends. */
export interface ResultTools {
  readonly context: Context;
  /** What the method's text means; made where it is computed. */
  readonly scope: () => Scope;
  /** First values as they are computed, by local names. */
  readonly initial: Map<string, TensorValue>;
  readonly tensorOf: (node: Node) => TensorValue;
  readonly addInput: (name: string, type: TensorType, from: StageInput) => Node;
  /** What a parameter is called in the open stage, and its shape at one module. */
  readonly portIn: (param: AdapterParam) => string;
  readonly typeOf: (param: AdapterParam) => TensorType;
  readonly atModule: (compute: () => readonly TensorValue[]) => readonly Node[] | undefined;
}

/** By name, as nodes of the open stage; undefined after a report. */
export const amendmentResults = ({ amendment, step }: AmendmentGoal, tools: ResultTools): ReadonlyMap<string, Node> | undefined => {
  const { context, scope, initial, tensorOf, addInput } = tools;
  let names: readonly string[] = [];
  const nodes = tools.atModule(() => {
    if (!step) {
      firstValues(amendment, scope(), context, initial, tensorOf);
      names = [...initial.keys()];
      return [...initial.values()];
    }
    const rules = stepRules(amendment, scope(), context, {
      ...step,
      tensorOf,
      gradient: (param) => tensorOf(addInput(`gradient(${tools.portIn(param)})`, tools.typeOf(param), { kind: "gradient", param })),
      clock: (name) => tensorOf(addInput(name, { dtype: "f32", shape: [] }, { kind: "batch", name })),
    });
    names = [...rules.keys()];
    return [...rules.values()].map(tensorOf);
  });
  if (!nodes) return undefined;
  const { graph } = context.stage!;
  const whole = (name: string, node: Node): Node =>
    name === "loss" && node.type.shape.length > 0 ? graph.add("sum", [node], { axes: [0], keep: false }) : node;
  return new Map(names.map((name, i) => [name, whole(name, nodes[i]!)]));
};
