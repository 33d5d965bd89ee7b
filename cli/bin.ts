#!/usr/bin/env node
// The executable: `main` over the real process. Everything here is what the tests cannot run in-process, so it stays this short.
//
// `check` is what runs on every save and every pull request, so it starts from check.cjs: the same `main` with only that command,
// as one script whose compiled code lies beside it (build.ts). A V8 other than the one that made the code ignores it.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { Script } from "node:vm";

type Main = Pick<typeof import("./main.ts"), "main" | "processIo">;

const fromCode = (): Main | undefined => {
  const path = fileURLToPath(new URL("./check.cjs", import.meta.url));
  const read = (file: string): Buffer | undefined => {
    try {
      return readFileSync(file);
    } catch {
      return undefined;
    }
  };
  const text = read(path);
  if (!text) return undefined;
  const cachedData = read(`${path}.code`);
  const script = new Script(text.toString("utf8"), { filename: path, ...(cachedData && { cachedData }) });
  const module = { exports: {} as Main };
  script.runInThisContext()(module.exports, createRequire(path), module);
  return module.exports;
};

// `peft check | head` closes our output early; that is the reader's choice and no fault.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

const { main, processIo } = (process.argv[2] === "check" ? fromCode() : undefined) ?? (await import("./main.ts"));
const code = await main(process.argv.slice(2), processIo());
// A device may keep the event loop alive after the work is done; waits only until what was written has left.
process.stdout.write("", () => process.exit(code));
