// `npm install` of this repository: builds dist/. Run by plain Node, since npm that installs a git repository for everyone (`npm install -g
// git+…`, as pre-commit does) passes `global` on to the preparation, and the packages that build are then not there: they are fetched here.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

const run = (command, ...args) => {
  const environment = { ...process.env, npm_config_global: "false", npm_config_omit: "", npm_config_ignore_scripts: "true" };
  const { status } = spawnSync(command, args, { stdio: "inherit", env: environment, shell: process.platform === "win32" });
  if (status !== 0) process.exit(status ?? 1);
};

if (!existsSync("node_modules/tsx")) run("npm", "ci", "--include=dev", "--no-audit", "--no-fund");
run(process.execPath, "node_modules/tsx/dist/cli.mjs", "build.ts");
