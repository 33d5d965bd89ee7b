// What other people's CI runs: the reusable action's own script over a folder with a mistake, and the pre-commit hooks' entries over
// the same files, with the built command. Only the steps that fetch Node and packages are left out.

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { buildWhenStale } from "../../build.ts";
import { commands } from "../../cli/commands.ts";
import { assert, group } from "../harness.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

interface Step {
  readonly name?: string;
  readonly run?: string;
  readonly env?: Readonly<Record<string, string>>;
}
interface Action {
  readonly inputs: Readonly<Record<string, { readonly default: string }>>;
  readonly runs: { readonly steps: readonly Step[] };
}
interface Hook {
  readonly id: string;
  readonly entry: string;
  readonly files: string;
}

const read = (file: string): string => readFileSync(root + file, "utf8");
const action: Action = parse(read("action.yml"));
const hooks: readonly Hook[] = parse(read(".pre-commit-hooks.yaml"));
const check = action.runs.steps.find(({ name }) => name === "Check")!;

const files = {
  "good/a.peft": "peft 1\n\nimport { lora } from std.methods\n",
  "bad/b.peft": "peft 1\n\nimport { loar } from std.methods\n",
  "untidy/c.peft": "peft 1\nimport   {lora} from std.methods\n",
};

const inFolder = <T>(use: (folder: string) => T): T => {
  const folder = mkdtempSync(join(tmpdir(), "peft-ci-"));
  try {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(join(folder, name, ".."), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
    return use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

/** The action's script with these inputs, as the runner would start it. */
const act = (given: Readonly<Record<string, string>>, then?: (folder: string) => void): { status: number | null; out: string } =>
  inFolder((folder) => {
    const value = (expression: string): string => {
      const input = /^\$\{\{ inputs\.(\w+) \}\}$/.exec(expression)![1]!;
      return given[input] ?? action.inputs[input]!.default;
    };
    const env = Object.fromEntries(Object.entries(check.env!).map(([name, expression]) => [name, value(expression)]));
    const { status, stdout } = spawnSync("bash", ["--noprofile", "--norc", "-e", "-o", "pipefail", "-c", check.run!], {
      cwd: folder,
      encoding: "utf8",
      env: { PATH: process.env.PATH, GITHUB_ACTION_PATH: root, ...env },
    });
    then?.(folder);
    return { status, out: stdout };
  });

group("ci", (test) => {
  test("the action annotates a mistake and fails", async () => {
    await buildWhenStale();
    const { status, out } = act({ files: "bad\ngood/a.peft" });
    assert.match(out, /^::error file=bad\/b\.peft,line=3,endLine=3,col=10,endColumn=13,title=PEFT\d{4}::.*loar/m);
    assert.is(status, 1);
  });

  test("the action passes a clean folder, and says nothing", async () => {
    await buildWhenStale();
    assert.equal(act({ files: "good" }), { status: 0, out: "" });
  });

  test("`formatted` fails what is not as `peft fmt` writes it", async () => {
    await buildWhenStale();
    assert.is(act({ files: "untidy" }).status, 0);
    const { status, out } = act({ files: "untidy", formatted: "true" });
    assert.match(out, /^::error file=untidy\/c\.peft.*PEFT0910/m);
    assert.is(status, 1);
  });

  test("`sarif` writes the same findings, whatever the outcome", async () => {
    await buildWhenStale();
    let written = "";
    act({ files: "bad", sarif: "found.sarif" }, (folder) => {
      written = readFileSync(join(folder, "found.sarif"), "utf8");
    });
    const [run] = JSON.parse(written).runs;
    assert.is(run.results.length, 1);
    assert.is(run.results[0].locations[0].physicalLocation.artifactLocation.uri, "bad/b.peft");
  });

  test("every input is used, and every use is an input", () => {
    const used = Object.values(check.env!).map((expression) => /inputs\.(\w+)/.exec(expression)![1]!);
    assert.equal(used.sort(), Object.keys(action.inputs).sort());
  });

  test("the pre-commit hooks run commands that exist, on .peft files", async () => {
    await buildWhenStale();
    assert.equal(hooks.map(({ id }) => id).sort(), ["peft-check", "peft-fmt"]);
    for (const { entry, files: pattern } of hooks) {
      const [tool, name] = entry.split(" ");
      assert.is(tool, "peft");
      assert.ok(
        commands.some((command) => command.name === name),
        entry,
      );
      assert.ok(new RegExp(pattern).test("pipelines/menu.peft") && !new RegExp(pattern).test("menu.peft.md"));
      const run = (file: string): number | null =>
        inFolder((folder) => spawnSync(process.execPath, [`${root}dist/peft.cjs`, name!, file], { cwd: folder }).status);
      assert.is(run("good/a.peft"), 0, entry);
      if (name === "check") assert.is(run("bad/b.peft"), 1);
    }
  });
});
