// A group of fused nodes -> its kernels. Most are one; a long sum with a small result takes two (parts, then their sum), sums over
// rows of values that need row statistics take another, and the gradient of attention is one kernel per direction.

import type { Profile } from "../emit/profile.ts";
import { type ContractionPlan, planContraction } from "../emit/tiles.ts";
import type { Node, TensorType } from "../graph/graph.ts";
import { type Dim, product } from "../values/dims.ts";
import { anchorOf, elementsOf, type FusedKernel, formOf, type KernelKind, outputOf, type ProductTerm } from "./kernels.ts";

export interface Group {
  kind: KernelKind;
  anchor?: Node;
  domain: readonly Dim[];
  terms: ProductTerm[];
  addends: Node[];
  members: Node[];
  /** Nodes with a value in registers at the element being computed: members, and the anchor's outputs that share the domain. */
  registers: Set<Node>;
}

export const bare = (kernel: Partial<FusedKernel> & Pick<FusedKernel, "entry" | "kind" | "domain" | "loads" | "stores">): FusedKernel => ({
  terms: [],
  addends: [],
  members: [],
  extra: [],
  parts: 1,
  ...kernel,
});

/** Lays one group out as one or more kernels: long sums take two, sums over rows of row values take another. */
export const layOut = (
  group: Group,
  stores: readonly { node: Node; value: string }[],
  loads: ReadonlyMap<Node, string>,
  kernels: FusedKernel[],
  scratch: Map<string, TensorType>,
  profile: Profile,
): void => {
  const { kind, anchor, domain, terms, addends, members } = group;
  const add = (kernel: Partial<FusedKernel> & Pick<FusedKernel, "kind" | "domain" | "loads" | "stores">): void => {
    kernels.push(bare({ entry: "", ...kernel }));
  };
  const temporary = (type: TensorType): string => {
    const value = `#${scratch.size}`;
    scratch.set(value, type);
    return value;
  };
  const anchored = anchor ? { anchor } : {};
  /** A sum in two stages when it is long and its result small. */
  const summed = (
    kernel: Partial<FusedKernel> & Pick<FusedKernel, "kind" | "domain" | "loads" | "stores">,
    parts: number,
    plan?: ContractionPlan,
  ) => {
    const planned = plan ? { plan } : {};
    if (parts === 1) {
      add({ ...kernel, ...planned });
      return;
    }
    const value = temporary({ dtype: "f32", shape: [parts, product(kernel.domain)] });
    const reads = (roots: readonly Node[]) => keep(kernel.loads, roots);
    const first = kernel.terms?.length ? kernel.terms.flatMap((t) => [...t.node.inputs, ...t.scales]) : (kernel.anchor?.inputs ?? []);
    add({
      ...kernel,
      ...planned,
      loads: reads(first),
      stores: [],
      members: [],
      addends: [],
      parts,
      extra: [...(kernel.extra ?? []), { role: "parts", value, write: true }],
    });
    const second = [...(kernel.members ?? []).flatMap((m) => m.inputs), ...(kernel.addends ?? [])];
    add({ ...kernel, kind: "combine", terms: [], loads: reads(second), parts, extra: [{ role: "parts", value, write: false }] });
  };

  if (kind === "contraction") {
    const plan = planContraction(
      terms.map((t) => t.node),
      profile,
    );
    summed({ kind, ...anchored, domain, terms, addends, members, loads, stores }, plan.parts, plan);
    return;
  }
  if (kind === "reduce") {
    summed({ kind, ...anchored, domain, members, loads, stores }, partsOfReduction(anchor!));
    return;
  }
  if (kind === "row") {
    const form = formOf(anchor!);
    if (form?.form !== "row") throw new Error("a row kernel needs a row form");
    const isColumn = (node: Node) => anchorOf(node) === anchor && form.outputs(anchor!.attrs)[outputOf(node)]?.per === "column";
    const columns = stores.filter((s) => isColumn(s.node));
    const rest = stores.filter((s) => !isColumn(s.node));
    const statistics = columns.length
      ? form.reductions.map((r) => ({ role: r.name, value: temporary({ dtype: "f32", shape: domain.slice(0, -1) }), write: true }))
      : [];
    if (rest.length || statistics.length) add({ kind, ...anchored, domain, members, loads, stores: rest, extra: statistics });
    for (const store of columns)
      summed(
        {
          kind: "reduce",
          anchor: store.node,
          domain: store.node.type.shape,
          loads: keep(loads, anchor!.inputs),
          stores: [store],
          extra: statistics.map((s) => ({ ...s, write: false })),
        },
        16,
      );
    return;
  }
  if (kind === "attention_gradient") {
    const form = formOf(anchor!);
    if (form?.form !== "attention_gradient") throw new Error("a gradient of attention needs its form");
    const wants = form.outputs(anchor!.attrs);
    const wanted = (...names: string[]) => stores.filter((s) => names.includes(wants[outputOf(s.node)]!));
    const [queries, keys, values, biases] = [wanted("query"), wanted("key"), wanted("value"), wanted("bias")];
    // Both directions need lse and Σ dout·out of every query: one small kernel puts them side by side.
    const [query, key, value, sees, out, lse, dout, bias] = anchor!.inputs;
    const rows = { role: "rows", value: temporary({ dtype: "f32", shape: [2, ...lse!.type.shape] }), write: false };
    add({
      kind: "attention_gradient_rows",
      ...anchored,
      domain: lse!.type.shape,
      loads: keep(loads, [out!, lse!, dout!]),
      stores: [],
      extra: [{ ...rows, write: true }],
    });
    const read = keep(loads, [query!, key!, value!, sees!, dout!, ...(bias ? [bias] : [])]);
    const each = (kernel: KernelKind, ours: typeof stores): void => {
      if (ours.length) add({ kind: kernel, ...anchored, domain, loads: read, stores: ours, extra: [rows] });
    };
    // With a bias there is no binding left for two results.
    if (bias) each("attention_gradient_kv", keys);
    each("attention_gradient_kv", bias ? values : [...keys, ...values].sort((x, y) => outputOf(x.node) - outputOf(y.node)));
    each("attention_gradient_q", queries);
    each("attention_gradient_bias", biases);
    return;
  }
  add({ kind, ...anchored, domain, members, loads, stores });
};

/** The loads that expressions over these roots need. */
const keep = (loads: ReadonlyMap<Node, string>, roots: readonly Node[]): ReadonlyMap<Node, string> => {
  const kept = new Map<Node, string>();
  const visit = (node: Node): void => {
    const value = loads.get(node);
    if (value !== undefined) {
      kept.set(node, value);
      return;
    }
    for (const input of node.inputs) visit(input);
  };
  for (const root of roots) visit(root);
  return kept;
};

/** A long reduction to few results is split over this many workgroups each. */
const partsOfReduction = (node: Node): number => {
  const outputs = elementsOf(node);
  const inputs = elementsOf(node.inputs[0]!);
  if (typeof outputs !== "number") return 1;
  // What is combined is added up, so only sums are split.
  const form = formOf(node);
  if (form?.form === "reduce" && form.by !== "sum") return 1;
  if (typeof inputs === "number" && inputs / outputs <= 8192) return 1;
  return outputs >= 4096 ? 1 : outputs >= 64 ? 16 : 64;
};
