#!/usr/bin/env node
// The executable: `main` over the real process. Everything here is what the tests cannot run in-process, so it stays this short.

import { processIo } from "./io.ts";
import { main } from "./main.ts";

// `peft check | head` closes our output early; that is the reader's choice and no fault.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

const code = await main(process.argv.slice(2), processIo());
// A device may keep the event loop alive after the work is done; waits only until what was written has left.
process.stdout.write("", () => process.exit(code));
