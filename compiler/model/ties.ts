// Ties: amendments that reach a parameter through one (a line says `tied: true` at one place, and the parameter is tied to another's), and
// which uses of a tied parameter an adapter changes.

import type { Amendment } from "../adapters/amend.ts";
import type { AdapterPlan } from "../adapters/inject.ts";
import { type Instance, modulesOf, type ParamSpec } from "./instantiate.ts";

export interface TiedAmendment {
  readonly holder: Instance;
  /** The parameter's name at that place. */
  readonly name: string;
  readonly amendment: Amendment;
}

/** One tensor under two names, of which an adapter changes one or all uses. */
export interface TiedUse {
  /** What the adapter is put on. */
  readonly at: string;
  /** The other names of the same tensor. */
  readonly same: readonly string[];
  readonly both: boolean;
}

/** Which uses of tied parameters an adapter changes: a method the one it is put on, unless its line says `tied: true`; a trained tensor all. */
export const tiedUses = ({ injections, params }: AdapterPlan): readonly TiedUse[] => {
  const uses = injections.flatMap(({ method, targets, tied }) =>
    targets.flatMap((module) =>
      [...module.params].flatMap(([name, param]): TiedUse[] => {
        const owner = param?.tiedTo ?? param;
        if (!param || !owner?.tiedBy?.length) return [];
        const changes = method.amends
          ? method.members.some((member) => member.kind === "bind" && member.target.length === 1 && member.target[0]!.text === name)
          : params.some(({ source }) => "copyOf" in source && source.copyOf === owner.path);
        const same = [owner.path, ...owner.tiedBy].filter((path) => path !== param.path);
        return changes ? [{ at: param.path, same, both: tied || !method.amends }] : [];
      }),
    ),
  );
  return [...new Map(uses.map((use) => [use.at, use])).values()];
};

/** What rebinds a parameter at other places than `here`. */
export const tiedAmendments = (root: Instance, own: ParamSpec | undefined, here: Instance): readonly TiedAmendment[] => {
  if (!own?.tiedTo && !own?.tiedBy) return [];
  const owner = own.tiedTo ?? own;
  return modulesOf(root).flatMap((holder) =>
    holder === here
      ? []
      : holder.amendments
          .filter(({ tied }) => tied)
          .flatMap((amendment) =>
            [...holder.params].flatMap(([name, param]) =>
              param && (param.tiedTo ?? param) === owner ? [{ holder, name, amendment }] : [],
            ),
          ),
  );
};
