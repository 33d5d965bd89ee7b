// Where reading resumes after a unit that could not be read. Brackets are trusted first; where they do not add up, the indentation
// of the line the unit began on decides. Both are hints: any answer is survived, a good one saves the reader an error.

import type { TokenType } from "chevrotain";
import {
  Colon,
  Dot,
  Equals,
  LeftBrace,
  LeftBracket,
  LeftParen,
  Name,
  RightBrace,
  RightBracket,
  RightParen,
  type Scanned,
  StringToken,
} from "./tokens.ts";

/** The index of the token to go on with: at `from` or after, in a unit that began at `begun`. */
export const resumeAt = (
  source: Scanned,
  begun: number,
  from: number,
  itemLevel: boolean,
  startsItem: (index: number) => boolean,
): number => {
  const { tokens, first, column } = source;
  const indent = source.indent[begun] ?? 0;
  const open: unknown[] = [];
  for (let index = begun; index < tokens.length; index++) {
    const type = tokens[index]!.tokenType;
    const closesBlock = type === RightBrace && !open.includes(LeftBrace);
    if (index >= from) {
      if (startsItem(index)) return index;
      const begins = type === Name || type.CATEGORIES?.includes(Name) || type === StringToken;
      if (itemLevel) {
        if (first[index] && begins && column[index] === 0) return index;
      } else {
        if (closesBlock || (type === RightBrace && first[index] && column[index]! < indent)) return index;
        const next = tokens[index + 1]?.tokenType;
        // Level with the unit it begins the next one, unless it reads as one more of what is open; further left only if nothing is.
        if (first[index] && begins && (open.length ? column[index] === indent && !continues(next) : column[index]! <= indent)) return index;
        if (!open.length && !first[index] && begins && (next === Colon || next === Equals)) return index;
      }
    }
    // No unit begins with a parenthesis: one that does is the slip itself, and nothing is in it.
    if (index === begun && (type === LeftParen || type === LeftBracket)) continue;
    if (type === LeftBrace || type === LeftParen || type === LeftBracket) open.push(type);
    else if (type === RightParen || type === RightBracket) {
      if (open.at(-1) === (type === RightParen ? LeftParen : LeftBracket)) open.pop();
    } else if (type === RightBrace && !closesBlock) open.length = open.lastIndexOf(LeftBrace);
  }
  return tokens.length;
};

/** Whether a word before it is an argument or an operand, not the first of a member or a setting. */
const continues = (next: TokenType | undefined): boolean =>
  next !== undefined && ![Equals, Colon, Dot, LeftParen, LeftBrace, StringToken, Name].includes(next) && !next.CATEGORIES?.includes(Name);
