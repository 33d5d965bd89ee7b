// Job -> job.ts: a program that runs this one job, with its names as types, so that a program around it (a sweep, a service, a test)
// is checked against what the job really has. And job.ts -> job.js, which Node runs as it is.
//
// The only file that loads ts-morph (half a second), so it is itself loaded when a bundle is written and never before.
// What it prints depends on the job alone: two builds are byte-identical.

import { IndentationText, Project, type SourceFile, ts, VariableDeclarationKind } from "ts-morph";
import type { Job } from "../../spec/job.ts";

const runtime = "./runtime.js"; // stands beside job.ts in the bundle, so a bundle needs no compiler and no package of ours

export const emitTypeScript = (job: Job): string => {
  const project = new Project({
    useInMemoryFileSystem: true,
    skipLoadingLibFiles: true,
    manipulationSettings: { indentationText: IndentationText.TwoSpaces },
  });
  const file = project.createSourceFile("job.ts");
  file.addImportDeclarations([
    { moduleSpecifier: runtime, namedImports: ["isProgram", "main", "runBundle"] },
    {
      moduleSpecifier: runtime,
      namedImports: ["AdapterResult", "EvaluateResult", "Result", "RunOptions", "TrainResult"],
      isTypeOnly: true,
    },
  ]);
  names(file, job);
  results(file, job);
  file.addVariableStatement({
    isExported: true,
    declarationKind: VariableDeclarationKind.Const,
    docs: [{ description: "Runs the job, and gives back what result.json holds." }],
    declarations: [
      {
        name: "run",
        initializer:
          'async (options: RunOptions = {}): Promise<JobResult> =>\n  // runBundle checks job.json against the schema, and this file was written from the same job.\n  (await runBundle(new URL("./", import.meta.url), options)) as JobResult',
      },
    ],
  });
  file.addStatements('\nif (isProgram(import.meta.url)) await main(new URL("./", import.meta.url), process.argv.slice(2));');
  file.insertText(0, header(job));
  file.formatText({ indentSize: 2 });
  return file.getFullText();
};

/** Types taken away, nothing else changed. */
export const emitJavaScript = (typescript: string): string =>
  ts.transpileModule(typescript, {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, removeComments: false },
  }).outputText;

const header = (job: Job): string => `// The job \`${job.name}\`, made from ${job.source.file}. Runs without the compiler:
//
//   node job.js --help
//
// Written by \`peft build\`; build again instead of editing.

`;

const names = (file: SourceFile, job: Job): void => {
  const alias = (name: string, description: string, members: readonly string[]): void => {
    file.addTypeAlias({ name, isExported: true, docs: [{ description }], type: union(members) });
  };
  alias("BaseName", "The frozen model.", [literal(job.base.name)]);
  alias(
    "AdapterName",
    "What this job trains.",
    job.adapters.map(({ name }) => literal(name)),
  );
  alias("MetricName", "What `evaluate` reports.", job.evaluate.flatMap(scoresOf).map(literal));
  alias("ProgramName", "Programs in job.json; each is a list of calls over placed values.", Object.keys(job.programs).map(literal));
  alias(
    "TrainedParameter",
    "Parameters that training moves; a repeat's index is any number.",
    job.parameters.filter(({ trained }) => trained).map(({ name }) => pattern(name)),
  );
  alias(
    "FrozenParameter",
    "Parameters that stay as they were read.",
    job.parameters.filter(({ trained }) => !trained).map(({ name }) => pattern(name)),
  );
};

const scoresOf = ({ metrics }: Job["evaluate"][number]): string[] => metrics.flatMap(({ scores }) => scores);

const results = (file: SourceFile, job: Job): void => {
  // Where blocks report different metrics, none is promised for all.
  const promised = new Set(job.evaluate.map((block) => scoresOf(block).sort().join())).size > 1 ? "Partial" : "Readonly";
  file.addInterface({
    name: "JobResult",
    isExported: true,
    extends: ['Omit<Result, "adapters" | "train" | "evaluate">'],
    docs: [{ description: "`Result` with the names of this job." }],
    properties: [
      { name: "adapters", isReadonly: true, type: "Readonly<Record<AdapterName, AdapterResult>>" },
      { name: "train", isReadonly: true, type: "readonly (TrainResult & { readonly adapter: AdapterName })[]" },
      {
        name: "evaluate",
        isReadonly: true,
        type: `readonly (EvaluateResult & { readonly subject: BaseName | AdapterName; readonly metrics: ${promised}<Record<MetricName, number>> })[]`,
      },
    ],
  });
  file.addInterface({
    name: "Sizes",
    isExported: true,
    docs: [{ description: "The largest value of each symbolic size; kernels and arenas were planned for these." }],
    properties: Object.entries(job.dims)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, size]) => ({ name: /^\w+$/.test(name) ? name : literal(name), isReadonly: true, type: String(size) })),
  });
};

const literal = (text: string): string => JSON.stringify(text);

/** `layers.3.attn.q.a` → `layers.${number}.attn.q.a`, so that eighty layers are one line. */
const pattern = (name: string): string => {
  const parts = name.split(".").map((part) => (/^\d+$/.test(part) ? "${number}" : part.replace(/[`\\$]/g, "\\$&")));
  return parts.includes("${number}") ? `\`${parts.join(".")}\`` : literal(name);
};

const union = (members: readonly string[]): string => {
  const distinct = [...new Set(members)];
  if (!distinct.length) return "never";
  const line = distinct.join(" | ");
  return line.length < 100 ? line : distinct.map((member) => `\n| ${member}`).join("");
};
