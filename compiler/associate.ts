// amended graph -> the same meaning with products in the cheapest order. Three rewrites, chosen by counted cost:
//   x·(P + Q)ᵀ = x·Pᵀ + x·Qᵀ      so that a thin delta never meets the whole weight when that costs more
//   x·(B·A)ᵀ   = (x·Aᵀ)·Bᵀ        and every other bracketing of a chain, by dynamic programming over its sizes
//   (c·P)·Q    = c·(P·Q)          with c put on the smallest factor
// `x·(W + s·B·A)ᵀ` thus becomes `x·Wᵀ + (x·Aᵀ)·(s·B)ᵀ` or stays one product with the sum formed first, whichever costs less
// over forward and backward together. A gated branch must be distributed: that is what it means. (RunLoRA, arXiv 2312.03415,
// lists the cases for one method; here they follow from the rules.)

import { isRowwise, multiplyRows } from "./associate-rows.ts";
import { differentiate } from "./differentiate.ts";
import { at, product } from "./dims.ts";
import { createGraph, type Graph, type Node, reachable } from "./graph.ts";
import { ops } from "./ops/index.ts";

/** A factor of a chain: a node, and whether it stands transposed. Leading axes count as rows. */
interface Factor {
  readonly node: Node;
  readonly transposed: boolean;
}

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
    if (result.op === "matmul" && result.inputs[1]!.type.shape.length === 2) result = linear(graph, result, options);
    else if (isRowwise(result))
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
  const whole = multiply(graph, chainOf(node), options);
  if (!isSum(weight, transposed)) return whole;
  const spread = distribute(graph, x, { node: weight, transposed }, options);
  if (hasBranch(weight)) return spread;
  return cost(graph, spread, x, options) < cost(graph, whole, x, options) ? spread : whole;
};

const unwrap = (factor: Factor): Factor =>
  factor.node.op === "permute" && factor.node.type.shape.length === 2
    ? unwrap({ node: factor.node.inputs[0]!, transposed: !factor.transposed })
    : factor;

const isSum = (node: Node, transposed: boolean): boolean => {
  const inner = unwrap({ node, transposed }).node;
  return (
    inner.op === "add" ||
    inner.op === "sub" ||
    inner.op === "branch" ||
    (inner.op === "mul" && isSum(inner.inputs.find((input) => !isScalar(input)) ?? inner.inputs[0]!, false) && inner.inputs.some(isScalar))
  );
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
  const part = throughView({ node, transposed }, (whole) => distribute(graph, x, whole, options), graph);
  if (part) return part;
  const product = chainOf({ node, transposed });
  return multiply(graph, { factors: [{ node: x, transposed: false }, ...product.factors], scale: product.scale }, options);
};

const hasSum = (node: Node): boolean => isSum(node, false);

/** The factors of nested products, scalar factors apart. A factor that other nodes need anyway may still be taken apart: equal nodes meet again. */
const chainOf = (of: Node | Factor): Chain => {
  const { node, transposed } = "op" in of ? { node: of, transposed: false } : unwrap(of);
  const flip = (chain: Chain): Chain =>
    transposed ? { ...chain, factors: chain.factors.map((f) => ({ ...f, transposed: !f.transposed })).reverse() } : chain;
  const [a, b] = node.inputs;
  const nested = (left: Factor, right: Factor): Chain => {
    const [l, r] = [chainOf(unwrap(left)), chainOf(unwrap(right))];
    return { factors: [...l.factors, ...r.factors], scale: [...l.scale, ...r.scale] };
  };
  if (node.op === "matmul" && b!.type.shape.length === 2 && !(node.attrs.transpose_a && a!.type.shape.length > 2))
    return flip(
      nested({ node: a!, transposed: node.attrs.transpose_a === true }, { node: b!, transposed: node.attrs.transpose_b === true }),
    );
  if (node.op === "contract") return flip(nested({ node: a!, transposed: true }, { node: b!, transposed: false }));
  if (node.op === "mul" && (isScalar(a!) || isScalar(b!))) {
    const [scalar, rest] = isScalar(a!) ? [a!, b!] : [b!, a!];
    const inner = chainOf({ node: rest, transposed: false });
    // A scaled leaf stays a leaf: only products move.
    if (inner.factors.length > 1) return flip({ factors: inner.factors, scale: [...inner.scale, scalar] });
  }
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
        const step = 2 * extents[i]![0] * extents[split]![1] * extents[j]![1] + elementCost * extents[i]![0] * extents[j]![1];
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

/** One product, in whichever form reads its operands as they lie. */
const pair = (graph: Graph, left: Factor, right: Factor): Factor => {
  const tall = ({ node }: Factor): boolean => node.type.shape.length > 2;
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
    const chain = node.op === "matmul" || node.op === "contract" || node.op === "mul" ? chainOf(node) : undefined;
    if (chain && chain.factors.length > 2) {
      const inner = node.inputs.flatMap((input) =>
        reachable([input]).filter(
          (n) =>
            (n.op === "matmul" || n.op === "contract") &&
            !chain.factors.some((f) => f.node === n) &&
            chain.factors.length > 2 &&
            isInside(n, chain),
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
const isInside = (node: Node, chain: Chain): boolean => {
  const own = chainOf(node).factors;
  return own.length < chain.factors.length && own.every((factor) => chain.factors.some((f) => f.node === factor.node));
};
