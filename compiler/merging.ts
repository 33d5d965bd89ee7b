// What merging an adapter means: the expression that rebinds a stored parameter, evaluated once. Whatever rebinds a computed
// value has no tensor to go into.

import type * as tree from "../grammar/tree.ts";
import type { AdapterPlan } from "./inject.ts";

/** Names of the module that a method rebinds. */
export const reboundNames = (method: tree.MethodDef): string[] =>
  method.members.flatMap((member) => (member.kind === "bind" && member.target.length === 1 ? [member.target[0]!.text] : []));

/** Why an adapter cannot be merged; undefined when it can. */
export const unmergeable = (adapter: AdapterPlan): string | undefined => {
  for (const { method, targets } of adapter.injections)
    for (const name of reboundNames(method)) {
      const target = targets.find((module) => !module.params.has(name));
      if (target) return `${method.name.text} rebinds \`${name}\`, which is computed and not stored`;
      const tied = targets.find((module) => module.params.get(name)?.tiedTo);
      if (tied) return `${tied.path}.${name} is tied to ${tied.params.get(name)!.tiedTo!.path}, and one tensor cannot hold both`;
    }
  return undefined;
};
