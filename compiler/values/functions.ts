// Functions of sizes and settings, computed while a definition is unfolded: they name no tensor and no op. Of a size that is not
// known yet the result is a size of its own name.

import { dimOf, number, size, type Value } from "./values.ts";

type Whole = (...args: readonly number[]) => number;

/** PyTorch libraries' rule for splitting a size in two: near the square root, or `near` itself where it divides (LyCORIS). */
const divisor: Whole = (of = 1, near = -1) => {
  if (near > 0 && of % near === 0) return near;
  const limit = near === -1 ? of : near;
  let [small, large] = [1, of];
  while (small < large) {
    let next = small + 1;
    while (of % next !== 0) next++;
    if (next + of / next > small + large || next > limit) break;
    [small, large] = [next, of / next];
  }
  return Math.min(small, large);
};

const functions: Readonly<Record<string, { readonly arity: readonly number[]; readonly of: Whole }>> = {
  max: { arity: [2], of: Math.max },
  min: { arity: [2], of: Math.min },
  floor: { arity: [1], of: Math.floor },
  ceil: { arity: [1], of: Math.ceil },
  divisor: { arity: [1, 2], of: divisor },
};

export const functionNames: readonly string[] = [...Object.keys(functions), "count"];

/** Undefined where the name is no function, or an argument no number. */
export const callFunction = (name: string, args: readonly Value[]): Value | undefined => {
  const [only] = args;
  if (name === "count" && args.length === 1 && only?.kind === "open" && only.type === "list") return size(`count(${only.name})`);
  if (name === "count") return args.length === 1 && only?.kind === "list" ? number(only.items.length) : undefined;
  const known = functions[name];
  const dims = args.map(dimOf);
  if (!known?.arity.includes(args.length) || dims.includes(undefined)) return undefined;
  const numbers = dims.filter((dim) => typeof dim === "number");
  return numbers.length === dims.length ? number(known.of(...numbers)) : size(`${name}(${dims.join(",")})`);
};
