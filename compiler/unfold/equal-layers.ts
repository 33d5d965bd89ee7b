// Equal layers share one graph (spec/decisions/0002): what tells that two are equal, and how the graph of one is bound to the
// next. Only names local to the layer occur in the graph, so that binding is all there is to do.

import type { AdapterParam, Amendment } from "../adapters/amend.ts";
import type { Choice } from "../adapters/layers.ts";
import { type Instance, isOwn, modulesOf, type ParamSpec } from "../model/instantiate.ts";
import type { Dim } from "../values/dims.ts";
import { sameValues, type TensorValue } from "../values/values.ts";
import type { Stage } from "./stage.ts";

/** Whether two modules have one graph: everything that it depends on is equal. */
export const alike = (a: Instance, b: Instance, adapters: readonly string[]): boolean => {
  if (a.definition !== b.definition || !sameValues(a.sizes, b.sizes) || a.params.size !== b.params.size) return false;
  for (const [name, param] of a.params) if (!sameParam(param, b.params.get(name))) return false;
  const [mine, other] = [a, b].map(({ amendments }) => amendments.filter(({ adapter }) => adapters.includes(adapter))) as [
    Amendment[],
    Amendment[],
  ];
  if (mine.length !== other.length || !mine.every((one, i) => sameAmendment(one, other[i]!))) return false;
  if (a.children.size !== b.children.size) return false;
  for (const [name, child] of a.children) {
    const [these, those] = [child, b.children.get(name)].map(
      (one) => (one === undefined || Array.isArray(one) ? (one ?? []) : [one]) as readonly Instance[],
    ) as [readonly Instance[], readonly Instance[]];
    if (these.length !== those.length || !these.every((one, i) => alike(one, those[i]!, adapters))) return false;
  }
  return true;
};

const sameShape = (a: readonly Dim[], b: readonly Dim[]): boolean =>
  a === b || (a.length === b.length && a.every((dim, i) => dim === b[i]));

const sameParam = (a: ParamSpec | undefined, b: ParamSpec | undefined): boolean => {
  if (!a || !b) return a === b;
  const [mine, other] = [a.tiedTo ?? a, b.tiedTo ?? b];
  return (
    sameShape(a.shape, b.shape) && a.tiedTo?.path === b.tiedTo?.path && !a.view === !b.view && mine.format?.label === other.format?.label
  );
};

const sameAmendment = (a: Amendment, b: Amendment): boolean =>
  a.adapter === b.adapter &&
  a.method === b.method &&
  sameValues(a.settings, b.settings) &&
  a.params.size === b.params.size &&
  [...a.params].every(([name, one]) => {
    const other = b.params.get(name);
    return other !== undefined && sameShape(one.shape, other.shape) && one.trained === other.trained;
  });

/**
 * What an adapter's parameter is called inside a stage. Its place among the adapters that are on, and not the adapter's own name: so
 * adapters of one form give equal segments, and switching from one to the other is binding other tensors.
 */
export const portOf = (switchedOn: readonly string[], adapter: string, path: string): string => {
  const place = switchedOn.indexOf(adapter);
  return `adapter${place > 0 ? place + 1 : ""}:${path}`;
};

/** A parameter as this choice sees it: what stands beneath the adapter that is trained stays as it is. */
export const held = (choice: Choice, param: AdapterParam): AdapterParam =>
  choice.trains === undefined || !param.trained || param.name.startsWith(`${choice.trains}:`) ? param : { ...param, trained: false };

/** A stage's graph bound to another, equal module. */
export const rebind = (
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
    for (const param of module.params.values()) if (isOwn(param)) params.set(below(param.path), param);
    for (const amendment of module.amendments)
      for (const param of amendment.params.values()) {
        if (param.shared) continue;
        const [adapter, path] = param.name.split(":") as [string, string];
        if (switchedOn.includes(adapter)) adapterParams.set(portOf(switchedOn, adapter, below(path)), held(choice, param));
      }
  }
  const inputs: Stage["inputs"] = new Map();
  for (const [name, { node, from }] of stage.inputs) {
    const piece = from.kind === "param" ? from.piece : undefined;
    const param = from.kind === "param" ? params.get(piece ? name.slice(0, -piece.length) : name) : undefined;
    const adapter = from.kind === "adapter" ? adapterParams.get(name) : undefined;
    const enters = from.kind === "value" && from.stage === entered.stage && from.node === entered.node;
    inputs.set(name, {
      node,
      from: param
        ? { kind: "param", param, ...(piece !== undefined && { piece }) }
        : adapter
          ? { kind: "adapter", param: adapter }
          : enters
            ? { kind: "value", stage: carried.stage, node: carried.node }
            : from,
    });
  }
  return { name: instance.path, graph: stage.graph, inputs, outputs: [] };
};

/** The module that has a parameter of its own. */
export const findHolder = (root: Instance, param: ParamSpec): Instance | undefined => {
  for (const own of root.params.values()) if (own === param) return root;
  for (const child of root.children.values())
    for (const instance of Array.isArray(child) ? (child as readonly Instance[]) : [child as Instance]) {
      const found = findHolder(instance, param);
      if (found) return found;
    }
  return undefined;
};
