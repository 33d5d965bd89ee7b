// What `peft build` puts beside a job so that it runs without the compiler: the runtime as one script, and its types. Run from
// source it stands in dist/, where `npm run build` puts it; in the built command it stands above the chunks (build.ts).

import { readFileSync } from "node:fs";

const read = (file: string): string => readFileSync(new URL(`../../${file}`, import.meta.url), "utf8");

export const runtimeFile: URL = new URL("../../dist/runtime.js", import.meta.url);

const declarations = `
// ---- the program ----------------------------------------------------------------------------------------------------

export interface RunOptions {
  /** Where results go; the folder "results" beside the bundle's own files when it is not said. */
  readonly output?: string;
  readonly device?: "auto" | "cpu" | "webgpu";
  /** The folder that relative paths of the pipeline start from; the working folder when it is not said. */
  readonly root?: string;
  readonly signal?: AbortSignal;
}

/** Runs the job of a bundle and gives back what result.json holds. */
export function runBundle(bundle: URL, options?: RunOptions): Promise<Result>;
/** The same as a command: reads its arguments, prints progress, ends the process. */
export function main(bundle: URL, argv: readonly string[]): Promise<void>;
/** Whether this module is what \`node\` was started with. */
export function isProgram(url: string): boolean;
`;

/** Types of files that import only each other, as one. */
const types = (...files: readonly string[]): string => files.map((file) => read(file).replace(/^import .*\n/gm, "")).join("\n");

export const runtimeTypes: string = `${types("spec/result.ts", "spec/score-bounds.ts")}${declarations}`;

const manifest: { readonly dependencies: Readonly<Record<string, string>> } = JSON.parse(read("package.json"));

const versions = (...names: readonly string[]): Readonly<Record<string, string>> =>
  Object.fromEntries(names.map((name) => [name, manifest.dependencies[name]!]));

/** What the runtime loads from outside, with the versions it was built against. */
export const packages: Readonly<Record<string, string>> = versions("onnxruntime-node", "webgpu");

/** What it loads where the base is a place of the hub. */
export const hubPackages: Readonly<Record<string, string>> = versions("@huggingface/hub");
