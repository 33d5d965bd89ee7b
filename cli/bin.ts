#!/usr/bin/env node
// The executable: `main` over the real process. Everything here is what the tests cannot run in-process, so it stays this short.
// It is bundled as CommonJS, which Node starts a few milliseconds sooner than a module.
//
// `check` is what runs on every save and every pull request, so it starts from check.cjs: the same `main` with only that command,
// as one script whose compiled code lies beside it (build.ts). A V8 other than the one that made the code ignores it.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Script } from "node:vm";

type Main = Pick<typeof import("./main.ts"), "endProcess" | "main" | "processIo">;

const fromCode = (): Main | undefined => {
  if (typeof __dirname === "undefined") return undefined; // run from source, as a module
  const path = join(__dirname, "check.cjs");
  try {
    // Latin-1, since the bundler writes ASCII and V8 keeps one byte per character of it.
    const script = new Script(readFileSync(path, "latin1"), { filename: path, cachedData: readFileSync(`${path}.code`) });
    const module = { exports: {} as Main };
    script.runInThisContext()(module.exports, require, module, __dirname);
    return module.exports;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
};

const start = async (): Promise<void> => {
  const { endProcess, main, processIo } =
    (process.argv[2] === "check" && !process.argv.includes("--data") ? fromCode() : undefined) ?? (await import("./main.ts"));
  endProcess(await main(process.argv.slice(2), processIo()));
};

start();
