// The world as a command sees it: where it stands, what it may read from, where it may write. Commands take an Io and nothing
// of `process`, so the tests run them in-process and read exactly what a person would have seen.

import { readFileSync } from "node:fs";

export interface Stream {
  readonly write: (text: string) => void;
  readonly terminal: boolean;
  /** Asked anew each time: a terminal is resized while a bar is drawn. */
  readonly columns: () => number | undefined;
  readonly colour: boolean;
}

export interface Io {
  readonly cwd: string;
  readonly out: Stream;
  readonly err: Stream;
  readonly stdin: () => string;
  /** Milliseconds from any fixed point. */
  readonly now: () => number;
}

/** https://no-color.org: any value but the empty one turns colour off; FORCE_COLOR turns it on where there is no terminal. */
export const wantsColour = (terminal: boolean, env: Readonly<Record<string, string | undefined>>): boolean => {
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR) return env.FORCE_COLOR !== "0";
  return terminal && env.TERM !== "dumb";
};

const stream = (target: NodeJS.WriteStream): Stream => ({
  write: (text) => {
    target.write(text);
  },
  terminal: target.isTTY === true,
  columns: () => (target.isTTY ? target.columns : undefined),
  colour: wantsColour(target.isTTY === true, process.env),
});

export const processIo = (): Io => ({
  cwd: process.cwd(),
  out: stream(process.stdout),
  err: stream(process.stderr),
  stdin: () => readFileSync(0, "utf8"),
  now: () => performance.now(),
});
