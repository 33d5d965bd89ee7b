// What a bundle's job.js runs on: dist/runtime.js is this file with everything below it, and a copy of it lies in every bundle. It
// knows the runtime and how to show a run, and nothing of the compiler. Its types for a bundle are in cli/embedded/runtime.ts.

import { readFileSync, realpathSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Wanted } from "../runtime/choose-device.ts";
import { DiagnosticError } from "../runtime/diagnostic-error.ts";
import type { Diagnostic } from "../spec/diagnostic.ts";
import { diagnostics } from "../spec/diagnostics.generated.ts";
import type { Job } from "../spec/job.ts";
import type { Result } from "../spec/result.ts";
import { parseArguments } from "./arguments.ts";
import { type Command, type ExitCode, lastValue } from "./command.ts";
import { execute, perform, type Verb } from "./execute.ts";
import { commandHelp } from "./help.ts";
import { endProcess, type Io, processIo } from "./io.ts";
import { renderText } from "./render/text.ts";
import { jobProblem } from "./validate.ts";
import { version } from "./version.ts";

export { serve } from "./served.ts";

export interface RunOptions {
  readonly output?: string;
  readonly device?: Wanted;
  readonly root?: string;
  readonly signal?: AbortSignal;
}

const verbs: readonly Verb[] = ["train", "evaluate", "merge"];

export const runBundle = async (bundle: URL, options: RunOptions = {}): Promise<Result> => {
  const folder = fileURLToPath(bundle);
  return perform(
    {
      job: readJob(folder),
      read: (path) => readFile(join(folder, path)),
      folder: options.root ?? ".",
      output: options.output ?? join(folder, "results"),
      device: options.device ?? "auto",
      verbs: new Set(verbs),
      inputs: {},
      cwd: process.cwd(),
    },
    () => {},
    options.signal ?? new AbortController().signal,
  );
};

const command: Command = {
  name: "job",
  says: "run this job",
  takes: "",
  count: [0, 0],
  options: {
    output: { type: "value", short: "o", value: "DIR", says: "where results go (results/ in this bundle)" },
    root: { type: "value", value: "DIR", says: "the folder that relative paths of the pipeline start from (this one)" },
    device: { type: "value", value: "auto|cpu|webgpu", says: "auto takes a real GPU if there is one, else the CPU" },
    only: { type: "values", value: "train|evaluate|merge", says: "these blocks alone; may be repeated" },
    json: { type: "flag", says: "print what a machine may read" },
  },
  examples: ["node job.js", "node job.js --device cpu -o results"],
  load: () => Promise.reject(new Error("a bundle has one command")),
};

/** Arguments in; ends the process with the exit code that `peft run` would have. */
export const main = async (bundle: URL, argv: readonly string[]): Promise<void> => {
  const io = processIo();
  let code: ExitCode;
  try {
    code = await dispatch(fileURLToPath(bundle), argv, io);
  } catch (error) {
    complain(io, [diagnostics.internal_error(undefined, { message: error instanceof Error ? error.message : String(error) })]);
    if (argv.includes("--verbose") && error instanceof Error) io.err.write(`${error.stack}\n`);
    code = 2;
  }
  endProcess(code);
};

const dispatch = async (folder: string, argv: readonly string[], io: Io): Promise<ExitCode> => {
  const call = parseArguments(argv, command);
  if (call.diagnostics.length) return complain(io, call.diagnostics, 2);
  if (call.flags.has("help") || call.flags.has("version")) {
    io.out.write(call.flags.has("help") ? commandHelp(command).replaceAll("peft job", "node job.js") : `peft ${version}\n`);
    return 0;
  }
  const invocation = { io, arguments: [], flags: call.flags, values: call.values };
  try {
    return await execute({
      job: readJob(folder),
      read: (path) => readFile(join(folder, path)),
      folder: lastValue(invocation, "root") ?? ".",
      output: lastValue(invocation, "output") ?? join(folder, "results"),
      device: (lastValue(invocation, "device") as Wanted | undefined) ?? "auto",
      verbs: new Set((call.values.get("only") as readonly Verb[] | undefined) ?? verbs),
      inputs: {},
      cwd: io.cwd,
      json: call.flags.has("json"),
      io,
      complain: async (found) => complain(io, found, found.some(({ severity }) => severity === "error") ? 1 : 0),
    });
  } catch (error) {
    if (error instanceof DiagnosticError) return complain(io, error.diagnostics, 1);
    throw error;
  }
};

const complain = (io: Io, found: readonly Diagnostic[], code: ExitCode = 2): ExitCode => {
  io.err.write(renderText(found, { text: () => undefined, colour: io.err.colour, columns: io.err.columns() }));
  return code;
};

const readJob = (folder: string): Job => {
  const document: unknown = JSON.parse(readFileSync(join(folder, "job.json"), "utf8"));
  const problem = jobProblem(document);
  if (problem)
    throw new DiagnosticError([
      diagnostics.damaged_bundle(undefined, { file: join(folder, "job.json"), problem }, { help: "build it again" }),
    ]);
  return document as Job;
};

/** Whether this module is what `node` was started with. */
export const isProgram = (url: string): boolean =>
  process.argv[1] !== undefined && realpathSync(process.argv[1]) === realpathSync(fileURLToPath(url));
