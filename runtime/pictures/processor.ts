// preprocessor_config.json -> how a picture is made ready: resized, its bytes as numbers, shifted and scaled per channel. What it asks for and
// is not done here is refused, never passed over.

import { diagnostics } from "../../spec/diagnostics.generated.ts";
import { readJsonObject } from "../checkpoint.ts";
import { DiagnosticError } from "../diagnostic-error.ts";
import { type Host, joinPath } from "../host.ts";
import { isRecord } from "../json.ts";
import { filters, type Picture, resize } from "./resize.ts";

export interface Processor {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** As bytes of the size that the model looks at. */
  readonly sized: (picture: Picture) => Uint8Array;
  /** Bytes [height, width, channels] as numbers [channels, height, width], into `out` from `at`. */
  readonly numbers: (bytes: Uint8Array, out: Float32Array, at: number) => void;
}

const file = "preprocessor_config.json";

/** Throws a DiagnosticError. `picture` is what the base looks at: channels, height, width. */
export const readProcessor = async (host: Host, folder: string, picture: readonly number[]): Promise<Processor> => {
  const [channels, height, width] = picture as [number, number, number];
  const path = joinPath(folder, file);
  const config = (await host.kind(path)) === "file" ? await readJsonObject(host, path) : {};
  const refuse = (key: string, problem: string): never => {
    throw new DiagnosticError([diagnostics.picture_config(undefined, { file: path, key, found: JSON.stringify(config[key]), problem })]);
  };
  if (config.do_center_crop === true) refuse("do_center_crop", "pictures are resized and not cropped here");
  if (config.do_pad === true) refuse("do_pad", "pictures are resized and not padded here");
  const resample = config.resample ?? 2;
  if (typeof resample !== "number" || (resample !== 0 && !filters[resample])) refuse("resample", "0, 1, 2, 3 and 4 are known");
  const resizes = config.do_resize !== false;
  const size = sizeOf(config.size);
  if (resizes && config.size !== undefined && (size?.height !== height || size.width !== width))
    refuse("size", `the base looks at ${height} by ${width}`);
  const factor = config.do_rescale === false ? 1 : config.rescale_factor === undefined ? 1 / 255 : Number(config.rescale_factor);
  const normal = config.do_normalize !== false;
  const perChannel = (key: string): readonly number[] => {
    const value = config[key] ?? 0.5;
    const list = typeof value === "number" ? Array.from({ length: channels }, () => value) : value;
    if (!Array.isArray(list) || list.length !== channels || !list.every((one) => typeof one === "number"))
      refuse(key, `${channels} numbers are needed, one per channel`);
    return list as readonly number[];
  };
  const [mean, deviation] = normal ? [perChannel("image_mean"), perChannel("image_std")] : [[], []];
  return {
    channels,
    height,
    width,
    sized: (given) => {
      if (resizes) return resize(given, height, width, resample as number).bytes;
      if (given.height !== height || given.width !== width) refuse("do_resize", `a picture is ${given.height} by ${given.width}`);
      return given.bytes;
    },
    numbers: (bytes, out, at) => {
      const plane = height * width;
      for (let c = 0; c < channels; c++)
        for (let i = 0; i < plane; i++) {
          const value = Math.fround(bytes[i * channels + c]! * factor);
          out[at + c * plane + i] = normal ? (value - mean[c]!) / deviation[c]! : value;
        }
    },
  };
};

const sizeOf = (size: unknown): { readonly height: number; readonly width: number } | undefined => {
  if (typeof size === "number") return { height: size, width: size };
  return isRecord(size) && typeof size.height === "number" && typeof size.width === "number"
    ? { height: size.height, width: size.width }
    : undefined;
};
