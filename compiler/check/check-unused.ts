// What a file declares and no block of it uses: data in a file that trains or evaluates, an adapter in a file that trains. What an
// imported file declares may be for others.

import type * as tree from "../../grammar/tree.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { Context } from "../values/expressions.ts";

export const checkUnused = (file: string, items: readonly tree.Item[], { report }: Context): void => {
  const trains = items.some(({ kind }) => kind === "train");
  const reads = trains || items.some(({ kind }) => kind === "evaluate" || kind === "compare");
  const used = new Set(items.flatMap(namesIn));
  for (const item of items) {
    const idle = (item.kind === "data" && reads) || (item.kind === "adapter" && trains);
    if (!idle || item.at.file !== file || used.has(item.name.text)) continue;
    const uses = item.kind === "data" ? "`train … on` or `evaluate … on`" : "`train`, `evaluate` or `merge`";
    report(
      diagnostics.unused_block(
        item.name.at,
        { kind: item.kind, name: item.name.text },
        { help: `name it in ${uses}, or remove it; a block that no other uses does nothing` },
      ),
    );
  }
};

/** Every name that stands anywhere in an item but where it is declared: references, first parts of paths, subjects. */
const namesIn = (item: tree.Item): readonly string[] => {
  const names: string[] = [];
  const declared = "name" in item ? item.name : undefined;
  const walk = (node: unknown): void => {
    if (Array.isArray(node)) for (const one of node) walk(one);
    else if (typeof node === "object" && node !== null && node !== declared) {
      const { kind, name, text } = node as { readonly kind?: unknown; readonly name?: unknown; readonly text?: unknown };
      if (kind === "ref" && typeof name === "string") names.push(name);
      else if (kind === "name" && typeof text === "string") names.push(text);
      else if (kind === undefined && typeof text === "string") names.push(text);
      for (const [key, value] of Object.entries(node)) if (key !== "at") walk(value);
    }
  };
  walk(item);
  return names;
};
