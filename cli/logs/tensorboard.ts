// Scalars -> TensorBoard's event files: TFRecord frames (length, data, a masked CRC-32C of each) around Event messages. Both formats are a
// page long and have no package of their own that is kept.

const table = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0x82f63b78 : c >>> 1;
  return c >>> 0;
});

/** CRC-32C (Castagnoli). */
export const crc32c = (bytes: Uint8Array): number => {
  let c = 0xffffffff;
  for (const byte of bytes) c = table[(c ^ byte) & 255]! ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
};

const masked = (bytes: Uint8Array): number => {
  const c = crc32c(bytes);
  return (((c >>> 15) | (c << 17)) + 0xa282ead8) >>> 0;
};

const varint = (value: number): number[] => {
  const bytes: number[] = [];
  let left = value;
  for (; left >= 128; left = Math.floor(left / 128)) bytes.push((left % 128) | 128);
  return [...bytes, left];
};

const field = (number: number, wire: 0 | 1 | 2 | 5, content: Iterable<number>): number[] => [(number << 3) | wire, ...content];
const message = (number: number, bytes: readonly number[]): number[] => field(number, 2, [...varint(bytes.length), ...bytes]);
const text = (number: number, value: string): number[] => message(number, [...new TextEncoder().encode(value)]);
const double = (number: number, value: number): number[] => field(number, 1, new Uint8Array(Float64Array.of(value).buffer));
const float = (number: number, value: number): number[] => field(number, 5, new Uint8Array(Float32Array.of(value).buffer));

const frame = (data: Uint8Array): Uint8Array => {
  const result = new Uint8Array(16 + data.length);
  const view = new DataView(result.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, masked(result.subarray(0, 8)), true);
  result.set(data, 12);
  view.setUint32(12 + data.length, masked(data), true);
  return result;
};

/** What an event file begins with. */
export const openingEvent = (seconds: number): Uint8Array => frame(Uint8Array.from([...double(1, seconds), ...text(3, "brain.Event:2")]));

/** Values by tag, after a step. */
export const scalarEvent = (seconds: number, step: number, values: Readonly<Record<string, number>>): Uint8Array => {
  const summary = Object.entries(values).flatMap(([tag, value]) => message(1, [...text(1, tag), ...float(2, value)]));
  return frame(Uint8Array.from([...double(1, seconds), ...field(2, 0, varint(step)), ...message(5, summary)]));
};
