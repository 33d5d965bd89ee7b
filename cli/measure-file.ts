// A compiled file with sizes that are open -> the sizes, measured on this machine, kept with what they follow from.

import { relative, resolve } from "node:path";
import { measuredLines } from "../compiler/check/check-measured.ts";
import { type CompileOptions, pointLabel } from "../compiler/compile.ts";
import { chooseDevice, type Wanted } from "../runtime/choose-device.ts";
import { DiagnosticError } from "../runtime/diagnostic-error.ts";
import { measureSizes } from "../runtime/measure-sizes.ts";
import { nodeHost } from "../runtime/node-host.ts";
import type { Diagnostic } from "../spec/diagnostic.ts";
import type { MeasuredSizes } from "../spec/measured.ts";
import { type Invocation, lastValue } from "./command.ts";
import type { CompiledFile } from "./compile-file.ts";
import { withHub } from "./hub/base.ts";
import { measuredFile, readMeasured, writeMeasured } from "./measured.ts";
import { listenOn } from "./render/events.ts";
import { bundleReader, locate, sourceFolder } from "./run.ts";
import { type Source, standardInput } from "./sources.ts";

/** Adapters of a compiled file whose sizes are open. */
export const openAdapters = ({ job }: Pick<CompiledFile, "job">): readonly string[] =>
  job?.adapters.flatMap(({ name, measure }) => (measure ? [name] : [])) ?? [];

/** All that is measured for the file now; it is written down, unless the file came by standard input. */
export const measureFile = async (
  call: Invocation,
  source: Source,
  compiled: CompiledFile,
  point?: CompileOptions["point"],
): Promise<readonly MeasuredSizes[] | readonly Diagnostic[]> => {
  const { io } = call;
  const { job, checked } = compiled;
  if (!job || !checked) throw new Error("nothing was compiled");
  const known = await readMeasured(source.file, io.cwd);
  const prepared = { ...compiled, source };
  const located = locate(prepared);
  const { listen, say, end } = listenOn(io.err, io.now, (path) => relative(io.cwd, path) || ".", located);
  try {
    const device = (lastValue(call, "device") as Wanted | undefined) ?? "auto";
    const found = await measureSizes(job, {
      host: withHub(nodeHost, process.env),
      choice: await chooseDevice(device, job),
      read: bundleReader(prepared),
      folder: resolve(io.cwd, sourceFolder(prepared)),
      listen,
    });
    end();
    const label = point && pointLabel(point);
    const fresh = [...found].flatMap(([adapter, sizes]) => measuredLines(adapter, sizes, checked.measuredFrom, label));
    const others = "code" in known ? [] : known.filter((one) => one.point !== label || !found.has(one.adapter));
    const all = [...others, ...fresh];
    if (source.file === standardInput) return all;
    const failed = writeMeasured(source.file, all, io.cwd);
    if (failed) return [failed];
    say(
      `measured ${[...found].map(([adapter, sizes]) => `${[...new Set(sizes.map(({ name }) => name))].join(", ")} of ${adapter}`).join("; ")}: ${measuredFile(source.file)}`,
    );
    return all;
  } catch (error) {
    end();
    if (!(error instanceof DiagnosticError)) throw error;
    return error.diagnostics.map(located.placed);
  }
};

export const areDiagnostics = (found: readonly MeasuredSizes[] | readonly Diagnostic[]): found is readonly Diagnostic[] =>
  found.some((one) => "code" in one);
