// Names of modules as PEFT takes them -> paths of the language. A list names the ends of module names; a text is a regular
// expression over whole names, of which the part that people use (literals, groups of alternatives, layer numbers) is read.

/** `q_proj` → `"**.q_proj"`. */
export const endingPatterns = (names: readonly string[]): string[] => names.map((name) => `"**.${name}"`);

/** The patterns that cover what a regular expression matches; undefined when it asks for more than patterns can say. */
export const regexPatterns = (source: string): string[] | undefined => {
  const all = alternatives(source.replace(/^\^/, "").replace(/\$$/, ""));
  // A wrapper that torch puts around a module for a while is in no checkpoint.
  const found = all?.filter((one) => !one.includes("_checkpoint_wrapped_module"));
  return found?.length && found.every((one) => /^[\w.*-]+$/.test(one) && !one.includes("***"))
    ? [...new Set(found)].map((one) => `"${one}"`)
    : undefined;
};

/** Reads one level: a sequence of literals, groups and wildcards, or several of them between bars. */
const alternatives = (source: string): string[] | undefined => {
  let all: string[] = [];
  let open: string[] = [""];
  let rest = source;
  const add = (parts: readonly string[]): void => {
    open = open.flatMap((before) => parts.map((part) => before + part));
  };
  while (rest !== "") {
    const layer = /^(?:\[(?:\\d|0-9)\]|\\d)\+/.exec(rest) ?? /^\(\\d\+\)/.exec(rest);
    const wild = /^\.\*\??/.exec(rest);
    const literal = /^(?:\\\.|[\w-])(?![*+?{])/.exec(rest);
    if (layer) add(["*"]);
    else if (wild) add(["**"]);
    else if (literal) add([literal[0] === "\\." ? "." : literal[0]]);
    else if (/^\.(?![*+?{])/.test(rest))
      add(["."]); // any character; a point is what it stands for in names
    else if (rest.startsWith("|")) {
      all = [...all, ...open];
      open = [""];
      rest = rest.slice(1);
      continue;
    } else if (rest.startsWith("(")) {
      const end = closing(rest);
      const inner = end === undefined ? undefined : alternatives(rest.slice(1, end).replace(/^\?:/, ""));
      const after = end === undefined ? "" : rest.slice(end + 1);
      if (!inner || /^[*+{]/.test(after)) return undefined;
      const optional = after.startsWith("?");
      add(optional ? ["", ...inner] : inner);
      rest = optional ? after.slice(1) : after;
      continue;
    } else return undefined;
    rest = rest.slice((layer ?? wild ?? literal ?? ["."])[0].length);
    if (open.length > 256) return undefined;
  }
  return [...all, ...open];
};

const closing = (text: string): number | undefined => {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === "(") depth++;
    else if (text[i] === ")" && --depth === 0) return i;
  }
  return undefined;
};

/** Consecutive numbers as ranges: `[0, 1, 2, 7]` → `["0..2", "7"]`. */
export const ranges = (numbers: readonly number[]): readonly string[] => {
  const sorted = [...new Set(numbers)].sort((a, b) => a - b);
  const found: string[] = [];
  for (let i = 0; i < sorted.length; ) {
    let end = i;
    while (sorted[end + 1] === sorted[end]! + 1) end++;
    found.push(end === i ? `${sorted[i]}` : `${sorted[i]}..${sorted[end]}`);
    i = end + 1;
  }
  return found;
};
