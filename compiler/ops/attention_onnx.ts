// Attention as ONNX nodes, forward and backward, in chunks of queries. A chunk meets only the key slots that one of its queries
// sees, from the first to the last, read off `sees` as the graph runs: half the work of a causal mask is never done, rows packed
// together do not meet, and a chunk's scores stay in the processor's cache from one node to the next.
// Shapes: b rows, t queries, s slots, g key heads, m = h/g query heads on each; a chunk has c queries and w slots.
// Chosen by measurement on ONNX Runtime's CPU engine: ReduceLogSumExp is 50 times slower than two maxima, a product whose
// left side is read transposed 1.5 times slower than one whose result is transposed, and δ = Σ dout·out is a pass over
// [b, t, h, d] where Σ p·dp would be one over [b, h, t, s].

import type { OnnxWriter } from "../emit/onnx-writer.ts";
import type { Node, TensorType } from "../graph/graph.ts";
import { type Dim, divide, isConcrete } from "../values/dims.ts";
import { partsOf, softcapOf } from "./attention.ts";
import { memorySlots } from "./memory-slots.ts";
import { wantedOf } from "./wanted.ts";

/** Chunks of a sequence that attends to itself. More of them do less work, in more and smaller nodes. */
const chunkCount = 4;

/** Queries of one chunk and the slots they meet. */
interface Chunk {
  /** [w]: numbers of the slots. */
  readonly slots: string;
  /** The chunk's queries out of [b, g, m, t, x], or another tensor with the queries along `axis`. */
  readonly queries: (name: string, axis?: number) => string;
  /** The chunk's slots out of [b, g, 1, s, d]. */
  readonly keys: (name: string) => string;
  /** [b, g, 1, d, w] -> [b, g, 1, d, s], zero at the slots that the chunk does not meet. */
  readonly widen: (name: string) => string;
}

/** The sizes, and the steps that forward and backward share. */
const setUp = (write: OnnxWriter, node: Node, sees: string, bias: string | undefined) => {
  const [b, t, h, d] = node.inputs[0]!.type.shape as [Dim, Dim, Dim, Dim];
  const [, s, g] = node.inputs[1]!.type.shape as [Dim, Dim, Dim, Dim];
  if (!isConcrete(d)) throw new Error("the head width must be known when ONNX is written");
  const scale = typeof node.attrs.scale === "number" ? node.attrs.scale : 1 / Math.sqrt(d);
  const m = divide(h, g)!;
  const parts = partsOf(node.inputs[3]!.type);
  const causal = node.attrs.causal !== false;
  const whole = (...values: number[]) => write.constant(values, "i64");
  const transpose = (name: string, ...perm: number[]) => write.node("Transpose", [name], { perm });
  const slice = (name: string, from: string, to: string, axis: number) => write.node("Slice", [name, from, to, whole(axis)]);

  const memory = memorySlots(node.attrs);
  // One of the numbers of `sees`, counted with the memory in front: [b, t].
  const seenPart = (part: number): string => {
    const one = parts.count === 1 ? sees : write.reshape(slice(sees, whole(part), whole(part + 1), 2), [b, t, 1], [b, t]);
    const number = write.node("Cast", [one], { to: write.code("i64") });
    return memory > 0 ? write.node("Add", [number, whole(memory)]) : number;
  };
  const last = () => seenPart(parts.last);
  const first = () => (parts.first === undefined ? undefined : seenPart(parts.first));

  const everything: Chunk = {
    slots: write.node("Range", [write.constant([0], "i64", []), write.node("Squeeze", [write.shape([s])]), write.constant([1], "i64", [])]),
    queries: (name) => name,
    keys: (name) => name,
    widen: (name) => name,
  };

  const chunks = (): readonly Chunk[] => {
    // Only what attends to itself: with a cache there are few queries, and slots beyond what was written.
    if (t !== s || isConcrete(t)) return [everything];
    const every = Array.from({ length: chunkCount }, () => true);
    const size = write.node("Div", [write.node("Add", [write.shape([t]), whole(chunkCount - 1)]), whole(chunkCount)]);
    const full = write.node("Mul", [size, whole(chunkCount)]);
    const end = (i: number) => write.node("Min", [write.node("Mul", [size, whole(i)]), write.shape([t])]);
    const lengths = write.node(
      "Concat",
      Array.from(every, (_, i) => write.node("Sub", [end(i + 1), end(i)])),
      { axis: 0 },
    );
    const cut = (name: string, axis: number) => write.nodes("Split", [name, lengths], { axis }, every);
    // The outermost slot of each chunk: [chunks] -> a vector of one each. Rows beyond t count as seeing nothing.
    const outermost = (name: string, reduce: "ReduceMax" | "ReduceMin", nothing: string) => {
      const each = write.node(reduce, [name, whole(0)], { keepdims: 0 });
      const pads = write.node("Concat", [whole(0), write.node("Sub", [full, write.shape([t])])], { axis: 0 });
      const even = write.node("Reshape", [write.node("Pad", [each, pads, nothing]), whole(chunkCount, -1)]);
      return write.nodes(
        "Split",
        [write.node(reduce, [even, whole(1)], { keepdims: 0 }), whole(...every.map(() => 1))],
        { axis: 0 },
        every,
      );
    };
    const lasts = causal ? outermost(last(), "ReduceMax", write.constant([-1], "i64", [])) : undefined;
    const start = causal ? first() : undefined;
    const firsts = start && outermost(start, "ReduceMin", write.node("Squeeze", [write.shape([s])]));
    return every.map((_, i): Chunk => {
      const from = firsts ? write.node("Max", [firsts[i]!, whole(0)]) : whole(0);
      const to = lasts ? write.node("Min", [write.node("Add", [lasts[i]!, whole(1)]), write.shape([s])]) : write.shape([s]);
      return {
        slots: slice(everything.slots, from, to, 0),
        queries: (name, axis = 3) => cut(name, axis)[i]!,
        keys: (name) => slice(name, from, to, 3),
        widen: (name) => {
          // An empty chunk's slots are none: from may lie behind to.
          const width = write.node("Shape", [name], { start: 4, end: 5 });
          const before = write.node("Min", [from, write.node("Sub", [write.shape([s]), width])]);
          const after = write.node("Sub", [write.node("Sub", [write.shape([s]), width]), before]);
          const zeros = whole(0, 0, 0, 0);
          return write.node("Pad", [name, write.node("Concat", [zeros, before, zeros, after], { axis: 0 })]);
        },
      };
    });
  };

  // 0 where the query sees the slot, else a large negative number: [b, 1, 1, c, w].
  const spread = (name: string) => write.node("Unsqueeze", [name, whole(1, 2, 4)]);
  const mask = (chunk: Chunk) => {
    const after = write.node("Greater", [chunk.slots, spread(chunk.queries(last(), 1))]);
    const start = first();
    const early = start && write.node("Less", [chunk.slots, spread(chunk.queries(start, 1))]);
    const always = early && memory > 0 ? write.node("Less", [chunk.slots, write.constant([memory], "i64")]) : undefined;
    const before = early && always ? write.node("And", [early, write.node("Not", [always])]) : early;
    return write.node("Where", [before ? write.node("Or", [after, before]) : after, write.constant(-1e30), write.constant(0)]);
  };
  // Which element of a head's bias each score takes: [b, c, w].
  const distances = (chunk: Chunk, length: Dim) => {
    const position = write.node("Unsqueeze", [chunk.queries(seenPart(parts.position), 1), whole(2)]);
    const far = write.node("Add", [write.node("Sub", [chunk.slots, position]), write.constant([node.attrs.zero as number], "i64", [])]);
    const end = write.node("Sub", [write.node("Squeeze", [write.shape([length])]), write.constant([1], "i64", [])]);
    return write.node("Min", [write.node("Max", [far, write.constant([0], "i64", [])]), end]);
  };
  // [b, t, …] of `rank` axes, 0 at queries whose interval is empty: they hear nothing, and nothing follows from them.
  const heard = (name: string, rank = 4): string => {
    const start = causal && memory === 0 ? first() : undefined;
    if (!start) return name;
    const empty = write.node("Less", [last(), write.node("Max", [start, whole(0)])]);
    return write.node("Where", [write.node("Unsqueeze", [empty, whole(...[2, 3].slice(0, rank - 2))]), write.constant(0), name]);
  };
  const cap = softcapOf(node.attrs);
  const product = (x: string, y: string, how: { transB?: number; alpha?: { float: number } } = {}) =>
    how.transB || how.alpha ? write.node("com.microsoft.FusedMatMul", [x, y], how) : write.node("MatMul", [x, y]);
  return {
    scale,
    chunks,
    distances,
    heard,
    product,
    transpose,
    /** [b, t, h, d] -> [b, g, m, t, d] */
    queries: (name: string, x: Dim = d) => transpose(write.reshape(name, [b, t, h, x], [b, t, g, m, x]), 0, 2, 3, 1, 4),
    /** [b, t, h, d] -> [b, g, m, d, t] */
    queriesDown: (name: string) => transpose(write.reshape(name, [b, t, h, d], [b, t, g, m, d]), 0, 2, 3, 4, 1),
    /** [b, s, g, d] -> [b, g, 1, s, d] */
    keys: (name: string) => write.node("Unsqueeze", [transpose(name, 0, 2, 1, 3), whole(2)]),
    /** Chunks [b, g, m, c, x] -> [b, t, h, x]. */
    together: (pieces: readonly string[], x: Dim) => {
      const all = pieces.length === 1 ? pieces[0]! : write.node("Concat", pieces, { axis: 3 });
      return write.reshape(transpose(all, 0, 3, 1, 2, 4), [b, t, g, m, x], [b, t, h, x]);
    },
    /** Chunks' shares [b, g, m, d, w] -> [b, s, g, d]. */
    summed: (chunks: readonly Chunk[], pieces: readonly string[]) => {
      const shares = pieces.map((piece, i) => chunks[i]!.widen(m === 1 ? piece : write.node("ReduceSum", [piece, whole(2)])));
      const sum = shares.length === 1 ? shares[0]! : write.node("Sum", shares);
      return transpose(write.node("Squeeze", [sum, whole(2)]), 0, 3, 1, 2);
    },
    /**
     * scale · q·kᵀ, bounded, biased and masked: [b, g, m, c, w]. `turned` is tanh(scale · q·kᵀ / softcap), when there is a softcap.
     */
    scores: (chunk: Chunk, q: string, k: string): { all: string; turned?: string } => {
      const plain = product(chunk.queries(q), chunk.keys(k), { transB: 1, alpha: { float: cap ? scale / cap : scale } });
      const turned = cap ? write.node("Tanh", [plain]) : undefined;
      let all = turned === undefined ? plain : write.node("Mul", [turned, write.constant(cap)]);
      const length = node.inputs.at(-1)!.type.shape[1]!;
      if (bias !== undefined) {
        // [g, m, b, c, w] -> [b, g, m, c, w]
        const each = write.node("Gather", [write.reshape(bias, [h, length], [g, m, length]), distances(chunk, length)], { axis: 2 });
        all = write.node("Add", [all, transpose(each, 2, 0, 1, 3, 4)]);
      }
      if (causal) all = write.node("Add", [all, mask(chunk)]);
      return turned === undefined ? { all } : { all, turned };
    },
  };
};

/** One chunk's scores and what becomes of them, and operands with their heads in front. */
export const attentionHolds = (node: Node, bytes: (type: TensorType) => number): readonly (readonly number[])[] => {
  const [query, key] = node.inputs.map(({ type }) => type);
  const [b, t, h] = query!.shape;
  const scores = bytes({ dtype: "f32", shape: [b!, h!, t!, key!.shape[1]!] }) / chunkCount;
  const [chunks, turned] = node.op === "attention" ? [2, 3] : [4, 4];
  return [[...Array<number>(turned).fill(bytes(query!)), ...Array<number>(chunks).fill(scores)]];
};

export const attentionOnnx = (write: OnnxWriter, [query, key, value, sees, bias]: readonly string[], node: Node): readonly string[] => {
  const tools = setUp(write, node, sees!, bias);
  const { product, together } = tools;
  const [q, k, v] = [tools.queries(query!), tools.keys(key!), tools.keys(value!)];
  // The largest probability is exp(largest score − lse).
  const top = (name: string) => write.node("ReduceMax", [name, write.constant([4], "i64")], { keepdims: 1 });
  const pieces = tools.chunks().map((chunk) => {
    const { all } = tools.scores(chunk, q, k);
    const p = write.node("Softmax", [all], { axis: -1 });
    const lse = () => write.node("Sub", [top(all), write.node("Log", [top(p)])]);
    return { out: product(p, chunk.keys(v)), lse: write.used(node, 1) ? lse() : "" };
  });
  const [b, t, h, d] = node.inputs[0]!.type.shape as [Dim, Dim, Dim, Dim];
  const out = tools.heard(
    together(
      pieces.map((piece) => piece.out),
      d,
    ),
  );
  if (!write.used(node, 1)) return [out, ""];
  const lse = together(
    pieces.map((piece) => piece.lse),
    1,
  );
  return [out, tools.heard(write.reshape(lse, [b, t, h, 1], [b, t, h]), 3)];
};

export const attentionGradientOnnx = (
  write: OnnxWriter,
  [query, key, value, sees, out, lse, asked, bias]: readonly string[],
  node: Node,
): readonly string[] => {
  const tools = setUp(write, node, sees!, bias);
  const { scale, product, queries, queriesDown, keys } = tools;
  const dout = tools.heard(asked!);
  const wants = wantedOf(node.attrs);
  const d = node.inputs[0]!.type.shape[3]!;
  const [q, k, v, along] = [queries(query!), keys(key!), keys(value!), queries(dout)];
  // δ: [b, g, m, t, 1]
  const delta = () => {
    const sum = write.node("ReduceSum", [write.node("Mul", [dout, out!]), write.constant([3], "i64")]);
    return queries(sum, 1);
  };
  const alpha = { float: scale };
  const chunks = tools.chunks();
  const found = chunks.map((chunk) => {
    const { all, turned } = tools.scores(chunk, q, k);
    // Of all that took a share where something else did, such as a sink: then they are no softmax of the scores.
    const p =
      node.attrs.sink === true
        ? write.node("Exp", [write.node("Sub", [all, chunk.queries(queries(lse!, 1))])])
        : write.node("Softmax", [all], { axis: -1 });
    // [b, g, m, c, w]: the gradient of each score, and of what was bounded by the softcap.
    const rises = () => {
      const dp = product(chunk.queries(along), chunk.keys(v), { transB: 1 });
      return write.node("Mul", [p, write.node("Sub", [dp, chunk.queries(delta())])]);
    };
    const rise = wants.some((name) => name !== "value") ? rises() : "";
    const slopes = () => {
      if (turned === undefined) return rise;
      return write.node("Mul", [rise, write.node("Sub", [write.constant(1), write.node("Mul", [turned, turned])])]);
    };
    const ds = wants.includes("query") || wants.includes("key") ? slopes() : "";
    const shares: Readonly<Record<string, () => string>> = {
      query: () => product(ds, chunk.keys(k), { alpha }),
      key: () => product(chunk.queries(queriesDown(query!), 4), ds, { alpha }),
      value: () => product(chunk.queries(queriesDown(dout), 4), p),
      bias: () => biasGradient(write, node, rise, tools.distances(chunk, node.inputs[7]!.type.shape[1]!)),
    };
    return wants.map((name) => shares[name]!());
  });
  return wants.map((name, i) => {
    const pieces = found.map((shares) => shares[i]!);
    if (name === "query") return tools.together(pieces, d);
    if (name === "bias") return pieces.length === 1 ? pieces[0]! : write.node("Sum", pieces);
    return tools.summed(chunks, pieces);
  });
};

/** Sums a chunk's gradients of scores by distance. ScatterElements walks in order on one thread (see gather_gradient). */
const biasGradient = (write: OnnxWriter, node: Node, rise: string, distances: string): string => {
  const { shape } = node.inputs[7]!.type;
  const flat = (name: string, heads: number) => write.node("Reshape", [name, write.constant([heads, -1], "i64")]);
  const h = shape[0] as number;
  // [g, m, b, c, w] -> [h, b·c·w]
  const each = flat(write.node("Transpose", [rise], { perm: [1, 2, 0, 3, 4] }), h);
  const index = write.node("Expand", [flat(distances, 1), write.node("Shape", [each])]);
  const none = write.node("Expand", [write.constant(0), write.shape(shape)]);
  return write.node("ScatterElements", [none, index, each], { axis: 1, reduction: "add" });
};
