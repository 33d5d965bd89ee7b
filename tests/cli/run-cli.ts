// Runs the command line in-process in a fresh folder, and gives back what a person would have seen.

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import type { Io, Stream } from "../../cli/io.ts";
import { main } from "../../cli/main.ts";

export interface Seen {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** A file of the folder as the command left it. */
  readonly file: (name: string) => string | undefined;
}

export interface Setting {
  readonly files?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  /** Reading standard input throws: the one way to reach a fault of our own from outside. */
  readonly stdinFails?: boolean;
  /** A terminal of this many columns, with colour. */
  readonly terminal?: number;
}

/** `command` is split at spaces; an argument with a space in it is not needed by any test. */
export const peft = async (command: string, { files = {}, stdin = "", stdinFails = false, terminal }: Setting = {}): Promise<Seen> => {
  const folder = mkdtempSync(join(tmpdir(), "peft-cli-"));
  try {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
    const [out, readOut] = recorder(terminal);
    const [err, readErr] = recorder(terminal);
    const io: Io = { cwd: folder, out, err, stdin: () => (stdinFails ? fail() : stdin), now: () => 0 };
    const code = await main(command.split(" ").filter(Boolean), io);
    const left = new Map(
      readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => {
          const path = join(entry.parentPath, entry.name);
          return [relative(folder, path), readFileSync(path, "utf8")];
        }),
    );
    return { code, out: readOut(), err: readErr(), file: (name) => left.get(name) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

const recorder = (terminal: number | undefined): [Stream, () => string] => {
  const parts: string[] = [];
  const stream = {
    write: (text: string) => void parts.push(text),
    terminal: terminal !== undefined,
    columns: () => terminal,
    colour: terminal !== undefined,
  };
  return [stream, () => parts.join("")];
};

const fail = (): never => {
  throw new Error("planted");
};
