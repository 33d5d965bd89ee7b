// `peft build`: the job bundle, a folder that runs without the compiler. With `--emit LEVEL`, one level of the compilation as text.

import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { type Diagnostic, nearest } from "../spec/diagnostic.ts";
import { diagnostics } from "../spec/diagnostics.generated.ts";
import type { Job } from "../spec/job.ts";
import { type ExitCode, type Invocation, lastValue } from "./command.ts";
import { isHubPlace } from "./hub/place.ts";
import { type Prepared, prepare } from "./prepare.ts";
import { bytes } from "./render/table.ts";
import { report } from "./report.ts";
import { makeFolder, writeWhole } from "./write.ts";

// In the order a compilation goes through them, each with how far it must go to be printed.
const levels = {
  model: "plan",
  amended: "plan",
  training: "plan",
  memory: "plan",
  kernels: "build",
  bundle: "build",
} as const;

export const run = async (call: Invocation): Promise<ExitCode> => {
  const level = lastValue(call, "emit");
  if (level === "help") {
    call.io.out.write(`${Object.keys(levels).join("\n")}\n`);
    return 0;
  }
  if (level !== undefined) return emit(level, call);
  const prepared = await prepare(call, "build");
  if (typeof prepared === "number") return prepared;
  const folder = outputFolder(call);
  const bundle = await bundleFiles(prepared);
  const failed = writeBundle(bundle, resolve(call.io.cwd, folder), folder);
  if (failed) return report(call, { found: [failed], files: [], text: () => undefined, product: false });
  const size = [...bundle.values()].reduce((sum, content) => sum + Buffer.byteLength(content), 0);
  call.io.out.write(
    call.flags.has("json")
      ? `${JSON.stringify({ folder, files: [...bundle.keys()], bytes: size }, undefined, 2)}\n`
      : `wrote ${folder}: ${bundle.size} files, ${bytes(size)}; run it with node ${join(folder, "job.js")}\n`,
  );
  return 0;
};

/** `-o DIR`, or out/ and the file's name. */
export const outputFolder = (call: Invocation): string =>
  lastValue(call, "output") ?? `out/${basename(call.arguments[0]!, ".peft").replace(/^-$/, "stdin")}`;

const emit = async (level: string, call: Invocation): Promise<ExitCode> => {
  if (!(level in levels)) {
    const near = nearest(level, Object.keys(levels));
    const found = diagnostics.unknown_level(
      undefined,
      { level },
      { help: near ? `did you mean \`${near}\`?` : `one of: ${Object.keys(levels).join(", ")}` },
    );
    await report(call, { found: [found], files: [], text: () => undefined, product: false });
    return 2;
  }
  const name = level as keyof typeof levels;
  const prepared = await prepare(call, levels[name]);
  if (typeof prepared === "number") return prepared;
  const print = prepared.levels[name];
  if (!print) throw new Error(`the compiler did not reach the level ${name}`);
  call.io.out.write(`${print().trimEnd()}\n`);
  return 0;
};

/** Everything a bundle holds, by path inside it. The same file gives the same bytes. */
export const bundleFiles = async ({ job, files }: Prepared): Promise<ReadonlyMap<string, string | Uint8Array>> => {
  if (!job || !files) throw new Error("a bundle needs a file that was compiled to the end");
  const [{ emitJavaScript, emitTypeScript }, { hubPackages, packages, runtimeFile, runtimeTypes }] = await Promise.all([
    import("../compiler/emit/typescript.ts"),
    import("./embedded/runtime.ts"),
  ]);
  const program = emitTypeScript(job);
  return new Map([
    ...files,
    ["job.ts", program],
    ["job.js", emitJavaScript(program)],
    ["runtime.js", readFileSync(runtimeFile)],
    ["runtime.d.ts", runtimeTypes],
    ["package.json", `${JSON.stringify(manifest(job, { ...(isHubPlace(job.base.path) && hubPackages), ...packages }), undefined, 2)}\n`],
  ]);
};

/** `npm install` in the bundle brings the engines, on a machine that has nothing of ours. */
const manifest = (job: Job, dependencies: Readonly<Record<string, string>>) => ({
  name: `peft-job-${job.name
    .replace(/\.peft$/, "")
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, "-")}`,
  private: true,
  type: "module",
  scripts: { start: "node job.js" },
  dependencies,
});

/** job.json goes last: a folder with a job.json is a whole bundle. What an older bundle left there and this one does not have goes. */
const writeBundle = (bundle: ReadonlyMap<string, string | Uint8Array>, folder: string, shown: string): Diagnostic | undefined => {
  if (existsSync(folder) && readdirSync(folder).length && !existsSync(join(folder, "job.json")))
    return diagnostics.output_not_empty(undefined, { folder: shown }, { help: "choose another folder with -o" });
  const failed = makeFolder(folder, shown);
  if (failed) return failed;
  for (const stale of ["job.json", "graphs", "kernels"]) rmSync(join(folder, stale), { recursive: true, force: true });
  const order = [...bundle].sort(([a], [b]) => Number(a === "job.json") - Number(b === "job.json"));
  for (const [file, content] of order) {
    const path = join(folder, file);
    const problem = makeFolder(dirname(path), shown) ?? writeWhole(path, content, join(shown, file));
    if (problem) return problem;
  }
  return undefined;
};
