// Prints the value of a node at an index as WGSL. In: a node and where; out: a name, after the lines that compute it.
//
// A block is one lexical scope of one kernel. It names every value, and equal text is one value, so common subexpressions and
// index arithmetic are printed once. An index is kept in the form it came in (per axis, per group of axes, or flat) and converted
// only when a reader needs the other form: a reshape then costs nothing, and divisions appear only where shapes force them.

import type { DType, Node } from "../graph/graph.ts";
import type { FusedKernel } from "../kernels/kernels.ts";
import { formOf } from "../kernels/kernels.ts";
import { type Dim, product } from "../values/dims.ts";
import { literal, loadFour, loadOne, registerOf, storedAs } from "./dtypes.ts";
import type { ElementReader } from "./wgsl-forms.ts";

/** A position in a tensor. Groups cover the axes in order; `flat` is the row-major position. At least one form is there. */
export interface Index {
  readonly shape: readonly Dim[];
  readonly flat?: string;
  readonly groups?: readonly { readonly rank: number; readonly at: string }[];
}

interface Binding {
  readonly value: string;
  readonly name: string;
  readonly dtype: DType;
  readonly access: "read" | "write";
  one: boolean;
  four: boolean;
  word: boolean;
}

/** What one kernel declares: its bindings, the symbols it reads, the functions its expressions call. */
export interface KernelScope {
  readonly entry: string;
  readonly kernel: FusedKernel;
  readonly bindings: Binding[];
  readonly symbols: Set<string>;
  /** Scalars that lie in the uniform, by value: their dtype. */
  readonly scalars: ReadonlyMap<string, DType>;
  readonly preludes: Set<string>;
  readonly size: (dim: Dim) => string;
  readonly bind: (value: string, dtype: DType, access: "read" | "write") => Binding;
  /** The element at a position, through an accessor that knows the buffer's layout. */
  readonly load: (value: string, dtype: DType, flat: string) => string;
  readonly loadFour: (value: string, dtype: DType, flatQuarter: string) => string;
  /** A whole word of a buffer of bytes. */
  readonly loadWord: (value: string, dtype: DType, flatWord: string) => string;
}

export const createScope = (entry: string, kernel: FusedKernel, scalars: ReadonlyMap<string, DType> = new Map()): KernelScope => {
  const bindings: Binding[] = [];
  const symbols = new Set<string>();
  const bind: KernelScope["bind"] = (value, dtype, access) => {
    let known = bindings.find((b) => b.value === value);
    if (!known) {
      known = {
        value,
        name: `${entry}_${access === "read" ? "i" : "o"}${bindings.length}`,
        dtype,
        access,
        one: false,
        four: false,
        word: false,
      };
      bindings.push(known);
    }
    return known;
  };
  return {
    entry,
    kernel,
    bindings,
    symbols,
    scalars,
    preludes: new Set(),
    size: (dim) => sizeText(dim, `${entry}_u`, symbols),
    bind,
    load: (value, dtype, flat) => {
      if (scalars.has(value)) return `${entry}_u.x${[...scalars.keys()].indexOf(value)}`;
      const binding = bind(value, dtype, "read");
      binding.one = true;
      return `${binding.name}_at(${flat})`;
    },
    loadFour: (value, dtype, quarter) => {
      const binding = bind(value, dtype, "read");
      binding.four = true;
      return `${binding.name}_four(${quarter})`;
    },
    loadWord: (value, dtype, at) => {
      const binding = bind(value, dtype, "read");
      binding.word = true;
      return `${binding.name}_word(${at})`;
    },
  };
};

/** A size as a u32 expression over the uniform of symbols. Dims are canonical sums of products; positive terms come first. */
const sizeText = (dim: Dim, uniform: string, symbols: Set<string>): string => {
  if (typeof dim === "number") return `${dim}u`;
  const plus: string[] = [];
  const minus: string[] = [];
  for (const part of dim.split("+")) {
    let negative = false;
    const factors = part.split("*").map((factor) => {
      if (/^-\d+$/.test(factor)) {
        negative = true;
        return `${factor.slice(1)}u`;
      }
      if (/^\d+$/.test(factor)) return `${factor}u`;
      if (!/^[a-z_]\w*$/i.test(factor)) throw new Error(`size ${dim} is not known when the kernel runs`);
      symbols.add(factor);
      return `${uniform}.${factor}`;
    });
    (negative ? minus : plus).push(factors.join(" * "));
  }
  const text = `${plus.join(" + ") || "0u"}${minus.map((term) => ` - ${term}`).join("")}`;
  return text.includes(" ") ? `(${text})` : text;
};

/** Declarations of a kernel's buffers, their accessors and its uniform. */
export const printDeclarations = (scope: KernelScope): string => {
  const lines: string[] = [];
  scope.bindings.forEach((b, i) => {
    const element = storedAs(b.dtype, b.four);
    const access = b.access === "read" ? "read" : "read_write";
    lines.push(`@group(0) @binding(${i}) var<storage, ${access}> ${b.name}: array<${element}>;`);
    const register = registerOf(b.dtype);
    if (b.one) lines.push(`fn ${b.name}_at(i: u32) -> ${register} { return ${loadOne(b.name, b.dtype, b.four, "i")}; }`);
    if (b.word) lines.push(`fn ${b.name}_word(i: u32) -> u32 { return ${b.name}[i]; }`);
    if (b.four) lines.push(`fn ${b.name}_four(i: u32) -> vec4<${register}> { return ${loadFour(b.name, b.dtype, "i")}; }`);
  });
  const symbols = [...scope.symbols].sort();
  if (symbols.length || scope.scalars.size) {
    const fields = [...symbols.map((s) => `${s}: u32`), ...[...scope.scalars.values()].map((dtype, i) => `x${i}: ${registerOf(dtype)}`)];
    lines.push(`struct ${scope.entry}_Sizes { ${fields.join(", ")} }`);
    lines.push(`@group(0) @binding(${scope.bindings.length}) var<uniform> ${scope.entry}_u: ${scope.entry}_Sizes;`);
  }
  return lines.join("\n");
};

/** A value the kernel holds at the element it is computing. */
export interface Register {
  readonly name: string;
  /** The flat position it belongs to, to refuse a read anywhere else. */
  readonly at: string;
}

export interface Block {
  readonly scope: KernelScope;
  readonly lines: string[];
  readonly indent: string;
  /** Names an expression, once. */
  readonly name: (expression: string) => string;
  readonly line: (text: string) => void;
  readonly value: (node: Node, index: Index) => string;
  /** Four neighbours along the last axis; the index is of the first, and its flat position is a multiple of 4 if `aligned`. */
  readonly four: (node: Node, index: (lane: number) => Index, aligned: boolean) => readonly string[];
  readonly flat: (index: Index) => string;
  readonly axis: (index: Index, axis: number) => string;
  /** The index of a broadcast argument. */
  readonly broadcast: (index: Index, shape: readonly Dim[]) => Index;
  readonly registers: Map<Node, Register>;
  /** A scope inside this one: it sees what is named here. */
  readonly inner: () => Block;
}

const isName = (text: string): boolean => /^\w+$/.test(text) || /^\w+\.[a-z]\w*$/.test(text) || /^\d+(\.\d+)?(e-?\d+)?[uif]?$/.test(text);
const isLiteral = (text: string): boolean => /^\(?-?[\d.]/.test(text);

export const createBlock = (
  scope: KernelScope,
  indent: string,
  parent?: { memo: ReadonlyMap<string, string>; registers: ReadonlyMap<Node, Register>; counter: { next: number } },
): Block => {
  const memo = new Map(parent?.memo);
  const registers = new Map(parent?.registers);
  const counter = parent?.counter ?? { next: 0 };
  const lines: string[] = [];
  const { size } = scope;

  const name = (expression: string): string => {
    if (isName(expression)) return expression;
    const known = memo.get(expression);
    if (known) return known;
    const fresh = `e${counter.next++}`;
    lines.push(`${indent}let ${fresh} = ${expression};`);
    memo.set(expression, fresh);
    return fresh;
  };

  /** Row-major position from the groups: Horner's rule. */
  const flat = (index: Index): string => {
    if (index.flat !== undefined) return index.flat;
    let first = 0;
    let text = "";
    for (const { rank, at } of index.groups!) {
      const extent = product(index.shape.slice(first, first + rank));
      first += rank;
      if (extent === 1) continue;
      text =
        text === "" || text === "0u"
          ? at
          : at === "0u"
            ? `${wrap(text)} * ${size(extent)}`
            : `${wrap(text)} * ${size(extent)} + ${wrap(at)}`;
      text = name(text);
    }
    return text === "" ? "0u" : name(text);
  };

  const axis = (index: Index, wanted: number): string => {
    if (index.shape[wanted] === 1) return "0u";
    if (index.groups) {
      let first = 0;
      for (const { rank, at } of index.groups) {
        if (wanted < first + rank) return within(at, index.shape.slice(first, first + rank), wanted - first);
        first += rank;
      }
    }
    return within(index.flat!, index.shape, wanted);
  };

  /** One axis of a row-major position. */
  const within = (at: string, shape: readonly Dim[], wanted: number): string => {
    const inner = product(shape.slice(wanted + 1));
    const quotient = inner === 1 ? at : name(`${wrap(at)} / ${size(inner)}`);
    const outer = shape.slice(0, wanted).some((dim) => dim !== 1);
    return outer ? name(`${wrap(quotient)} % ${size(shape[wanted]!)}`) : quotient;
  };

  const broadcast = (index: Index, shape: readonly Dim[]): Index => {
    // As many elements: only axes of size 1 differ, and every element keeps its place.
    if (product(shape) === product(index.shape)) return reflow(index, shape);
    if (shape.every((dim) => dim === 1)) return { shape, flat: "0u" };
    const lead = index.shape.length - shape.length;
    const groups = shape.map((dim, i) => ({ rank: 1, at: dim === 1 ? "0u" : axis(index, lead + i) }));
    return { shape, groups };
  };

  /** Axes in groups that end at the same element counts may be regrouped without dividing; else go through the flat position. */
  const reflow = (index: Index, shape: readonly Dim[]): Index => (same(shape, index.shape) ? index : { shape, flat: flat(index) });

  const value: Block["value"] = (node, index) => {
    const held = registers.get(node);
    if (held) {
      const at = flat(index);
      if (at !== held.at) throw new Error(`kernel ${scope.entry} reads its own node ${node.id} (${node.op}) at another element`);
      return held.name;
    }
    const stored = scope.kernel.loads.get(node);
    if (stored !== undefined) return name(scope.load(stored, node.type.dtype, flat(index)));
    if (node.op === "constant") return literal(node.attrs.value as number, node.type.dtype);
    const form = formOf(node);
    if (form?.form === "map") {
      if (form.prelude) scope.preludes.add(form.prelude);
      let args = node.inputs.map((input) => value(input, broadcast(index, input.type.shape)));
      // Constant expressions are evaluated, and refused, by the WGSL compiler; a name is not.
      if (args.every(isLiteral)) args = args.map((arg) => force(arg));
      return name(`(${form.expression(args, node.attrs)})`);
    }
    if (form?.form === "flat") return value(node.inputs[0]!, reflow(index, node.inputs[0]!.type.shape));
    if (form?.form === "element") {
      if (form.prelude) scope.preludes.add(form.prelude);
      const text = form.element(readerOf(block, node, index), node.attrs);
      return name(isName(text) ? text : `(${text})`);
    }
    throw new Error(`kernel ${scope.entry} needs node ${node.id} (${node.op}), which no kernel stored`);
  };

  const force = (text: string): string => {
    const key = `let ${text}`;
    const known = memo.get(key);
    if (known) return known;
    const fresh = `e${counter.next++}`;
    lines.push(`${indent}let ${fresh} = ${text};`);
    memo.set(key, fresh);
    return fresh;
  };

  const readerOf = (at: Block, node: Node, index: Index): ElementReader => ({
    at: (i) => at.axis(index, i),
    flat: () => at.flat(index),
    read: (input, place) => at.value(node.inputs[input]!, placeOf(at, node.inputs[input]!, place)),
    same: (input) => at.value(node.inputs[input]!, at.broadcast(index, node.inputs[input]!.type.shape)),
    size,
    name: at.name,
    search: (count, hit) => {
      const number = counter.next++;
      const [found, i] = [`found${number}`, `i${number}`];
      at.line(`var ${found} = ${count};`);
      const inner = at.inner();
      const test = hit(i, readerOf(inner, node, index));
      // What the test names outside stands before the loop.
      at.line(`for (var ${i} = 0u; ${i} < ${count}; ${i}++) {`);
      inner.line(`if (${test}) { ${found} = ${i}; }`);
      at.lines.push(...inner.lines);
      at.line("}");
      return found;
    },
    word: (input, place) => {
      const argument = node.inputs[input]!;
      const stored = scope.kernel.loads.get(argument);
      return stored !== undefined && argument.type.dtype === "u8" ? at.name(scope.loadWord(stored, "u8", place)) : undefined;
    },
    prelude: (text) => scope.preludes.add(text),
    inputs: node.inputs.map((input) => input.type),
    output: node.type,
  });
  const placeOf = (at: Block, node: Node, place: readonly string[]): Index => {
    const { shape } = node.type;
    return shape.length ? { shape, groups: place.map((text) => ({ rank: 1, at: at.name(text) })) } : { shape, flat: "0u" };
  };

  const lanes = [0, 1, 2, 3] as const;
  const four: Block["four"] = (node, index, aligned) => {
    const apart = () => lanes.map((lane) => value(node, index(lane)));
    if (!aligned || registers.has(node)) return apart();
    const stored = scope.kernel.loads.get(node);
    if (stored !== undefined) {
      if (product(node.type.shape) === 1) return apart();
      const vector = name(scope.loadFour(stored, node.type.dtype, name(`${wrap(flat(index(0)))} >> 2u`)));
      return ["x", "y", "z", "w"].map((part) => `${vector}.${part}`);
    }
    const form = formOf(node);
    const last = node.type.shape.at(-1);
    if (form?.form === "flat") {
      const { shape } = node.inputs[0]!.type;
      return fourths(shape) ? four(node.inputs[0]!, (lane) => reflow(index(lane), shape), true) : apart();
    }
    if (form?.form === "map") {
      if (form.prelude) scope.preludes.add(form.prelude);
      const args = node.inputs.map((input) => {
        const { shape } = input.type;
        const whole = shape.length > 0 && shape.at(-1) === last && fourths(shape);
        return whole
          ? four(input, (lane) => broadcast(index(lane), shape), true)
          : lanes.map((lane) => value(input, broadcast(index(lane), shape)));
      });
      return lanes.map((lane) =>
        name(
          `(${form.expression(
            args.map((arg) => (isLiteral(arg[lane]!) ? force(arg[lane]!) : arg[lane]!)),
            node.attrs,
          )})`,
        ),
      );
    }
    const lot = form?.form === "element" ? form.four?.(readerOf(block, node, index(0)), node.attrs) : undefined;
    if (lot) return lot;
    if (
      form?.form === "element" &&
      form.keepsFour?.(
        node.attrs,
        node.inputs.map((i) => i.type),
        node.type,
      )
    ) {
      // Where its one argument stands, found by asking for it.
      const moved = (lane: number): Index => {
        let place: Index | undefined;
        const reader = {
          ...readerOf(block, node, index(lane)),
          read: (_: number, at: readonly string[]) => {
            place = placeOf(block, node.inputs[0]!, at);
            return "";
          },
        };
        form.element(reader, node.attrs);
        return place!;
      };
      return four(node.inputs[0]!, moved, true);
    }
    return apart();
  };

  const block: Block = {
    scope,
    lines,
    indent,
    name,
    line: (text) => lines.push(`${indent}${text}`),
    value,
    four,
    flat,
    axis,
    broadcast,
    registers,
    inner: () => createBlock(scope, `${indent}  `, { memo, registers, counter }),
  };
  return block;
};

const wrap = (text: string): string => (isName(text) || /^\w+\([^()]*\)$/.test(text) ? text : `(${text})`);

const same = (a: readonly Dim[], b: readonly Dim[]): boolean => a.length === b.length && a.every((dim, i) => dim === b[i]);

/** Whether rows start at multiples of four elements. */
export const fourths = (shape: readonly Dim[]): boolean => {
  const last = shape.at(-1);
  return typeof last === "number" && last % 4 === 0;
};

/** The axis of a node along which neighbours lie side by side in memory, as far as views tell. */
export const contiguousAxis = (node: Node, kernel: FusedKernel): number => {
  const last = node.type.shape.length - 1;
  if (kernel.loads.has(node)) return last;
  const form = formOf(node);
  if (form?.form === "map") {
    const wide = node.inputs.find((input) => same(input.type.shape, node.type.shape));
    return wide ? contiguousAxis(wide, kernel) : last;
  }
  if (form?.form === "element" && form.axes && node.inputs[0]) {
    const inner = contiguousAxis(node.inputs[0], kernel);
    const axis = form
      .axes(
        node.attrs,
        node.inputs.map((i) => i.type),
        node.type,
      )
      .indexOf(inner);
    return axis < 0 ? last : axis;
  }
  return last;
};
