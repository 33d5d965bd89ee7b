// Runs the scripts beside this file on a Python that has the libraries we compare with. JSON in, JSON out, a time limit.
// Where there is no such Python, `pythonMissing` says why and the tests that need one are skipped with that reason.

import { spawn, spawnSync } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const needed = ["torch", "transformers", "peft", "safetensors"];
// find_spec asks without importing: importing torch alone takes seconds.
const probe = `import importlib.util, sys; print(",".join(m for m in ${JSON.stringify(needed)} if not importlib.util.find_spec(m)))`;

const find = (): { command: string } | { missing: string } => {
  let reason = "no python3 on the path";
  for (const command of ["python3", "python"]) {
    const asked = spawnSync(command, ["-c", probe], { encoding: "utf8", timeout: 30_000 });
    if (asked.status !== 0) continue;
    const missing = asked.stdout.trim();
    if (!missing) return { command };
    reason = `${command} lacks ${missing}`;
  }
  return { missing: reason };
};

const found = find();

/** Why Python tests cannot run here; undefined when they can. Goes into a test's `skip`. */
export const pythonMissing: string | undefined = "missing" in found ? found.missing : undefined;

/** Why a test that needs one more library cannot run here. */
export const pythonLacks = (library: string): string | undefined => {
  if ("missing" in found) return found.missing;
  const asked = spawnSync(found.command, [
    "-c",
    `import importlib.util, sys; sys.exit(0 if importlib.util.find_spec("${library}") else 1)`,
  ]);
  return asked.status === 0 ? undefined : `${found.command} lacks ${library}`;
};

/** Runs `tests/parity/SCRIPT` with `input` as JSON on its standard input; its standard output is the answer, as JSON. */
export const python = (script: string, input: unknown, seconds = 120): Promise<unknown> => {
  if ("missing" in found) return Promise.reject(new Error(found.missing));
  return new Promise((resolve, reject) => {
    const path = fileURLToPath(new URL(script, import.meta.url));
    const environment = { ...process.env, TRANSFORMERS_VERBOSITY: "error", HF_HUB_OFFLINE: "1", TOKENIZERS_PARALLELISM: "false" };
    const child = spawn(found.command, [path], { env: environment, timeout: seconds * 1000, killSignal: "SIGKILL" });
    const out: Buffer[] = [];
    const errors: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => errors.push(chunk));
    child.on("error", reject);
    child.on("close", (code, signal) => {
      const text = Buffer.concat(out).toString("utf8");
      if (code === 0) return resolve(JSON.parse(text.slice(text.indexOf("{"))));
      const last = Buffer.concat(errors).toString("utf8").trim().split("\n").slice(-12).join("\n");
      reject(new Error(signal ? `${script} took longer than ${seconds} s` : `${script} ended with ${code}:\n${last}`));
    });
    // A script that dies early closes its input; the exit code tells that story better than EPIPE.
    child.stdin.on("error", () => {});
    child.stdin.end(JSON.stringify(input));
  });
};

export interface PythonSession {
  /** One line of JSON to the script, one back. Rejects with what the script says went wrong. */
  readonly ask: (question: unknown) => Promise<unknown>;
  readonly close: () => void;
}

/**
 * A script that goes on answering, so that importing the libraries (seconds) is paid once. Questions are answered in turn. `command`: another
 * Python than the usual one, for a library that lives with other versions.
 */
export const openPython = (script: string, command?: string): PythonSession => {
  if (command === undefined && "missing" in found) throw new Error(found.missing);
  const path = fileURLToPath(new URL(script, import.meta.url));
  const environment = { ...process.env, TRANSFORMERS_VERBOSITY: "error", HF_HUB_OFFLINE: "1", TOKENIZERS_PARALLELISM: "false" };
  const child = spawn(command ?? (found as { command: string }).command, [path], { env: environment });
  const said: string[] = [];
  child.stderr.on("data", (chunk: Buffer) => said.push(chunk.toString("utf8")));
  child.stdin.on("error", () => {});
  const waiting: { resolve: (answer: unknown) => void; reject: (error: Error) => void }[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => {
    const answer = JSON.parse(line) as { error?: string };
    const next = waiting.shift()!;
    if (answer.error === undefined) next.resolve(answer);
    else next.reject(new Error(`${script}: ${answer.error}`));
  });
  child.on("close", (code) => {
    const last = said.join("").trim().split("\n").slice(-12).join("\n");
    for (const { reject } of waiting.splice(0)) reject(new Error(`${script} ended with ${code}:\n${last}`));
  });
  return {
    ask: (question) =>
      new Promise((resolve, reject) => {
        waiting.push({ resolve, reject });
        child.stdin.write(`${JSON.stringify(question)}\n`);
      }),
    close: () => child.stdin.end(),
  };
};
