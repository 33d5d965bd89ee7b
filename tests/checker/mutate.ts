// Pipelines as a careless hand would leave them: real texts, changed a few times at random. Everything follows from the seed.

export interface Mutant {
  readonly text: string;
  readonly from: string;
}

/** A generator of 32-bit numbers (mulberry32): small, and the same everywhere. */
export const randomFrom = (seed: number): ((below: number) => number) => {
  let state = seed | 0;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
};

const word = /"(?:[^"\\\n]|\\.)*"|[\p{L}_][\p{L}\d_]*|\d[\d._eE+-]*|\s+|./gsu;
const noise = [
  "",
  " ",
  "{",
  "}",
  "(",
  ")",
  "[",
  "]",
  ",",
  ":",
  "=",
  "+=",
  ".",
  "..",
  "*",
  "**",
  "@",
  "~",
  "/",
  "//",
  '"',
  "\\",
  "\t",
  "\r\n",
  "\0",
  "é",
  "😀",
  "\ufeff",
  "﷽",
  "-",
  "^",
  "%",
  "KiB",
];
const numbers = [
  "0",
  "-1",
  "1",
  "2.5",
  "1e308",
  "1e-320",
  "9007199254740993",
  "99999999999999999999",
  "1_000",
  "0.1",
  "3%",
  "2 GiB",
  "5 steps",
];

/** One of `texts`, changed one to `most` times. */
export const mutate = (
  texts: readonly { readonly path: string; readonly text: string }[],
  random: (below: number) => number,
  most = 6,
): Mutant => {
  const pick = <T>(items: readonly T[]): T => items[random(items.length)]!;
  const { path, text } = pick(texts);
  const parts = text.match(word) ?? [];
  const others = pick(texts).text.match(word) ?? [""];
  for (let left = 1 + random(most); left > 0; left--) {
    const at = random(parts.length + 1);
    switch (random(8)) {
      case 0:
        parts.splice(at, 1 + random(3));
        break;
      case 1:
        parts.splice(at, 0, pick(noise));
        break;
      case 2:
        parts[at] = pick(noise);
        break;
      case 3:
        parts.splice(at, 0, ...parts.slice(at, at + 1 + random(30)));
        break;
      case 4: {
        const from = random(others.length);
        parts.splice(at, random(3), ...others.slice(from, from + 1 + random(40)));
        break;
      }
      case 5: {
        const digits = parts.flatMap((part, i) => (/^\d/.test(part) ? [i] : []));
        if (digits.length > 0) parts[pick(digits)] = pick(numbers);
        break;
      }
      case 6: {
        const names = parts.flatMap((part, i) => (/^[\p{L}_]/u.test(part) ? [i] : []));
        if (names.length > 1) parts[pick(names)] = parts[pick(names)]!;
        break;
      }
      default: {
        const [a, b] = [random(parts.length), random(parts.length)];
        [parts[a], parts[b]] = [parts[b] ?? "", parts[a] ?? ""];
      }
    }
  }
  return { text: parts.join(""), from: path };
};
