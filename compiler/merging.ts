// What merging an adapter means: the expression that rebinds a stored parameter, evaluated once. Whatever rebinds a computed
// value has no tensor to go into.

import type * as tree from "../grammar/tree.ts";
import type { AdapterPlan } from "./inject.ts";
import type { Instance } from "./instantiate.ts";
import { adaptersIn, layersOf } from "./layers.ts";

/** Names of the module that a method rebinds. */
export const reboundNames = (method: tree.MethodDef): string[] =>
  method.members.flatMap((member) => (member.kind === "bind" && member.target.length === 1 ? [member.target[0]!.text] : []));

/** The adapters whose tensors take part: itself, what it stands on, what it is made of. */
const partsOf = (adapter: AdapterPlan, adapters: ReadonlyMap<string, AdapterPlan>): readonly AdapterPlan[] =>
  adaptersIn(layersOf(adapter.name, adapters)).flatMap((name) => adapters.get(name) ?? []);

/** Stored parameters that are another value once the adapter is on, by module. `copied` are those that are simply taken over. */
export const changedPlaces = (
  adapter: AdapterPlan,
  adapters: ReadonlyMap<string, AdapterPlan>,
): { readonly computed: ReadonlyMap<Instance, ReadonlySet<string>>; readonly copied: AdapterPlan["params"] } => {
  const computed = new Map<Instance, Set<string>>();
  const add = (module: Instance, name: string): void => void computed.set(module, (computed.get(module) ?? new Set()).add(name));
  const parts = partsOf(adapter, adapters);
  for (const { injections } of parts)
    for (const { method, targets } of injections) for (const module of targets) for (const name of reboundNames(method)) add(module, name);
  const taken = parts.flatMap(({ params }) => params.filter((param) => "copyOf" in param.source));
  // By itself a trained copy is the merged tensor; among others it is one step of a computation.
  const plain = parts.length === 1 && !adapter.made;
  const copied = taken.filter((param) => plain && !computed.get(param.module)?.has(param.local));
  for (const param of taken) if (!copied.includes(param)) add(param.module, param.local);
  return { computed, copied };
};

/** Why an adapter cannot be merged; undefined when it can. */
export const unmergeable = (adapter: AdapterPlan, adapters: ReadonlyMap<string, AdapterPlan>): string | undefined => {
  if (adapter.made?.kind === "mix") return "each row of a batch has its own adapter, and one tensor cannot hold them all";
  for (const { injections } of partsOf(adapter, adapters))
    for (const { method, targets } of injections)
      for (const name of reboundNames(method)) {
        const target = targets.find((module) => !module.params.has(name));
        if (target) return `${method.name.text} rebinds \`${name}\`, which is computed and not stored`;
        const tied = targets.find((module) => module.params.get(name)?.tiedTo);
        if (tied) return `${tied.path}.${name} is tied to ${tied.params.get(name)!.tiedTo!.path}, and one tensor cannot hold both`;
      }
  return undefined;
};
