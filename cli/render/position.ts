// Offset -> line and column, both from 1. A column counts UTF-16 units, as editors and the language server do, so a click on
// FILE:LINE:COLUMN lands on the character.

export interface Position {
  readonly line: number;
  readonly column: number;
}

export interface Lines {
  readonly count: number;
  /** Text of a line (from 1), without its line break. */
  readonly line: (number: number) => string;
  readonly position: (offset: number) => Position;
}

export const linesOf = (text: string): Lines => {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  const line = (number: number): string => {
    const end = starts[number];
    return text.slice(starts[number - 1], end === undefined ? text.length : end - 1).replace(/\r$/, "");
  };
  return {
    count: starts.length,
    line,
    position: (offset) => {
      let low = 0;
      let high = starts.length - 1;
      while (low < high) {
        const middle = (low + high + 1) >> 1;
        if (starts[middle]! <= offset) low = middle;
        else high = middle - 1;
      }
      return { line: low + 1, column: offset - starts[low]! + 1 };
    },
  };
};
