// PNG and JPEG files as bytes of three channels (or one), as Pillow's `convert("RGB")` gives them: transparency is dropped, grey is equal in all.

import type { Picture } from "./resize.ts";

const isPng = (file: Uint8Array): boolean => file[0] === 0x89 && file[1] === 0x50 && file[2] === 0x4e && file[3] === 0x47;
const isJpeg = (file: Uint8Array): boolean => file[0] === 0xff && file[1] === 0xd8;

/** Undefined for a file that is neither; throws what the decoder throws for one that is damaged. */
export const decodePicture = async (file: Uint8Array, channels: number): Promise<Picture | undefined> => {
  const rgba = isPng(file) ? await decodePng(file) : isJpeg(file) ? await decodeJpeg(file) : undefined;
  if (!rgba) return undefined;
  const { width, height, data } = rgba;
  const bytes = new Uint8Array(width * height * channels);
  for (let i = 0; i < width * height; i++) {
    const [r, g, b] = [data[i * 4]!, data[i * 4 + 1]!, data[i * 4 + 2]!];
    if (channels === 1) bytes[i] = luma(r, g, b);
    else bytes.set([r, g, b], i * 3);
  }
  return { width, height, channels, bytes };
};

/** ITU-R 601-2 in fixed point, as Pillow computes it. */
const luma = (r: number, g: number, b: number): number => (r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16;

interface Rgba {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

const decodePng = async (file: Uint8Array): Promise<Rgba> => {
  const { PNG } = await import("pngjs");
  return PNG.sync.read(Buffer.from(file.buffer, file.byteOffset, file.byteLength));
};

const decodeJpeg = async (file: Uint8Array): Promise<Rgba> => {
  const { default: jpeg } = await import("jpeg-js");
  return jpeg.decode(file, { useTArray: true, formatAsRGBA: true });
};
