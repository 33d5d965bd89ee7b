// largest_positions(x, count) -> the positions of the largest elements of the flattened tensor, ascending; of equal ones the first.

import type { HostOp } from "./matrix.ts";

export const largest_positions: HostOp = ([x], attrs) => {
  const count = attrs.count as number;
  const { data } = x!;
  const bound = Float32Array.from(data).sort()[data.length - count]!;
  const above: number[] = [];
  const equal: number[] = [];
  for (let i = 0; i < data.length; i++) {
    if (data[i]! > bound) above.push(i);
    else if (data[i] === bound) equal.push(i);
  }
  return [Int32Array.from([...above, ...equal.slice(0, count - above.length)].sort((a, b) => a - b))];
};
