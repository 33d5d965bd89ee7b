// What only tokens show, before anything is trained: whether an answer ends, and ends once; whether text comes back as it went in;
// whether rows that are evaluated were trained on. Nothing here changes what a run does.

import type { Diagnostic } from "../../spec/diagnostic.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import { type Host, joinPath } from "../host.ts";
import { isRecord, parseJson } from "../json.ts";
import type { Tokenizer } from "../tokenizer.ts";
import type { Examples } from "./examples.ts";

/** The tokenizer by itself. An end token that is named and not there would be left out of every answer. */
export const auditTokenizer = async (host: Host, folder: string, tokenizer: Tokenizer): Promise<readonly Diagnostic[]> => {
  const named = await namedEnd(host, folder);
  if (named && tokenizer.idOf(named.token) === undefined)
    return [
      diagnostics.end_token_unknown(undefined, named, {
        help: "the file belongs to another tokenizer, or the token was added there and never saved in tokenizer.json",
      }),
    ];
  if (tokenizer.eos !== undefined) return [];
  return [
    diagnostics.end_token_absent(
      undefined,
      { folder },
      { help: "name it in tokenizer_config.json: `eos_token`; until then generation stops at `max_new_tokens` alone" },
    ),
  ];
};

const namedEnd = async (host: Host, folder: string): Promise<{ readonly file: string; readonly token: string } | undefined> => {
  for (const name of ["tokenizer_config.json", "special_tokens_map.json"]) {
    const file = joinPath(folder, name);
    if ((await host.kind(file)) !== "file") continue;
    const parsed = parseJson(await host.read(file));
    const given = "value" in parsed && isRecord(parsed.value) ? parsed.value.eos_token : undefined;
    const token = isRecord(given) ? given.content : given;
    if (typeof token === "string") return { file, token };
  }
  return undefined;
};

/** Answers that hold an end token before their end: the model would learn to stop, and then to go on. */
export const auditEnds = (examples: Examples, ends: readonly number[], path: string): readonly Diagnostic[] => {
  const { starts, ids, labels, rows, count } = examples;
  const doubled: number[] = [];
  for (let i = 0; i < count; i++)
    for (let k = starts[i]!; k < starts[i + 1]! - 1; k++)
      // Of a conversation, each turn has an end of its own.
      if (ends.includes(ids[k]!) && labels[k] === 1 && labels[k + 1] === 1) {
        doubled.push(rows[i]!);
        break;
      }
  if (doubled.length === 0) return [];
  return [
    diagnostics.end_token_doubled(
      undefined,
      { count: doubled.length, total: count, path },
      { notes: [{ message: `rows ${listed(doubled)}` }], help: "take it out of the rows or the template: it is put behind every answer" },
    ),
  ];
};

/** Texts that do not come back from their tokens. */
export const auditTexts = (
  texts: readonly { readonly text: string; readonly place: string }[],
  tokenizer: Pick<Tokenizer, "continue" | "decode">,
): readonly Diagnostic[] => {
  // Behind another text, as decoding drops a space that nothing stands before.
  const before = tokenizer.continue("a");
  const decode = (ids: readonly number[]): string => tokenizer.decode([...before, ...ids], { special: true });
  const lost = texts.flatMap(({ text, place }) => {
    const back = decode(tokenizer.continue(text)).slice(decode([]).length);
    return back === text ? [] : [{ text, back, place }];
  });
  const [first] = lost;
  if (!first) return [];
  const at = [...first.text].findIndex((character, i) => character !== [...first.back][i]);
  const around = (text: string): string => JSON.stringify([...text].slice(Math.max(0, at - 12), at + 12).join(""));
  return [
    diagnostics.text_changed(
      undefined,
      { count: lost.length, total: texts.length, place: first.place },
      {
        notes: [{ message: `${around(first.text)} comes back as ${around(first.back)}` }],
        help: "the model never sees what the tokenizer drops; look at its normalizer and its vocabulary",
      },
    ),
  ];
};

/** Rows of one split that are rows of another, token for token. `parted`: they are parts of one file, so what differs is in no token. */
export const auditDuplicates = (
  trained: { readonly name: string; readonly examples: Examples },
  evaluated: { readonly name: string; readonly examples: Examples },
  parted: boolean,
): readonly Diagnostic[] => {
  const seen = new Map<string, number>();
  const keyOf = ({ ids, starts }: Examples, i: number): string => ids.subarray(starts[i]!, starts[i + 1]!).join();
  for (let i = 0; i < trained.examples.count; i++) {
    const key = keyOf(trained.examples, i);
    if (!seen.has(key)) seen.set(key, trained.examples.rows[i]!);
  }
  const both: string[] = [];
  for (let i = 0; i < evaluated.examples.count; i++) {
    const row = seen.get(keyOf(evaluated.examples, i));
    if (row !== undefined) both.push(`${evaluated.examples.rows[i]} is ${row}`);
  }
  if (both.length === 0) return [];
  return [
    diagnostics.duplicate_rows(
      undefined,
      { count: both.length, total: evaluated.examples.count, evaluated: evaluated.name, trained: trained.name },
      {
        notes: [{ message: `row ${listed(both)}` }],
        help: parted
          ? "they differ in a column that no template reads, and are told apart by it: leave one of each in the file, or that column out"
          : "take them out of one of the two; a score on them says nothing about other rows",
      },
    ),
  ];
};

const listed = (items: readonly (number | string)[], most = 5): string =>
  items.slice(0, most).join(", ") + (items.length > most ? `, and ${items.length - most} more` : "");
