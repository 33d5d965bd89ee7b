// What both halves must agree on of an adapter's safetensors file: its size is told before it is written.

import type { AdapterFiles } from "./job.ts";

/** The metadata in its header: PEFT's names the framework, AdapterHub's says nothing of itself. */
export const adapterMetadata = (library: AdapterFiles["library"]): Readonly<Record<string, string>> =>
  library === "adapters" ? {} : { format: "pt" };
