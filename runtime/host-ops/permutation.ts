// permutation(below, count, seed) -> the first `count` numbers of PyTorch's `torch.randperm(below, generator=…manual_seed(seed))`, so that files
// which only say a seed mean what they mean there. The generator is MT19937 (Matsumoto and Nishimura 1998) seeded as `init_genrand` does; the
// shuffle takes place i from the i-th to the last by a remainder (ATen/native/TensorFactories.cpp, randperm_cpu, below 2^32 / 20 numbers).

import type { HostOp } from "./matrix.ts";

const [length, middle] = [624, 397];

/** 32-bit numbers of MT19937, one call each. */
const twister = (seed: number): (() => number) => {
  const state = new Uint32Array(length);
  state[0] = seed;
  for (let i = 1; i < length; i++) state[i] = Math.imul(1812433253, state[i - 1]! ^ (state[i - 1]! >>> 30)) + i;
  let next = length;
  const turn = (): void => {
    for (let i = 0; i < length; i++) {
      const pair = (state[i]! & 0x80000000) | (state[(i + 1) % length]! & 0x7fffffff);
      state[i] = state[(i + middle) % length]! ^ (pair >>> 1) ^ (pair & 1 ? 0x9908b0df : 0);
    }
    next = 0;
  };
  return () => {
    if (next === length) turn();
    let y = state[next++]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  };
};

export const permutation: HostOp = (_inputs, attrs) => {
  const [below, count, seed] = [attrs.below as number, attrs.count as number, attrs.seed as number];
  const draw = twister(seed);
  // Only what was moved is kept, and places before i are final: the rest of the shuffle is not needed.
  const moved = new Map<number, number>();
  const at = (place: number): number => moved.get(place) ?? place;
  const out = Int32Array.from({ length: count }, (_, i) => {
    const other = i < below - 1 ? i + (draw() % (below - i)) : i;
    const chosen = at(other);
    moved.set(other, at(i));
    return chosen;
  });
  return [out];
};
