// One amendment by itself -> what it computes beside the model: its parameters' first values, or what it binds of a step of training. At a
// stack this is unfolded for one of its modules and comes out for all of them; the loss is their sum.

import type { Dim, Node, TensorType } from "../graph/graph.ts";
import type { StageInput } from "../unfold/stage.ts";
import { product } from "../values/dims.ts";
import type { Context } from "../values/expressions.ts";
import type { Scope, TensorValue } from "../values/values.ts";
import type { AdapterParam, Amendment } from "./amend.ts";
import { firstValues } from "./first-values.ts";
import { type MeasureTools, measureRules } from "./measure-rules.ts";
import { type RuleTools, stepRules } from "./step-rules.ts";

export interface AmendmentGoal {
  readonly amendment: Amendment;
  /** What it binds of a step, at a line of so many targets; absent: its first values. */
  readonly step?: Pick<RuleTools, "targets" | "moment">;
  /** The sizes that it measures there. */
  readonly measure?: Pick<MeasureTools, "targets" | "part">;
  /** What it keeps of a training, in place of its first values. */
  readonly kept?: true;
}

type Named = Pick<AdapterParam, "name" | "shared">;

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
  readonly portIn: (param: Named) => string;
  readonly typeOf: (param: Pick<AdapterParam, "shape" | "stack">) => TensorType;
  readonly atModule: (compute: () => readonly TensorValue[]) => readonly Node[] | undefined;
}

/** By name, as nodes of the open stage; undefined after a report. */
export const amendmentResults = (
  { amendment, step, measure, kept }: AmendmentGoal,
  tools: ResultTools,
): ReadonlyMap<string, Node> | undefined => {
  const { context, scope, initial, tensorOf, addInput } = tools;
  let names: readonly string[] = [];
  const given = (name: string, shape: readonly Dim[]): TensorValue =>
    tensorOf(addInput(name, { dtype: "f32", shape }, { kind: "batch", name }));
  const nodes = tools.atModule(() => {
    if (measure) {
      const sizes = measureRules(amendment, scope(), context, { ...measure, tensorOf, given });
      names = [...sizes.keys()];
      return [...sizes.values()].map(tensorOf);
    }
    if (!step) {
      firstValues(amendment, kept ? "kept" : "init", scope(), context, initial, tensorOf);
      names = [...initial.keys()];
      return [...initial.values()];
    }
    const rules = stepRules(amendment, scope(), context, {
      ...step,
      tensorOf,
      gradient: (param) => tensorOf(addInput(`gradient(${tools.portIn(param)})`, tools.typeOf(param), { kind: "gradient", param })),
      state: (state) =>
        tensorOf(
          addInput(`state(${tools.portIn({ name: state.name.slice("state(".length, -1), shared: false })})`, tools.typeOf(state), {
            kind: "state",
            param: state,
          }),
        ),
      given,
    });
    names = [...rules.keys()];
    return [...rules.values()].map(tensorOf);
  });
  if (!nodes) return undefined;
  const { graph } = context.stage!;
  const whole = (name: string, node: Node): Node => {
    if (name === "loss" && node.type.shape.length > 0) return graph.add("sum", [node], { axes: [0], keep: false });
    return name.startsWith("everywhere ") && node.type.shape.length > 1
      ? graph.add("reshape", [node], { shape: [product(node.type.shape)] })
      : node;
  };
  return new Map(names.map((name, i) => [name, whole(name, nodes[i]!)]));
};
