// The file of an adapter's numbers and the table of its tensors: safetensors, or what torch.save wrote. Stands on files alone, so that
// checking a pipeline can use it without the rest of the runtime.

import { diagnostics } from "../spec/diagnostics.generated.ts";
import { pickleFiles, weightsFiles } from "./adapter-names.ts";
import { DiagnosticError } from "./diagnostic-error.ts";
import { joinPath, missing, type ReadableFile, type ReadingHost } from "./host.ts";
import { readHeader, type TensorEntry } from "./safetensors.ts";
import { readTorchHeader } from "./torch-file.ts";

export interface AdapterWeights {
  /** Open; the caller closes it. */
  readonly file: ReadableFile;
  readonly tensors: readonly TensorEntry[];
}

/** Of several files in a folder the safetensors counts. Throws a DiagnosticError that says what the folder has instead of an adapter. */
export const openAdapterWeights = async (host: ReadingHost, folder: string): Promise<AdapterWeights> => {
  const fromSafetensors = async (file: ReadableFile, path: string) => (await readHeader(file, path)).tensors;
  for (const [name, read] of [
    ...[...new Set(Object.values(weightsFiles))].map((name) => [name, fromSafetensors] as const),
    ...pickleFiles.map((name) => [name, readTorchHeader] as const),
  ]) {
    const path = joinPath(folder, name);
    if ((await host.kind(path)) !== "file") continue;
    const file = await host.open(path);
    try {
      return { file, tensors: await read(file, path) };
    } catch (error) {
      await file.close();
      throw error;
    }
  }
  if ((await host.kind(folder)) !== "folder") throw await missing(host, folder);
  const names = (await host.list(folder)).map((entry) => entry.name);
  throw new DiagnosticError([
    diagnostics.adapter_absent(
      undefined,
      { folder },
      { notes: [{ message: names.length ? `it has: ${names.slice(0, 12).join(", ")}` : "it is empty" }] },
    ),
  ]);
};
