// What merging writes where the base lies in formats: each tensor that is merged, or that the base keeps in a format, is computed in f32
// (read back, the delta added) and written as asked, in 16 or 32 bits or packed in a format again. Everything else is copied. One
// tensor is in memory at a time; what writing changed is measured.

import type { DType, Job, Merge, Parameter, Parts } from "../../spec/job.ts";
import type { Format } from "../../spec/job-formats.ts";
import { turnedShape } from "../../spec/turned.ts";
import { type FloatDType, fromBytes, type StoredDType, toBytes, toStored, transpose } from "../dtype.ts";
import { isRecord } from "../json.ts";
import { onceFor, partOf } from "../parts.ts";
import type { BaseTensor, MergeBase } from "../write-merged.ts";
import { decode, encode } from "./encode.ts";
import { packedNames, packedPlans, packedTensors } from "./packed.ts";

export interface StoredBase {
  readonly base: MergeBase;
  /** Largest |computed − read back from what was written|, and the root of the mean square of it over that of the values. */
  readonly rounding: () => { readonly most: number; readonly relative: number };
  /** config.json for a folder that holds such weights. */
  readonly config: (config: Record<string, unknown>) => Record<string, unknown>;
}

/** A tensor of the file that is written anew: a parameter, or a part of one. */
interface Changed {
  readonly parameter: Parameter;
  readonly part?: { readonly parts: Parts; readonly place: number };
}

/** `compute` computes a parameter in f32, row-major in the job's orientation. */
export const storedBase = (
  base: MergeBase,
  job: Job,
  item: Merge,
  compute: (parameter: Parameter) => Promise<Float32Array>,
): StoredBase => {
  const format = item.format === undefined ? undefined : job.formats[item.format]!;
  const merged = new Set(item.tensors.map(({ tensor }) => tensor));
  const changed = new Map<string, Changed>();
  const dropped = new Set<string>();
  for (const parameter of job.parameters) {
    const { source } = parameter;
    if (!("tensor" in source) || source.tensor === undefined) continue;
    if (!merged.has(source.tensor) && parameter.format === undefined) continue;
    const { parts } = source;
    if (!parts) changed.set(source.tensor, { parameter });
    else for (const [place, name] of parts.names.entries()) changed.set(name, { parameter, part: { parts, place } });
    if (source.kind === "checkpoint" && source.packed)
      for (const name of packedNames(job.formats[parameter.format!]!.files!, source.tensor)) dropped.add(name);
  }
  const error = { most: 0, squares: 0, values: 0 };
  const measure = (values: Float32Array, back: Float32Array): void => {
    for (let i = 0; i < values.length; i++) {
      const off = Math.abs(values[i]! - back[i]!);
      if (off > error.most) error.most = off;
      error.squares += off * off;
      error.values += values[i]! * values[i]!;
    }
  };
  const once = onceFor(compute);
  const rewritten = (tensor: BaseTensor, { parameter, part }: Changed): BaseTensor[] => {
    const turned = "transposed" in parameter.source && parameter.source.transposed === true;
    const shape = part?.parts.shape ?? (turned ? turnedShape(parameter.shape) : parameter.shape);
    const plain: StoredDType = item.as ? toStored(item.as) : tensor.dtype;
    const values = async (): Promise<Float32Array> => {
      if (part) return partOf(await once(parameter), part.parts, part.place);
      const computed = await compute(parameter);
      return turned ? transpose(computed, parameter.shape) : computed;
    };
    if (!format || !isMatrix(parameter)) {
      const bytes = async (): Promise<Uint8Array> => {
        const computed = await values();
        const written = toBytes(computed, plain as FloatDType);
        measure(computed, plain === "F32" ? computed : fromBytes(written, plain as FloatDType));
        return written;
      };
      return [{ name: tensor.name, dtype: plain, shape, bytes }];
    }
    return packed(tensor.name, shape, format, values, measure);
  };
  return {
    base: {
      ...base,
      files: base.files.map((file) => ({
        ...file,
        tensors: file.tensors.flatMap((tensor) => {
          const change = changed.get(tensor.name);
          return change ? rewritten(tensor, change) : dropped.has(tensor.name) ? [] : [tensor];
        }),
      })),
    },
    rounding: () => ({ most: error.most, relative: error.values > 0 ? Math.sqrt(error.squares / error.values) : 0 }),
    config: (config) => configOf(config, format, item.as, job, changed),
  };
};

const isMatrix = ({ shape }: Parameter): boolean => shape.length === 2;

/** The tensors of one packed parameter. A file holds them apart, by dtype, so they are made twice at most. */
const packed = (
  name: string,
  shape: readonly number[],
  format: Format,
  values: () => Promise<Float32Array>,
  measure: (values: Float32Array, back: Float32Array) => void,
): BaseTensor[] => {
  let made: ReadonlyMap<string, Uint8Array> | undefined;
  let asked = 0;
  let measured = false;
  const plans = packedPlans(format, name, shape);
  return plans.map((plan) => ({
    ...plan,
    bytes: async (): Promise<Uint8Array> => {
      if (!made) {
        const computed = await values();
        const pieces = encode(format, computed, shape);
        if (!measured) measure(computed, decode(format, pieces, shape));
        measured = true;
        made = new Map(packedTensors(format, pieces, name, shape).map((tensor) => [tensor.name, tensor.bytes]));
      }
      const bytes = made.get(plan.name)!;
      asked++;
      // All of one dtype follow each other in a file; then this parameter's turn is over.
      const last = plans.filter(({ dtype }) => dtype === plan.dtype).at(-1)!.name === plan.name;
      if (last || asked === plans.length) made = undefined;
      return bytes;
    },
  }));
};

const configOf = (
  config: Record<string, unknown>,
  format: Format | undefined,
  as: DType | undefined,
  job: Job,
  changed: ReadonlyMap<string, Changed>,
): Record<string, unknown> => {
  const { quantization_config: _, ...rest } = config;
  const files = format?.files;
  if (!format || !files) {
    const names: Partial<Record<DType, string>> = { f32: "float32", f16: "float16", bf16: "bfloat16" };
    const dtype = as && names[as];
    return dtype === undefined ? rest : { ...rest, ...("torch_dtype" in rest ? { torch_dtype: dtype } : { dtype }) };
  }
  const plain = job.parameters.flatMap(({ source, shape }) =>
    "tensor" in source && source.tensor !== undefined && shape.length === 2 && !changed.has(source.tensor)
      ? [source.tensor.slice(0, source.tensor.lastIndexOf("."))]
      : [],
  );
  const nested = format.state.some((state) => state.format);
  return {
    ...rest,
    quantization_config: {
      quant_method: files.library,
      load_in_4bit: format.bits === 4,
      load_in_8bit: format.bits === 8,
      ...(format.bits === 4 && {
        bnb_4bit_quant_type: files.type,
        bnb_4bit_use_double_quant: nested,
        bnb_4bit_compute_dtype: "float32",
        bnb_4bit_quant_storage: "uint8",
      }),
      llm_int8_skip_modules: [...new Set(plain), ...(isRecord(config) && config.tie_word_embeddings === true ? ["lm_head"] : [])],
    },
  };
};
