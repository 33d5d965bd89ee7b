// What the files of a checkpoint's numbers are called. By themselves, so that looking for the files loads no reader.

export const weightsFile = "model.safetensors";
export const indexFile = "model.safetensors.index.json";
