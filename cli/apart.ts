// Runs a job in a process of its own, so that what the process takes at most is what this job takes, whatever ran before and whatever
// compiled it. The bundle is the whole contract, as for `node job.js`; events come over the channel that Node opens between the two.
// served.ts is the other end.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { DiagnosticError } from "../runtime/diagnostic-error.ts";
import type { Listener } from "../runtime/events.ts";
import type { Result } from "../spec/result.ts";
import type { Performance } from "./execute.ts";
import type { Order, Reply } from "./served.ts";
import { makeFolder, writeWhole } from "./write.ts";

/** Throws a DiagnosticError. `files` are the bundle's. */
export const performApart = async (
  { job: _, read: __, verbs, ...performance }: Performance,
  files: ReadonlyMap<string, string | Uint8Array>,
  listen: Listener,
  signal: AbortSignal,
): Promise<Result> => {
  const { runtimeFile } = await import("./embedded/runtime.ts");
  const bundle = mkdtempSync(join(tmpdir(), "peft-job-"));
  try {
    for (const [name, content] of files) {
      const path = join(bundle, name);
      const failed = makeFolder(dirname(path), path) ?? writeWhole(path, content, path);
      if (failed) throw new DiagnosticError([failed]);
    }
    return await ask(runtimeFile, { ...performance, bundle, verbs: [...verbs] }, listen, signal);
  } finally {
    rmSync(bundle, { recursive: true, force: true });
  }
};

const ask = (runtime: URL, order: Order, listen: Listener, signal: AbortSignal): Promise<Result> =>
  new Promise((resolve, reject) => {
    const program = `import(${JSON.stringify(runtime.href)}).then(({ serve }) => serve())`;
    const child = spawn(process.execPath, ["-e", program], { stdio: ["ignore", "inherit", "inherit", "ipc"], serialization: "advanced" });
    const stop = (): void => void (child.connected && child.send("stop"));
    signal.addEventListener("abort", stop);
    let reply: Reply | undefined;
    child.on("message", (message) => {
      const told = message as Reply;
      if (told.kind === "event") listen(told.event);
      else reply = told;
    });
    child.on("error", reject);
    child.on("close", (code, by) => {
      signal.removeEventListener("abort", stop);
      if (reply?.kind === "result") resolve(reply.result);
      else if (reply?.kind === "diagnostics") reject(new DiagnosticError(reply.diagnostics));
      else reject(new Error(reply?.kind === "fault" ? reply.message : `the process of the job ended with ${by ?? code}`));
    });
    child.send(order);
  });
