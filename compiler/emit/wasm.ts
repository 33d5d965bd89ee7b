// WebAssembly by hand: one function over a memory, written as nested calls whose arguments are code. A kernel is unrolled
// here, in TypeScript, as far as its sizes are known. Encoding: WebAssembly Core 2.0, §5, with the threads proposal's shared
// memory and atomics. Trap: `f32x4.max` keeps NaN apart in four instructions; `pmax` is the processor's own, in one.

export type Code = readonly number[];

export interface Local {
  readonly index: number;
  readonly get: Code;
}

/** LEB128 of an unsigned number. */
const unsigned = (value: number): number[] => {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest % 128) | 128);
  }
};

/** LEB128 of a signed 32-bit number. */
const signed = (value: number): number[] => {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>= 7) {
    const byte = rest & 127;
    if ((rest >> 7 === 0 && (byte & 64) === 0) || (rest >> 7 === -1 && (byte & 64) !== 0)) return [...bytes, byte];
    bytes.push(byte | 128);
  }
};

const f32Bytes = (value: number): number[] => [...new Uint8Array(new Float32Array([value]).buffer)];

type Binary = (a: Code, b: Code) => Code;
const scalar =
  (op: number): Binary =>
  (a, b) => [...a, ...b, op];
const vector =
  (op: number): Binary =>
  (a, b) => [...a, ...b, 0xfd, ...unsigned(op)];

export const set = (local: Local, value: Code): Code => [...value, 0x21, ...unsigned(local.index)];

export const i32 = {
  of: (value: number): Code => [0x41, ...signed(value)],
  load: (at: Code, offset = 0): Code => [...at, 0x28, 2, ...unsigned(offset)],
  store: (at: Code, value: Code, offset = 0): Code => [...at, ...value, 0x36, 2, ...unsigned(offset)],
  add: scalar(0x6a),
  sub: scalar(0x6b),
  mul: scalar(0x6c),
  quotient: scalar(0x6e),
  remainder: scalar(0x70),
  and: scalar(0x71),
  shl: scalar(0x74),
  shr: scalar(0x75),
  less: scalar(0x48),
  select: (condition: Code, yes: Code, no: Code): Code => [...yes, ...no, ...condition, 0x1b],
  min: (a: Code, b: Code): Code => [...a, ...b, ...a, ...b, 0x48, 0x1b],
  max: (a: Code, b: Code): Code => [...a, ...b, ...a, ...b, 0x4a, 0x1b],
  /** Adds to a shared number; gives what it was. */
  fetchAdd: (at: Code, value: Code): Code => [...at, ...value, 0xfe, 0x1e, 2, 0],
} as const;

export const f32 = {
  of: (value: number): Code => [0x43, ...f32Bytes(value)],
  load: (at: Code, offset = 0): Code => [...at, 0x2a, 2, ...unsigned(offset)],
  store: (at: Code, value: Code, offset = 0): Code => [...at, ...value, 0x38, 2, ...unsigned(offset)],
  add: scalar(0x92),
  sub: scalar(0x93),
  mul: scalar(0x94),
  div: scalar(0x95),
  min: scalar(0x96),
  max: scalar(0x97),
  /** A whole number as a float. */
  from: (value: Code): Code => [...value, 0xb2],
  /** The bits of a float as a whole number, and back. */
  bits: (value: Code): Code => [...value, 0xbc],
  ofBits: (value: Code): Code => [...value, 0xbe],
} as const;

/** Four floats side by side. */
export const f32x4 = {
  of: (value: number): Code => [0xfd, 0x0c, ...Array.from({ length: 4 }, () => f32Bytes(value)).flat()],
  load: (at: Code, offset = 0): Code => [...at, 0xfd, 0x00, 2, ...unsigned(offset)],
  /** One float from memory, four times. */
  loadSplat: (at: Code, offset = 0): Code => [...at, 0xfd, 0x09, 2, ...unsigned(offset)],
  store: (at: Code, value: Code, offset = 0): Code => [...at, ...value, 0xfd, 0x0b, 2, ...unsigned(offset)],
  splat: (value: Code): Code => [...value, 0xfd, 0x13],
  lane: (value: Code, lane: number): Code => [...value, 0xfd, 0x1f, lane],
  add: vector(0xe4),
  sub: vector(0xe5),
  mul: vector(0xe6),
  pmax: vector(0xeb),
  /** a·b + c with one rounding, where the processor has it. */
  madd: (a: Code, b: Code, c: Code): Code => [...a, ...b, ...c, 0xfd, ...unsigned(0x105)],
  /** All bits of a lane set where a < b. */
  less: vector(0x43),
  /** a where the bits of b are not set. */
  andNot: vector(0x4f),
  addInt: vector(0xae),
  /** Each lane's bits moved up. */
  shl: (value: Code, by: Code): Code => [...value, ...by, 0xfd, ...unsigned(0xab)],
} as const;

/** Sum of the four lanes, which `local` holds. */
export const sumLanes = (local: Local): Code =>
  f32.add(f32.add(f32x4.lane(local.get, 0), f32x4.lane(local.get, 1)), f32.add(f32x4.lane(local.get, 2), f32x4.lane(local.get, 3)));

/** Runs the body for local = from, from + step … below the end. */
export const each = (local: Local, from: Code, end: Code, step: number, ...body: readonly Code[]): Code => [
  ...set(local, from),
  ...[0x02, 0x40, 0x03, 0x40],
  ...[...local.get, ...end, 0x4e, 0x0d, 1],
  ...body.flat(),
  ...set(local, i32.add(local.get, i32.of(step))),
  ...[0x0c, 0, 0x0b, 0x0b],
];

/** Runs the body until `done` holds, which is asked after `before`. */
export const until = (before: Code, done: Code, ...body: readonly Code[]): Code => [
  ...[0x02, 0x40, 0x03, 0x40],
  ...before,
  ...[...done, 0x0d, 1],
  ...body.flat(),
  ...[0x0c, 0, 0x0b, 0x0b],
];

export const when = (condition: Code, ...body: readonly Code[]): Code => [...condition, 0x04, 0x40, ...body.flat(), 0x0b];

const types = { i32: 0x7f, f32: 0x7d, v128: 0x7b } as const;

/** A function of i32 parameters without a result, exported as `run`, over an imported memory `kernel.memory`. */
export const createKernel = (parameters: number, shared: boolean) => {
  const locals: number[] = [];
  const constants = new Map<number, Local>();
  const local = (type: keyof typeof types): Local => {
    const index = parameters + locals.push(types[type]) - 1;
    return { index, get: [0x20, ...unsigned(index)] };
  };
  return {
    parameters: Array.from({ length: parameters }, (_, index): Local => ({ index, get: [0x20, ...unsigned(index)] })),
    i32: () => local("i32"),
    f32: () => local("f32"),
    f32x4: () => local("v128"),
    /** A number four times, made once: written inside a loop it would be made on every pass. */
    constant: (value: number): Code => {
      const known = constants.get(value) ?? local("v128");
      constants.set(value, known);
      return known.get;
    },
    module: (...body: readonly Code[]): Uint8Array => {
      const section = (id: number, content: readonly number[]): number[] => [id, ...unsigned(content.length), ...content];
      const name = (text: string): number[] => [...unsigned(text.length), ...Buffer.from(text)];
      const first = [...constants].flatMap(([value, constant]) => set(constant, f32x4.of(value)));
      const code = [...unsigned(locals.length), ...locals.flatMap((type) => [1, type]), ...first, ...body.flat(), 0x0b];
      return Uint8Array.from([
        ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
        ...section(1, [1, 0x60, ...unsigned(parameters), ...Array.from({ length: parameters }, () => types.i32), 0]),
        ...section(2, [1, ...name("kernel"), ...name("memory"), 2, ...(shared ? [3, 1, ...unsigned(65536)] : [0, 1])]),
        ...section(3, [1, 0]),
        ...section(7, [1, ...name("run"), 0, 0]),
        ...section(10, [1, ...unsigned(code.length), ...code]),
      ]);
    },
  };
};

export type Kernel = ReturnType<typeof createKernel>;

/**
 * e^x to 1e-7 relative for x below 88; exactly 0 below -80, as products with what is almost 0 are subnormal, which costs far
 * more: 2^n by adding n to the exponent, n read off the mantissa of x·log2(e) + 1.5·2^23. Not a number stays that.
 */
export const exponential = (kernel: Kernel): ((x: Code) => Code) => {
  const [x, n, r] = [kernel.f32x4(), kernel.f32x4(), kernel.f32x4()];
  const { add, sub, mul, madd, andNot, less } = f32x4;
  const of = kernel.constant;
  const round = of(12582912);
  // Least squares on [-ln 2 / 2, ln 2 / 2], as in Cephes' expf.
  const terms = [1.98756915e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1];
  const horner = terms.slice(1).reduce((sum, term) => madd(sum, r.get, of(term)), of(terms[0]!));
  return (value) => [
    ...set(x, value),
    ...set(n, madd(x.get, of(Math.LOG2E), round)),
    ...set(r, sub(n.get, round)),
    ...set(r, madd(r.get, of(2.1219444e-4), madd(r.get, of(-0.693359375), x.get))),
    ...andNot(f32x4.addInt(add(madd(horner, mul(r.get, r.get), r.get), of(1)), f32x4.shl(n.get, i32.of(23))), less(x.get, of(-80))),
  ];
};
