// The largest resident size of this process. On Linux the kernel's own figure of the program that runs (VmHWM): getrusage's also counts what
// the process was before it became this program, which for a child is its parent.

import { readFileSync } from "node:fs";

/** Bytes. */
export const peakMemory = (): number => {
  if (process.platform === "linux") {
    const found = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"));
    if (found) return Number(found[1]) * 1024;
  }
  return process.resourceUsage().maxRSS * 1024; // libuv gives kilobytes on every platform
};
