// Segment graph -> fused kernels. In: one segment, whose nodes are ops. Out: kernels in order, each an anchor (a contraction, a
// reduction, an attention …) or none, with the expressions computed around it in registers, and the buffers it reads and writes.
//
// Invariants: the kernels' dependencies follow their order; every node a kernel reads is an input port, a scratch value that an
// earlier kernel wrote, or an expression over such; no kernel binds more storage buffers than the profile allows.
// Tricks: (1) index arithmetic (views) and scalars are never stored, each reader computes them; (2) elementwise nodes join the
// kernel that made their argument, so that they cost no memory traffic of their own; (3) a sum of matrix products is one K loop
// over the operands side by side, [x | s·h]·[W | B]ᵀ ("K-extension", as in LoRAFusion, arXiv 2510.00206); (4) what is cheap
// and read once is computed by its reader.

import { isPacked } from "../emit/dtypes.ts";
import { type Profile, profiles } from "../emit/profile.ts";
import { planContraction } from "../emit/tiles.ts";
import type { WgslForm } from "../emit/wgsl-forms.ts";
import { expand } from "../graph/expand.ts";
import { type Node, reachable, type SegmentGraph, type TensorType } from "../graph/graph.ts";
import { at, type Dim, product } from "../values/dims.ts";
import { bare, type Group, layOut } from "./fuse-layout.ts";
import { mergeProducts } from "./fuse-products.ts";
import { elementsOf, type FusedKernel, formOf, isScalar, type KernelGraph, type KernelKind, outputOf, sameShape } from "./kernels.ts";

/** Whether an output of an anchor has one value per element of the kernel's domain. */
const perElement = (anchor: Node, output: number): boolean => {
  const form = formOf(anchor);
  return form?.form !== "row" || form.outputs(anchor.attrs)[output]?.per === "element";
};

const isAnchorForm = (form: WgslForm | undefined): boolean =>
  form !== undefined && form.form !== "map" && form.form !== "flat" && form.form !== "element";

/** `sizes` are the largest of each symbol, where they are known: what is decoded in a tile depends on how often. */
export const fuse = (whole: SegmentGraph, profile: Profile, sizes: Readonly<Record<string, number>> = {}): KernelGraph => {
  const segment = expand(whole);
  const nodes = reachable(segment.outputs.map((o) => o.node));
  const users = new Map<Node, Node[]>();
  for (const node of nodes) for (const input of new Set(node.inputs)) users.set(input, [...(users.get(input) ?? []), node]);
  const outputNodes = new Set(segment.outputs.map((o) => o.node));
  const replaced = new Map<string, string>();
  const replacedNodes = new Map<Node, Node>();
  for (const output of segment.outputs) {
    const input = segment.inputs.find((i) => `${i.name}_next` === output.name);
    if (!input) continue;
    replaced.set(output.name, input.name);
    replacedNodes.set(output.node, input.node);
  }

  const isLeaf = (node: Node): boolean => node.op === "input" || node.op === "constant";
  /** Never stored for its own sake: every reader computes it. */
  const inlineMemo = new Map<Node, boolean>();
  const isInline = (node: Node): boolean => {
    const known = inlineMemo.get(node);
    if (known !== undefined) return known;
    const form = formOf(node);
    const inline =
      isLeaf(node) ||
      form?.form === "flat" ||
      (form?.form === "element" && form.cost === "view") ||
      // A scalar computed from scalars, or a stored number in another dtype: cheaper in every reader than a kernel and a buffer.
      (form?.form === "map" && (elementsOf(node) === 1 || form.cost === "view") && node.inputs.every(isInline));
    inlineMemo.set(node, inline);
    return inline;
  };
  /** The stored nodes that computing an inline expression reads. */
  const readsOf = (node: Node, into: Set<Node> = new Set(), stop?: ReadonlySet<Node>): Set<Node> => {
    if (stop?.has(node)) return into;
    if (node.op === "constant") return into;
    if (node.op === "input" || !isInline(node)) into.add(node);
    else for (const input of node.inputs) readsOf(input, into, stop);
    return into;
  };

  // 1. Sums of products that become one K loop.
  const merged = mergeProducts(nodes, users, outputNodes, profile);
  const absorbed = new Set<Node>();
  for (const sum of merged.values()) for (const node of sum.absorbed) absorbed.add(node);

  // 2. Groups.
  let groups: Group[] = [];
  const owner = new Map<Node, Group>();
  /** Everything a group reads that is not computed in it. */
  const groupReads = (group: Group): Set<Node> => {
    const own = new Set([...group.members, ...group.registers]);
    const reads = new Set<Node>();
    const roots: Node[] = [...group.members.flatMap((m) => m.inputs), ...group.addends];
    if (group.terms.length) roots.push(...group.terms.flatMap((term) => [...term.node.inputs, ...term.scales]));
    else if (group.anchor) roots.push(...group.anchor.inputs);
    for (const root of roots) readsOf(root, reads, own);
    for (const node of own) reads.delete(node);
    for (const member of group.members) if (member.op === "input") reads.add(member);
    return reads;
  };
  const groupsRead = (group: Group): Set<Group> => {
    const found = new Set<Group>();
    for (const node of groupReads(group)) {
      const from = isLeaf(node) ? undefined : owner.get(node);
      if (from && from !== group) found.add(from);
    }
    return found;
  };
  /** Whether `from` needs anything that `target` computes, directly or through others. */
  const dependsOn = (from: Group, target: Group, seen: Set<Group> = new Set()): boolean => {
    if (from === target) return true;
    if (seen.has(from)) return false;
    seen.add(from);
    for (const group of groupsRead(from)) if (dependsOn(group, target, seen)) return true;
    return false;
  };
  const bufferCount = (group: Group): number => {
    const reads = groupReads(group);
    let stored = 0;
    let shared = 0;
    // Outputs per column are summed by kernels of their own, which read the row's statistics: those are stored instead.
    const row = group.anchor && formOf(group.anchor);
    const columns = row?.form === "row" ? row.outputs(group.anchor!.attrs) : [];
    const isColumn = (node: Node): boolean => node.op === "pick" && columns[outputOf(node)]?.per === "column";
    const statistics = row?.form === "row" && (users.get(group.anchor!) ?? []).some(isColumn) ? row.reductions.length : 0;
    for (const node of new Set([...group.registers, ...group.members])) {
      if (node.inputs[0] === group.anchor && isColumn(node)) continue;
      if (outputNodes.has(node) || (users.get(node) ?? []).some((user) => !group.members.includes(user))) stored++;
      const before = replacedNodes.get(node);
      if (before && reads.has(before)) shared++;
    }
    // Scalars go into the uniform when bindings run out.
    return [...reads].filter((node) => !isScalar(node)).length + Math.max(1, stored + statistics) - shared;
  };

  /** Whether an argument is read at the reader's own row-major position. */
  const keepsPlace = (node: Node, i: number): boolean => {
    const form = formOf(node);
    if (form?.form === "flat") return true;
    if (form?.form === "map") return elementsOf(node.inputs[i]!) === elementsOf(node);
    return form?.form === "element" && form.over === i;
  };
  const readInPlace = (node: Node, size: Dim, moved: boolean, hit: (node: Node) => boolean): boolean => {
    if (hit(node)) return !moved && elementsOf(node) === size;
    if (isLeaf(node) || !isInline(node)) return true;
    return node.inputs.every((input, i) => readInPlace(input, size, moved || !keepsPlace(node, i), hit));
  };
  const meets = (node: Node, hit: (node: Node) => boolean): boolean =>
    hit(node) || (!isLeaf(node) && isInline(node) && node.inputs.some((input) => meets(input, hit)));
  /** Whether a group reads certain nodes only where its threads stand; a kernel may then compute or overwrite them itself. */
  const readsInPlace = (group: Group, hit: (node: Node) => boolean): boolean =>
    group.members.every((m) => m.inputs.every((input, i) => readInPlace(input, elementsOf(m), !keepsPlace(m, i), hit))) &&
    group.addends.every((node) => readInPlace(node, product(group.domain), false, hit)) &&
    !(group.terms.length ? group.terms.flatMap((t) => [...t.node.inputs, ...t.scales]) : (group.anchor?.inputs ?? [])).some((node) =>
      meets(node, hit),
    );
  /** Whether `group` may compute what `other` does: it needs no value of it from another thread. */
  const sees = (group: Group, other: Group): boolean =>
    readsInPlace(group, (node) => owner.get(node) === other) &&
    [...groupReads(group)].every((node) => owner.get(node) !== other || other.registers.has(node));
  const start = (group: Group): Group => {
    groups.push(group);
    return group;
  };
  /** The node whose register value is this node's at the same row-major position: itself, or what a chain of flat views shows. */
  const throughFlat = (node: Node): Node => {
    let at = node;
    while (formOf(at)?.form === "flat") at = at.inputs[0]!;
    return at;
  };

  for (const node of nodes) {
    if (absorbed.has(node) && !merged.has(node)) continue;
    const form = formOf(node);
    const sum = merged.get(node);
    if (sum) {
      const group = start({
        kind: "contraction",
        anchor: node,
        domain: node.type.shape,
        terms: sum.terms,
        addends: sum.addends,
        members: [],
        registers: new Set([node]),
      });
      owner.set(node, group);
      continue;
    }
    if (node.op === "pick") {
      const group = owner.get(node.inputs[0]!)!;
      owner.set(node, group);
      if (perElement(group.anchor!, outputOf(node)) && sameShape(node.type.shape, group.domain)) group.registers.add(node);
      continue;
    }
    if (isAnchorForm(form)) {
      const kind: KernelKind = form!.form as KernelKind;
      const domain = form!.form === "row" ? node.inputs[(form as { along: number }).along]!.type.shape : node.type.shape;
      const group = start({
        kind,
        anchor: node,
        domain,
        terms: form!.form === "contraction" ? [{ node, scales: [] }] : [],
        addends: [],
        members: [],
        registers: new Set(!node.types && perElement(node, 0) && sameShape(domain, node.type.shape) ? [node] : []),
      });
      owner.set(node, group);
      continue;
    }
    if (isInline(node)) {
      // An inline node that must be stored all the same: by the kernel that has its value in registers, else by a copy.
      if (outputNodes.has(node)) {
        const source = throughFlat(node);
        const from = form?.form === "flat" ? owner.get(source) : undefined;
        if (from && canJoin(from) && from.registers.has(source)) {
          from.members.push(node);
          from.registers.add(node);
          owner.set(node, from);
        } else {
          owner.set(
            node,
            start({ kind: "map", domain: node.type.shape, terms: [], addends: [], members: [node], registers: new Set([node]) }),
          );
        }
      }
      continue;
    }
    if (!form) throw new Error(`op ${node.op} has no WGSL form`);
    // A map or a worked element: joins a kernel that has an argument in registers at the same position.
    const candidates = new Set<Group>();
    for (const [i, input] of node.inputs.entries()) {
      const source = throughFlat(input);
      const group = owner.get(source);
      if (group && keepsPlace(node, i) && canJoin(group) && group.registers.has(source)) candidates.add(group);
    }
    const solo: Group = { kind: "map", domain: node.type.shape, terms: [], addends: [], members: [node], registers: new Set([node]) };
    const ranked = [...candidates].sort(
      (x, y) => Number(y.kind !== "map") - Number(x.kind !== "map") || groups.indexOf(y) - groups.indexOf(x),
    );
    let home: Group | undefined;
    for (const group of ranked) {
      const needs = [...groupsRead(solo)].filter((g) => g !== group);
      if (needs.some((g) => dependsOn(g, group)) || !sees(solo, group)) continue;
      if (isPacked(node.type.dtype) && group.kind !== "map") continue;
      const trial: Group = { ...group, members: [...group.members, node], registers: new Set([...group.registers, node]) };
      if (bufferCount(trial) > profile.storageBuffers) continue;
      home = group;
      break;
    }
    if (!home) {
      home = start(solo);
      owner.set(node, home);
    } else {
      home.members.push(node);
      home.registers.add(node);
      owner.set(node, home);
    }
  }

  // 3. Maps over the same elements become one kernel: an optimizer's states and parameters are written in one pass.
  const reach = (): Map<Group, Set<Group>> => {
    const all = new Map<Group, Set<Group>>();
    const visit = (group: Group): Set<Group> => {
      const known = all.get(group);
      if (known) return known;
      const found = new Set<Group>();
      all.set(group, found);
      for (const next of groupsRead(group)) {
        found.add(next);
        for (const far of visit(next)) found.add(far);
      }
      return found;
    };
    for (const group of groups) visit(group);
    return all;
  };
  for (let again = true; again; ) {
    again = false;
    const below = reach();
    search: for (const a of groups)
      for (const b of groups) {
        if (a === b || b.kind !== "map" || !canJoin(a)) continue;
        if (a.kind === "map" ? groups.indexOf(a) > groups.indexOf(b) : false) continue;
        if (!sameShape(a.domain, b.domain)) continue;
        const direct = groupsRead(b).has(a) || groupsRead(a).has(b);
        const shared =
          a.kind === "map" && [...groupReads(a)].some((node) => groupReads(b).has(node) && elementsOf(node) === product(a.domain));
        if (!direct && !shared) continue;
        // Reading the other group's value is free only at the same position, which an expression over a view is not.
        if (!sees(a, b) || !sees(b, a)) continue;
        if (a.kind !== "map" && b.members.some((m) => isPacked(m.type.dtype))) continue;
        const between = (from: Group, to: Group) => [...groupsRead(from)].some((g) => g !== to && (below.get(g)?.has(to) ?? false));
        if (between(a, b) || between(b, a)) continue;
        const members = [...a.members, ...b.members].sort((x, y) => x.id - y.id);
        const trial: Group = { ...a, members, registers: new Set([...a.registers, ...b.registers]) };
        if (bufferCount(trial) > profile.storageBuffers) continue;
        a.members = members;
        a.registers = trial.registers;
        for (const node of b.registers) owner.set(node, a);
        for (const node of b.members) owner.set(node, a);
        groups = groups.filter((g) => g !== b);
        again = true;
        break search;
      }
  }

  // 4. A map that one other kernel reads, and that is cheap there, is computed there.
  const inlined = new Set<Node>();
  for (const group of [...groups].reverse()) {
    if (group.kind !== "map" || group.members.some((m) => outputNodes.has(m))) continue;
    const readers = groups.filter((g) => g !== group && [...groupReads(g)].some((node) => owner.get(node) === group));
    const reader = readers.length === 1 ? readers[0]! : undefined;
    if (!reader || !cheapInside(group, reader, groupReads, owner, sizes)) continue;
    const before = group.members.map((m) => inlineMemo.get(m));
    for (const member of group.members) inlineMemo.set(member, true);
    if (bufferCount(reader) > profile.storageBuffers) {
      for (const [i, member] of group.members.entries()) inlineMemo.set(member, before[i]!);
      continue;
    }
    for (const member of group.members) {
      inlined.add(member);
      owner.delete(member);
    }
    groups = groups.filter((g) => g !== group);
  }

  // 5. Order, names, buffers.
  const ordered: Group[] = [];
  const placed = new Set<Group>();
  const place = (group: Group): void => {
    if (placed.has(group)) return;
    placed.add(group);
    const needs = new Set(groupsRead(group));
    // Whoever reads a value that this group replaces goes first, if it can.
    for (const node of group.registers) {
      const before = replacedNodes.get(node);
      if (before)
        for (const other of groups) if (other !== group && groupReads(other).has(before) && !dependsOn(other, group)) needs.add(other);
    }
    for (const need of [...needs].sort((x, y) => groups.indexOf(x) - groups.indexOf(y))) place(need);
    ordered.push(group);
  };
  /** A value cannot be written over the one it replaces while that is still read, here or later. */
  const mustCopy = (group: Group, node: Node): boolean => {
    const before = replacedNodes.get(node);
    if (!before) return false;
    const later = ordered.slice(ordered.indexOf(group) + 1).some((other) => groupReads(other).has(before));
    return (
      later ||
      !readsInPlace(group, (n) => n === before) ||
      (groupReads(group).has(before) && group.kind !== "map" && group.kind !== "contraction")
    );
  };
  for (const group of groups) place(group);

  const scratch = new Map<string, TensorType>();
  const buffers = new Map<Node, string>();
  const claimed = new Set<string>();
  for (const { name, node } of segment.inputs) {
    buffers.set(node, name);
    claimed.add(name);
  }
  const kernels: FusedKernel[] = [];
  const copies: { node: Node; value: string }[] = [];

  for (const group of ordered) {
    const computed = [...new Set([...(group.anchor ? outputsOf(group.anchor, nodes, merged) : []), ...group.members])];
    const stores: { node: Node; value: string }[] = [];
    const twins: { node: Node; value: string }[] = [];
    // Ports first, so that a value stored for a port need not be stored again.
    computed.sort((x, y) => Number(outputNodes.has(y)) - Number(outputNodes.has(x)));
    for (const node of computed) {
      const ports = segment.outputs.filter((o) => o.node === node);
      for (const port of ports) {
        if (claimed.has(port.name)) throw new Error(`two ports of ${segment.name} are named ${port.name}`);
        claimed.add(port.name);
        if (stores.some((s) => s.node === node) || mustCopy(group, node)) copies.push({ node, value: port.name });
        else stores.push({ node, value: port.name });
      }
      const needed = [...groups].some((g) => g !== group && groupReads(g).has(node)) || copies.some((c) => c.node === node);
      const stored = stores.find((s) => s.node === node);
      // The same elements may be stored already, under another shape.
      const twin = stores.find((s) => throughFlat(s.node) === throughFlat(node) && s.node.type.dtype === node.type.dtype);
      if (!stored && twin) twins.push({ node, value: twin.value });
      else if (!stored && needed) {
        const value = `#${scratch.size}`;
        scratch.set(value, node.type);
        stores.push({ node, value });
      }
    }
    if (!stores.length) continue;
    const loads = new Map<Node, string>();
    for (const node of groupReads(group)) loads.set(node, buffers.get(node) ?? unstored(node));
    for (const { node, value } of [...stores, ...twins]) if (!buffers.has(node)) buffers.set(node, value);
    layOut(group, stores, loads, kernels, scratch, profile);
  }
  for (const { node, value } of copies)
    kernels.push(
      bare({ entry: "", kind: "map", domain: node.type.shape, loads: new Map([[node, buffers.get(node)!]]), stores: [{ node, value }] }),
    );

  return {
    segment: segment.name,
    profile,
    inputs: segment.inputs.map(({ name, node }) => ({ name, type: node.type })),
    outputs: segment.outputs.map(({ name, node }) => ({ name, type: node.type })),
    kernels: kernels.map((kernel, i) => ({ ...kernel, entry: `k${i}_${kernel.kind}` })),
    scratch,
    replaced,
  };
};

const unstored = (node: Node): never => {
  throw new Error(`node ${node.id} (${node.op}) is read before it is stored`);
};

/** Kernels whose element is in a register when their epilogue runs. */
const canJoin = (group: Group): boolean =>
  group.kind === "map" || group.kind === "contraction" || group.kind === "reduce" || group.kind === "row";

/** The nodes by which a kernel's anchor is known: itself, or its picks. */
const outputsOf = (anchor: Node, nodes: readonly Node[], merged: ReadonlyMap<Node, unknown>): Node[] =>
  merged.has(anchor) ? [anchor] : [anchor, ...nodes.filter((n) => n.op === "pick" && n.inputs[0] === anchor)];

/**
 * An operand that is unpacked in a tile is unpacked once per tile of the other operand's lines. Unpacked to memory it is written and
 * read once more in four bytes each, which costs a GPU about as much as unpacking it this many times.
 */
const mostDecodings = 16;

/** Whether a group unpacks: what it reads is less than what it makes, and it has a way to make four at once. */
const expands = (group: Group): boolean =>
  group.members.length === 1 && group.members.every((member) => (formOf(member) as { four?: unknown } | undefined)?.four !== undefined);

/** How many tiles of a product read the same part of an operand; infinite where the sizes are not known. */
const timesRead = (
  group: Group,
  reader: Group,
  product_: Node,
  owner: ReadonlyMap<Node, Group>,
  sizes: Readonly<Record<string, number>>,
): number => {
  const isA = owner.get(product_.inputs[0]!) === group;
  const shape = product_.type.shape;
  const lines = isA ? shape.at(-1)! : product(shape.slice(0, -1));
  const plan = planContraction(
    reader.terms.map((term) => term.node),
    profiles.default!,
  );
  try {
    return Math.ceil(at(lines, sizes) / (isA ? plan.columns : plan.rows));
  } catch {
    return Number.POSITIVE_INFINITY;
  }
};

/** Whether computing a map again at each read costs its reader less than a kernel and a buffer would. */
const cheapInside = (
  group: Group,
  reader: Group,
  reads: (group: Group) => Set<Node>,
  owner: ReadonlyMap<Node, Group>,
  sizes: Readonly<Record<string, number>>,
): boolean => {
  const loads = reads(group).size;
  const work = group.members.length;
  if (reader.kind === "reduce") return loads <= 3;
  if (reader.kind === "scatter") return loads <= 2;
  if (reader.kind === "row") return loads <= 2 && work <= 4;
  if (reader.kind === "contraction") {
    const term = reader.terms.find((t) => t.node.inputs.some((input) => owner.get(input) === group));
    if (!term || work > 3) return false;
    if (expands(group)) return timesRead(group, reader, term.node, owner, sizes) <= mostDecodings;
    // Sums and products of one tensor with scalars: less than the loop spends on an element of a tile.
    const wide = [...reads(group)].filter((node) => elementsOf(node) !== 1).length;
    const light = group.members.every((member) => {
      const form = formOf(member);
      return form?.form === "map" && form.algebra !== undefined;
    });
    if (wide <= 1 && light) return true;
    if (loads > 2) return false;
    // Else only where it is read once: an operand is read once per tile of the other operand's columns.
    const column = term.node.type.shape.at(-1)!;
    const over = (formOf(term.node) as { over?: string }).over;
    const row = over === "leading" ? term.node.type.shape.at(-2)! : 0;
    const isA = owner.get(term.node.inputs[0]!) === group;
    const other = isA ? column : row;
    return typeof other === "number" && other > 0 && other <= 64;
  }
  return false;
};
