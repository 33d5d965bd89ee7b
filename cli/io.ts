// The world as a command sees it: where it stands, what it may read from, where it may write. Commands take an Io and nothing
// of `process`, so the tests run them in-process and read exactly what a person would have seen.

import { fstatSync, readFileSync, writeSync } from "node:fs";

export interface Stream {
  readonly write: (text: string) => void;
  readonly terminal: boolean;
  /** Asked anew each time: a terminal is resized while a bar is drawn. */
  readonly columns: () => number | undefined;
  readonly colour: boolean;
}

/** Lines that a person or a program writes while something answers. */
export interface Lines {
  readonly terminal: boolean;
  /** The next line, after the prompt was shown on a terminal; undefined at the end of the input. */
  readonly next: (prompt: string) => Promise<string | undefined>;
  /** Who is told of Ctrl-C from now on. */
  readonly interrupted: (listener: () => void) => void;
  readonly close: () => void;
}

export interface Io {
  readonly cwd: string;
  readonly out: Stream;
  readonly err: Stream;
  readonly stdin: () => string;
  /** Standard input a line at a time, as it comes. Without it, lines of `stdin`. */
  readonly lines?: () => Promise<Lines>;
  /** Milliseconds from any fixed point. */
  readonly now: () => number;
  /** The program and arguments that start this command again; absent where it is no process of its own. */
  readonly again?: readonly string[];
}

/** https://no-color.org: any value but the empty one turns colour off; FORCE_COLOR turns it on where there is no terminal. */
export const wantsColour = (terminal: boolean, env: Readonly<Record<string, string | undefined>>): boolean => {
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR) return env.FORCE_COLOR !== "0";
  return terminal && env.TERM !== "dumb";
};

let streaming = false;

const streamOf = (fd: 1 | 2): NodeJS.WriteStream => {
  streaming = true;
  if (fd === 2) return process.stderr;
  return process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    throw error;
  });
};

/** A terminal. */
const streamed = (target: NodeJS.WriteStream): Stream => ({
  write: (text) => {
    target.write(text);
  },
  terminal: target.isTTY === true,
  columns: () => (target.isTTY ? target.columns : undefined),
  colour: wantsColour(target.isTTY === true, process.env),
});

/** A file or a pipe takes text at once; what a full pipe does not take goes through a stream after all, and everything behind it. */
const direct = (fd: 1 | 2): Stream => {
  let behind: NodeJS.WriteStream | undefined;
  const write = (bytes: Uint8Array): void => {
    for (let rest = bytes; rest.length; )
      try {
        rest = rest.subarray(writeSync(fd, rest));
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        // `peft check | head` closes our output early; that is the reader's choice and no fault.
        if (code === "EPIPE" && fd === 1) process.exit(0);
        if (code !== "EAGAIN") throw error;
        behind = streamOf(fd);
        behind.write(rest);
        return;
      }
  };
  return {
    write: (text) => {
      if (behind) behind.write(text);
      else write(Buffer.from(text));
    },
    terminal: false,
    columns: () => undefined,
    colour: wantsColour(false, process.env),
  };
};

/** Node's streams are loaded where one is needed: that takes longer than checking a small file. */
const outlet = (fd: 1 | 2): Stream => (isDevice(fd) ? streamed(streamOf(fd)) : direct(fd));

const isDevice = (fd: number): boolean => {
  try {
    return fstatSync(fd).isCharacterDevice();
  } catch {
    return true; // a console of Windows cannot be asked
  }
};

export const processIo = (): Io => ({
  cwd: process.cwd(),
  out: outlet(1),
  err: outlet(2),
  stdin: () => readFileSync(0, "utf8"),
  lines: async () => (await import("./terminal-lines.ts")).terminalLines(process.stdin, process.stdout),
  again: [process.execPath, ...process.execArgv, ...process.argv.slice(1)],
  now: () => performance.now(),
});

/** Ends the process once what was written has left it. A device may keep the event loop alive after the work is done. */
export const endProcess = (code: number): void => {
  if (streaming) process.stdout.write("", () => process.exit(code));
  else process.exit(code);
};
