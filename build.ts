// Sources -> dist/:
//
//   peft.cjs           the executable: starts what the command needs
//   main.js + chunks   the command line, split so that each command loads its own code
//   check.cjs + .code  `peft check` alone as one script, and its compiled code (see cli/bin.ts)
//   NAME.txt           the library, its trees and the diagnostic pages, each read in part when it is asked for
//   runtime.js         what a job bundle carries to run without the compiler
//
// Texts the tool needs (stdlib, diagnostic pages, the `init` template) are built in.
// Native packages and ts-morph stay outside.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { type BuildOptions, build, type Plugin } from "esbuild";

const root = fileURLToPath(new URL("./", import.meta.url));
const dist = `${root}dist/`;

/**
 * Modules of cli/embedded, and the grammar's first sets, are computed now, and what they export is what the bundle holds. Many texts go
 * into a file of their own beside the scripts, which `beside` finds.
 */
const embed = (beside: (file: string) => string): Plugin => ({
  name: "embed",
  setup({ onLoad, initialOptions }) {
    onLoad({ filter: /[\\/](cli[\\/]embedded[\\/]\w+|grammar[\\/]first-sets)\.ts$/ }, async ({ path }) => {
      const exported: Record<string, unknown> = await import(path);
      const lines = Object.entries(exported).map(([name, value]) => {
        if (!isTexts(value)) return `export const ${name} = ${written(value)};`;
        const { bytes, places } = laidOut(value);
        writeFileSync(`${initialOptions.outdir}${name}.txt`, bytes);
        return `export const ${name} = textsIn(${beside(`${name}.txt`)}, ${written(places)});`;
      });
      const helper = `import { textsIn } from ${JSON.stringify(`${root}cli/texts.ts`)};`;
      return { contents: [helper, ...lines].join("\n"), loader: "js", resolveDir: root };
    });
  },
});

const isTexts = (value: unknown): value is Map<string, string> =>
  value instanceof Map && [...value.values()].every((text) => typeof text === "string") && [...value.values()].join("").length > 65536;

const laidOut = (texts: Map<string, string>): { bytes: Buffer; places: Map<string, [number, number]> } => {
  const places = new Map<string, [number, number]>();
  let end = 0;
  for (const [name, text] of texts) {
    const start = end;
    end += Buffer.byteLength(text);
    places.set(name, [start, end]);
  }
  return { bytes: Buffer.from([...texts.values()].join("")), places };
};

const written = (value: unknown): string => {
  if (value instanceof Map) return `new Map(${JSON.stringify([...value])})`;
  if (value instanceof URL) return `new URL("../${basename(value.pathname)}", import.meta.url)`; // a file of dist/, seen from dist/chunks/
  return JSON.stringify(value);
};

/** Leaves out every command but `check`, the emitters, which checking never asks for, and `--data`, which cli/bin.ts sends elsewhere. */
const checkOnly: Plugin = {
  name: "check-only",
  setup({ onResolve }) {
    onResolve({ filter: /\.ts$/ }, ({ path, importer, kind }) => {
      if (kind !== "dynamic-import") return undefined;
      const command = importer.endsWith("commands.ts") && path !== "./check.ts";
      return command || path === "./check-data.ts" || path.startsWith("./emit/") ? { path, external: true } : undefined;
    });
  },
};

const shared = {
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node20",
  minify: true,
  sourcemap: "linked",
  legalComments: "none",
  external: ["webgpu", "onnxruntime-node", "ts-morph", "@huggingface/hub"],
  plugins: [embed((file) => `new URL("../${file}", import.meta.url)`)], // from dist/chunks/
  logLevel: "warning",
  // CommonJS packages inside an ES module ask for Node's own modules by `require`.
  banner: { js: "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);" },
} satisfies BuildOptions;

const buildRuntime = async (outdir: string): Promise<void> => {
  const { metafile } = await build({ ...shared, entryPoints: { runtime: `${root}cli/job-runner.ts` }, outdir, metafile: true });
  const compiler = Object.keys(metafile.inputs).find((file) => /^(compiler|grammar)\//.test(file));
  if (compiler) throw new Error(`runtime.js would carry ${compiler}: a bundle runs without the compiler`);
};

const buildCommandLine = (outdir: string) =>
  build({ ...shared, entryPoints: { main: `${root}cli/main.ts` }, outdir, splitting: true, chunkNames: "chunks/[name]-[hash]" });

/** Finds main.js beside it. */
const buildExecutable = (outdir: string) =>
  build({
    ...shared,
    banner: {},
    format: "cjs",
    plugins: [
      { name: "beside", setup: ({ onResolve }) => onResolve({ filter: /^\.\/main\.ts$/ }, () => ({ path: "./main.js", external: true })) },
    ],
    entryPoints: { peft: `${root}cli/bin.ts` },
    outExtension: { ".js": ".cjs" },
    outdir,
  });

// One expression, a function of four of CommonJS's names: cli/bin.ts gives it to V8 as it is.
const buildCheck = (outdir: string) =>
  build({
    ...shared,
    format: "cjs",
    banner: { js: "(function(exports,require,module,__dirname){" },
    footer: { js: "})" },
    plugins: [embed((file) => `__dirname + "/${file}"`), checkOnly],
    define: { "import.meta.url": "__dirname" },
    entryPoints: { check: `${root}cli/main.ts` },
    outExtension: { ".js": ".cjs" },
    outdir,
  });

/**
 * Beside check.cjs, the code that V8 compiled while it checked the quickstart (and printed the mistakes of the `init` template, whose
 * base is not there): with it, the next start compiles next to nothing. Code of what few files use would be read at every start; it is
 * compiled where it is needed. Made by this Node for this Node; another ignores it.
 */
const keepCode = (folder: string): void => {
  const driver = `
    const { readFileSync, writeFileSync } = require("node:fs");
    const { Script } = require("node:vm");
    const path = ${JSON.stringify(`${folder}check.cjs`)};
    const script = new Script(readFileSync(path, "latin1"), { filename: path });
    const module_ = { exports: {} };
    script.runInThisContext()(module_.exports, require, module_, ${JSON.stringify(folder)});
    const quiet = { write() {}, terminal: false, columns() {}, colour: false };
    const io = { cwd: ${JSON.stringify(root)}, out: quiet, err: quiet, stdin: () => "", now: () => 0 };
    module_.exports.main(["check", "examples/quickstart", "cli/template.peft"], io).then((code) => {
      if (code > 1) throw new Error("the sample run failed");
      writeFileSync(path + ".code", script.createCachedData());
    });`;
  execFileSync(process.execPath, ["-e", driver], { stdio: ["ignore", "ignore", "inherit"] });
};

/** Into a folder beside dist/ first, so that dist/ is always whole: one that a test is running from is replaced, not emptied. */
export const buildDist = async (): Promise<void> => {
  const next = `${root}dist.next/`;
  rmSync(next, { recursive: true, force: true });
  mkdirSync(next);
  await buildRuntime(next);
  await Promise.all([buildCommandLine(next), buildCheck(next), buildExecutable(next)]);
  keepCode(next);
  writeFileSync(`${next}built`, sourceHash());
  rmSync(dist, { recursive: true, force: true });
  renameSync(next, dist);
};

const sourceFolders = ["cli", "compiler", "grammar", "runtime", "spec", "stdlib"];

/** Of everything that goes into dist/. */
const sourceHash = (): string => {
  const hash = createHash("sha256").update(process.version);
  const files = sourceFolders.flatMap((folder) =>
    readdirSync(root + folder, { recursive: true, encoding: "utf8" }).map((file) => `${folder}/${file}`),
  );
  for (const file of [...files, "build.ts", "package.json", "package-lock.json"].sort())
    if (/\.(ts|md|peft|json)$/.test(file))
      hash
        .update(file)
        .update("\0")
        .update(readFileSync(root + file))
        .update("\0");
  return hash.digest("hex");
};

/** For the tests and the benchmarks: dist/ as the sources are now. */
export const buildWhenStale = async (): Promise<void> => {
  if (!existsSync(`${dist}built`) || readFileSync(`${dist}built`, "utf8") !== sourceHash()) await buildDist();
};

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildDist();
