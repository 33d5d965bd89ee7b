// A checkpoint's tensors as lines that a person can review: equal layers share one. Lossless: `expand(fold(x))` is x.

import type { StoredTensor } from "../compiler/host.ts";
import { dtypes } from "./compile-host.ts";

/** Names that differ in their first number only, with one dtype and shape, become one line. */
export const foldTensors = (tensors: ReadonlyMap<string, StoredTensor>): Record<string, string> => {
  const groups = new Map<string, { readonly before: string; readonly after: string; readonly type: string; readonly numbers: number[] }>();
  const plain: [string, string][] = [];
  for (const [name, { raw, dtype, shape }] of tensors) {
    const type = `${raw ?? dtype} [${shape.join(", ")}]`;
    const match = /^([^{}]*?\.)(\d+)(\..*)?$/.exec(name);
    const number = match && String(Number(match[2])) === match[2] ? Number(match[2]) : undefined;
    if (!match || number === undefined || /^=|\{/.test(name)) {
      plain.push([/^=|\{/.test(name) ? `=${name}` : name, type]); // `=`: the name as it is, braces and all
      continue;
    }
    const [before, after] = [match[1]!, match[3] ?? ""];
    const key = `${before}{}${after} ${type}`;
    const group = groups.get(key) ?? { before, after, type, numbers: [] };
    group.numbers.push(number);
    groups.set(key, group);
  }
  const folded = [...groups.values()].map(({ before, after, type, numbers }): [string, string] => {
    numbers.sort((a, b) => a - b);
    const [first, last] = [numbers[0]!, numbers.at(-1)!];
    const run = numbers.length > 1 && last - first === numbers.length - 1;
    return [
      numbers.length === 1 ? `${before}${first}${after}` : `${before}{${run ? `${first}..${last}` : numbers.join(",")}}${after}`,
      type,
    ];
  });
  return Object.fromEntries([...plain, ...folded].sort(([a], [b]) => (a < b ? -1 : 1)));
};

/** Undefined when a line is none that `foldTensors` writes. */
export const expandTensors = (folded: Readonly<Record<string, string>>): ReadonlyMap<string, StoredTensor> | undefined => {
  const tensors = new Map<string, StoredTensor>();
  for (const [name, type] of Object.entries(folded)) {
    const match = /^(\w+) \[([\d, ]*)\]$/.exec(type);
    if (!match) return undefined;
    const raw = match[1]!;
    const shape = match[2] === "" ? [] : match[2]!.split(", ").map(Number);
    for (const one of namesOf(name)) tensors.set(one, { dtype: dtypes[raw] ?? "f32", shape, raw });
  }
  return tensors;
};

const namesOf = (name: string): readonly string[] => {
  if (name.startsWith("=")) return [name.slice(1)];
  const match = /^(.*?)\{(?:(\d+)\.\.(\d+)|(\d+(?:,\d+)+))\}(.*)$/.exec(name);
  if (!match) return [name];
  const [, before, from, to, list, after] = match;
  const numbers =
    list === undefined ? Array.from({ length: Number(to) - Number(from) + 1 }, (_, i) => Number(from) + i) : list.split(",").map(Number);
  return numbers.map((number) => `${before}${number}${after}`);
};
