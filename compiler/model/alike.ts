// A module that differs from one that is there in its place alone: made by renaming, which costs a fraction of unfolding it. Of eighty
// equal layers one is unfolded. Invariant: what is made is what unfolding would have made; it shares the sizes and faces of the first,
// so that two modules whose sizes are one object are alike.

import type { Instance, ParamSpec, Place } from "./instantiate.ts";

/** `instance`, which was unfolded at `from`, at `to`. Parameters that are tied to or read others stay so, within the module. */
export const moved = (instance: Instance, from: Place, to: Place): Instance => {
  const renamed = new Map<ParamSpec, ParamSpec>();
  const [stored, storedThere] = [from.stored[0]!, to.stored[0]!];
  const path = (old: string): string => to.path + old.slice(from.path.length);
  const running = (old: string): string => to.checkpoint + old.slice(from.checkpoint.length);
  const inFile = (old: string): string => storedThere + old.slice(stored.length);
  const param = (old: ParamSpec): ParamSpec => {
    const made: ParamSpec = {
      ...old,
      path: path(old.path),
      tensor: old.parts ? running(old.tensor) : inFile(old.tensor),
      ...(old.parts && { parts: { ...old.parts, names: old.parts.names.map(inFile) } }),
      ...(old.tiedTo && { tiedTo: renamed.get(old.tiedTo) ?? old.tiedTo }),
      ...(old.tiedBy && { tiedBy: old.tiedBy.map(path) }),
      ...(old.view && { view: { ...old.view, of: renamed.get(old.view.of) ?? old.view.of } }),
    };
    renamed.set(old, made);
    return made;
  };
  const module = (old: Instance): Instance => {
    const children = new Map(
      [...old.children].map(([name, child]) => [name, Array.isArray(child) ? child.map(module) : module(child as Instance)]),
    );
    return {
      ...old,
      path: path(old.path),
      checkpoint: running(old.checkpoint),
      params: new Map([...old.params].map(([name, one]) => [name, one && param(one)])),
      children,
      amendments: [],
    };
  };
  return module(instance);
};
