// Runs the command line in-process in a folder that is there, and gives back what a person would have seen.

import type { Io } from "../../cli/io.ts";
import { main } from "../../cli/main.ts";

export interface Shown {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export const peftIn = async (cwd: string, command: string, stdin = ""): Promise<Shown> => {
  const parts = { out: [] as string[], err: [] as string[] };
  const stream = (into: string[]) => ({
    write: (text: string) => void into.push(text),
    terminal: false,
    columns: () => undefined,
    colour: false,
  });
  const io: Io = { cwd, out: stream(parts.out), err: stream(parts.err), stdin: () => stdin, now: () => 0 };
  const code = await main(command.split(" ").filter(Boolean), io);
  return { code, out: parts.out.join(""), err: parts.err.join("") };
};
