// Runs one segment on the webgpu device, as a job with one program, and compares with its reference meaning.

import { profiles } from "../../compiler/emit/profile.ts";
import { emitWgsl } from "../../compiler/emit/wgsl.ts";
import type { SegmentGraph, TensorType } from "../../compiler/graph/graph.ts";
import { interpretSegment } from "../../compiler/graph/interpret.ts";
import type { Tensor } from "../../compiler/graph/op.ts";
import { fuse } from "../../compiler/kernels/fuse.ts";
import type { KernelGraph } from "../../compiler/kernels/kernels.ts";
import { at, product } from "../../compiler/values/dims.ts";
import type { Data, Device, Session } from "../../runtime/devices/device.ts";
import { findAdapter, webgpuDevice } from "../../runtime/devices/webgpu.ts";
import type { Job, Value } from "../../spec/job.ts";
import { assert } from "../harness.ts";
import { fillInput, type SampleInput, type Sizes } from "../op-samples.ts";
import { emptyJob } from "../runtime/job.ts";

const found = await findAdapter();

/** Why these tests cannot run here. */
export const missing: string | undefined = found
  ? undefined
  : "WebGPU finds no GPU and no driver (tests/software-vulkan.sh installs a software one)";

export const device = async (): Promise<Device> => webgpuDevice((await findAdapter())!);

const arrays = { f32: Float32Array, i32: Int32Array, u32: Uint32Array, u8: Uint8Array, f16: Uint16Array, bf16: Uint16Array } as const;

const bytesOf = (type: TensorType, sizes: Sizes): number => at(product(type.shape), sizes) * arrays[type.dtype].BYTES_PER_ELEMENT;

export interface Ran {
  readonly session: Session;
  readonly kernels: KernelGraph;
  readonly wgsl: string;
  readonly run: (inputs: Readonly<Record<string, Tensor>>, sizes: Sizes) => Promise<Record<string, Data>>;
}

export interface RunOptions {
  /** Changes the module's text: a planted fault. */
  readonly tamper?: (wgsl: string) => string;
  readonly kernels?: KernelGraph;
  /** Output -> input that it is written over. */
  readonly over?: Readonly<Record<string, string>>;
}

/** Every input and output lies in one arena, as activations do: so reads share a buffer with writes. */
export const openSegment = async (segment: SegmentGraph, largest: Sizes, options: RunOptions = {}): Promise<Ran> => {
  const kernels = options.kernels ?? fuse(segment, profiles.default!);
  const { wgsl, kernels: records, scratch } = emitWgsl(kernels);
  const text = options.tamper?.(wgsl) ?? wgsl;
  let offset = 0;
  let scratchOffset = 0;
  const values: Record<string, Value> = {};
  const place = (name: string, type: TensorType): void => {
    values[name] = { ...type, place: { arena: "a", offset } };
    offset += Math.ceil((bytesOf(type, largest) + 4) / 256) * 256;
  };
  for (const { name, node } of segment.inputs) place(name, node.type);
  for (const { name, node } of segment.outputs) {
    const over = options.over?.[name];
    if (over) values[name] = { ...node.type, place: values[over]!.place };
    else place(name, node.type);
  }
  const scratchValues = Object.fromEntries(
    Object.entries(scratch).map(([name, type]): [string, Value] => {
      const value: Value = { ...type, place: { arena: "scratch", offset: scratchOffset } };
      scratchOffset += Math.ceil((bytesOf(type, largest) + 4) / 256) * 256;
      return [name, value];
    }),
  );
  const port = ({ name, node }: SegmentGraph["inputs"][number]) => ({ name, dtype: node.type.dtype, shape: node.type.shape });
  const job: Job = emptyJob({
    dims: largest,
    arenas: { a: offset, ...(scratchOffset > 0 && { scratch: scratchOffset }) },
    segments: {
      s: {
        inputs: segment.inputs.map(port),
        outputs: segment.outputs.map(port),
        parts: [],
        between: {},
        wgsl: "s.wgsl",
        kernels: records,
        scratch: scratchValues,
        flops: 0,
      },
    },
    programs: {
      p: {
        values,
        calls: [{ segment: "s", inputs: segment.inputs.map((i) => i.name), outputs: segment.outputs.map((o) => o.name) }],
        inputs: segment.inputs.map((i) => i.name),
        outputs: segment.outputs.map((o) => o.name),
        dims: largest,
        peak: offset,
        flops: 0,
      },
    },
  });
  const session = await (await device()).open(job, async () => new TextEncoder().encode(text));
  return {
    session,
    kernels,
    wgsl: text,
    run: async (inputs, sizes) => {
      for (const { name, node } of segment.inputs) await session.write(name, arrays[node.type.dtype].from(inputs[name]!.data) as Data, "p");
      await session.run("p", sizes);
      const results: Record<string, Data> = {};
      for (const { name } of segment.outputs) results[name] = await session.read(name, "p");
      return results;
    },
  };
};

/** f32 against double precision: within `tolerance` of the largest element; whole numbers exactly. */
export const close = (actual: Data, expected: Tensor, exact: boolean, what: string, tolerance = 2e-5): void => {
  assert.is(actual.length, expected.data.length, `${what}: number of elements`);
  const scale = expected.data.reduce((a, v) => Math.max(a, Math.abs(v)), 1e-2);
  for (let i = 0; i < actual.length; i++)
    assert.ok(
      Math.abs(actual[i]! - expected.data[i]!) <= (exact ? 0 : tolerance * scale),
      `${what}: element ${i} of ${actual.length} is ${actual[i]}, its meaning is ${expected.data[i]}`,
    );
};

/** The segment on the device equals its meaning, at each of these sizes, in one session. */
export const agrees = async (
  segment: SegmentGraph,
  fills: Readonly<Record<string, SampleInput>>,
  sizes: readonly Sizes[],
  options: RunOptions & { tolerance?: number } = {},
): Promise<KernelGraph> => {
  const symbols = [...new Set(sizes.flatMap((s) => Object.keys(s)))];
  const largest = Object.fromEntries(symbols.map((symbol) => [symbol, Math.max(...sizes.map((s) => s[symbol] ?? 0))]));
  const ran = await openSegment(segment, largest, options);
  try {
    for (const at of sizes) {
      const values = Object.fromEntries(segment.inputs.map(({ name }, i) => [name, fillInput(fills[name]!, at, i)]));
      const results = await ran.run(values, at);
      const expected = interpretSegment(segment, values, at);
      for (const { name, node } of segment.outputs)
        close(
          results[name]!,
          expected[name]!,
          node.type.dtype === "i32" || node.type.dtype === "u32",
          `${segment.name} ${name} at ${JSON.stringify(at)}`,
          options.tolerance,
        );
    }
  } finally {
    await ran.session.close();
  }
  return ran.kernels;
};
