// Every command, in the order a person meets them. Data only: nothing here loads a command's own code.

import type { Command, Option } from "./command.ts";

const set: Option = { type: "values", value: "NAME=VALUE", says: "give an `input` of the file another value; may be repeated" };
const json: Option = { type: "flag", says: "print what a machine may read" };
const format: Option = { type: "value", value: "text|json|github|sarif", says: "how diagnostics are printed (text)" };
const deny: Option = { type: "value", value: "warnings", says: "a warning fails as an error does" };
const device: Option = { type: "value", value: "auto|cpu|webgpu", says: "auto takes a real GPU if there is one, else the CPU" };
const output = (says: string): Option => ({ type: "value", short: "o", value: "DIR", says });
const checking = { set, format, deny } as const;
const running = { output: output("where results go (out/NAME)"), device, ...checking, json } as const;

export const commands: readonly Command[] = [
  {
    name: "init",
    says: "write a small commented pipeline to start from",
    takes: "[FILE]",
    count: [0, 1],
    options: {},
    examples: ["peft init", "peft init menu.peft"],
    load: () => import("./init.ts"),
  },
  {
    name: "check",
    says: "find every mistake before a single weight is read",
    takes: "FILE|FOLDER|GLOB|- …",
    count: [1, Number.POSITIVE_INFINITY],
    options: {
      ...checking,
      json: { type: "flag", says: "short for --format json" },
      fix: { type: "flag", says: "write the fixes into the files, and report what is left" },
    },
    examples: [
      "peft check menu.peft",
      "peft check --fix menu.peft",
      "peft check pipelines/ --format github --deny warnings",
      "cat menu.peft | peft check -",
    ],
    load: () => import("./check.ts"),
  },
  {
    name: "plan",
    says: "what is trained, and what it will cost",
    takes: "FILE",
    count: [1, 1],
    options: { ...checking, json },
    examples: ["peft plan menu.peft", "peft plan menu.peft --set rank=16 --json"],
    load: () => import("./plan.ts"),
  },
  {
    name: "build",
    says: "write a job bundle that runs without the compiler",
    takes: "FILE",
    count: [1, 1],
    options: {
      output: output("where the bundle goes (out/NAME)"),
      emit: { type: "value", value: "LEVEL", says: "print one level of the compilation instead; `--emit help` lists them" },
      ...checking,
      json,
    },
    examples: ["peft build menu.peft -o out/menu", "peft build menu.peft --emit kernels"],
    load: () => import("./build.ts"),
  },
  {
    name: "run",
    says: "do everything the file declares, in order",
    takes: "FILE",
    count: [1, 1],
    options: running,
    examples: ["peft run menu.peft -o out/menu", "peft run menu.peft --device cpu --json > result.json"],
    load: () => import("./run.ts"),
  },
  {
    name: "train",
    says: "run the file's `train` blocks only",
    takes: "FILE [NAME …]",
    count: [1, Number.POSITIVE_INFINITY],
    options: running,
    examples: ["peft train menu.peft", "peft train menu.peft menu -o out/menu"],
    load: () => import("./train.ts"),
  },
  {
    name: "evaluate",
    says: "run the file's `evaluate` blocks only",
    takes: "FILE [NAME …]",
    count: [1, Number.POSITIVE_INFINITY],
    options: running,
    examples: ["peft evaluate menu.peft -o out/menu"],
    load: () => import("./evaluate.ts"),
  },
  {
    name: "generate",
    says: "answer a prompt with the base or an adapter",
    takes: "FILE [NAME]",
    count: [1, 2],
    options: {
      prompt: { type: "values", value: "TEXT", says: "may be repeated; without it, one prompt per line of stdin" },
      adapter: { type: "values", value: "NAME", says: "of a mix: which of its adapters answers; one for all prompts, or one each" },
      "max-new-tokens": { type: "value", value: "N", says: "stop after this many tokens (64)" },
      temperature: { type: "value", value: "X", says: "0 takes the likeliest token each time (0)" },
      seed: { type: "value", value: "N", says: "for temperatures above 0 (0)" },
      ...running,
    },
    examples: ['peft generate menu.peft menu --prompt "name[Aromi], food[Italian] ||"'],
    load: () => import("./generate.ts"),
  },
  {
    name: "sweep",
    says: "run the file's sweeps: one training per point, and a table",
    takes: "FILE [NAME …]",
    count: [1, Number.POSITIVE_INFINITY],
    options: running,
    examples: ["peft sweep menu.peft -o out/menu", "peft sweep menu.peft ranks --json"],
    load: () => import("./sweep.ts"),
  },
  {
    name: "compare",
    says: "run the file's comparisons: quality, forgetting and cost side by side",
    takes: "FILE [NAME …]",
    count: [1, Number.POSITIVE_INFINITY],
    options: running,
    examples: ["peft compare menu.peft -o out/menu"],
    load: () => import("./compare.ts"),
  },
  {
    name: "merge",
    says: "write the adapter into the base's weights",
    takes: "FILE [NAME …]",
    count: [1, Number.POSITIVE_INFINITY],
    options: running,
    examples: ["peft merge menu.peft -o out/menu"],
    load: () => import("./merge.ts"),
  },
  {
    name: "fmt",
    says: "write files the one way they are written",
    takes: "FILE|FOLDER|GLOB|- …",
    count: [1, Number.POSITIVE_INFINITY],
    options: { check: { type: "flag", says: "change nothing; exit 1 when a file is not formatted" }, format },
    examples: ["peft fmt menu.peft", "peft fmt --check pipelines/"],
    load: () => import("./fmt.ts"),
  },
  {
    name: "import",
    says: "turn a pipeline of Axolotl or LLaMA-Factory, or a PEFT configuration, into a .peft file",
    takes: "FILE|FOLDER …",
    count: [1, Number.POSITIVE_INFINITY],
    options: {
      output: {
        type: "value",
        short: "o",
        value: "FILE",
        says: "where it goes (NAME.peft here); a folder for several, - for standard output",
      },
      "dry-run": { type: "flag", says: "write nothing; of several files say how many import whole, and what the others lack" },
      format,
      deny,
      json,
    },
    examples: ["peft import qlora.yml", "peft import adapter/adapter_config.json -o -", "peft import configs/ --dry-run"],
    load: () => import("./import.ts"),
  },
  {
    name: "lsp",
    says: "the language server, for editors, on standard input and output",
    takes: "",
    count: [0, 0],
    options: { stdio: { type: "flag", says: "what it does anyway; editors say it" } },
    examples: ["peft lsp"],
    load: () => import("./lsp.ts"),
  },
  {
    name: "explain",
    says: "the page behind an error code, or what a name of the language means",
    takes: "CODE|NAME",
    count: [1, 1],
    options: {},
    examples: ["peft explain PEFT0312", "peft explain lora", "peft explain micro_batch_size"],
    load: () => import("./explain.ts"),
  },
];
