// amended graph -> the same meaning with products in the cheapest order. Three rewrites, chosen by counted cost:
//   x·(P + Q)ᵀ = x·Pᵀ + x·Qᵀ      so that a thin delta never meets the whole weight when that costs more
//   x·(B·A)ᵀ   = (x·Aᵀ)·Bᵀ        and every other bracketing of a chain, by dynamic programming over its sizes
//   (c·P)·Q    = c·(P·Q)          with c put on the smallest factor
// `x·(W + s·B·A)ᵀ` thus becomes `x·Wᵀ + (x·Aᵀ)·(s·B)ᵀ` or stays one product with the sum formed first, whichever costs less
// over forward and backward together. A gated branch must be distributed: that is what it means. (RunLoRA, arXiv 2312.03415,
// lists the cases for one method; here they follow from the rules.)

import { ops } from "../ops/index.ts";
import { at, isConcrete, product } from "../values/dims.ts";
import { isRowwise, multiplyRows } from "./associate-rows.ts";
import { differentiate } from "./differentiate.ts";
import { createGraph, type Graph, type Node, reachable } from "./graph.ts";
import { applyLast, asProduct, costOf, type Factor, isStructured } from "./structured.ts";

interface Chain {
  readonly factors: readonly Factor[];
  readonly scale: readonly Node[];
}

export interface AssociateOptions {
  /** Sizes at which costs are compared. */
  readonly sizes: Readonly<Record<string, number>>;
  /** True where gradients will be taken: the backward pass counts too. */
  readonly training: boolean;
  /** Inputs of the graph that will be trained. */
  readonly trained: ReadonlySet<Node>;
  /** The scalar input that gates draw from. */
  readonly seed: () => Node;
}

/** Reading and writing one element costs about as much as this many multiply-adds of a product, on the devices we know. */
const elementCost = 32;

export const associate = (graph: Graph, roots: readonly Node[], options: AssociateOptions): Node[] => {
  // Products of weights alone come second: until then they are links of the chains that tokens go through.
  const chosen = pass(graph, roots, options, (product) => !product.inputs.every(isWeight));
  return pass(graph, chosen, options, (product) => product.inputs.every(isWeight));
};

/** A matrix whose sizes are known: no token has an axis in it. */
const isWeight = ({ type: { shape } }: Node): boolean => shape.length === 2 && shape.every(isConcrete);

const pass = (graph: Graph, roots: readonly Node[], options: AssociateOptions, mine: (product: Node) => boolean): Node[] => {
  const memo = new Map<Node, Node>();
  const rewrite = (node: Node): Node => {
    const known = memo.get(node);
    if (known) return known;
    const inputs = node.inputs.map(rewrite);
    let result = inputs.every((input, i) => input === node.inputs[i])
      ? node
      : node.op === "pick"
        ? graph.pick(inputs[0]!, node.attrs.index as number)
        : graph.add(node.op, inputs, node.attrs, node.origin);
    if (result.op === "matmul" && result.inputs[1]!.type.shape.length === 2)
      result = mine(result) ? linear(graph, result, options) : result;
    else if (isRowwise(result) && mine(result))
      result = multiplyRows(graph, result, {
        ...options,
        shared: (x, weight, transposed) =>
          linear(graph, graph.add("matmul", [x, weight], { transpose_b: transposed }, result.origin), options),
      });
    memo.set(node, result);
    return result;
  };
  for (const node of reachable(roots)) rewrite(node); // inputs first, so that the recursion stays shallow
  return roots.map(rewrite);
};

/**
 * A product with a part of a fused weight is that part of the product with the whole: x·V(M) = V(x·M) for a view V of the columns.
 * Products with the other parts are then the same node. Undefined when the factor is no such view.
 */
const throughView = (factor: Factor, multiplied: (whole: Factor) => Node, graph: Graph): Node | undefined => {
  const { node, transposed } = unwrap(factor);
  const [inner] = node.inputs;
  const last = (of: Node): boolean => of.attrs.axis === undefined || of.attrs.axis === -1 || of.attrs.axis === of.type.shape.length - 1;
  if (node.op === "slice" && transposed && node.attrs.axis === 0)
    return graph.add("slice", [multiplied({ node: inner!, transposed })], { ...node.attrs, axis: -1 }, node.origin);
  if (transposed) return undefined;
  // Down to a matrix again: [in, out] -> split -> slice -> join.
  const steps: Node[] = [];
  let at: Node | undefined = node;
  while (at && (at.op === "join" || at.op === "split" || (at.op === "slice" && last(at)))) {
    steps.push(at);
    at = at.inputs[0];
  }
  if (!at || steps.length === 0 || at.type.shape.length !== 2) return undefined;
  return steps.reduceRight(
    (value, step) => graph.add(step.op, [value], step.op === "slice" ? { ...step.attrs, axis: -1 } : step.attrs, step.origin),
    multiplied({ node: at, transposed: false }),
  );
};

/** A product with a weight expression: distributed or not, whichever costs less. */
const linear = (graph: Graph, node: Node, options: AssociateOptions): Node => {
  const [x, weight] = node.inputs as [Node, Node];
  const transposed = (node.attrs.transpose_b as boolean) === true;
  const ofWhole = ({ node: of, transposed: flipped }: Factor): Node =>
    linear(graph, graph.add("matmul", [x, of], { transpose_a: false, transpose_b: flipped }, node.origin), options);
  const viewed = node.attrs.transpose_a === true ? undefined : throughView({ node: weight, transposed }, ofWhole, graph);
  if (viewed) return viewed;
  const whole = multiply(graph, chainOf(graph, node), options);
  if (!isSum(weight, transposed)) return whole;
  const spread = distribute(graph, x, { node: weight, transposed }, options);
  if (hasBranch(weight)) return spread;
  return cost(graph, spread, x, options) < cost(graph, whole, x, options) ? spread : whole;
};

const unwrap = (factor: Factor): Factor =>
  factor.node.op === "permute" && factor.node.type.shape.length === 2
    ? unwrap({ node: factor.node.inputs[0]!, transposed: !factor.transposed })
    : factor.node.op === "add" && backAgain(factor.node)
      ? unwrap({ node: backAgain(factor.node)!, transposed: factor.transposed })
      : factor;

/** a + (b − a) is b: what a branch leaves where nothing gates it. */
const backAgain = ({ inputs: [a, b] }: Node): Node | undefined => {
  if (b?.op === "sub" && b.inputs[1] === a) return b.inputs[0];
  return a?.op === "sub" && a.inputs[1] === b ? a.inputs[0] : undefined;
};

const isSum = (node: Node, transposed: boolean): boolean => {
  const inner = unwrap({ node, transposed }).node;
  return (
    inner.op === "add" ||
    inner.op === "sub" ||
    inner.op === "branch" ||
    (inner.op === "mul" &&
      isSum(inner.inputs.find((input) => !isScalar(input)) ?? inner.inputs[0]!, false) &&
      inner.inputs.some(isScalar)) ||
    (inner.op === "mul" && inner.inputs.every((input) => input.type.shape.length > 0) && scaledSum(inner) !== undefined)
  );
};

/** diag(v)·S or S·diag(v) with a sum S, as its three parts. */
const scaledSum = (node: Node): { readonly sum: Node; readonly vector: Node; readonly first: boolean } | undefined => {
  const [a, b] = node.inputs as [Node, Node];
  for (const [sum, vector] of [
    [a, b],
    [b, a],
  ] as const) {
    if (sum.type.shape.length !== 2 || vector.type.shape.length === 0 || sum.type.shape.join() !== node.type.shape.join()) continue;
    const first = vector.type.shape.at(-1) === 1 && vector.type.shape.length === 2;
    if ((first || (vector.type.shape.at(-2) ?? 1) === 1) && isSum(sum, false)) return { sum, vector, first };
  }
  return undefined;
};

const hasBranch = (node: Node): boolean => reachable([node]).some((inner) => inner.op === "branch");

const isScalar = (node: Node): boolean => node.type.shape.length === 0;

/** x·E with every sum, scale and branch of E carried outward. */
const distribute = (graph: Graph, x: Node, weight: Factor, options: AssociateOptions): Node => {
  const { node, transposed } = unwrap(weight);
  const [a, b] = node.inputs;
  if (node.op === "add" || node.op === "sub")
    return graph.add(
      node.op,
      [distribute(graph, x, { node: a!, transposed }, options), distribute(graph, x, { node: b!, transposed }, options)],
      {},
      node.origin,
    );
  if (node.op === "branch") {
    const { gate, site, ...attrs } = node.attrs;
    const gated = graph.add(gate as string, [x, options.seed()], { ...attrs, site: site! }, node.origin);
    return distribute(graph, gated, { node: a!, transposed }, options);
  }
  if (node.op === "mul" && (isScalar(a!) || isScalar(b!)) && hasSum(isScalar(a!) ? b! : a!)) {
    const [scalar, rest] = isScalar(a!) ? [a!, b!] : [b!, a!];
    return graph.add("mul", [distribute(graph, x, { node: rest, transposed }, options), scalar], {}, node.origin);
  }
  const scaled = node.op === "mul" ? scaledSum(node) : undefined;
  if (scaled) {
    const vector = graph.add("reshape", [scaled.vector], { shape: [scaled.vector.type.shape.at(scaled.first ? -2 : -1)!] }, node.origin);
    const times = (value: Node): Node => graph.add("mul", [value, vector], {}, node.origin);
    const inner = (from: Node): Node => distribute(graph, from, { node: scaled.sum, transposed }, options);
    // What scales the rows of a weight that stands transposed scales the result, and else what goes in.
    return scaled.first === transposed ? times(inner(x)) : inner(times(x));
  }
  const part = throughView({ node, transposed }, (whole) => distribute(graph, x, whole, options), graph);
  if (part) return part;
  const product = chainOf(graph, { node, transposed });
  return multiply(graph, { factors: [{ node: x, transposed: false }, ...product.factors], scale: product.scale }, options);
};

const hasSum = (node: Node): boolean => isSum(node, false);

/** The factors of nested products, scalar factors apart. A factor that other nodes need anyway may still be taken apart: equal nodes meet again. */
const chainOf = (graph: Graph, of: Node | Factor): Chain => {
  const { node, transposed } = "op" in of ? { node: of, transposed: false } : unwrap(of);
  const flip = (chain: Chain): Chain =>
    transposed ? { ...chain, factors: chain.factors.map((f) => ({ ...f, transposed: !f.transposed })).reverse() } : chain;
  const [a, b] = node.inputs;
  const nested = (left: Factor, right: Factor): Chain => {
    const [l, r] = [chainOf(graph, unwrap(left)), chainOf(graph, unwrap(right))];
    return { factors: [...l.factors, ...r.factors], scale: [...l.scale, ...r.scale] };
  };
  if (node.op === "matmul" && b!.type.shape.length === 2 && !(node.attrs.transpose_a && a!.type.shape.length > 2))
    return flip(
      nested({ node: a!, transposed: node.attrs.transpose_a === true }, { node: b!, transposed: node.attrs.transpose_b === true }),
    );
  if (node.op === "contract") return flip(nested({ node: a!, transposed: true }, { node: b!, transposed: false }));
  if (node.op === "mul" && (isScalar(a!) || isScalar(b!))) {
    const [scalar, rest] = isScalar(a!) ? [a!, b!] : [b!, a!];
    const inner = chainOf(graph, { node: rest, transposed: false });
    // A scaled leaf stays a leaf: only products move.
    const [only] = inner.factors;
    if (inner.factors.length > 1 || (only && isStructured(unwrap(only).node)))
      return flip({ factors: inner.factors, scale: [...inner.scale, scalar] });
  }
  const product = asProduct(graph, node);
  if (product) return flip(nested({ node: product[0], transposed: false }, { node: product[1], transposed: false }));
  return { factors: [{ node, transposed }], scale: [] };
};

const rowsOf = ({ node, transposed }: Factor, sizes: Readonly<Record<string, number>>): [number, number] => {
  const shape = node.type.shape;
  const [rows, columns] = [at(product(shape.slice(0, -1)), sizes), at(shape.at(-1)!, sizes)];
  return transposed ? [columns, rows] : [rows, columns];
};

/** Multiplies a chain in the order with the fewest operations. */
const multiply = (graph: Graph, chain: Chain, { sizes }: AssociateOptions): Node => {
  let factors = chain.factors;
  const extents = factors.map((factor) => rowsOf(factor, sizes));
  const outputSize = extents[0]![0] * extents.at(-1)![1];
  // The scalar goes where it touches the fewest elements; the later factor on a tie.
  let onOutput: readonly Node[] = chain.scale;
  if (chain.scale.length > 0) {
    const areas = extents.map(([rows, columns]) => rows * columns);
    const least = Math.min(...areas);
    if (least < outputSize) {
      const i = areas.lastIndexOf(least);
      factors = factors.map((factor, j) =>
        j === i ? { ...factor, node: chain.scale.reduce((node, s) => graph.add("mul", [node, s], {}, node.origin), factor.node) } : factor,
      );
      onOutput = [];
    }
  }
  // Matrix-chain order (Godbole 1973): best[i][j] is the cheapest way to multiply factors i to j.
  const n = factors.length;
  const best = Array.from({ length: n }, () => new Array<{ cost: number; split: number }>(n).fill({ cost: 0, split: -1 }));
  for (let length = 2; length <= n; length++)
    for (let i = 0; i + length <= n; i++) {
      const j = i + length - 1;
      let cheapest = { cost: Infinity, split: i };
      for (let split = i; split < j; split++) {
        const step = stepCost(factors, extents, i, split, j, sizes);
        const total = best[i]![split]!.cost + best[split + 1]![j]!.cost + step;
        if (total < cheapest.cost) cheapest = { cost: total, split };
      }
      best[i]![j] = cheapest;
    }
  const build = (i: number, j: number): Factor =>
    i === j ? unwrap(factors[i]!) : pair(graph, build(i, best[i]![j]!.split), build(best[i]![j]!.split + 1, j));
  const result = build(0, n - 1);
  const node = result.transposed ? graph.add("permute", [result.node], { order: [1, 0] }) : result.node;
  return onOutput.reduce((product, s) => graph.add("mul", [product, s], {}, product.origin), node);
};

/** Cost of one product of a chain: a dense one, or a structured factor applied to what it meets. */
const stepCost = (
  factors: readonly Factor[],
  extents: readonly (readonly [number, number])[],
  i: number,
  split: number,
  j: number,
  sizes: Readonly<Record<string, number>>,
): number => {
  const [rows, columns] = [extents[i]![0], extents[j]![1]];
  const [left, right] = [unwrap(factors[i]!), unwrap(factors[j]!)];
  const beside = split + 1 === j && isStructured(right.node) ? costOf(right, rows, sizes) : undefined;
  const before = !beside && i === split && isStructured(left.node) ? costOf(left, columns, sizes) : undefined;
  const structured = beside ?? before;
  if (structured) return structured.flops + elementCost * structured.written;
  return 2 * rows * extents[split]![1] * columns + elementCost * rows * columns;
};

/** One product, in whichever form reads its operands as they lie. */
const pair = (graph: Graph, left: Factor, right: Factor): Factor => {
  const tall = ({ node }: Factor): boolean => node.type.shape.length > 2;
  const upright = ({ node, transposed }: Factor): Node => (transposed ? graph.add("permute", [node], { order: [1, 0] }) : node);
  if (isStructured(right.node) && !(left.transposed && tall(left)))
    return { node: applyLast(graph, upright(left), right), transposed: false };
  if (isStructured(left.node) && !(!right.transposed && tall(right)))
    return { node: applyLast(graph, upright(flipped(right)), flipped(left)), transposed: true };
  if (left.transposed && !right.transposed && (tall(left) || tall(right) || sameLeading(left.node, right.node)))
    return { node: graph.add("contract", [left.node, right.node]), transposed: false };
  if (tall(right)) return flipped(pair(graph, flipped(right), flipped(left)));
  return {
    node: graph.add("matmul", [left.node, right.node], { transpose_a: left.transposed, transpose_b: right.transposed }, left.node.origin),
    transposed: false,
  };
};

/** [n, m] and [n, k] with a symbolic n: a contraction over tokens, though flat. */
const sameLeading = (a: Node, b: Node): boolean => typeof a.type.shape[0] === "string" && a.type.shape[0] === b.type.shape[0];

const flipped = ({ node, transposed }: Factor): Factor => ({ node, transposed: !transposed });

/** Cost of a candidate, with its backward pass when it will have one: arithmetic plus traffic of what is written. */
const cost = (_graph: Graph, candidate: Node, x: Node, options: AssociateOptions): number => {
  // A copy of the expression alone, so that trying a candidate leaves nothing behind in the real graph.
  const graph = createGraph();
  const copies = new Map<Node, Node>();
  const trained = new Set<Node>();
  for (const node of reachable([candidate])) {
    const inside = dependsOnly(node, candidate, x);
    if (node === x || node.inputs.length === 0 || !inside) {
      const copy =
        node.op === "constant"
          ? graph.constant(node.attrs.value as number, node.type.shape, node.type.dtype)
          : graph.input(`n${node.id}`, node.type);
      copies.set(node, copy);
      if (node === x || options.trained.has(node)) trained.add(copy);
    } else
      copies.set(
        node,
        graph.add(
          node.op,
          node.inputs.map((input) => copies.get(input)!),
          node.attrs,
        ),
      );
  }
  const y = copies.get(candidate)!;
  const outputs = [y];
  if (options.training) {
    const gradients = differentiate(graph, new Map([[y, graph.input("dy", y.type)]]), trained);
    outputs.push(...reassociate(graph, [...gradients.values()], options));
  }
  return reachable(outputs).reduce((sum, node) => sum + nodeCost(node, options.sizes), 0);
};

/** Everything between x and the candidate belongs to it; x's own history does not. */
const dependsOnly = (node: Node, _candidate: Node, x: Node): boolean =>
  node.id !== x.id && !(node.id < x.id && reachable([x]).includes(node));

export const nodeCost = (node: Node, sizes: Readonly<Record<string, number>>): number => {
  const free = new Set(["input", "constant", "permute", "reshape", "pick", "split", "join", "slice"]);
  if (free.has(node.op)) return 0;
  const op = ops.get(node.op)!;
  const elements = at(product(node.type.shape), sizes);
  const flops = op.flops
    ? at(
        op.flops(
          node.inputs.map((input) => input.type),
          node.attrs,
          node.type,
        ),
        sizes,
      )
    : elements;
  return flops + elementCost * elements;
};

/** Gradient chains in their cheapest order: `(dyᵀ·x)·Aᵀ` becomes `dyᵀ·(x·Aᵀ)` unless the inner product is shared by enough others. */
export const reassociate = (graph: Graph, roots: readonly Node[], options: AssociateOptions): Node[] => {
  const uses = new Map<Node, number>();
  for (const node of reachable(roots)) for (const input of node.inputs) uses.set(input, (uses.get(input) ?? 0) + 1);
  const memo = new Map<Node, Node>();
  const rewrite = (node: Node): Node => {
    const known = memo.get(node);
    if (known) return known;
    let result = node;
    const chain = node.op === "matmul" || node.op === "contract" || node.op === "mul" ? chainOf(graph, node) : undefined;
    if (chain && chain.factors.length > 2) {
      const inner = node.inputs.flatMap((input) =>
        reachable([input]).filter(
          (n) =>
            (n.op === "matmul" || n.op === "contract") &&
            !chain.factors.some((f) => f.node === n) &&
            chain.factors.length > 2 &&
            isInside(graph, n, chain),
        ),
      );
      const now =
        nodeCost(node, options.sizes) + inner.reduce((sum, n) => sum + nodeCost(n, options.sizes) / Math.max(1, uses.get(n) ?? 1), 0);
      const before = new Set(graph.nodes);
      const candidate = multiply(graph, chain, options);
      const then = reachable([candidate])
        .filter((n) => !before.has(n))
        .reduce((sum, n) => sum + nodeCost(n, options.sizes), 0);
      if (then < 0.95 * now) result = candidate;
    }
    if (result === node) {
      const inputs = node.inputs.map(rewrite);
      if (inputs.some((input, i) => input !== node.inputs[i]))
        result =
          node.op === "pick" ? graph.pick(inputs[0]!, node.attrs.index as number) : graph.add(node.op, inputs, node.attrs, node.origin);
    }
    memo.set(node, result);
    return result;
  };
  for (const node of reachable(roots)) rewrite(node);
  return roots.map(rewrite);
};

/** A product strictly inside a chain: all its own factors are the chain's. */
const isInside = (graph: Graph, node: Node, chain: Chain): boolean => {
  const own = chainOf(graph, node).factors;
  return own.length < chain.factors.length && own.every((factor) => chain.factors.some((f) => f.node === factor.node));
};
