// `peft check --fix`: the first fix of every diagnostic that has one, applied and checked again. A fix stays only if what it was
// for is gone and no syntax error came of it. Repeats until no fix is left: mending one mistake may show the next.

import type { Diagnostic, Fix } from "../spec/diagnostic.ts";

export interface Applied {
  readonly fix: Fix;
  /** The text before it, for the line it stood on. */
  readonly before: string;
}

export interface Fixed {
  readonly text: string;
  readonly applied: readonly Applied[];
  /** What is still wrong. */
  readonly found: readonly Diagnostic[];
}

const rounds = 100;

/** `check` says what is wrong with a text of `file`. */
export const applyFixes = async (
  file: string,
  original: string,
  check: (text: string) => Promise<readonly Diagnostic[]>,
): Promise<Fixed> => {
  let text = original;
  let found = await check(text);
  const applied: Applied[] = [];
  const refused = new Set<string>();
  for (let round = 0; round < rounds; round++) {
    const candidates = fixesOf(found, file).filter((one) => !refused.has(keyOf(one)));
    if (candidates.length === 0) break;
    // All at once first: they are nearly always right, and a check costs more than an edit.
    const together = apart(candidates);
    const all = edit(
      text,
      together.map(({ fix }) => fix),
    );
    const after = await check(all);
    if (
      helped(
        found,
        after,
        together.map(({ diagnostic }) => diagnostic),
      )
    ) {
      applied.push(...together.map(({ fix }) => ({ fix, before: text })));
      [text, found] = [all, after];
      continue;
    }
    const [first] = candidates;
    const one = edit(text, [first!.fix]);
    const left = await check(one);
    if (helped(found, left, [first!.diagnostic])) {
      applied.push({ fix: first!.fix, before: text });
      [text, found] = [one, left];
    } else refused.add(keyOf(first!));
  }
  return { text, applied, found };
};

interface Candidate {
  readonly diagnostic: Diagnostic;
  readonly fix: Fix;
}

const fixesOf = (found: readonly Diagnostic[], file: string): readonly Candidate[] =>
  found.flatMap((diagnostic) => {
    const fix = diagnostic.fixes.find(({ at }) => at.file === file);
    return fix ? [{ diagnostic, fix }] : [];
  });

const keyOf = ({ diagnostic, fix }: Candidate): string => `${diagnostic.code} ${diagnostic.message} ${fix.insert}`;

/** Those that touch no text of another, in order. */
const apart = (candidates: readonly Candidate[]): readonly Candidate[] => {
  const sorted = [...candidates].sort((a, b) => a.fix.at.start - b.fix.at.start || a.fix.at.end - b.fix.at.end);
  const kept: Candidate[] = [];
  for (const one of sorted) {
    const last = kept.at(-1)?.fix.at;
    if (!last || one.fix.at.start > last.end || (one.fix.at.start === last.end && last.end > last.start)) kept.push(one);
  }
  return kept;
};

const edit = (text: string, fixes: readonly Fix[]): string =>
  [...fixes]
    .sort((a, b) => b.at.start - a.at.start)
    .reduce((edited, { at, insert }) => edited.slice(0, at.start) + insert + edited.slice(at.end), text);

const tally = (found: readonly Diagnostic[]): Map<string, number> => {
  const counts = new Map<string, number>();
  for (const { code, message } of found) counts.set(`${code} ${message}`, (counts.get(`${code} ${message}`) ?? 0) + 1);
  return counts;
};

/** Whether what the fixes were for is gone. A mistake may have hidden others, so more may be left than there was: syntax errors aside. */
const helped = (before: readonly Diagnostic[], after: readonly Diagnostic[], fixed: readonly Diagnostic[]): boolean => {
  const [was, is] = [tally(before), tally(after)];
  for (const [key, count] of tally(fixed)) if ((is.get(key) ?? 0) > was.get(key)! - count) return false;
  return after.filter(isSyntax).length <= before.filter(isSyntax).length;
};

const isSyntax = ({ code }: Diagnostic): boolean => /^PEFT01/.test(code);
