// `peft init [FILE]`: a small pipeline to start from, explained line by line. Asks nothing and replaces nothing.

import { existsSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import type { Diagnostic } from "../spec/diagnostic.ts";
import { diagnostics } from "../spec/diagnostics.generated.ts";
import type { ExitCode, Invocation } from "./command.ts";
import { template } from "./embedded/template.ts";
import { report } from "./report.ts";
import { reasonOf } from "./sources.ts";
import { writeWhole } from "./write.ts";

export const run = async (call: Invocation): Promise<ExitCode> => {
  const { io } = call;
  const file = call.arguments[0] ?? "main.peft";
  const path = resolve(io.cwd, file);
  const failed = problem(path, file) ?? writeWhole(path, template, file);
  if (failed) return report(call, { found: [failed], files: [], text: () => undefined, product: false });
  io.out.write(
    `wrote ${file}\n\nnext: name your base and your data in it, then\n\n  peft check ${file}\n  peft plan ${file}\n  peft run ${file}\n`,
  );
  return 0;
};

const problem = (path: string, file: string): Diagnostic | undefined => {
  if (existsSync(path))
    return diagnostics.would_overwrite(undefined, { file }, { help: `choose another name: peft init ${basename(file, ".peft")}-2.peft` });
  if (!existsSync(dirname(path)))
    return diagnostics.write_failed(undefined, { path: file, reason: reasonOf({ code: "ENOENT", message: "" }) });
  return undefined;
};
