// everywhere(x, y, …) -> the lists one after the other.

import type { HostOp } from "./matrix.ts";

export const everywhere: HostOp = (lists) => [Float32Array.from(lists.flatMap(({ data }) => [...data]))];
