// A checkpoint whose numbers follow from the names and shapes of its tensors, as models.py draws it, so that what transformers
// computed once can be compared without Python.

import { mkdirSync, writeFileSync } from "node:fs";
import { nodeHost } from "../../../runtime/node-host.ts";
import { writeSafetensors } from "../../../runtime/safetensors.ts";

/** Numbers in (-0.3, 0.3), around 1 for scales: `values` of models.py. */
export const drawn = (name: string, shape: readonly number[]): Float32Array => {
  let h = 2166136261;
  for (const byte of new TextEncoder().encode(name)) h = Math.imul(h ^ byte, 16777619) >>> 0;
  const count = shape.reduce((a, b) => a * b, 1);
  const start = shape.length === 1 && !name.includes("bias") ? 1 : 0;
  const out = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    let x = (Math.imul(i, 2654435761) + h) >>> 0;
    for (let k = 0; k < 2; k++) x = Math.imul(x ^ (x >>> 16), 0x45d9f3b) >>> 0;
    out[i] = start + 0.6 * (((x ^ (x >>> 16)) >>> 0) / 2 ** 32 - 0.5);
  }
  return out;
};

/** Writes config.json and model.safetensors. */
export const writeDrawn = async (folder: string, config: unknown, tensors: Readonly<Record<string, readonly number[]>>): Promise<void> => {
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}/config.json`, JSON.stringify(config));
  const plans = Object.entries(tensors).map(([name, shape]) => ({ name, dtype: "F32" as const, shape }));
  const path = `${folder}/model.safetensors`;
  await writeSafetensors(nodeHost, path, plans, ({ name, shape }) => new Uint8Array(drawn(name, shape).buffer));
};
