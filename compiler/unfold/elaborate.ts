// The module tree + one choice of adapters -> the amended graph: the model's forward pass, cut into stages. A stage is what
// one segment will run: the part before the repeated layers, each layer, the part after. Calling a repeated child opens a
// stage per layer, so the cut follows from the text of the architecture. Parameters keep names local to their stage
// ("attn.q.weight"), so that equal layers give equal graphs and later share one compiled segment.

import type * as tree from "../../grammar/tree.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { AdapterParam, Amendment } from "../adapters/amend.ts";
import { type AmendmentGoal, amendmentResults } from "../adapters/amendment-results.ts";
import { branch, merged } from "../adapters/branches.ts";
import { adaptersIn, type Choice, type Layer } from "../adapters/layers.ts";
import { stacked } from "../adapters/stacked-changes.ts";
import { reboundName } from "../adapters/training-bindings.ts";
import { weightedChange } from "../adapters/weighted-change.ts";
import { checkCall } from "../check/check-call.ts";
import { checkShape } from "../check/check-shapes.ts";
import { differentiate } from "../graph/differentiate.ts";
import { createGraph, type Dim, type Node, type TensorType } from "../graph/graph.ts";
import { declaredInputs, shapedType } from "../model/declared-inputs.ts";
import { decoded } from "../model/format.ts";
import { type Instance, modulesOf, type ParamSpec } from "../model/instantiate.ts";
import { checkPoint, pointsOf } from "../model/interfaces.ts";
import { tiedAmendments } from "../model/ties.ts";
import { isWhole } from "../ops/shape.ts";
import { add } from "../values/dims.ts";
import { type Context, evaluate, reportThrough } from "../values/expressions.ts";
import { checkRebound, childOf, type Frame, methodScope, noFrame, type Tools } from "../values/method-scope.ts";
import { describe, none, type Scope, scopeOf, type TensorValue, unknown, type Value } from "../values/values.ts";
import { alike, findHolder, held, portOf, rebind } from "./equal-layers.ts";
import { recall, withMemory } from "./memory.ts";
import { inputsOf, type Observation, observationsAt, observedAgain, wholeOf } from "./observations.ts";
import { bankOf, callPerRow } from "./per-row.ts";
import { perToken, pictureOf, sequenceRecord } from "./sequence.ts";
import { forAll, routed, type Stacking } from "./stacked.ts";
import type { Stage, StageInput } from "./stage.ts";
import { type EndsOf, overTokens } from "./token-sums.ts";
import { type Extent, knownShift, prependRows } from "./virtual.ts";

export interface Model {
  readonly stages: readonly Stage[];
  /** The forward pass's value, a node of the last stage: logits. */
  readonly result: Node;
  /** Slots for virtual tokens, and the shift of positions. */
  readonly extent: Extent;
  /** What the chosen adapter observes of the pass, in the order of the stages. */
  readonly observations: readonly Observation[];
  /** Of a goal with several values: each by its name. */
  readonly results?: ReadonlyMap<string, Node>;
}

/**
 * What to elaborate: the whole forward pass, one parameter as the adapters rebind it (for merging), or the forward pass of one
 * module on inputs of its declared shapes (to check a definition by itself), or an adapter's first values on one module.
 */
export type Goal = "forward" | { readonly module: Instance; readonly param: string } | { readonly forwardOf: Instance } | AmendmentGoal;

/** Undefined after a report. */
export const elaborate = (
  root: Instance,
  choice: Choice,
  goal: Goal,
  context: Pick<Context, "report" | "through" | "cases">,
): Model | undefined => {
  const stages: Stage[] = [];
  const alone = typeof goal === "object" && "amendment" in goal ? goal.amendment : undefined;
  const combines = alone?.combines ?? [];
  const switchedOn = [...new Set([...adaptersIn(choice.layers), ...combines.flatMap(({ layers }) => adaptersIn(layers))])];
  let failed = false;
  let [virtual, ahead]: [Dim, number] = [0, 0];
  const report: Context["report"] = (diagnostic) => {
    if (diagnostic.severity === "error") failed = true;
    context.report(diagnostic);
  };
  const open = (name: string): void => {
    stages.push({ name, graph: createGraph(), inputs: new Map(), outputs: [] });
  };
  const current = (): Stage => stages.at(-1)!;

  const addInput = (name: string, type: TensorType, from: StageInput): Node => {
    const stage = current();
    const node = stage.graph.input(name, type);
    stage.inputs.set(name, { node, from });
    return node;
  };

  /** A tensor as a node of the current stage; one of an earlier stage becomes an input. */
  const use = (tensor: TensorValue, name?: string): Node => {
    const here = stages.length - 1;
    if (tensor.stage === here) return tensor.node;
    for (const { node, from } of current().inputs.values())
      if (from.kind === "value" && from.stage === tensor.stage && from.node === tensor.node) return node;
    const source = stages[tensor.stage]!;
    // An input that an earlier stage only passes on is fetched from where it was made.
    for (const { node, from } of source.inputs.values())
      if (node === tensor.node && (from.kind === "batch" || from.kind === "value"))
        return from.kind === "batch"
          ? addInput(from.name, node.type, from)
          : use({ kind: "tensor", node: from.node, stage: from.stage }, name);
    if (!source.outputs.includes(tensor.node)) source.outputs.push(tensor.node);
    let unique = name ?? `v${current().inputs.size}`;
    while (current().inputs.has(unique)) unique += "_";
    return addInput(unique, tensor.node.type, { kind: "value", stage: tensor.stage, node: tensor.node });
  };

  const tensorOf = (node: Node): TensorValue => ({ kind: "tensor", node, stage: stages.length - 1 });
  const local = (path: string): string => {
    const prefix = `${current().name}.`;
    return path.startsWith(prefix) ? path.slice(prefix.length) : path;
  };

  const declared = (module: Instance): Value[] => declaredInputs(module, given, contextFor(context.through));
  const given = (name: string, type: TensorType): TensorValue => tensorOf(addInput(name, type, { kind: "batch", name }));
  const sequence = sequenceRecord(given, choice.packed === true, pictureOf(root.sizes));

  const contextFor = (through: Context["through"], gated = true, method = false): Context => ({
    report,
    ...(method && { settle: (node, at) => overTokens(node, current().graph, endsOf, at, contextFor(through)) }),
    ...(context.cases && { cases: context.cases }),
    through,
    get stage() {
      return { graph: current().graph, index: stages.length - 1 };
    },
    use,
    callModule: (target, args, at) =>
      target.kind === "module" ? callModule(target.instance, args, at, through) : callRepeat(target.instances, args, at, through),
    param: (instance, name) => paramOf(instance, name),
    special: (name, call, scope) => specials.get(name)?.(call, scope, contextFor(through, name !== "merged", method), gated),
  });

  /** Where a method's text is read. */
  const inMethod = ({ at }: Amendment, gated = true): Context => contextFor(at ? [at] : context.through, gated, true);
  const endsOf: EndsOf = (name, type) => current().inputs.get(name)?.node ?? addInput(name, type, { kind: "batch", name });

  /** Calls that are no ops: what they do depends on the model around them. */
  const specials = new Map<string, (call: tree.Call, scope: Scope, inner: Context, gated: boolean) => Value | undefined>([
    ["branch", (call, scope, inner, gated) => branch(call, scope, inner, stages, use, choice.training && gated)],
    ["merged", (call, scope, inner) => merged(call, scope, inner, use)],
    ["prepend", (call, scope, inner) => prepend(call, scope, inner)],
    ["attention", withMemory],
    ["recall", recall],
    [
      "routed",
      (call, scope, inner) =>
        routed(call, scope, inner, stacking(inner.through), (one, x) => inStack(() => callModule(one, [x], call.at, inner.through))),
    ],
  ]);

  /** Whether one module of a stack is being unfolded: its parameters are then its own, without the axis of the stack. */
  let single = false;
  const inStack = <T>(unfold: () => T): T => {
    const before = single;
    single = true;
    try {
      return unfold();
    } finally {
      single = before;
    }
  };
  const stacking = (through: Context["through"]): Stacking => ({ report, stages, addInput, use, through, local, isMerged });
  const isMerged = (param: ParamSpec): boolean =>
    typeof goal === "object" && "param" in goal && goal.module.params.get(goal.param) === param;
  /** What is computed at a module that may stand for a stack: nodes of the open stage, with the stack's axis in front. */
  const atModule = (
    module: Instance,
    through: Context["through"],
    compute: () => readonly TensorValue[] | undefined,
  ): readonly Node[] | undefined =>
    module.stack === undefined
      ? compute()?.map((value) => use(value))
      : forAll(stacking(through), module.stack, module.definition.at, [], () => inStack(compute));
  const ownShape = ({ shape, stack }: { readonly shape: readonly Dim[]; readonly stack?: Dim }): readonly Dim[] =>
    single && stack !== undefined ? shape.slice(1) : shape;

  // By path, since amended copies of an instance are other objects.
  const parents = new Map<string, Instance>();
  for (const module of modulesOf(root))
    for (const child of module.children.values())
      for (const one of Array.isArray(child) ? (child as readonly Instance[]) : [child as Instance]) parents.set(one.path, module);
  const prepend = (call: tree.Call, scope: Scope, inner: Context): Value => {
    const { made, tokens } = prependRows(call, scope, inner, use, virtual, () =>
      addInput("positions", perToken, { kind: "batch", name: "positions" }),
    );
    virtual = add(virtual, tokens);
    return made;
  };

  const checkPositions = (moved: Value, at: tree.Span, inner: Context): void => {
    ahead = Math.max(ahead, knownShift(moved, at, inner));
  };

  /** A named value of a module after everything that is switched on, the first layer first. */
  const amended = (instance: Instance, name: string, value: Value, frame: Frame = noFrame()): Value =>
    choice.layers.reduce((result, layer) => after(layer, instance, name, result, frame), value);

  const after = (layer: Layer, instance: Instance, name: string, value: Value, frame: Frame): Value => {
    if (layer.kind !== "sum") return amendedBy(layer.adapter, instance, name, value, frame);
    const changes = layer.terms.flatMap(({ layers, weight }) => {
      const changed = layers.reduce((result, inner) => after(inner, instance, name, result, frame), value);
      if (changed === value || changed.kind === "unknown") return [];
      // Half of a slot of memory, or of a position, is none.
      if (changed.kind === "tensor" && !isWhole(changed.node.type)) return [{ changed: use(changed), weight }];
      reportThrough(contextFor(context.through), root.definition.at, (at, details) => diagnostics.cannot_be_weighed(at, { name }, details));
      return [];
    });
    if (changes.length === 0) return value;
    return tensorOf(weightedChange(current().graph, value.kind === "tensor" ? use(value) : undefined, changes));
  };

  const amendedBy = (adapter: string, instance: Instance, name: string, value: Value, frame: Frame): Value => {
    let result = tiedTrained(adapter, instance, name) ?? value;
    // What is not there cannot be rebound: a method that scales a bias leaves a layer without one as it is.
    if (result.kind === "none") return result;
    const gated = choice.trains === undefined || choice.trains === adapter;
    const own = instance.amendments.map((amendment) => ({ holder: instance, name, amendment }));
    for (const { holder, name: as, amendment } of [...own, ...tiedAmendments(root, instance.params.get(name), instance)]) {
      // First values and rules are computed from what stands before their own line.
      if (amendment === alone) break;
      if (amendment.adapter !== adapter) continue;
      const taken = amendment.method.amends ? undefined : amendment.params.get(as);
      if (taken && holder === instance) result = adapterParam(taken);
      for (const member of amendment.members)
        if (member.kind === "bind" && reboundName(member, amendment.members) === as) {
          const before = result;
          frame.before.set(amendment, new Map(frame.before.get(amendment)).set(as, before));
          const inner = inMethod(amendment, gated);
          result = evaluate(member.value, methodScope(tools, holder, amendment, frame, member), inner);
          if (before.kind === "tensor" && result.kind === "tensor") checkRebound(name, before, result, member, inner);
          if (name === "positions" && amendment.face?.definition.kind === "interface") checkPositions(result, member.at, inner);
        }
    }
    return result;
  };

  /** What an adapter's parameter is called in the current stage. */
  const portIn = ({ name, shared }: Pick<AdapterParam, "name" | "shared">): string => {
    const [adapter, path] = name.split(":") as [string, string];
    // In a layer, what belongs to a module above it must not be taken for the layer's own of the same name.
    const above = /\.\d+$/.test(current().name) && local(path) === path;
    // What all targets share keeps one name wherever it is read.
    return portOf(switchedOn, adapter, shared ? `*.${path}` : above ? `/${path}` : local(path));
  };

  const adapterParam = (param: AdapterParam): Value => {
    const shape = param.name.startsWith(`${oneRow}:`) ? param.shape.slice(1) : ownShape(param);
    return tensorOf(addInput(portIn(param), { dtype: param.dtype, shape }, { kind: "adapter", param: held(choice, param) }));
  };

  /** First values computed so far, while they are the goal. */
  const initial = new Map<string, TensorValue>();

  const tools: Tools = {
    adapterParam: (param) => adapterParam(param),
    plainParam: (instance, name) => plainParam(instance, name),
    contextOf: (amendment) => inMethod(amendment),
    settled: ({ name }) => !alone && !(choice.training && (choice.trains === undefined || name.startsWith(`${choice.trains}:`))),
    ...(combines.length > 0 && {
      changes: (instance, of) => {
        const node = stacked(of, current().graph, combines, (layers) => weightWith(instance, layers));
        return node ? tensorOf(node) : unknown;
      },
    }),
    ...(alone && {
      first: {
        values: initial,
        base: (instance, name) => paramOf(instance, name),
        observed: (observed) => tensorOf(addInput(observed.local, { dtype: "f32", shape: observed.shape }, { kind: "observed", observed })),
      },
    }),
  };

  const weightWith = (instance: Instance, layers: readonly Layer[]): Node | undefined => {
    const plain: Value = plainParam(instance, "weight") ?? none;
    const value = layers.reduce((result, layer) => after(layer, instance, "weight", result, noFrame()), plain);
    return value.kind === "tensor" ? use(value) : undefined;
  };

  const observations: Observation[] = [];
  const observe = (instance: Instance, frame: Pick<Frame, "locals">): void => {
    const [{ contextOf }, { observes }] = [tools, choice];
    if (observes === undefined) return;
    const whole = wholeOf(instance, parents.get(instance.path));
    for (const [one, seen] of [[instance, frame] as const, ...(whole ? [[whole, inputsOf(whole, frame)] as const] : [])])
      observations.push(...observationsAt(one, observes, seen, { stage: stages.length - 1, contextOf, use, tensorOf, addInput }));
  };

  const plainParam = (instance: Instance, name: string): Value | undefined => {
    if (!instance.params.has(name)) return undefined;
    const param = instance.params.get(name);
    if (!param) return none;
    if (param.view) return viewed(instance, name, param.view.expr);
    const own = param.tiedTo ?? param;
    // Merging reads the whole tensor back first: it goes through one at a time. A stack is read back where it is lifted.
    if (own.format && !(single && own.stack !== undefined) && !isMerged(param))
      return tensorOf(
        decoded(current().graph, own.format, own.shape.map(Number), (piece, type) =>
          addInput(`${local(own.path)}${piece}`, type, { kind: "param", param: own, piece }),
        ),
      );
    return tensorOf(addInput(local(own.path), { dtype: "f32", shape: ownShape(own) }, { kind: "param", param: own }));
  };

  /** A part of another parameter, as that one's amendments leave it; the expression is read where the child is declared. */
  const viewed = (instance: Instance, name: string, expr: tree.Expr): Value => {
    const parent = parents.get(instance.path)!;
    const value = evaluate(expr, forwardScope(parent, new Map()), contextFor(context.through));
    const wanted = ownShape(instance.params.get(name)!);
    if (value.kind !== "tensor" || use(value).type.shape.join() === wanted.join()) return value;
    return reportThrough(contextFor(context.through), expr.at, (at, details) =>
      diagnostics.shapes_do_not_fit(
        at,
        { problem: `${name} is [${wanted.join(", ")}] and its view [${use(value).type.shape.join(", ")}]` },
        details,
      ),
    );
  };

  const forwardScope = (instance: Instance, locals: Map<string, Value>): Scope => ({
    find: (name, at) => {
      const bound = locals.get(name);
      if (bound) return bound;
      const param = paramOf(instance, name);
      if (param) return param;
      const child = childOf(instance, name);
      if (child) return child;
      const own = instance.definition.members.find((member) => member.kind === "let" && member.name.text === name);
      if (own?.kind === "let") return evaluate(own.value, scopeOf(instance.sizes), contextFor(context.through));
      return scopeOf(instance.sizes).find(name, at);
    },
    names: () => [...locals.keys(), ...instance.params.keys(), ...instance.children.keys(), ...instance.sizes.keys()],
    callee: (name) => childOf(instance, name),
  });

  /** A parameter as the active adapters leave it. */
  const paramOf = (instance: Instance, name: string): Value | undefined =>
    instance.params.has(name) ? amended(instance, name, plainParam(instance, name)!) : undefined;

  // A tied parameter follows its owner when a selective method trains the owner.
  const tiedTrained = (adapter: string, instance: Instance, name: string): Value | undefined => {
    const owner = instance.params.get(name)?.tiedTo;
    const param =
      owner &&
      findHolder(root, owner)
        ?.amendments.filter((amendment) => amendment.adapter === adapter && !amendment.method.amends)
        .flatMap((amendment) => [...amendment.params.values()])
        .find((candidate) => "copyOf" in candidate.source && candidate.source.copyOf === owner.path);
    return param && adapterParam(param);
  };

  /** A parameter with what adapters do to its parts put back where each part was taken from: the way back of a view is its gradient. */
  const withParts = (owner: Instance, name: string, whole: Value): Value => {
    if (whole.kind !== "tensor") return whole;
    const { graph } = current();
    let result = use(whole);
    for (const sibling of parents.get(owner.path)?.children.values() ?? [])
      for (const part of Array.isArray(sibling) ? (sibling as readonly Instance[]) : [sibling as Instance])
        for (const [own, param] of part.params) {
          if (param?.view?.of !== owner.params.get(name)) continue;
          const before = plainParam(part, own)!;
          const after = amended(part, own, before);
          if (after === before) continue;
          if (before.kind !== "tensor" || after.kind !== "tensor") return unknown;
          const back = (node: Node): Node => differentiate(graph, new Map([[use(before), node]]), new Set([use(whole)])).get(use(whole))!;
          // Exact: what is taken away is the very number that stands there.
          result = graph.add("add", [graph.add("sub", [result, back(use(before))]), back(use(after))]);
        }
    return tensorOf(result);
  };

  /** The bank of which every row takes its own, while one row's computation is unfolded. */
  let oneRow: string | undefined;

  const callModule = (instance: Instance, args: readonly Value[], at: tree.Span, through: Context["through"]): Value => {
    const bank = oneRow === undefined ? bankOf(choice, instance) : undefined;
    if (bank !== undefined) {
      oneRow = bank;
      return callPerRow({ report, stages, addInput, use }, { instance, bank, args, at, through }, (row) => {
        const unfolded = callModule(instance, row, at, through);
        oneRow = undefined;
        return unfolded;
      });
    }
    const inner = contextFor(through);
    const forward = checkCall(instance, args.length, instance.stack !== undefined && !single, at, inner);
    if (!forward) return unknown;
    const frame = noFrame();
    const { locals } = frame;
    const scope = forwardScope(instance, locals);
    for (const [i, input] of forward.inputs.entries()) {
      const value = args[i]!;
      if (value.kind === "tensor" && input.shape && !checkShape(use(value), { ...input, shape: input.shape }, scope, at, inner))
        return unknown;
      checkPoint(instance, input.name.text, value, inner);
      locals.set(input.name.text, amended(instance, input.name.text, value, frame));
    }
    for (const member of forward.lets) {
      const value = evaluate(member.value, scope, inner);
      if (value.kind === "unknown") return unknown;
      checkPoint(instance, member.name.text, value, inner);
      locals.set(member.name.text, amended(instance, member.name.text, value, frame));
    }
    const plain = evaluate(forward.value, scope, inner);
    checkPoint(instance, "out", plain, inner);
    const result = plain.kind === "tensor" ? amended(instance, "out", plain, frame) : plain;
    if (result.kind !== "tensor") {
      if (result.kind !== "unknown")
        reportThrough(inner, forward.value.at, (place, details) =>
          diagnostics.wrong_operand(place, { op: "forward", what: describe(result) }, details),
        );
      return unknown;
    }
    observe(instance, { locals: new Map(locals).set("out", result) });
    if (forward.output) checkShape(use(result), { shape: forward.output, at: forward.at }, scope, forward.at, inner);
    return result;
  };

  const callRepeat = (instances: readonly Instance[], args: readonly Value[], at: tree.Span, through: Context["through"]): Value => {
    let carried = args[0]!;
    let previous: { readonly instance: Instance; readonly entered: Value } | undefined;
    for (const instance of instances) {
      // A layer equal to the one before it shares that one's graph: only what its inputs are bound to differs.
      const reads = choice.observes === undefined ? switchedOn : [...switchedOn, choice.observes];
      if (previous?.entered.kind === "tensor" && carried.kind === "tensor" && alike(previous.instance, instance, reads)) {
        const { entered } = previous;
        observations.push(...observedAgain(observations, previous.instance, instance, stages.length));
        previous = { instance, entered: carried };
        if (!current().outputs.includes(carried.node)) current().outputs.push(carried.node);
        stages.push(rebind(current(), instance, entered, carried, choice, switchedOn));
        carried = tensorOf(carried.node);
        continue;
      }
      previous = { instance, entered: carried };
      open(instance.path);
      const forward = instance.definition.members.find((member) => member.kind === "forward");
      const names = forward?.kind === "forward" ? forward.inputs.map((input) => input.name.text) : [];
      const here = [carried, ...args.slice(1)].map((value, i) => (value.kind === "tensor" ? tensorOf(use(value, names[i])) : value));
      carried = callModule(instance, here, at, through);
      if (carried.kind === "unknown") return unknown;
    }
    // There may be several lists of layers: each is followed by a part of its own.
    open(stages.some(({ name }) => name === "after") ? `after ${instances[0]!.path.replace(/\.\d+$/, "")}` : "after");
    return carried;
  };

  const mergedParam = (module: Instance, name: string): Value => {
    const [node] =
      atModule(module, context.through, () => {
        const value = withParts(module, name, paramOf(module, name)!);
        return value.kind === "tensor" ? [value] : undefined;
      }) ?? [];
    return node ? tensorOf(node) : unknown;
  };

  /** Every point of an interface as a tensor of its declared shape, and what the active methods make of it. */
  const callPoints = (instance: Instance): Value => {
    const frame = noFrame();
    const sizes = scopeOf(instance.sizes);
    const points = [...pointsOf(instance.definition)].map(([name, shape]): [string, Value] => [
      name,
      shape ? given(name, shapedType(shape, sizes, contextFor(context.through))) : unknown,
    ]);
    observe(instance, { locals: new Map(points) });
    // A method may read any point when it rebinds one: whether it is known by then follows from the module.
    for (const [name, value] of points) frame.locals.set(name, value);
    for (const [name, value] of points) frame.locals.set(name, amended(instance, name, value, frame));
    for (const name of instance.params.keys()) amended(instance, name, plainParam(instance, name) ?? none, frame);
    return unknown;
  };

  open(
    goal === "forward" ? "before" : ("amendment" in goal ? goal.amendment.module : "module" in goal ? goal.module : goal.forwardOf).path,
  );
  if (goal !== "forward" && "amendment" in goal) {
    const { at, module } = goal.amendment;
    const inner = contextFor(at ? [at] : context.through, false);
    const results = amendmentResults(goal, {
      context: inner,
      scope: () => methodScope(tools, module, goal.amendment, noFrame()),
      initial,
      tensorOf,
      addInput,
      portIn,
      typeOf: (param) => ({ dtype: "f32", shape: ownShape(param) }),
      atModule: (compute) => atModule(module, inner.through, compute),
    });
    const [result] = results?.values() ?? [];
    return failed || !result ? undefined : { stages, result, results: results!, extent: { virtual: 0, ahead: 0 }, observations };
  }
  const result =
    goal === "forward"
      ? callModule(root, [sequence], root.definition.at, context.through)
      : "forwardOf" in goal
        ? goal.forwardOf.definition.kind === "interface"
          ? callPoints(goal.forwardOf)
          : callModule(goal.forwardOf, declared(goal.forwardOf), goal.forwardOf.definition.at, context.through)
        : mergedParam(goal.module, goal.param);
  if (failed || result.kind !== "tensor") return undefined;
  return { stages, result: use(result), extent: { virtual: Number(virtual), ahead }, observations };
};
