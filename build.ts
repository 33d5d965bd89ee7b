// Sources -> dist/: `peft.js` (the command line, split so that each command loads its own code) and `runtime.js` (what a job
// bundle carries to run without the compiler). Texts the tool needs at run time (stdlib, diagnostic pages, the `init` template)
// are built in, so starting it opens no file but its own chunks. Native packages and ts-morph stay outside.

import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build, type Plugin } from "esbuild";

const root = fileURLToPath(new URL("./", import.meta.url));
const dist = `${root}dist/`;

/** Modules of cli/embedded are run now, and what they export is what the bundle holds. */
const embed: Plugin = {
  name: "embed",
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]cli[\\/]embedded[\\/]\w+\.ts$/ }, async ({ path }) => {
      const exported: Record<string, unknown> = await import(path);
      const lines = Object.entries(exported).map(([name, value]) =>
        value instanceof Map
          ? `export const ${name} = new Map(${JSON.stringify([...value])});`
          : `export const ${name} = ${JSON.stringify(value)};`,
      );
      return { contents: lines.join("\n"), loader: "js" };
    });
  },
};

const shared = {
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node20",
  minify: true,
  sourcemap: "external",
  legalComments: "none",
  external: ["webgpu", "onnxruntime-node", "ts-morph"],
  plugins: [embed],
  logLevel: "warning",
  metafile: true,
} as const;

const folders = ["cli", "compiler", "grammar", "runtime", "spec", "stdlib"];

/** Newest change below the folders that go into dist/. */
const newestSource = (): number => {
  const files = folders.flatMap((folder) =>
    readdirSync(root + folder, { recursive: true, encoding: "utf8" }).map((file) => `${root}${folder}/${file}`),
  );
  return Math.max(...[...files, `${root}build.ts`, `${root}package.json`].map((file) => statSync(file).mtimeMs));
};

export const buildDist = async (): Promise<void> => {
  rmSync(dist, { recursive: true, force: true });
  await build({ ...shared, entryPoints: { peft: `${root}cli/bin.ts` }, outdir: dist, splitting: true, chunkNames: "chunks/[name]-[hash]" });
  if (existsSync(`${root}runtime/main.ts`)) await build({ ...shared, entryPoints: { runtime: `${root}runtime/main.ts` }, outdir: dist });
};

/** For the tests and the benchmarks: dist/ as the sources are now. */
export const buildWhenStale = async (): Promise<void> => {
  const built = statSync(`${dist}peft.js`, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (built < newestSource()) await buildDist();
};

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildDist();
