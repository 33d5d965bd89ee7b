// How an op takes part in a WGSL kernel. The emitter (wgsl.ts) knows these forms and no op by name.

import type { Attrs } from "../graph.ts";

export type WgslForm =
  /** One output element from the elements at the same (broadcast) index: joins any kernel as an expression. */
  { readonly form: "map"; readonly expression: (args: readonly string[], attrs: Attrs) => string };
