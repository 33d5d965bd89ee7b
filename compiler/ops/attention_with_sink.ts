// Attention in which every query also sees one slot that is a learned score for each head and brings nothing: it takes its share of the
// probability (Xiao et al. 2023, arXiv 2309.17453; learned: OpenAI 2025, arXiv 2508.10925). With out and lse of plain attention the
// share of all other slots is g = sigmoid(lse - sink), so the result is g · out, one more pass over it.
// The gradient is plain attention's own, which needs only the result and the log of the whole sum: with p = exp(score - total) every score
// still rises by p·(dout·v - Σ dout·out), and the sink by exp(sink - total)·(0 - Σ dout·out).

import type { Attrs, Graph, Node } from "../graph/graph.ts";
import { attention, attentionType } from "./attention.ts";
import { composedOp } from "./compose.ts";
import { isFloat, refuse, sameShape, show, sumTo } from "./shape.ts";

/** The inputs without the sink: query, key, value, sees and, where there is one, the bias. */
const plain = <T>(inputs: readonly T[]): readonly T[] => inputs.filter((_, i) => i !== 4);

const plainAttention = (graph: Graph, inputs: readonly Node[], attrs: Attrs): readonly [out: Node, lse: Node] => {
  const node = graph.add("attention", plain(inputs), attrs);
  return [graph.pick(node, 0), graph.pick(node, 1)];
};

export const attention_with_sink = composedOp({
  name: "attention_with_sink",
  doc: "Attention of which a learned score of each head takes a share and brings nothing.",
  mixes: "time",
  sizes: ["memory"],
  cache: attention.cache!,
  type: (inputs) => {
    const type = attentionType(plain(inputs));
    if ("problem" in type) return type;
    const sink = inputs[4];
    const heads = type.shape[2]!;
    if (!sink || !isFloat(sink) || !sameShape(sink.shape, [heads]))
      return refuse(
        `attention: the sink must be one number for each of ${heads} heads, not ${sink ? sink.dtype + show(sink.shape) : "nothing"}`,
      );
    return type;
  },
  gradient: ({ graph, node, d, wants }) => {
    const names = ["query", "key", "value", "", "sink", "bias"];
    const wanted = names.filter((name, i) => name && name !== "sink" && wants[i]);
    if (!d[0]) return node.inputs.map(() => undefined);
    const [query, key, value, sees, sink, ...bias] = node.inputs as [Node, Node, Node, Node, Node, ...Node[]];
    const lse = plainAttention(graph, node.inputs, node.attrs)[1];
    const top = graph.add("max", [lse, sink]); // [b, t, h]
    const [others, own] = [lse, sink].map((score) => graph.add("exp", [graph.add("sub", [score, top])])) as [Node, Node];
    const both = graph.add("add", [others, own]);
    const found = new Map<string, Node>();
    if (wanted.length > 0) {
      const total = graph.add("add", [top, graph.add("log", [both])]);
      const inputs = [query, key, value, sees, node, total, d[0], ...bias];
      const made = graph.add("attention_gradient", inputs, { ...node.attrs, wants: wanted, sink: true });
      for (const [i, name] of wanted.entries()) found.set(name, graph.pick(made, i));
    }
    if (wants[4]) {
      const heard = graph.add("sum", [graph.add("mul", [d[0], node])], { axes: [-1], keep: false }); // [b, t, h]
      const share = graph.add("mul", [graph.add("div", [own, both]), heard]);
      found.set("sink", sumTo(graph, graph.add("neg", [share]), sink.type.shape));
    }
    return node.inputs.map((_, i) => (wants[i] ? found.get(names[i]!) : undefined));
  },
  eval: (inputs, attrs, types) => {
    const [type] = types;
    const [out, lse] = attention.eval(plain(inputs), attrs, [type!, { dtype: "f32", shape: type!.shape.slice(0, 3) }]);
    const [heads, width] = out!.shape.slice(2) as [number, number];
    const sink = inputs[4]!.data;
    const share = lse!.data.map((score, i) => 1 / (1 + Math.exp(sink[i % heads]! - score)));
    return [{ shape: out!.shape, data: out!.data.map((x, i) => x * share[Math.floor(i / width)]!) }];
  },
  flops: (inputs, attrs, type) => attention.flops!(plain(inputs), attrs, type),
  expand: (graph, inputs, { attrs }) => {
    const [out, lse] = plainAttention(graph, inputs, attrs);
    const share = graph.add("sigmoid", [graph.add("sub", [lse, inputs[4]!])]);
    return graph.add("mul", [out, graph.add("reshape", [share], { shape: [...share.type.shape, 1] })]);
  },
});
