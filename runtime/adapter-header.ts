// An adapter's folder from its configuration and its header alone: no number is read. Stands on the host and safetensors.ts and nothing
// else, so that checking a pipeline can use it without the rest of the runtime.

import { diagnostics } from "../spec/diagnostics.generated.ts";
import { adapterConfigFile, adapterWeightsFile } from "./adapter-names.ts";
import { readJsonObject } from "./checkpoint.ts";
import { DiagnosticError } from "./diagnostic-error.ts";
import { type Host, joinPath, missing } from "./host.ts";
import { readHeader, type TensorEntry } from "./safetensors.ts";

export interface AdapterHeader {
  readonly config: Readonly<Record<string, unknown>>;
  readonly tensors: readonly TensorEntry[];
}

/** Throws a DiagnosticError. */
export const readAdapterHeader = async (host: Host, folder: string): Promise<AdapterHeader> => {
  await checkThere(host, folder);
  const path = joinPath(folder, adapterWeightsFile);
  const configPath = joinPath(folder, adapterConfigFile);
  const config = await readJsonObject(host, configPath);
  const file = await host.open(path);
  try {
    const { tensors } = await readHeader(file, path);
    return { config, tensors };
  } finally {
    await file.close();
  }
};

/** Throws a DiagnosticError that says what the folder has instead of an adapter. */
export const checkThere = async (host: Host, folder: string): Promise<void> => {
  if ((await host.kind(joinPath(folder, adapterWeightsFile))) === "file") return;
  if ((await host.kind(folder)) !== "folder") throw await missing(host, folder);
  const names = (await host.list(folder)).map((entry) => entry.name);
  throw new DiagnosticError([
    diagnostics.adapter_absent(
      undefined,
      { folder },
      {
        notes: [{ message: names.length ? `it has: ${names.slice(0, 12).join(", ")}` : "it is empty" }],
        ...(names.some((name) => name.endsWith(".bin")) && { help: "save it again with `safe_serialization=True`" }),
      },
    ),
  ]);
};
