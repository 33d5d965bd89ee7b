// An adapter's folder from its configuration and its header alone: no number is read. Stands on the host and the readers of headers and
// nothing else, so that checking a pipeline can use it without the rest of the runtime.

import { adapterConfigFile, besideFiles } from "./adapter-names.ts";
import { openAdapterWeights } from "./adapter-weights.ts";
import { readJsonObject } from "./checkpoint.ts";
import { joinPath, type ReadingHost } from "./host.ts";
import type { TensorEntry } from "./safetensors.ts";

export interface AdapterHeader {
  readonly config: Readonly<Record<string, unknown>>;
  readonly tensors: readonly TensorEntry[];
  /** Files of parts that are no adapter, and are not read. */
  readonly beside: readonly string[];
}

/** Throws a DiagnosticError. */
export const readAdapterHeader = async (host: ReadingHost, folder: string): Promise<AdapterHeader> => {
  const { file, tensors } = await openAdapterWeights(host, folder);
  await file.close();
  const beside = (await host.list(folder)).map(({ name }) => name).filter((name) => besideFiles.includes(name));
  return { config: await readJsonObject(host, joinPath(folder, adapterConfigFile)), tensors, beside };
};
