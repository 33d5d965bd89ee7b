// The files of an adapter's folder, as Hugging Face PEFT names them.

export const adapterConfigFile = "adapter_config.json";
export const adapterWeightsFile = "adapter_model.safetensors";
/** What PEFT wrote before, and writes without `safe_serialization`. */
export const adapterPickleFile = "adapter_model.bin";
