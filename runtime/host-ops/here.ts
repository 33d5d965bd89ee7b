// here(x, count, part) -> elements part·count to (part + 1)·count of a list.

import type { HostOp } from "./matrix.ts";

export const here: HostOp = ([x], attrs) => {
  const [count, part] = [attrs.count as number, attrs.part as number];
  return [x!.data.slice(part * count, (part + 1) * count)];
};
