// `peft measure`: the sizes that the data decides, measured and written beside the file. What was measured before is not read.

import { diagnostics } from "../spec/diagnostics.generated.ts";
import type { ExitCode, Invocation } from "./command.ts";
import { areDiagnostics, measureFile, openAdapters } from "./measure-file.ts";
import { prepare } from "./prepare.ts";
import { renderMeasured } from "./render/measured.ts";
import { report } from "./report.ts";

export const run = async (call: Invocation): Promise<ExitCode> => {
  const prepared = await prepare(call, "build", { weights: true, sizes: "anew" });
  if (typeof prepared === "number") return prepared;
  const { source, texts } = prepared;
  const complain = (found: Parameters<typeof report>[1]["found"]): Promise<ExitCode> =>
    report(call, { found, files: [], text: (file) => texts.get(file), product: false });
  if (openAdapters(prepared).length === 0)
    return complain([diagnostics.nothing_to_do(undefined, { what: `${source.file} has no size that is measured` })]);
  const found = await measureFile(call, source, prepared);
  if (areDiagnostics(found)) return complain(found);
  const own = found.filter((one) => one.point === undefined);
  call.io.out.write(call.flags.has("json") ? `${JSON.stringify(own, undefined, 2)}\n` : renderMeasured(own));
  return 0;
};
