// Lines of standard input as they come, with editing and a history on a terminal. Lines that come while something else is at work wait.

import { createInterface } from "node:readline";
import type { Lines } from "./io.ts";

export const terminalLines = (input: NodeJS.ReadStream, output: NodeJS.WriteStream): Lines => {
  const terminal = input.isTTY === true && output.isTTY === true;
  const reader = createInterface({ input, terminal, ...(terminal && { output }) });
  const waiting: string[] = [];
  let wanted: ((line: string | undefined) => void) | undefined;
  let ended = false;
  let listener = (): void => {};
  const give = (line: string | undefined): void => {
    const to = wanted;
    wanted = undefined;
    to?.(line);
  };
  reader.on("line", (line) => (wanted ? give(line) : waiting.push(line)));
  reader.on("close", () => {
    ended = true;
    give(undefined);
  });
  // On a terminal readline reads the key itself; elsewhere it is the signal.
  const onInterrupt = (): void => listener();
  if (terminal) reader.on("SIGINT", onInterrupt);
  else process.on("SIGINT", onInterrupt);
  return {
    terminal,
    next: (prompt) => {
      if (waiting.length > 0) return Promise.resolve(waiting.shift());
      if (ended) return Promise.resolve(undefined);
      if (terminal) {
        reader.setPrompt(prompt);
        reader.prompt();
      }
      return new Promise((resolve) => {
        wanted = resolve;
      });
    },
    interrupted: (to) => {
      listener = to;
    },
    close: () => {
      process.off("SIGINT", onInterrupt);
      reader.close();
    },
  };
};

/** The same of a text that is there already. */
export const linesOf = (text: string): Lines => {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return { terminal: false, next: () => Promise.resolve(lines.shift()), interrupted: () => {}, close: () => {} };
};
