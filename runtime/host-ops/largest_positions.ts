// largest_positions(x, count, parts) -> the positions of the largest elements of the flattened tensor, ascending; of equal ones the first.
// With parts, of each of that many equal parts, one part after the other.

import type { HostOp } from "./matrix.ts";

export const largest_positions: HostOp = ([x], attrs) => {
  const count = attrs.count as number;
  const parts = (attrs.parts as number | undefined) ?? 1;
  const { data } = x!;
  const size = data.length / parts;
  const found = Array.from({ length: parts }, (_, part) =>
    largestOf(data.subarray(part * size, (part + 1) * size), count).map((i) => part * size + i),
  );
  return [Int32Array.from(found.flat())];
};

const largestOf = (data: Float32Array | Int32Array, count: number): number[] => {
  if (count === 0) return [];
  const bound = Float32Array.from(data).sort()[data.length - count]!;
  const above: number[] = [];
  const equal: number[] = [];
  for (let i = 0; i < data.length; i++) {
    if (data[i]! > bound) above.push(i);
    else if (data[i] === bound) equal.push(i);
  }
  return [...above, ...equal.slice(0, count - above.length)].sort((a, b) => a - b);
};
