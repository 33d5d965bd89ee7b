// How an adapter's trained parameters lie one after the other in an arena of f32, and how each state of its optimizer lies beside them: in f32
// or, block by block, in a format. In: the adapter and the formats of its states. Out: places, and the parts of the arena that one
// dispatch or one page takes.
//
// Invariants: a parameter begins at a multiple of 64 elements, one whose state is in a format at a whole block of it too, so no block runs
// from one parameter into the next; a part's range of every array of state begins at a multiple of 256 bytes, as bindings must.

import type { AdapterParam } from "../adapters/amend.ts";
import type { AdapterPlan } from "../adapters/inject.ts";
import type { DType, TensorType } from "../graph/graph.ts";
import { type FormatPlan, piecesOf } from "../model/format.ts";
import { product } from "../values/dims.ts";
import { alignment, bytesOf } from "./place.ts";

/** States that are kept in a format, by name. */
export type StateFormats = ReadonlyMap<string, FormatPlan>;

/** Elements of the arena whose state lies in one way. */
export interface Stretch {
  readonly first: number;
  readonly count: number;
  readonly formats: StateFormats;
}

export interface Part {
  readonly first: number;
  readonly count: number;
  readonly stretch: Stretch;
}

/** From which element of the arena on parameters learn at which multiple of the rate. */
export type Rates = readonly { readonly from: number; readonly ratio: number }[];

export interface Arena {
  readonly places: readonly { readonly param: AdapterParam; readonly first: number }[];
  /** Padding included, which holds zeros. */
  readonly elements: number;
  readonly stretches: readonly Stretch[];
  /** Empty when all learn at the training's rate. */
  readonly rates: Rates;
}

/** Parameters begin at multiples of this many elements. */
export const grain = alignment / 4;

/** A tensor of fewer blocks than this keeps its state in f32 (spec/language/memory.md, Y3a). */
export const leastBlocks = 16;

/** The states of so many elements that are kept in their formats. */
export const formatsFor = (elements: number, formats: StateFormats): StateFormats =>
  new Map([...formats].filter(([, format]) => elements >= leastBlocks * format.block!));

export const layArena = (adapter: AdapterPlan, formats: StateFormats): Arena => {
  const trained = adapter.params
    .filter((param) => param.trained)
    .map((param) => {
      const own = formatsFor(Number(product(param.shape)), formats);
      return { param, own, key: [...own.keys()].join() };
    });
  // What is kept alike lies together, so that there are few stretches, however parameters of all sizes alternate.
  const keys = [...new Set(trained.map(({ key }) => key))];
  const places: { param: AdapterParam; first: number }[] = [];
  const stretches: Stretch[] = [];
  let end = 0;
  for (const key of keys) {
    const alike = trained.filter((one) => one.key === key);
    const { own } = alike[0]!;
    const unit = unitOf(own);
    const first = upTo(end, unit);
    end = first;
    for (const { param } of alike) {
      places.push({ param, first: end });
      end = upTo(end + Number(product(param.shape)), unit);
    }
    stretches.push({ first, count: end - first, formats: own });
  }
  return { places, elements: end, stretches, rates: ratesOf(places) };
};

const ratesOf = (places: Arena["places"]): Rates => {
  const rates: { from: number; ratio: number }[] = [];
  for (const { param, first } of places) {
    const ratio = param.rate ?? 1;
    if (rates.at(-1)?.ratio !== ratio) rates.push({ from: first, ratio });
  }
  return rates.length === 1 && rates[0]!.ratio === 1 ? [] : rates;
};

const upTo = (n: number, unit: number): number => Math.ceil(n / unit) * unit;
const common = (a: number, b: number): number => (b === 0 ? a : common(b, a % b));
const unitOf = (formats: StateFormats): number =>
  [...formats.values()].reduce((unit, { block }) => (unit * block!) / common(unit, block!), grain);

/** A stretch cut into parts of so many elements, whose ranges of every array begin where a binding may. */
const cutInto = (stretch: Stretch, size: number): Part[] => {
  const whole = stretch.formats.size > 0 ? upTo(size, grain * unitOf(stretch.formats)) : size;
  return Array.from({ length: Math.ceil(stretch.count / whole) }, (_, i) => ({
    first: stretch.first + i * whole,
    count: Math.min(whole, stretch.count - i * whole),
    stretch,
  }));
};

/**
 * What one optimizer dispatch takes: as many elements as fit one storage binding of the smallest profile. Where every chunk is like the next,
 * fewer: the cpu device writes new values beside the old ones, and needs room for one chunk of them. So does state in a format, whose
 * new values are made before they are stored.
 */
export const chunksOf = ({ elements, stretches, rates }: Arena): Part[] =>
  stretches.flatMap((stretch) => {
    const alike = rates.length === 0 || stretch.formats.size > 0;
    return cutInto(stretch, alike ? Math.min(1 << 25, Math.max(1 << 18, grain * Math.ceil(elements / (64 * grain)))) : 1 << 25);
  });

/** A sixteenth of the state, 4 MiB at most. */
export const pagesOf = ({ elements, stretches }: Arena): Part[] =>
  stretches.flatMap((stretch) => cutInto(stretch, Math.min(1 << 20, Math.max(4096, grain * Math.ceil(elements / (16 * grain))))));

/** One array of a state: what is added to the state's name, and how its elements follow from the arena's. */
export interface StateArray {
  readonly suffix: string;
  readonly type: TensorType;
  /** The range that belongs to a part; undefined where the part's state lies in other arrays. */
  readonly rangeOf: (part: Part) => { readonly from: number; readonly count: number } | undefined;
}

const f32 = (count: number): TensorType => ({ dtype: "f32", shape: [count] });

/** What a state of so many elements is kept as. */
export const keptAs = (format: FormatPlan | undefined, count: number): { readonly suffix: string; readonly type: TensorType }[] =>
  format ? piecesOf(format, [count]) : [{ suffix: "", type: f32(count) }];

/** The arrays of one state, each over all stretches that it is needed for. */
export const arraysOf = ({ stretches }: Arena, state: string): StateArray[] => {
  const arrays = new Map<string, { dtype: DType; end: number; ranges: Map<Stretch, { from: number; count: number }> }>();
  for (const stretch of stretches)
    for (const { suffix, type } of keptAs(stretch.formats.get(state), stretch.count)) {
      const array = arrays.get(suffix) ?? { dtype: type.dtype, end: 0, ranges: new Map() };
      const count = Number(type.shape[0]);
      const from = upTo(array.end, (alignment * count) / bytesOf(type, {}));
      array.ranges.set(stretch, { from, count });
      array.end = from + count;
      arrays.set(suffix, array);
    }
  return [...arrays].map(([suffix, { dtype, end, ranges }]) => ({
    suffix,
    type: { dtype, shape: [end] },
    rangeOf: ({ first, count, stretch }) => {
      const own = ranges.get(stretch);
      if (!own) return undefined;
      const share = (elements: number): number => (elements * own.count) / stretch.count;
      return { from: own.from + share(first - stretch.first), count: share(count) };
    },
  }));
};
