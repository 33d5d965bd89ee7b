// The extension as VS Code loads it: out/extension.cjs with the client's library in it, server/ with the command as built, and this
// project's licence. `npm run package` then makes the .vsix.

import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { buildWhenStale } from "../../build.ts";

const here = fileURLToPath(new URL("./", import.meta.url));
const root = fileURLToPath(new URL("../../", import.meta.url));

/** Into `folder`, by default the extension's own. */
export const buildExtension = async (folder = here): Promise<void> => {
  await buildWhenStale();
  for (const part of ["out", "server"]) rmSync(folder + part, { recursive: true, force: true });
  await build({
    entryPoints: { extension: `${here}src/extension.ts` },
    outdir: `${folder}out`,
    outExtension: { ".js": ".cjs" },
    bundle: true,
    format: "cjs",
    platform: "node",
    target: "node20",
    minify: true,
    legalComments: "none",
    external: ["vscode"],
    logLevel: "warning",
  });
  mkdirSync(`${folder}server/chunks`, { recursive: true });
  for (const file of readdirSync(`${root}dist`, { recursive: true, encoding: "utf8" }))
    if (/^(peft\.cjs|main\.js|\w+\.txt|chunks[\\/].*\.js)$/.test(file)) cpSync(`${root}dist/${file}`, `${folder}server/${file}`);
  // The command is a module; the extension around it is none.
  writeFileSync(`${folder}server/package.json`, '{ "type": "module" }\n');
  if (!existsSync(`${folder}LICENSE`)) cpSync(`${root}LICENSE`, `${folder}LICENSE`);
};

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildExtension();
