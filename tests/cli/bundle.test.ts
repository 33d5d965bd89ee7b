// The built command line and the bundles it writes, as processes of their own: two builds are equal byte for byte, job.ts is well
// typed, and `node job.js` does what `peft run` does, with no compiler in reach.

import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildWhenStale } from "../../build.ts";
import { jobProblem, resultProblem } from "../../cli/validate.ts";
import { assert, group } from "../harness.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const executable = `${root}dist/peft.cjs`;

const pipeline = `peft 1

base fresh = blank("shape/", seed: 1)

adapter menu = lora(r: 2) into fresh.layers.*.attn.{q, v}

data rows {
  train = jsonl("rows.jsonl")
  prompt = "{q}"
  answer = "{a}"
}

train menu on rows {
  optimizer: adamw(learning_rate: 1e-2)
  steps: 3
  micro_batch_size: 2
  sequence_len: 32
}

evaluate menu on rows.train {
  metrics: [loss]
}
`;

/** Inside the repository, so that a bundle finds the engines where an installed one would. */
const inFolder = async (body: (folder: string) => void | Promise<void>): Promise<void> => {
  mkdirSync(`${root}out`, { recursive: true });
  const folder = mkdtempSync(`${root}out/test-`);
  try {
    cpSync(`${root}examples/base/shape`, join(folder, "shape"), { recursive: true });
    writeFileSync(join(folder, "menu.peft"), pipeline);
    writeFileSync(
      join(folder, "rows.jsonl"),
      ["one", "two", "three", "four"].map((q) => `${JSON.stringify({ q, a: `${q} again` })}\n`).join(""),
    );
    await buildWhenStale();
    await body(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

const node = (folder: string, ...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: "utf8" });
  return { code: status, out: stdout, err: stderr };
};

const contents = (folder: string): ReadonlyMap<string, string> =>
  new Map(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => [
        join(entry.parentPath, entry.name).slice(folder.length),
        readFileSync(join(entry.parentPath, entry.name), "latin1"),
      ]),
  );

group("bundle", (test) => {
  test("two builds are byte-identical, and job.json keeps to its schema", () =>
    inFolder((folder) => {
      for (const name of ["a", "b"]) {
        const { code, err } = node(folder, executable, "build", "menu.peft", "-o", name);
        assert.is(code, 0, err);
      }
      const [a, b] = [contents(join(folder, "a")), contents(join(folder, "b"))];
      assert.equal([...a.keys()].sort(), [...b.keys()].sort());
      for (const [file, text] of a) assert.ok(b.get(file) === text, `${file} differs`);
      assert.is(jobProblem(JSON.parse(a.get("/job.json")!)), undefined);
      assert.not.match([...a].filter(([file]) => file !== "/runtime.js").join(), folder);
    }));

  test("job.ts is well typed beside its runtime.d.ts, and its names are this job's", () =>
    inFolder((folder) => {
      assert.is(node(folder, executable, "build", "menu.peft", "-o", "bundle").code, 0);
      const types = (text: string) => {
        writeFileSync(join(folder, "bundle/use.ts"), text);
        const options = ["--ignoreConfig", "--noEmit", "--strict", "--target", "es2022", "--module", "nodenext", "--types", "node"];
        return node(
          folder,
          `${root}node_modules/typescript/bin/tsc`,
          ...options,
          "--typeRoots",
          `${root}node_modules/@types`,
          "bundle/use.ts",
        );
      };
      const use = (name: string): string =>
        `import { run } from "./job.js";\nexport const n: number = (await run()).adapters.${name}.trainable;\n`;
      const { code, out } = types(use("menu"));
      assert.is(code, 0, out);
      assert.match(types(use("menue")).out, "menue");
    }));

  test("node job.js trains to the same losses as peft run; an edited job.json is refused", () =>
    inFolder((folder) => {
      const ran = node(folder, executable, "run", "menu.peft", "-o", "ran", "--device", "cpu", "--json");
      assert.is(ran.code, 0, ran.err);
      assert.is(node(folder, executable, "build", "menu.peft", "-o", "bundle").code, 0);
      const alone = node(folder, "bundle/job.js", "--device", "cpu", "--json");
      assert.is(alone.code, 0, alone.err);
      const [a, b] = [JSON.parse(ran.out), JSON.parse(alone.out)];
      assert.is(resultProblem(a), undefined);
      assert.is(a.train[0].losses.length, 3);
      assert.equal(b.train[0].losses, a.train[0].losses);
      assert.equal(b.evaluate[0].metrics, a.evaluate[0].metrics);

      const named = node(folder, executable, "generate", "menu.peft", "menue");
      assert.equal([named.code, named.err.includes("did you mean") || named.err.includes("add `generate:")], [1, true]);

      const path = join(folder, "bundle/job.json");
      writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), extra: 1 }));
      const edited = node(folder, "bundle/job.js", "--device", "cpu");
      assert.is(edited.code, 1);
      assert.match(edited.err, "PEFT0914");
      assert.match(edited.err, "extra");
    }));
});

group("output folders", (test) => {
  test("one that cannot be written is found before anything is trained", () =>
    inFolder((folder) => {
      for (const output of ["menu.peft", "menu.peft/below"]) {
        const { code, err } = node(folder, executable, "run", "menu.peft", "-o", output, "--device", "cpu");
        assert.is(code, 1);
        assert.match(err, "PEFT0502");
        assert.not.match(err, "train menu");
      }
    }));

  test("build refuses a folder of something else, and writes over a bundle", () =>
    inFolder((folder) => {
      const build = () => node(folder, executable, "build", "menu.peft", "-o", "shape");
      assert.match(build().err, "PEFT0505");
      assert.is(node(folder, executable, "build", "menu.peft", "-o", "bundle").code, 0);
      assert.is(node(folder, executable, "build", "menu.peft", "-o", "bundle").code, 0);
    }));
});

group("built command line", (test) => {
  test("check, started from its compiled code, prints what it prints from source", () =>
    inFolder(async (folder) => {
      const { main } = await import("../../cli/main.ts");
      writeFileSync(join(folder, "menu.peft"), pipeline.replace("attn.{q, v}", "attn.{q_proj, v}"));
      const parts: string[] = [];
      const stream = { write: (text: string) => void parts.push(text), terminal: false, columns: () => undefined, colour: false };
      const code = await main(["check", "menu.peft"], { cwd: folder, out: stream, err: stream, stdin: () => "", now: () => 0 });
      const built = node(folder, executable, "check", "menu.peft");
      assert.equal([built.code, built.out + built.err], [code, parts.join("")]);
      assert.match(built.out, "PEFT0312");
    }));

  test("a closed pipe is no fault", () =>
    inFolder((folder) => {
      const { status, stderr } = spawnSync("sh", ["-c", `"${process.execPath}" "${executable}" --help | head -n 1`], {
        cwd: folder,
        encoding: "utf8",
      });
      assert.equal([status, stderr], [0, ""]);
    }));

  test("check loads no device and no ts-morph", () =>
    inFolder((folder) => {
      writeFileSync(
        join(folder, "probe.cjs"),
        `process.on("exit", () => {
           const loaded = [...Object.keys(require.cache), ...process.report.getReport().sharedObjects];
           process.stderr.write(JSON.stringify(loaded));
         });`,
      );
      const { code, err } = node(folder, "--require", "./probe.cjs", executable, "check", "menu.peft");
      assert.is(code, 0, err);
      const loaded: readonly string[] = JSON.parse(err);
      assert.ok(loaded.includes(executable));
      assert.equal(
        loaded.filter((file) => /webgpu|dawn|onnx|ts-morph/.test(file)),
        [],
      );
    }));
  test("a loss that is no number stops the run before the parameters move, and what was trained is saved", () =>
    inFolder((folder) => {
      writeFileSync(
        join(folder, "wild.peft"),
        pipeline
          .replace("lora(r: 2) into fresh.layers.*.attn.{q, v}", "tune() into fresh.**")
          .replace("adamw(learning_rate: 1e-2)", "sgd(learning_rate: 3e38)")
          .replace("steps: 3", "steps: 9"),
      );
      const { code, err } = node(folder, executable, "train", "wild.peft", "-o", "wild", "--device", "cpu");
      assert.is(code, 1, err);
      assert.match(err, /error\[PEFT\d{4}\]: .*menu/);
      assert.match(err, /what the \d steps? before it made of menu is saved/);
      assert.not.match(err, /\n {4}at /, "a stack trace");
      const state = [...contents(join(folder, "wild/state")).values()].join("");
      assert.match(state, /menu\.parameters/);
    }));
});
