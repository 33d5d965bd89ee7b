// A marked conversation -> token ids, and where they are learnt.
//
// Ids are those of the whole text, so they are transformers' (`apply_chat_template`). Where a turn begins or ends inside a token, the text is
// encoded apart there: training sees the ids that generation starts from (the conversation so far, encoded by itself), and no label is
// half of a prompt.
//
// A tokenizer cuts a text at its special tokens before anything else, so what stands between two of them is encoded by itself, and a
// boundary is looked for in its own piece alone.

import type { Tokenizer } from "../tokenizer.ts";
import type { Marked } from "./chat-template.ts";

export interface EncodedConversation {
  readonly ids: readonly number[];
  /** Of each turn, in order. */
  readonly spans: readonly (readonly [from: number, to: number])[];
}

export const encodeConversation = ({ text, turns }: Marked, tokenizer: Tokenizer): EncodedConversation => {
  const cuts = [...new Set(turns.flatMap(({ span }) => span))].sort((a, b) => a - b);
  const starts = specialsIn(text, tokenizer.specials);
  const pieces = starts.map((start, i) => text.slice(start, starts[i + 1] ?? text.length));
  const whole = tokenizer.encode(text);
  // Where a special token takes white space away from what stands before it, pieces are not the whole: then there is one.
  const apart = pieces.flatMap((piece) => tokenizer.encode(piece));
  const exact = apart.length === whole.length && apart.every((id, i) => id === whole[i]);
  const ids: number[] = [];
  const places = new Map<number, number>();
  for (const [i, piece] of (exact ? pieces : [text]).entries()) {
    const start = exact ? starts[i]! : 0;
    const end = start + piece.length;
    // What is encoded together begins here; behind a cut through a token it is text that follows other text.
    let from = start;
    let encoded = tokenizer.encode(piece);
    for (const cut of cuts) {
      if (cut < start || (cut >= end && end < text.length)) continue;
      const before = text.slice(from, cut);
      const front = from === start ? tokenizer.encode(before) : tokenizer.continue(before);
      if (front.some((id, k) => id !== encoded[k])) {
        ids.push(...front);
        encoded = tokenizer.continue(text.slice(cut, end));
        from = cut;
        places.set(cut, ids.length);
      } else places.set(cut, ids.length + front.length);
    }
    ids.push(...encoded);
  }
  return { ids, spans: turns.map(({ span: [from, to] }) => [places.get(from)!, places.get(to)!]) };
};

/** Where the pieces of a text begin: at its start, and at every special token. */
const specialsIn = (text: string, specials: readonly string[]): readonly number[] => {
  const starts = new Set([0]);
  for (const token of specials) for (let at = text.indexOf(token); at >= 0; at = text.indexOf(token, at + token.length)) starts.add(at);
  return [...starts].sort((a, b) => a - b);
};
