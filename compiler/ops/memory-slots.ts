// The attribute that attention and its gradient share: how many slots in front of the tokens' own every query sees.

import type { Attrs } from "../graph/graph.ts";

export const memorySlots = (attrs: Attrs): number => (typeof attrs.memory === "number" ? attrs.memory : 0);
