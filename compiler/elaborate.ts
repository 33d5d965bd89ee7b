// The module tree + one choice of adapters -> the amended graph: the model's forward pass, cut into stages. A stage is what
// one segment will run: the part before the repeated layers, each layer, the part after. Calling a repeated child opens a
// stage per layer, so the cut follows from the text of the architecture. Parameters keep names local to their stage
// ("attn.q.weight"), so that equal layers give equal graphs and later share one compiled segment.

import type * as tree from "../grammar/tree.ts";
import { diagnostics } from "../spec/diagnostics.generated.ts";
import type { AdapterParam, Amendment } from "./amend.ts";
import { type Context, evaluate, reportThrough } from "./expressions.ts";
import { createGraph, type Dim, type Graph, type Node, type TensorType } from "./graph.ts";
import { type Instance, modulesOf, type ParamSpec } from "./instantiate.ts";
import { adaptersIn, type Choice, type Layer } from "./layers.ts";
import { asDim, describe, none, type Scope, scopeOf, type TensorValue, unknown, type Value } from "./values.ts";
import { weightedChange } from "./weighted-change.ts";

/** Where an input of a stage comes from. */
export type StageInput =
  | { readonly kind: "param"; readonly param: ParamSpec }
  | { readonly kind: "adapter"; readonly param: AdapterParam }
  | { readonly kind: "value"; readonly stage: number; readonly node: Node }
  /** Given with each batch: ids, positions, rows, targets, scale, seed. */
  | { readonly kind: "batch"; readonly name: string };

export interface Stage {
  readonly name: string;
  readonly graph: Graph;
  readonly inputs: Map<string, { readonly node: Node; readonly from: StageInput }>;
  /** Nodes that later stages use, in order of first use. */
  readonly outputs: Node[];
}

export interface Model {
  readonly stages: readonly Stage[];
  /** The forward pass's value, a node of the last stage: logits. */
  readonly result: Node;
}

/** What the model reads of a batch: symbols b (rows) and t (tokens per row). */
const sequenceFields: Readonly<Record<string, TensorType>> = {
  ids: { dtype: "i32", shape: ["b", "t"] },
  positions: { dtype: "i32", shape: ["b", "t"] },
};

/**
 * What to elaborate: the whole forward pass, one parameter as the adapters rebind it (for merging), or the forward pass of one
 * module on inputs of its declared shapes (to check a definition by itself).
 */
export type Goal = "forward" | { readonly module: Instance; readonly param: string } | { readonly forwardOf: Instance };

/** Undefined after a report. */
export const elaborate = (root: Instance, choice: Choice, goal: Goal, context: Pick<Context, "report" | "through">): Model | undefined => {
  const stages: Stage[] = [];
  const switchedOn = adaptersIn(choice.layers);
  let failed = false;
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

  const batch = (name: string, type: TensorType): Value => tensorOf(addInput(name, type, { kind: "batch", name }));
  const sequence: Value = {
    kind: "record",
    name: "the sequence",
    fields: (name) => (sequenceFields[name] ? batch(name, sequenceFields[name]) : undefined),
    names: () => Object.keys(sequenceFields),
  };

  const contextFor = (through: Context["through"], gated = true): Context => ({
    report,
    through,
    get stage() {
      return { graph: current().graph, index: stages.length - 1 };
    },
    use,
    callModule: (target, args, at) =>
      target.kind === "module" ? callModule(target.instance, args, at, through) : callRepeat(target.instances, args, at, through),
    special: (name, call, scope) => (name === "branch" ? branch(call, scope, contextFor(through), gated) : undefined),
  });

  // branch(D, g): D itself, with a gate on the way in. See associate.ts for what becomes of it.
  const branch = (call: tree.Call, scope: Scope, inner: Context, gated: boolean): Value => {
    const [first, second, more] = call.args.map((argument) => evaluate(argument.value, scope, inner));
    if (first?.kind === "unknown" || second?.kind === "unknown") return unknown;
    if (first?.kind !== "tensor" || second?.kind !== "op" || more)
      return reportThrough(inner, call.at, (at, details) => diagnostics.bad_branch(at, details), {
        help: "write `branch(delta, dropout(p: …))`: a tensor, and an op that still waits for its tensor",
      });
    if (!choice.training || !gated || second.attrs.p === 0) return first;
    const { graph } = current();
    const sites = graph.nodes.filter((node) => node.op === "branch").length;
    return tensorOf(graph.add("branch", [use(first)], { ...second.attrs, gate: second.op.name, site: sites }, [...inner.through, call.at]));
  };

  /** A named value of a module after everything that is switched on, the first layer first. */
  const amended = (instance: Instance, name: string, value: Value): Value =>
    choice.layers.reduce((result, layer) => after(layer, instance, name, result), value);

  const after = (layer: Layer, instance: Instance, name: string, value: Value): Value => {
    if (layer.kind !== "sum") return amendedBy(layer.adapter, instance, name, value);
    const changes = layer.terms.flatMap(({ layers, weight }) => {
      const changed = layers.reduce((result, inner) => after(inner, instance, name, result), value);
      return changed === value || changed.kind !== "tensor" ? [] : [{ changed: use(changed), weight }];
    });
    if (changes.length === 0) return value;
    return tensorOf(weightedChange(current().graph, value.kind === "tensor" ? use(value) : undefined, changes));
  };

  const amendedBy = (adapter: string, instance: Instance, name: string, value: Value): Value => {
    let result = tiedTrained(adapter, instance, name) ?? value;
    const gated = choice.trains === undefined || choice.trains === adapter;
    for (const amendment of instance.amendments) {
      if (amendment.adapter !== adapter) continue;
      const taken = amendment.method.amends ? undefined : amendment.params.get(name);
      if (taken) result = adapterParam(taken);
      for (const member of amendment.method.members)
        if (member.kind === "bind" && member.target.length === 1 && member.target[0]!.text === name)
          result = evaluate(
            member.value,
            methodScope(instance, amendment, name, result),
            contextFor(amendment.at ? [amendment.at] : context.through, gated),
          );
    }
    return result;
  };

  const adapterParam = (param: AdapterParam): Value => {
    const [adapter, path] = param.name.split(":") as [string, string];
    // What all targets share keeps one name wherever it is read.
    const port = portOf(switchedOn, adapter, param.shared ? `*.${path}` : local(path));
    return tensorOf(addInput(port, { dtype: "f32", shape: param.shape }, { kind: "adapter", param: held(choice, param) }));
  };

  const methodScope = (instance: Instance, amendment: Amendment, rebound: string, value: Value): Scope => {
    const base: Value = {
      kind: "record",
      name: "base",
      fields: (name) => (name === rebound ? value : plainParam(instance, name)),
      names: () => [rebound, ...instance.params.keys()],
    };
    const lets = new Map<string, Value>();
    const scope: Scope = {
      find: (name, at) => {
        if (name === "base") return base;
        const param = amendment.params.get(name);
        if (param) return adapterParam(param);
        const member = amendment.method.members.find((m) => m.kind === "let" && m.name.text === name);
        if (member?.kind === "let") {
          if (!lets.has(name)) lets.set(name, evaluate(member.value, scope, contextFor(amendment.at ? [amendment.at] : context.through)));
          return lets.get(name);
        }
        return amendment.settings.get(name) ?? scopeOf(instance.sizes).find(name, at);
      },
      names: () => ["base", ...amendment.params.keys(), ...amendment.settings.keys(), ...instance.sizes.keys()],
    };
    return scope;
  };

  const plainParam = (instance: Instance, name: string): Value | undefined => {
    if (!instance.params.has(name)) return undefined;
    const param = instance.params.get(name);
    if (!param) return none;
    const own = param.tiedTo ?? param;
    return tensorOf(addInput(local(own.path), { dtype: "f32", shape: own.shape }, { kind: "param", param: own }));
  };

  const forwardScope = (instance: Instance, locals: Map<string, Value>): Scope => ({
    find: (name, at) => {
      const bound = locals.get(name);
      if (bound) return bound;
      if (instance.params.has(name)) {
        const value = plainParam(instance, name)!;
        return amended(instance, name, value);
      }
      const child = instance.children.get(name);
      if (child) return Array.isArray(child) ? { kind: "repeat", instances: child } : { kind: "module", instance: child as Instance };
      const own = instance.definition.members.find((member) => member.kind === "let" && member.name.text === name);
      if (own?.kind === "let") return evaluate(own.value, scopeOf(instance.sizes), contextFor(context.through));
      return scopeOf(instance.sizes).find(name, at);
    },
    names: () => [...locals.keys(), ...instance.params.keys(), ...instance.children.keys(), ...instance.sizes.keys()],
  });

  // A tied parameter follows its owner when a selective method trains the owner.
  const tiedTrained = (adapter: string, instance: Instance, name: string): Value | undefined => {
    const owner = instance.params.get(name)?.tiedTo;
    const param =
      owner &&
      find(root, owner)
        ?.amendments.filter((amendment) => amendment.adapter === adapter && !amendment.method.amends)
        .flatMap((amendment) => [...amendment.params.values()])
        .find((candidate) => "copyOf" in candidate.source && candidate.source.copyOf === owner.path);
    return param && adapterParam(param);
  };

  const callModule = (instance: Instance, args: readonly Value[], at: tree.Span, through: Context["through"]): Value => {
    const forward = instance.definition.members.find((member) => member.kind === "forward");
    const inner = contextFor(through);
    if (forward?.kind !== "forward")
      return reportThrough(inner, at, (place, details) =>
        diagnostics.no_forward(place, { module: instance.definition.name.text }, details),
      );
    if (args.length !== forward.inputs.length)
      return reportThrough(
        inner,
        at,
        (place, details) =>
          diagnostics.wrong_argument_count(
            place,
            { module: instance.definition.name.text, wanted: forward.inputs.length, given: args.length },
            details,
          ),
        {
          notes: [{ message: "its forward is declared here", at: forward.at }],
        },
      );
    const locals = new Map<string, Value>();
    const scope = forwardScope(instance, locals);
    for (const [i, input] of forward.inputs.entries()) {
      const value = args[i]!;
      if (input.shape && value.kind === "tensor") checkShape(use(value), input.shape, scope, input.at, inner);
      locals.set(input.name.text, value);
    }
    for (const member of forward.lets) {
      const value = evaluate(member.value, scope, inner);
      if (value.kind === "unknown") return unknown;
      locals.set(member.name.text, amended(instance, member.name.text, value));
    }
    const result = evaluate(forward.value, scope, inner);
    if (result.kind !== "tensor") {
      if (result.kind !== "unknown")
        reportThrough(inner, forward.value.at, (place, details) =>
          diagnostics.wrong_operand(place, { op: "forward", what: describe(result) }, details),
        );
      return unknown;
    }
    if (forward.output) checkShape(use(result), forward.output, scope, forward.at, inner);
    return result;
  };

  const callRepeat = (instances: readonly Instance[], args: readonly Value[], at: tree.Span, through: Context["through"]): Value => {
    let carried = args[0]!;
    let previous: { readonly instance: Instance; readonly signature: string; readonly entered: Value } | undefined;
    for (const instance of instances) {
      // A layer equal to the one before it shares that one's graph: only what its inputs are bound to differs.
      const signature = signatureOf(instance, switchedOn);
      if (previous?.signature === signature && previous.entered.kind === "tensor" && carried.kind === "tensor") {
        const entered = previous.entered;
        previous = { instance, signature, entered: carried };
        if (!current().outputs.includes(carried.node)) current().outputs.push(carried.node);
        stages.push(rebind(current(), instance, entered, carried, choice, switchedOn));
        carried = tensorOf(carried.node);
        continue;
      }
      previous = { instance, signature, entered: carried };
      open(instance.path);
      const forward = instance.definition.members.find((member) => member.kind === "forward");
      const names = forward?.kind === "forward" ? forward.inputs.map((input) => input.name.text) : [];
      const here = [carried, ...args.slice(1)].map((value, i) => (value.kind === "tensor" ? tensorOf(use(value, names[i])) : value));
      carried = callModule(instance, here, at, through);
      if (carried.kind === "unknown") return unknown;
    }
    open("after");
    return carried;
  };

  /** A tensor per declared shape, `..` as [b, t]; what declares none stays unknown, and what depends on it unchecked. */
  const declaredInputs = (instance: Instance): Value[] => {
    const forward = instance.definition.members.find((member) => member.kind === "forward");
    if (forward?.kind !== "forward") return [];
    return forward.inputs.map(({ name, shape }): Value => {
      if (!shape) return unknown;
      const sizes = scopeOf(instance.sizes);
      const dims = shape.flatMap((expr): Dim[] =>
        expr.kind === "ellipsis" ? ["b", "t"] : [asDim(evaluate(expr, sizes, contextFor(context.through))) ?? 1],
      );
      return tensorOf(addInput(name.text, { dtype: "f32", shape: dims }, { kind: "batch", name: name.text }));
    });
  };

  open(goal === "forward" ? "before" : "module" in goal ? goal.module.path : goal.forwardOf.path);
  const result =
    goal === "forward"
      ? callModule(root, [sequence], root.definition.at, context.through)
      : "forwardOf" in goal
        ? callModule(goal.forwardOf, declaredInputs(goal.forwardOf), goal.forwardOf.definition.at, context.through)
        : amended(goal.module, goal.param, plainParam(goal.module, goal.param)!);
  if (failed || result.kind !== "tensor") return undefined;
  return { stages, result: use(result) };
};

/** Everything about a module that its graph depends on. */
const signatureOf = (instance: Instance, adapters: readonly string[]): string => {
  const sizes = [...instance.sizes].map(([name, value]) => `${name}=${describe(value)}`);
  const params = [...instance.params].map(
    ([name, param]) => `${name}:${param ? `${param.shape.join("x")}${param.tiedTo ? `=${param.tiedTo.path}` : ""}` : "-"}`,
  );
  const amendments = instance.amendments
    .filter((amendment) => adapters.includes(amendment.adapter))
    .map(
      (amendment) =>
        `${amendment.adapter} ${amendment.method.name.text} ${[...amendment.settings.values()].map(describe).join()} ${[...amendment.params].map(([name, param]) => `${name}:${param.shape.join("x")}:${param.trained}`).join()}`,
    );
  const children = [...instance.children].map(
    ([name, child]) =>
      `${name}(${(Array.isArray(child) ? (child as readonly Instance[]) : [child as Instance]).map((one) => signatureOf(one, adapters)).join(";")})`,
  );
  return `${instance.definition.name.text}[${sizes.join()}|${params.join()}|${amendments.join("/")}|${children.join()}]`;
};

/**
 * What an adapter's parameter is called inside a stage. Its place among the adapters that are on, and not the adapter's own name: so
 * adapters of one form give equal segments, and switching from one to the other is binding other tensors.
 */
const portOf = (switchedOn: readonly string[], adapter: string, path: string): string => {
  const place = switchedOn.indexOf(adapter);
  return `adapter${place > 0 ? place + 1 : ""}:${path}`;
};

/** A parameter as this choice sees it: what stands beneath the adapter that is trained stays as it is. */
const held = (choice: Choice, param: AdapterParam): AdapterParam =>
  choice.trains === undefined || !param.trained || param.name.startsWith(`${choice.trains}:`) ? param : { ...param, trained: false };

/** A stage's graph bound to another, equal module. */
const rebind = (
  stage: Stage,
  instance: Instance,
  entered: TensorValue,
  carried: TensorValue,
  choice: Choice,
  switchedOn: readonly string[],
): Stage => {
  const params = new Map<string, ParamSpec>();
  const adapterParams = new Map<string, AdapterParam>();
  const below = (path: string): string => path.slice(instance.path.length + 1);
  for (const module of modulesOf(instance)) {
    for (const param of module.params.values()) if (param && !param.tiedTo) params.set(below(param.path), param);
    for (const amendment of module.amendments)
      for (const param of amendment.params.values()) {
        if (param.shared) continue;
        const [adapter, path] = param.name.split(":") as [string, string];
        if (switchedOn.includes(adapter)) adapterParams.set(portOf(switchedOn, adapter, below(path)), held(choice, param));
      }
  }
  const inputs: Stage["inputs"] = new Map();
  for (const [name, { node, from }] of stage.inputs) {
    const param = from.kind === "param" ? params.get(name) : undefined;
    const adapter = from.kind === "adapter" ? adapterParams.get(name) : undefined;
    const enters = from.kind === "value" && from.stage === entered.stage && from.node === entered.node;
    inputs.set(name, {
      node,
      from: param
        ? { kind: "param", param }
        : adapter
          ? { kind: "adapter", param: adapter }
          : enters
            ? { kind: "value", stage: carried.stage, node: carried.node }
            : from,
    });
  }
  return { name: instance.path, graph: stage.graph, inputs, outputs: [] };
};

const find = (root: Instance, param: ParamSpec): Instance | undefined => {
  for (const own of root.params.values()) if (own === param) return root;
  for (const child of root.children.values())
    for (const instance of Array.isArray(child) ? (child as readonly Instance[]) : [child as Instance]) {
      const found = find(instance, param);
      if (found) return found;
    }
  return undefined;
};

/** A declared shape against an actual one; `..` stands for any leading axes. */
const checkShape = (node: Node, declared: readonly tree.Expr[], scope: Scope, at: tree.Span, context: Context): void => {
  const open = declared[0]?.kind === "ellipsis";
  const wanted = (open ? declared.slice(1) : declared).map((expr) => asDim(evaluate(expr, scope, context)));
  const actual: readonly Dim[] = open ? node.type.shape.slice(Math.max(0, node.type.shape.length - wanted.length)) : node.type.shape;
  if (actual.length === wanted.length && actual.every((dim, i) => wanted[i] === undefined || wanted[i] === dim)) return;
  const print = `[${open ? [".."].concat(wanted.map(String)).join(", ") : wanted.join(", ")}]`;
  reportThrough(context, at, (place, details) =>
    diagnostics.shapes_do_not_fit(place, { problem: `declared ${print}, found [${node.type.shape.join(", ")}]` }, details),
  );
};
