// What merging an adapter means: the expression that rebinds a stored parameter, evaluated once. Whatever rebinds a computed
// value has no tensor to go into.

import type * as tree from "../../grammar/tree.ts";
import { type Instance, modulesOf } from "../model/instantiate.ts";
import { faceOf } from "../model/interfaces.ts";
import type { AdapterPlan } from "./inject.ts";
import { adaptersIn, layersOf } from "./layers.ts";
import { reboundName } from "./training-bindings.ts";

interface Rebound {
  readonly method: tree.MethodDef;
  readonly module: Instance;
  readonly name: string;
  readonly tied: boolean;
}

/** Every value that an adapter rebinds by itself, at its targets and in the modules below them. */
export const reboundBy = ({ injections }: AdapterPlan): Rebound[] =>
  injections.flatMap(({ method, targets, tied }) => {
    const within = (members: readonly tree.Member[], module: Instance): Rebound[] =>
      members.flatMap((member): Rebound[] => {
        const name = reboundName(member, members);
        if (name !== undefined) return [{ method, module, name, tied }];
        if (member.kind !== "each") return [];
        const below = modulesOf(module).filter((inner) => inner !== module && faceOf(inner, member.module.text));
        return below.flatMap((inner) => within(member.members, inner));
      });
    return targets.flatMap((module) => within(method.members, module));
  });

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
  for (const part of parts) for (const { module, name } of reboundBy(part)) add(module, name);
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
  for (const part of partsOf(adapter, adapters))
    for (const { method, module, name, tied: both } of reboundBy(part)) {
      const param = module.params.get(name);
      if (!module.params.has(name)) return `${method.name.text} rebinds \`${name}\`, which is computed and not stored`;
      const other = param?.tiedTo?.path ?? param?.tiedBy?.join(", ");
      if (other && !both)
        return `${module.path}.${name} is tied to ${other}, and one tensor cannot hold both (\`tied: true\` changes both)`;
    }
  return undefined;
};
