// ascending(x) -> its elements from the least to the largest.

import type { HostOp } from "./matrix.ts";

export const ascending: HostOp = ([x]) => [x!.data.slice().sort()];
