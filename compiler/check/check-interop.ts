// The `interop` blocks of a user's own methods and architectures: the library is one whose folders are known, an architecture's words are
// texts, and each `{word}` in a tensor's name is one that some architecture says.

import type * as tree from "../../grammar/tree.ts";
import { nearest } from "../../spec/diagnostic.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import { isLayout, layouts } from "../adapters/layouts.ts";
import type { Definition, Library } from "../blocks/resolve.ts";
import type { Context } from "../values/expressions.ts";

export const checkInterop = (definition: Definition, library: Library, context: Context): void => {
  if (definition.kind !== "method" && definition.kind !== "architecture") return;
  for (const block of definition.members) {
    if (block.kind !== "interop") continue;
    const { text, at } = block.library;
    const known = Object.keys(layouts);
    if (!isLayout(text)) {
      const near = nearest(text, known);
      context.report(
        diagnostics.unknown_layout(
          at,
          { library: text },
          { help: near ? `did you mean \`${near}\`?` : `known are: ${known.join(", ")}`, ...(near && fix(at, near)) },
        ),
      );
    } else if (definition.kind === "architecture") checkWords(block, context);
    else if (layouts[text].named) checkKeys(block, wordsIn(library, text), context);
  }
};

const fix = (at: tree.Span, insert: string) => ({ fixes: [{ at, insert, title: `change to \`${insert}\`` }] });

const checkWords = ({ config, tensors }: tree.InteropMember, context: Context): void => {
  const wrong = [...config.filter(({ value }) => value.kind !== "string").map(({ value }) => value.at), ...tensors.map(({ at }) => at)];
  for (const at of wrong)
    context.report(
      diagnostics.bad_place_word(at, {
        help: 'write `mlp_delta: "output_adapters"`: a word that methods use, and what stands for it there',
      }),
    );
};

/** Every word that an architecture of the library has for this one's files. */
const wordsIn = (library: Library, of: string): readonly string[] => [
  ...new Set([
    "name",
    ...library
      .names("architecture")
      .flatMap((name) =>
        (library.find("architecture", name)?.members ?? []).flatMap((member) =>
          member.kind === "interop" && member.library.text === of ? member.config.map(({ key }) => key.text) : [],
        ),
      ),
  ]),
];

const checkKeys = ({ tensors }: tree.InteropMember, known: readonly string[], context: Context): void => {
  for (const { key, at } of tensors)
    for (const [, word] of key.matchAll(/\{(\w+)\}/g)) {
      if (known.includes(word!)) continue;
      const near = nearest(word!, known);
      context.report(
        diagnostics.unknown_place_word(
          at,
          { word: word!, key },
          { help: near ? `did you mean \`{${near}}\`?` : `architectures have words for: ${known.join(", ")}` },
        ),
      );
    }
};
