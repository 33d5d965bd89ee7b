// What a method observes at a module, as nodes of the forward pass: `observe c: [in, in] = x.T @ x` where the module is called. Of the
// values it names only the tokens are seen, [n, …]: those of the batch that are no padding. The runtime adds up what each batch gives.

import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { AdapterObserved, Amendment } from "../adapters/amend.ts";
import { misfit, widened } from "../adapters/first-values.ts";
import type { Node, TensorType } from "../graph/graph.ts";
import { type Instance, modulesOf } from "../model/instantiate.ts";
import { namesOf } from "../model/interfaces.ts";
import { product } from "../values/dims.ts";
import { type Context, evaluate, reportThrough, toNode } from "../values/expressions.ts";
import type { Frame } from "../values/method-scope.ts";
import { type Scope, type TensorValue, unknown, type Value } from "../values/values.ts";
import type { StageInput } from "./stage.ts";

/** A sum over the data: the node of a stage that is one batch's part of it. */
export interface Observation {
  readonly observed: AdapterObserved;
  readonly stage: number;
  readonly node: Node;
}

export interface ObservationTools {
  readonly stage: number;
  readonly contextOf: (amendment: Amendment) => Context;
  readonly use: (tensor: TensorValue) => Node;
  readonly tensorOf: (node: Node) => TensorValue;
  readonly addInput: (name: string, type: TensorType, from: StageInput) => Node;
}

/** What the adapter observes at a module whose forward has computed `frame`. */
export const observationsAt = (
  instance: Instance,
  adapter: string,
  frame: Pick<Frame, "locals">,
  tools: ObservationTools,
): readonly Observation[] =>
  instance.amendments
    .filter((amendment) => amendment.adapter === adapter)
    .flatMap((amendment) =>
      amendment.members.flatMap((member): readonly Observation[] => {
        const observed = member.kind === "observe" ? amendment.observed.get(member.name.text) : undefined;
        if (member.kind !== "observe" || !observed) return [];
        const context = tools.contextOf(amendment);
        if (instance.stack !== undefined) {
          reportThrough(context, member.at, (at, details) =>
            diagnostics.cannot_observe(
              at,
              { what: member.name.text, problem: "the modules of a stack see a part of the tokens each" },
              details,
            ),
          );
          return [];
        }
        const value = evaluate(member.value, scopeAt(amendment, frame, context, tools), context);
        if (value.kind === "unknown") return [];
        const node = toNode(value, context);
        const wide = node && widened(context.stage!.graph, node, observed);
        if (wide) return [{ observed, stage: tools.stage, node: wide }];
        misfit(member.value.at, observed, "sum", value, node, context);
        return [];
      }),
    );

/** The module that is called by its parts alone, at the first of them: what enters that one enters the whole. */
export const wholeOf = (part: Instance, parent: Instance | undefined): Instance | undefined => {
  const of = [...part.params.values()].find((param) => param?.view)?.view?.of;
  const siblings = of && parent ? [...parent.children.values()].flatMap((child) => (Array.isArray(child) ? [] : [child as Instance])) : [];
  const first = siblings.find(({ params }) => [...params.values()].some((param) => param?.view?.of === of));
  return first?.path === part.path ? siblings.find(({ params }) => [...params.values()].includes(of)) : undefined;
};

/** Of what a module has computed, what another of its kind is given too. */
export const inputsOf = ({ definition }: Instance, { locals }: Pick<Frame, "locals">): Pick<Frame, "locals"> => {
  const forward = definition.members.find((member) => member.kind === "forward");
  const names = forward?.kind === "forward" ? forward.inputs.map(({ name }) => name.text) : [];
  return { locals: new Map([...locals].filter(([name]) => names.includes(name))) };
};

/** What `observe` may name: the module's values at each token, `labelled`, the method's settings and `let`s, and the module's sizes. */
const scopeAt = (
  { face, members, settings }: Amendment,
  { locals }: Pick<Frame, "locals">,
  context: Context,
  tools: ObservationTools,
): Scope => {
  const points = face?.definition.kind === "interface" ? new Set(namesOf(face)) : undefined;
  const open = new Set<string>();
  const scope: Scope = {
    find: (name, at) => {
      const own = members.find((member) => member.kind === "let" && member.name.text === name);
      if (own?.kind === "let" && !open.has(name)) {
        open.add(name);
        const value = evaluate(own.value, scope, context);
        open.delete(name);
        return value;
      }
      const point = !points || points.has(name) ? locals.get(name) : undefined;
      if (point) return ofTokens(point, name, at, context, tools);
      if (name === "labelled") return tools.tensorOf(tools.addInput(name, { dtype: "f32", shape: ["n"] }, { kind: "batch", name }));
      return settings.get(name) ?? face?.sizes.get(name);
    },
    names: () => ["labelled", ...(points ?? locals.keys()), ...settings.keys(), ...(face?.sizes.keys() ?? [])],
  };
  return scope;
};

/** [b, t, …] -> [n, …]: the tokens that are no padding. */
const ofTokens = (
  value: Value,
  name: string,
  at: Parameters<typeof reportThrough>[1],
  context: Context,
  tools: ObservationTools,
): Value => {
  if (value.kind !== "tensor") return unknown;
  const { graph } = context.stage!;
  const node = tools.use(value);
  const [b, t, ...rest] = node.type.shape;
  if (b !== "b" || t !== "t")
    return reportThrough(context, at, (place, details) =>
      diagnostics.cannot_observe(
        place,
        { what: name, problem: `it is [${node.type.shape.join(", ")}], and not of each token [b, t, …]` },
        details,
      ),
    );
  const rows = tools.addInput("rows", { dtype: "i32", shape: ["n"] }, { kind: "batch", name: "rows" });
  const width = product(rest);
  const flat = rest.length === 1 ? node : graph.add("reshape", [node], { shape: [b, t, width] });
  const taken = graph.add("take_rows", [flat, rows]);
  return tools.tensorOf(rest.length === 1 ? taken : graph.add("reshape", [taken], { shape: ["n", ...rest] }));
};

/** What is observed in a layer, at a layer that is equal to it and shares its graph. */
export const observedAgain = (
  observations: readonly Observation[],
  from: Instance,
  to: Instance,
  stage: number,
): readonly Observation[] => {
  const known = new Map(
    modulesOf(to).flatMap(({ amendments }) => amendments.flatMap(({ observed }) => [...observed.values()].map((one) => [one.name, one]))),
  );
  return observations.flatMap(({ observed, stage: before, node }) => {
    const again = before === stage - 1 ? known.get(observed.name.replace(`:${from.path}.`, `:${to.path}.`)) : undefined;
    return again ? [{ observed: again, stage, node }] : [];
  });
};
