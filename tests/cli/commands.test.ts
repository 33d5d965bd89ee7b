// The commands as a person uses them, run in-process in a folder of their own: exit codes, what is printed where, what is written.

import { assert, group } from "../harness.ts";
import { peft } from "./run-cli.ts";

const good = "peft 1\n\nimport { lora } from std.methods\n";
const untidy = "peft 1\n\n\n\nimport   {lora}   from std.methods\n";
const broken = "peft 1\n\nbase tiny = checkpoint(\n";

group("command line", (test) => {
  test("--help lists every command, and each has its own", async () => {
    const { code, out } = await peft("--help");
    assert.is(code, 0);
    for (const command of ["check", "plan", "build", "run", "train", "evaluate", "generate", "merge", "fmt", "explain", "init"]) {
      assert.match(out, `\n  ${command} `);
      const help = await peft(`${command} --help`);
      assert.is(help.code, 0);
      assert.match(help.out, `usage: peft ${command}`);
      assert.is(help.err, "");
    }
  });

  test("--version is package.json's", async () => {
    const { code, out } = await peft("--version");
    assert.is(code, 0);
    assert.match(out, /^peft \d+\.\d+\.\d+\n$/);
  });

  test("no command is wrong usage, so a CI job with an empty variable does not pass", async () => {
    const { code, out, err } = await peft("");
    assert.is(code, 2);
    assert.is(out, "");
    assert.match(err, "usage: peft COMMAND");
  });

  for (const [command, problem, help] of [
    ["chekc menu.peft", "PEFT0901", "did you mean `peft check`?"],
    ["check menu.peft --jsn", "PEFT0902", "did you mean `--json`?"],
    ["check menu.peft --format xml", "PEFT0903", "one of: text, json, github, sarif"],
    ["check menu.peft --format githb", "PEFT0903", "did you mean `github`?"],
    ["check menu.peft --format", "PEFT0903", "needs a value"],
    ["check menu.peft --json=yes", "PEFT0903", "takes no value"],
    ["check menu.peft --format json --format text", "PEFT0903", "is given 2 times"],
    ["run menu.peft --device gpu", "PEFT0903", "cannot be `gpu`"],
    ["run menu.peft --set rank", "PEFT0903", "needs NAME=VALUE"],
    ["generate menu.peft --max-new-tokens many", "PEFT0903", "needs a whole number"],
    ["check", "PEFT0904", "peft check FILE"],
    ["explain PEFT0312 PEFT0901", "PEFT0905", "peft explain CODE"],
    ["explain PEFT9999", "PEFT0909", "PEFT9999"],
    ["build menu.peft --emit kernel", "PEFT0912", "did you mean `kernels`?"],
  ] as const)
    test(`peft ${command}: ${problem}, exit 2`, async () => {
      const { code, out, err } = await peft(command, { files: { "menu.peft": good } });
      assert.is(code, 2);
      assert.is(out, "");
      assert.match(err, `error[${problem}]`);
      assert.match(err, help);
    });

  test("several mistakes on one command line come out together", async () => {
    const { err } = await peft("check --jsn --format xml");
    for (const problem of ["PEFT0902", "PEFT0903", "PEFT0904"]) assert.match(err, problem);
  });

  test("a fault of our own says so, exits 2 and keeps its stack to itself", async () => {
    const io = { stdinFails: true } as const;
    const { code, err } = await peft("check -", io);
    assert.is(code, 2);
    assert.match(err, "error[PEFT0900]");
    assert.match(err, "--verbose");
    assert.not.match(err, "    at ");
    const { err: told } = await peft("check - --verbose", io);
    assert.match(told, "    at ");
  });
});

group("check", (test) => {
  test("a clean file: one line, exit 0", async () => {
    const { code, out, err } = await peft("check menu.peft", { files: { "menu.peft": good } });
    assert.equal([code, out, err], [0, "no problems in 1 file\n", ""]);
  });

  test("a mistake: a frame, a summary, exit 1", async () => {
    const { code, out } = await peft("check menu.peft", { files: { "menu.peft": broken } });
    assert.is(code, 1);
    assert.match(out, "--> menu.peft:3:");
    assert.match(out, /\n\d errors? in 1 file\n$/);
  });

  test("standard input", async () => {
    assert.is((await peft("check -", { stdin: good })).code, 0);
    const { code, out } = await peft("check -", { stdin: broken });
    assert.is(code, 1);
    assert.match(out, "--> <stdin>:3:");
  });

  test("folders, globs and files; each file once, hidden ones and node_modules left out", async () => {
    const files = { "a/one.peft": good, "a/b/two.peft": good, "a/.c/no.peft": broken, "node_modules/no.peft": broken, "a/readme.txt": "" };
    for (const names of ["a", ".", "a a/one.peft", "**/*.peft", "a/**/*.peft", "a/{one,b/two}.peft"]) {
      const { code, out } = await peft(`check ${names}`, { files });
      assert.equal([names, code, out], [names, 0, "no problems in 2 files\n"]);
    }
    assert.is((await peft("check a/*.peft", { files })).out, "no problems in 1 file\n");
  });

  test("a name that leads nowhere is an error with the near name; the other files are still checked", async () => {
    const { code, out } = await peft("check meun.peft broken.peft", { files: { "menu.peft": good, "broken.peft": broken } });
    assert.is(code, 1);
    assert.match(out, "did you mean `menu.peft`?");
    assert.match(out, "broken.peft:3:");
    assert.match((await peft("check empty/*.peft", { files: { "menu.peft": good } })).out, "PEFT0907");
  });

  test("a byte order mark and Windows line ends change no position", async () => {
    const { out } = await peft("check menu.peft", { files: { "menu.peft": `\ufeff${broken.replaceAll("\n", "\r\n")}` } });
    assert.match(out, "--> menu.peft:3:");
  });

  test("--format json: places by line, column and offset", async () => {
    const { code, out } = await peft("check menu.peft --format json", { files: { "menu.peft": broken } });
    assert.is(code, 1);
    const report = JSON.parse(out);
    assert.equal(report.files, ["menu.peft"]);
    assert.is(report.errors, report.diagnostics.length);
    const [{ code: id, at }] = report.diagnostics;
    assert.match(id, /^PEFT\d{4}$/);
    assert.is(at.file, "menu.peft");
    assert.is(
      broken
        .split("\n")
        .slice(0, at.start.line - 1)
        .join("\n").length +
        1 +
        at.start.column -
        1,
      at.start.offset,
    );
    assert.equal(JSON.parse((await peft("check menu.peft --json", { files: { "menu.peft": good } })).out).diagnostics, []);
  });

  test("--format github: one command per diagnostic, with its line", async () => {
    const { out } = await peft("check menu.peft --format github", { files: { "menu.peft": broken } });
    for (const line of out.trim().split("\n")) assert.match(line, /^::error file=menu\.peft,line=3,.*title=PEFT\d{4}::./);
  });

  test("--format sarif: version 2.1.0, with regions", async () => {
    const { out } = await peft("check menu.peft --format sarif", { files: { "menu.peft": broken } });
    const { version, runs } = JSON.parse(out);
    assert.is(version, "2.1.0");
    const [result] = runs[0].results;
    assert.is(runs[0].tool.driver.rules[result.ruleIndex].id, result.ruleId);
    assert.is(result.locations[0].physicalLocation.region.startLine, 3);
  });

  test("colour on a terminal and nowhere else", async () => {
    const files = { "menu.peft": broken };
    assert.match((await peft("check menu.peft", { files, terminal: 80 })).out, "\u001b[31m");
    assert.not.match((await peft("check menu.peft", { files })).out, "\u001b");
  });
});

group("fmt", (test) => {
  test("writes what is not formatted, and only that", async () => {
    const { code, out, file } = await peft("fmt .", { files: { "a.peft": good, "b.peft": untidy } });
    assert.equal([code, out], [0, "formatted b.peft\n"]);
    assert.is(file("b.peft"), good);
  });

  test("--check writes nothing, shows the first line that would change, exits 1", async () => {
    const { code, out, file } = await peft("fmt --check b.peft", { files: { "b.peft": untidy } });
    assert.is(code, 1);
    assert.match(out, "PEFT0910");
    assert.is(file("b.peft"), untidy);
    assert.is((await peft("fmt --check a.peft", { files: { "a.peft": good } })).code, 0);
  });

  test("standard input to standard output", async () => {
    const { code, out } = await peft("fmt -", { stdin: untidy });
    assert.equal([code, out], [0, good]);
  });

  test("a file with a syntax error is left as it is", async () => {
    const { code, err, file } = await peft("fmt menu.peft", { files: { "menu.peft": broken } });
    assert.is(code, 1);
    assert.match(err, "menu.peft:3:");
    assert.is(file("menu.peft"), broken);
  });
});

group("init and explain", (test) => {
  test("init writes a formatted pipeline that parses, and never replaces a file", async () => {
    const { code, out, file } = await peft("init");
    assert.is(code, 0);
    assert.match(out, "wrote main.peft");
    const text = file("main.peft")!;
    assert.is((await peft("fmt --check main.peft", { files: { "main.peft": text } })).out, "no problems in 1 file\n");
    const again = await peft("init main.peft", { files: { "main.peft": "mine" } });
    assert.is(again.code, 1);
    assert.match(again.err, "PEFT0908");
    assert.is(again.file("main.peft"), "mine");
    assert.match((await peft("init no/folder/x.peft")).err, "cannot write");
  });

  test("the pipeline of init has no mistake but the base and data that are not there yet", async () => {
    const { file } = await peft("init");
    const { out } = await peft("check main.peft --json", { files: { "main.peft": file("main.peft")! } });
    assert.equal(
      JSON.parse(out).diagnostics.map(({ code }: { code: string }) => code),
      ["PEFT0340"],
    );
  });

  test("explain prints a page; digits alone will do", async () => {
    const { code, out } = await peft("explain PEFT0312");
    assert.is(code, 0);
    assert.match(out, "Every pattern must match at least once");
    assert.is((await peft("explain 312")).out, out);
    assert.is((await peft("explain peft0312")).out, out);
  });
});
