// A picture made larger or smaller as Pillow makes it, bit for bit: two passes, each pixel a weighted sum of those under a filter that
// grows with the reduction, weights in fixed point with 22 bits, bytes between the passes (Pillow's Resample.c, 8 bits per channel).

/** Bytes, row-major, channels last: [height, width, channels]. */
export interface Picture {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly bytes: Uint8Array;
}

interface Filter {
  readonly support: number;
  readonly of: (x: number) => number;
}

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI));

/** By Pillow's numbers, as `resample` in preprocessor_config.json says them. Nearest (0) has no filter. */
export const filters: Readonly<Record<number, Filter>> = {
  1: { support: 3, of: (x) => (Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0) },
  2: { support: 1, of: (x) => Math.max(0, 1 - Math.abs(x)) },
  3: {
    support: 2,
    of: (x) => {
      const [a, y] = [-0.5, Math.abs(x)];
      if (y < 1) return ((a + 2) * y - (a + 3)) * y * y + 1;
      return y < 2 ? (((y - 5) * y + 8) * y - 4) * a : 0;
    },
  },
  4: { support: 0.5, of: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
};

const bits = 22;

/** For each place of the result: the first place under the filter, and fixed-point weights from there on. */
const weightsOf = (from: number, to: number, { support, of }: Filter): { readonly first: number; readonly weights: Float64Array }[] => {
  const scale = from / to;
  const wide = Math.max(scale, 1);
  const reach = support * wide;
  return Array.from({ length: to }, (_, place) => {
    const centre = (place + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - reach + 0.5));
    const last = Math.min(from, Math.trunc(centre + reach + 0.5));
    const plain = Array.from({ length: last - first }, (__, i) => of((i + first - centre + 0.5) * (1 / wide)));
    const total = plain.reduce((sum, weight) => sum + weight, 0);
    const fixed = plain.map((weight) => {
      const scaled = (total === 0 ? weight : weight / total) * 2 ** bits;
      return Math.trunc(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
    });
    return { first, weights: Float64Array.from(fixed) };
  });
};

const byteOf = (sum: number): number => Math.min(255, Math.max(0, Math.floor((sum + 2 ** (bits - 1)) / 2 ** bits)));

/** Resizes one axis: `lines` of `from` pixels that lie `step` apart, each line's first at `start(line)`. */
const along = (picture: Picture, to: number, horizontal: boolean, filter: Filter): Picture => {
  const { height, width, channels, bytes } = picture;
  const from = horizontal ? width : height;
  if (from === to) return picture;
  const size = horizontal ? { height, width: to } : { height: to, width };
  const out = new Uint8Array(size.height * size.width * channels);
  const weights = weightsOf(from, to, filter);
  for (let y = 0; y < size.height; y++)
    for (let x = 0; x < size.width; x++) {
      const { first, weights: own } = weights[horizontal ? x : y]!;
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (let i = 0; i < own.length; i++) {
          const at = horizontal ? y * width + first + i : (first + i) * width + x;
          sum += own[i]! * bytes[at * channels + c]!;
        }
        out[(y * size.width + x) * channels + c] = byteOf(sum);
      }
    }
  return { ...size, channels, bytes: out };
};

const nearest = ({ height, width, channels, bytes }: Picture, toHeight: number, toWidth: number): Picture => {
  const out = new Uint8Array(toHeight * toWidth * channels);
  for (let y = 0; y < toHeight; y++)
    for (let x = 0; x < toWidth; x++) {
      const at = Math.floor(((y + 0.5) * height) / toHeight) * width + Math.floor(((x + 0.5) * width) / toWidth);
      for (let c = 0; c < channels; c++) out[(y * toWidth + x) * channels + c] = bytes[at * channels + c]!;
    }
  return { height: toHeight, width: toWidth, channels, bytes: out };
};

/** `resample` is Pillow's number of the filter: 0 nearest, 1 Lanczos, 2 bilinear, 3 bicubic, 4 box. */
export const resize = (picture: Picture, height: number, width: number, resample: number): Picture => {
  if (resample === 0) return nearest(picture, height, width);
  const filter = filters[resample]!;
  // The pass that leaves less comes first, as in Pillow 13; of equals the one along rows.
  const vertical = height * picture.width < picture.height * width;
  if (vertical) return along(along(picture, height, false, filter), width, true, filter);
  return along(along(picture, width, true, filter), height, false, filter);
};
