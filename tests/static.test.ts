// What can be known without running the program: types, lint and format, and generated files that are as their sources say.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import Ajv from "ajv";
import { generated } from "../spec/generate.ts";
import { schemaOf, schemas } from "../spec/schema.ts";
import { assert, group } from "./harness.ts";

const root = fileURLToPath(new URL("../", import.meta.url));

const tool = (command: string, ...args: string[]): void => {
  const { status, stdout, stderr, error } = spawnSync(process.execPath, [`${root}node_modules/${command}`, ...args], {
    cwd: root,
    encoding: "utf8",
  });
  if (error) throw error;
  assert.is(status, 0, `${stdout}${stderr}`.slice(0, 4000));
};

group("static", (test) => {
  test("tsc has nothing to say", () => tool("typescript/bin/tsc", "-p", "."));
  test("biome has nothing to say", () => tool("@biomejs/biome/bin/biome", "ci", "--colors=off", "."));

  test("diagnostics.generated.ts is what the pages say (npm run generate)", () => {
    assert.ok(readFileSync(`${root}spec/diagnostics.generated.ts`, "utf8") === generated(), "run npm run generate");
  });

  for (const [file, content] of schemas())
    test(`${file} is what the types say (npm run generate), and Ajv's strict mode takes it`, () => {
      assert.ok(readFileSync(`${root}spec/${file}`, "utf8") === content, "run npm run generate");
      const validate = new Ajv({ strict: true }).compile(JSON.parse(content));
      assert.is(validate({}), false, "an empty object is no such document");
    });
});

group("schema", (test) => {
  const check = (types: string, value: unknown): boolean => new Ajv({ strict: true }).compile(schemaOf(types, "A", "a"))(value) as boolean;

  test("keys: required, optional, unknown", () => {
    const types = "interface A { readonly a: number; readonly b?: string }";
    assert.is(check(types, { a: 1 }), true);
    assert.is(check(types, { a: 1, b: "x" }), true);
    assert.is(check(types, { b: "x" }), false);
    assert.is(check(types, { a: 1, c: 1 }), false);
    assert.is(check(types, { a: "1" }), false);
  });

  test("an interface has the keys of those it extends", () => {
    const types = "interface A extends B { readonly a: number } interface B { readonly b: number }";
    assert.is(check(types, { a: 1, b: 1 }), true);
    assert.is(check(types, { a: 1 }), false);
  });

  test("unions of literals, of kinds, and recursion through a tuple", () => {
    assert.is(check('type A = "x" | "y";', "y"), true);
    assert.is(check('type A = "x" | "y";', "z"), false);
    const expression = "type A = number | readonly [string, ...A[]];";
    assert.is(check(expression, ["mul", ["step"], 0.5]), true);
    assert.is(check(expression, []), false);
    assert.is(check(expression, ["mul", null]), false);
  });

  test("closed tuples and records", () => {
    assert.is(check("type A = readonly [x: number, y: string];", [1, "a"]), true);
    assert.is(check("type A = readonly [x: number, y: string];", [1]), false);
    assert.is(check("type A = readonly [x: number, y: string];", [1, "a", 2]), false);
    assert.is(check("type A = Readonly<Record<string, number>>;", { a: 1 }), true);
    assert.is(check("type A = Readonly<Record<string, number>>;", { a: "1" }), false);
  });

  test("a form it does not know is refused", () => {
    assert.throws(() => schemaOf("type A = keyof Window;", "A", "a"), /no schema for|Window/);
  });
});
