// A model that no architecture reads -> the architecture that comes nearest, and in what it differs: keys of config.json that it needs or
// reads otherwise, and tensors by name and shape. Every architecture of the library is tried, quietly; nothing is computed from it.

import type { Diagnostic } from "../../spec/diagnostic.ts";
import { turnedShape } from "../../spec/turned.ts";
import type { StoredTensor } from "../host.ts";
import { type Instance, parametersOf } from "./instantiate.ts";

export interface Tried {
  readonly name: string;
  /** What its configuration is told, as diagnostics of an architecture that is asked to read it. */
  readonly problems: readonly Diagnostic[];
  /** How many of its keys config.json has. */
  readonly reads: number;
  /** Absent where the configuration does not fit. */
  readonly root?: Instance;
}

/** What to say of the nearest: two or three lines; none where nothing comes near. */
export const nearestArchitecture = (tried: readonly Tried[], tensors: ReadonlyMap<string, StoredTensor>): readonly string[] => {
  const measured = tried.map((one) => ({ ...one, ...compared(one.root, tensors) }));
  const [best] = measured.sort((a, b) => b.same - a.same || b.reads - b.problems.length - (a.reads - a.problems.length));
  if (!best || best.same + best.reads <= best.problems.length) return [];
  const lines = [
    `the nearest is ${best.name}${tensors.size > 0 && best.root ? `: ${best.same} of the ${tensors.size} tensors are its own` : ""}`,
  ];
  if (best.problems.length > 0) lines.push(`its configuration differs: ${shortened(best.problems.map(({ message }) => message))}`);
  if (best.other.length > 0) lines.push(`it has no such tensor: ${shortened(best.other)}`);
  if (best.missing.length > 0) lines.push(`it needs and does not find: ${shortened(best.missing)}`);
  return lines;
};

const shortened = (texts: readonly string[]): string => texts.slice(0, 4).join(", ") + (texts.length > 4 ? ", …" : "");

/** How many tensors have a parameter's name and shape; which have none, and which parameters have no tensor. */
const compared = (root: Instance | undefined, tensors: ReadonlyMap<string, StoredTensor>) => {
  if (!root || tensors.size === 0) return { same: 0, other: [], missing: [] };
  const wanted = new Map(
    [...parametersOf(root)].flatMap(({ tensor, parts, transposed, shape }) =>
      parts
        ? parts.names.map((name) => [name, parts.shape.join(", ")] as const)
        : [[tensor, (transposed ? turnedShape(shape) : shape).join(", ")] as const],
    ),
  );
  const shapeOf = (name: string): string | undefined => tensors.get(name)?.shape.join(", ");
  const same = [...wanted].filter(([name, shape]) => shapeOf(name) === shape).length;
  const other = [...tensors.keys()].filter((name) => !wanted.has(name));
  const missing = [...wanted].flatMap(([name, shape]) =>
    shapeOf(name) === undefined ? [name] : shapeOf(name) === shape ? [] : [`${name} as [${shape}] (there [${shapeOf(name)}])`],
  );
  return { same, other, missing };
};
