// Amendments that reach a parameter through a tie: a line says `tied: true` at one place, and the parameter is tied to another's.

import type { Amendment } from "./amend.ts";
import { type Instance, modulesOf, type ParamSpec } from "./instantiate.ts";

export interface TiedAmendment {
  readonly holder: Instance;
  /** The parameter's name at that place. */
  readonly name: string;
  readonly amendment: Amendment;
}

/** What rebinds a parameter at other places than `here`. */
export const tiedAmendments = (root: Instance, own: ParamSpec | undefined, here: Instance): readonly TiedAmendment[] => {
  if (!own?.tiedTo && !own?.tiedBy) return [];
  const owner = own.tiedTo ?? own;
  return [...modulesOf(root)].flatMap((holder) =>
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
