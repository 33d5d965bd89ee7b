// Equal layers share one graph (spec/decisions/0002): what tells that two are equal, and how the graph of one is bound to the
// next. Only names local to the layer occur in the graph, so that binding is all there is to do.

import type { AdapterParam } from "../adapters/amend.ts";
import type { Choice } from "../adapters/layers.ts";
import { type Instance, isOwn, modulesOf, type ParamSpec } from "../model/instantiate.ts";
import { describe, type TensorValue, type Value } from "../values/values.ts";
import type { Stage } from "./stage.ts";

const shown = (value: Value): string => (value.kind === "list" ? `[${value.items.map(shown).join()}]` : describe(value));

/** Everything about a module that its graph depends on. */
export const signatureOf = (instance: Instance, adapters: readonly string[]): string => {
  const sizes = [...instance.sizes].map(([name, value]) => `${name}=${describe(value)}`);
  const params = [...instance.params].map(
    ([name, param]) =>
      `${name}:${param ? `${param.shape.join("x")}${param.tiedTo ? `=${param.tiedTo.path}` : param.view ? "*" : ""}${(param.tiedTo ?? param).format?.label ?? ""}` : "-"}`,
  );
  const amendments = instance.amendments
    .filter((amendment) => adapters.includes(amendment.adapter))
    .map(
      (amendment) =>
        `${amendment.adapter} ${amendment.method.name.text} ${[...amendment.settings.values()].map(shown).join()} ${[...amendment.params].map(([name, param]) => `${name}:${param.shape.join("x")}:${param.trained}`).join()}`,
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
