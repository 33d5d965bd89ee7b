// Attention and its gradient as one WebAssembly kernel each, for heads too narrow to fill a matrix product: scores live in a line
// or two that stay in the processor's first cache, and are never written out (Dao et al. 2022, arXiv 2205.14135; here without
// the tiles, as a row of keys of one narrow head fits).
//
// A unit of work is one row and one key head with its m query heads; threads draw units from a shared counter. Keys and values
// of the unit are turned to [d, S] first (S: slots, rounded up to 16), so that one vector holds one component of four slots. The
// gradient takes four queries at once, which share the sums [d, S] that they add to.
//
// Parameters of `run`: the counter's address, this thread's scratch, b, t, then the address of each input and output in the
// op's order. Scratch: see `attentionScratch`.

import type { Node } from "../graph/graph.ts";
import { partsOf, scaleOf } from "../ops/attention.ts";
import { wantedOf } from "../ops/wanted.ts";
import {
  type Code,
  createKernel,
  each,
  exponential,
  f32,
  f32x4,
  i32,
  type Kernel,
  type Local,
  set,
  sumLanes,
  until,
  when,
} from "./wasm.ts";

/** Slots that one pass takes together: four vectors. */
const width = 16;
/** Queries whose gradients are summed together. */
const together = 4;

export interface AttentionOptions {
  /** Tokens of the longest row. */
  readonly most: number;
  /** Whether several threads work on it, in a memory that they share. */
  readonly shared: boolean;
}

/** ln of a positive float to 1e-7: mantissa in [√½, √2), odd series of (m - 1) / (m + 1). */
const logarithm = (kernel: Kernel): ((x: Code) => Code) => {
  const [x, e] = [kernel.f32(), kernel.i32()];
  const [z, w] = [kernel.f32(), kernel.f32()];
  const { of, add, sub, mul, div } = f32;
  const series = [2 / 9, 2 / 7, 2 / 5, 2 / 3].reduce<Code>((sum, term) => add(mul(sum, w.get), of(term)), of(2 / 11));
  return (value) => [
    ...set(x, value),
    // The exponent so that the mantissa is at least √½: 0x3f3504f3 are the bits of √½.
    ...set(e, i32.shr(i32.sub(f32.bits(x.get), i32.of(0x3f3504f3)), i32.of(23))),
    ...set(x, f32.ofBits(i32.sub(f32.bits(x.get), i32.shl(e.get, i32.of(23))))),
    ...set(z, div(sub(x.get, of(1)), add(x.get, of(1)))),
    ...set(w, mul(z.get, z.get)),
    ...add(mul(f32.from(e.get), of(Math.LN2)), mul(z.get, add(mul(mul(series, w.get), of(1)), of(2)))),
  ];
};

interface Sizes {
  readonly h: number;
  readonly g: number;
  readonly d: number;
}

const sizesOf = (node: Node): Sizes => ({
  h: node.inputs[0]!.type.shape[2] as number,
  g: node.inputs[1]!.type.shape[2] as number,
  d: node.inputs[0]!.type.shape[3] as number,
});

/** Floats of one line: the largest t rounded up, an odd number of cache lines, so that components of a slot do not share a set. */
const lineFloats = (most: number): number => 16 * (Math.ceil(most / 16) | 1);

/** Bytes of a thread's scratch: keys and values turned, their gradients, two lines for each query, and what is kept of it. */
export const attentionScratch = (d: number, most: number): number => 4 * ((4 * d + 2 * together) * lineFloats(most) + 2 * together * d);

/** What forward and gradient share: the walk over units, the turned keys and values, and the interval that a query sees. */
const setUp = (node: Node, { most, shared }: AttentionOptions, pointers: number) => {
  const kernel = createKernel(4 + pointers, shared);
  const [counter, scratch, b, t, ...places] = kernel.parameters as [Local, Local, Local, Local, ...Local[]];
  const { h, g, d } = sizesOf(node);
  const [unit, row, group, units] = [kernel.i32(), kernel.i32(), kernel.i32(), kernel.i32()];
  const [i, j, from, to, start, end, here] = [
    kernel.i32(),
    kernel.i32(),
    kernel.i32(),
    kernel.i32(),
    kernel.i32(),
    kernel.i32(),
    kernel.i32(),
  ];
  const parts = partsOf(node.inputs[3]!.type);
  const causal = node.attrs.causal !== false;
  const bytes = 4 * lineFloats(most);
  const up = (n: Code): Code => i32.and(i32.add(n, i32.of(width - 1)), i32.of(-width));
  const down = (n: Code): Code => i32.and(n, i32.of(-width));
  const times = (n: number, x: Code): Code => (n === 1 ? x : i32.mul(x, i32.of(n)));
  const tokens = (token: Code): Code => i32.add(i32.mul(row.get, t.get), token);
  const turned = (matrix: number, component: number): number => (matrix * d + component) * bytes;
  /** The body for slots `j`, with `here` the address of the scratch's slot j. */
  const slots = (first: Code, behind: Code, step: number, ...body: readonly Code[]): Code =>
    each(j, first, behind, step, set(here, i32.add(scratch.get, i32.shl(j.get, i32.of(2)))), ...body);
  const components = Array.from({ length: d }, (_, c) => c);
  /** Address of [row, token, head] in [b, t, heads, n floats]. */
  const at = (place: Local, token: Code, head: Code, heads: number, n: number): Code =>
    i32.add(place.get, times(4 * n, i32.add(times(heads, tokens(token)), head)));
  return {
    ...{ kernel, places, t, h, g, d, i, from, to, start, end, here, group, scratch, times, up, down, turned, slots, components, at },
    /** From `here` to a line of scores: behind the four matrices. */
    line: (n: number): number => (4 * d + n) * bytes,
    /** From the scratch to what is kept of a query: behind the lines. */
    kept: (what: number, n: number, c: number): number => (4 * d + 2 * together) * bytes + 4 * ((what * together + n) * d + c),
    /** The body for each query head that shares the unit's key head. */
    heads: (head: Local, ...body: readonly Code[]): Code =>
      each(head, times(h / g, group.get), i32.add(times(h / g, group.get), i32.of(h / g)), 1, ...body),
    /** Sets `from` and `to` to what a token sees. */
    interval: (sees: Local, token: Code): Code => {
      if (!causal) return [...set(from, i32.of(0)), ...set(to, t.get)];
      const part = (n: number): Code => i32.load(i32.add(sees.get, times(4 * parts.count, tokens(token))), 4 * n);
      return [
        ...set(to, i32.min(t.get, i32.add(part(parts.last), i32.of(1)))),
        ...set(from, parts.first === undefined ? i32.of(0) : i32.max(i32.of(0), part(parts.first))),
      ];
    },
    /** Turns what lies at [row, ·, group] of [b, t, g, d] to [d, slots], zero behind t. */
    turn: (place: Local, matrix: number): Code => [
      ...slots(
        i32.of(0),
        t.get,
        1,
        ...components.map((c) => f32.store(here.get, f32.load(at(place, j.get, group.get, g, d), 4 * c), turned(matrix, c))),
      ),
      ...slots(t.get, up(t.get), 1, ...components.map((c) => f32.store(here.get, f32.of(0), turned(matrix, c)))),
    ],
    /** And back. */
    turnBack: (matrix: number, place: Local): Code =>
      slots(
        i32.of(0),
        t.get,
        1,
        ...components.map((c) => f32.store(at(place, j.get, group.get, g, d), f32.load(here.get, turned(matrix, c)), 4 * c)),
      ),
    /** Elements of lines outside of [from, to), but within [start, end), become the value. */
    outside: (value: number, ...lines: readonly number[]): Code => {
      const fill = lines.map((line) => f32.store(here.get, f32.of(value), line));
      return [...slots(start.get, from.get, 1, ...fill), ...slots(to.get, end.get, 1, ...fill)];
    },
    /** The module: units drawn until there are none. */
    module: (...body: readonly Code[]): Uint8Array =>
      kernel.module(
        set(units, times(g, b.get)),
        until(
          set(unit, i32.fetchAdd(counter.get, i32.of(1))),
          i32.less(i32.sub(units.get, i32.of(1)), unit.get),
          set(row, i32.quotient(unit.get, i32.of(g))),
          set(group, i32.remainder(unit.get, i32.of(g))),
          ...body,
        ),
      ),
  };
};

/** sum += a · b, of four floats. */
const addProduct = (sum: Local, a: Code, b: Code): Code => set(sum, f32x4.madd(a, b, sum.get));

/** `attention`: query, key, value, sees -> out, lse. */
const forward = (node: Node, options: AttentionOptions): Uint8Array => {
  const tools = setUp(node, options, 6);
  const { kernel, t, h, d, i, from, to, start, end, here, turned, slots, components, at } = tools;
  const [query, key, value, sees, out, lse] = tools.places as [Local, Local, Local, Local, Local, Local];
  const [head, q, o] = [kernel.i32(), kernel.i32(), kernel.i32()];
  const sums = Array.from({ length: 8 }, kernel.f32x4);
  const s = sums.slice(0, 4);
  const [splat, top, total, p] = [kernel.f32x4(), kernel.f32x4(), kernel.f32x4(), kernel.f32x4()];
  const [largest, share, some] = [kernel.f32(), kernel.f32(), kernel.f32()];
  const exp = exponential(kernel);
  const log = logarithm(kernel);
  const scale = scaleOf(node.attrs, d);
  const line = tools.line(0);
  return tools.module(
    tools.turn(key, 0),
    tools.turn(value, 1),
    tools.heads(
      head,
      each(
        i,
        i32.of(0),
        t.get,
        1,
        tools.interval(sees, i.get),
        set(start, tools.down(from.get)),
        set(end, tools.up(to.get)),
        set(q, at(query, i.get, head.get, h, d)),
        slots(
          start.get,
          end.get,
          width,
          ...s.map((sum) => set(sum, f32x4.of(0))),
          ...components.map((c) => [
            ...set(splat, f32x4.loadSplat(q.get, 4 * c)),
            ...s.flatMap((sum, n) => addProduct(sum, splat.get, f32x4.load(here.get, turned(0, c) + 16 * n))),
          ]),
          ...s.map((sum, n) => f32x4.store(here.get, f32x4.mul(sum.get, f32x4.of(scale)), line + 16 * n)),
        ),
        tools.outside(-1e30, line),
        // Above what is outside, so that a query that sees nothing has no part of it.
        set(top, f32x4.of(-1e29)),
        slots(start.get, end.get, 4, set(top, f32x4.pmax(top.get, f32x4.load(here.get, line)))),
        set(largest, f32x4.lane(top.get, 0)),
        ...[1, 2, 3].map((lane) => set(largest, f32.max(largest.get, f32x4.lane(top.get, lane)))),
        set(top, f32x4.splat(largest.get)),
        set(total, f32x4.of(0)),
        slots(
          start.get,
          end.get,
          4,
          set(p, exp(f32x4.sub(f32x4.load(here.get, line), top.get))),
          f32x4.store(here.get, p.get, line),
          set(total, f32x4.add(total.get, p.get)),
        ),
        set(share, sumLanes(total)),
        // The largest adds 1 to the sum, so it is 0 where nothing is seen, else 1 or more.
        set(some, f32.min(share.get, f32.of(1))),
        set(share, f32.max(share.get, f32.of(1))),
        f32.store(at(lse, i.get, head.get, h, 1), f32.mul(some.get, f32.add(largest.get, log(share.get)))),
        set(share, f32.div(f32.of(1), share.get)),
        set(o, at(out, i.get, head.get, h, d)),
        ...eights(components).map((some) => [
          ...some.flatMap((_, n) => set(sums[n]!, f32x4.of(0))),
          ...slots(
            start.get,
            end.get,
            4,
            set(p, f32x4.load(here.get, line)),
            ...some.map((c, n) => addProduct(sums[n]!, p.get, f32x4.load(here.get, turned(1, c)))),
          ),
          ...some.flatMap((c, n) => f32.store(o.get, f32.mul(share.get, sumLanes(sums[n]!)), 4 * c)),
        ]),
      ),
    ),
  );
};

const eights = (components: readonly number[]): readonly (readonly number[])[] =>
  Array.from({ length: Math.ceil(components.length / 8) }, (_, n) => components.slice(8 * n, 8 * n + 8));

/** `attention_gradient`: query, key, value, sees, out, lse, dout -> the wanted of dquery, dkey, dvalue. */
const gradient = (node: Node, options: AttentionOptions): Uint8Array => {
  const wants = wantedOf(node.attrs);
  const tools = setUp(node, options, 7 + wants.length);
  const { kernel, t, h, d, i, from, to, start, end, here, scratch, turned, slots, components, at, kept } = tools;
  const [query, key, value, sees, out, lse, along] = tools.places as [Local, Local, Local, Local, Local, Local, Local];
  const placeOf = (name: string): Local => tools.places[7 + wants.indexOf(name)]!;
  const [head, q, o, token, first, last] = [kernel.i32(), kernel.i32(), kernel.i32(), kernel.i32(), kernel.i32(), kernel.i32()];
  const s = Array.from({ length: 4 }, kernel.f32x4);
  const dp = Array.from({ length: 4 }, kernel.f32x4);
  const [splat, p, sum, delta, shift] = [kernel.f32x4(), kernel.f32x4(), kernel.f32x4(), kernel.f32x4(), kernel.f32x4()];
  const exp = exponential(kernel);
  const queries = Array.from({ length: together }, (_, n) => n);
  const scale = scaleOf(node.attrs, d);
  const probability = tools.line;
  const rise = (n: number): number => tools.line(together + n);
  // What is kept of a query: 0 is the query times the scale, 1 the gradient of its result.
  const clear = (matrix: number): Code =>
    slots(i32.of(0), tools.up(t.get), 4, ...components.map((c) => f32x4.store(here.get, f32x4.of(0), turned(matrix, c))));
  /** The token of one of the queries; behind the last it is the last again. */
  const tokenOf = (n: number): Code => i32.min(i32.add(i.get, i32.of(n)), i32.sub(t.get, i32.of(1)));
  const isToken = (n: number): Code => i32.less(i32.add(i.get, i32.of(n)), t.get);

  const scoresOf = (n: number): Code => [
    ...set(token, tokenOf(n)),
    ...tools.interval(sees, token.get),
    // A query behind the last one sees nothing.
    ...set(to, i32.select(isToken(n), to.get, start.get)),
    ...set(q, at(query, token.get, head.get, h, d)),
    ...set(o, at(along, token.get, head.get, h, d)),
    ...set(delta, f32x4.of(0)),
    ...Array.from({ length: d / 4 }, (_, c) => [
      ...f32x4.store(scratch.get, f32x4.mul(f32x4.load(q.get, 16 * c), f32x4.of(scale)), kept(0, n, 4 * c)),
      ...f32x4.store(scratch.get, f32x4.load(o.get, 16 * c), kept(1, n, 4 * c)),
      ...addProduct(delta, f32x4.load(o.get, 16 * c), f32x4.load(at(out, token.get, head.get, h, d), 16 * c)),
    ]).flat(),
    ...set(delta, f32x4.splat(sumLanes(delta))),
    ...set(shift, f32x4.loadSplat(at(lse, token.get, head.get, h, 1))),
    ...slots(
      start.get,
      end.get,
      width,
      ...[...s, ...dp].map((one) => set(one, f32x4.of(0))),
      ...components.map((c) => [
        ...set(splat, f32x4.loadSplat(scratch.get, kept(0, n, c))),
        ...s.flatMap((one, k) => addProduct(one, splat.get, f32x4.load(here.get, turned(0, c) + 16 * k))),
        ...set(splat, f32x4.loadSplat(scratch.get, kept(1, n, c))),
        ...dp.flatMap((one, k) => addProduct(one, splat.get, f32x4.load(here.get, turned(1, c) + 16 * k))),
      ]),
      ...s.map((one, k) => [
        ...set(p, exp(f32x4.sub(one.get, shift.get))),
        ...f32x4.store(here.get, p.get, probability(n) + 16 * k),
        ...f32x4.store(here.get, f32x4.mul(p.get, f32x4.sub(dp[k]!.get, delta.get)), rise(n) + 16 * k),
      ]),
    ),
    ...tools.outside(0, probability(n), rise(n)),
  ];

  const queryGradient = (n: number): Code => {
    const sums = [...s, ...dp];
    return [
      ...set(o, at(placeOf("query"), tokenOf(n), head.get, h, d)),
      ...eights(components).flatMap((some) => [
        ...some.flatMap((_, k) => set(sums[k]!, f32x4.of(0))),
        ...slots(
          start.get,
          end.get,
          4,
          set(p, f32x4.load(here.get, rise(n))),
          ...some.map((c, k) => addProduct(sums[k]!, p.get, f32x4.load(here.get, turned(0, c)))),
        ),
        ...when(isToken(n), ...some.map((c, k) => f32.store(o.get, f32.mul(f32.of(scale), sumLanes(sums[k]!)), 4 * c))),
      ]),
    ];
  };

  /** Adds to a turned sum of all slots: lines of scores times what is kept of each query. */
  const spread = (matrix: number, lineOf: (n: number) => number, what: number): Code =>
    slots(
      start.get,
      end.get,
      4,
      ...queries.map((n) => set(s[n]!, f32x4.load(here.get, lineOf(n)))),
      ...components.map((c) => [
        ...set(sum, f32x4.load(here.get, turned(matrix, c))),
        ...queries.flatMap((n) => addProduct(sum, s[n]!.get, f32x4.loadSplat(scratch.get, kept(what, n, c)))),
        ...f32x4.store(here.get, sum.get, turned(matrix, c)),
      ]),
    );

  const gathers = [
    { name: "key", matrix: 2, spread: () => spread(2, rise, 0) },
    { name: "value", matrix: 3, spread: () => spread(3, probability, 1) },
  ].filter(({ name }) => wants.includes(name));
  return tools.module(
    tools.turn(key, 0),
    tools.turn(value, 1),
    ...gathers.map(({ matrix }) => clear(matrix)),
    tools.heads(
      head,
      each(
        i,
        i32.of(0),
        t.get,
        together,
        // The slots that any of the four sees.
        set(first, t.get),
        set(last, i32.of(0)),
        ...queries.map((n) => [
          ...tools.interval(sees, tokenOf(n)),
          ...set(first, i32.min(first.get, from.get)),
          ...set(last, i32.max(last.get, to.get)),
        ]),
        set(start, tools.down(first.get)),
        set(end, tools.up(last.get)),
        ...queries.map(scoresOf),
        ...(wants.includes("query") ? queries.map(queryGradient) : []),
        ...gathers.map((one) => one.spread()),
      ),
    ),
    ...gathers.map(({ name, matrix }) => tools.turnBack(matrix, placeOf(name))),
  );
};

/** The kernel of an attention or its gradient. */
export const emitAttention = (node: Node, options: AttentionOptions): Uint8Array =>
  (node.op === "attention" ? forward : gradient)(node, options);
