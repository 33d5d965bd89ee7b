// What merging an adapter means: the expression that rebinds a stored parameter, evaluated once. Whatever rebinds a computed
// value has no tensor to go into.

import type { AdapterPlan } from "./inject.ts";

/** Why an adapter cannot be merged; undefined when it can. */
export const unmergeable = (adapter: AdapterPlan): string | undefined => {
  for (const member of adapter.method.members) {
    if (member.kind !== "bind" || member.target.length !== 1) continue;
    const name = member.target[0]!.text;
    const target = adapter.targets.find((module) => !module.params.has(name));
    if (target) return `${adapter.method.name.text} rebinds \`${name}\`, which is computed and not stored`;
    const tied = adapter.targets.find((module) => module.params.get(name)?.tiedTo);
    if (tied) return `${tied.path}.${name} is tied to ${tied.params.get(name)!.tiedTo!.path}, and one tensor cannot hold both`;
  }
  return undefined;
};
