// The files of an adapter's folder, as the library whose layout it is in names them.

import type { AdapterFiles } from "../spec/job.ts";

type Library = AdapterFiles["library"];

export const adapterConfigFile = "adapter_config.json";

/** The file of the numbers that is written. */
export const weightsFiles: Readonly<Record<Library, string>> = {
  peft: "adapter_model.safetensors",
  adapters: "adapter.safetensors",
  none: "adapter_model.safetensors",
};

/** What torch.save wrote: PEFT before, and without `safe_serialization`; AdapterHub unless told otherwise. */
export const pickleFiles: readonly string[] = ["adapter_model.bin", "pytorch_adapter.bin"];

/** What AdapterHub may lay beside an adapter: heads of its own, and how several adapters are fused. */
export const besideFiles: readonly string[] = ["head_config.json", "adapter_fusion_config.json"];

/** What a saved configuration says of the run: `base`, where the base is in PEFT's words, in the library's own. */
export const aboutBase = (library: Library, base: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  library === "peft" ? base : library === "adapters" ? { model_name: base.base_model_name_or_path ?? "" } : {};
