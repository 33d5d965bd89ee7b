// The one place where a command's diagnostics leave it, in the format asked for, and become its exit code.
// `check` and `fmt` print them on standard output, since they are the product; elsewhere they go to standard error.

import type { Diagnostic } from "../spec/diagnostic.ts";
import { type ExitCode, type Invocation, lastValue } from "./command.ts";
import type { Stream } from "./io.ts";

export interface Report {
  readonly found: readonly Diagnostic[];
  readonly files: readonly string[];
  readonly text: (file: string) => string | undefined;
  /** The diagnostics are what the command is for: print them on standard output, and a summary even when there are none. */
  readonly product: boolean;
  /** What else a person should know, above the summary. */
  readonly said?: readonly string[];
}

export const report = async (call: Invocation, { found, files, text, product, said = [] }: Report): Promise<ExitCode> => {
  const format = call.flags.has("json") && product ? "json" : (lastValue(call, "format") ?? "text");
  const stream = product ? call.io.out : call.io.err;
  const sorted = inOrder(found);
  if (format === "text") {
    if (found.length || product) await writeText(stream, sorted, files.length, text, said);
  } else if (found.length || product) stream.write(await machineText(format, sorted, files, text));
  const denied = lastValue(call, "deny") === "warnings";
  return found.some(({ severity }) => severity === "error" || denied) ? 1 : 0;
};

const writeText = async (
  stream: Stream,
  found: readonly Diagnostic[],
  files: number,
  text: Report["text"],
  said: readonly string[],
): Promise<void> => {
  const { colour, columns } = stream;
  if (found.length) {
    const { renderText } = await import("./render/text.ts");
    stream.write(`${renderText(found, { text, colour, columns: columns() })}${files ? "\n" : ""}`);
  }
  for (const line of said) stream.write(`${line}\n`);
  if (!files) return;
  const { renderSummary } = await import("./render/summary.ts");
  stream.write(renderSummary(found, files, colour));
};

const machineText = async (
  format: string,
  found: readonly Diagnostic[],
  files: readonly string[],
  text: Report["text"],
): Promise<string> => {
  if (format === "json") return (await import("./render/json.ts")).renderJson(found, files, text);
  if (format === "github") return (await import("./render/github.ts")).renderGithub(found, text);
  const [{ renderSarif }, { version }] = await Promise.all([import("./render/sarif.ts"), import("./version.ts")]);
  return renderSarif(found, text, version);
};

/** By file in the order given, then by place; what has no place comes first. Equal places keep the order the phases found them in. */
const inOrder = (found: readonly Diagnostic[]): readonly Diagnostic[] => {
  const files = [...new Set(found.map(({ at }) => at?.file ?? ""))].sort((a, b) => (a === "" ? -1 : b === "" ? 1 : 0));
  const rank = new Map(files.map((file, index) => [file, index]));
  return [...found].sort((a, b) => rank.get(a.at?.file ?? "")! - rank.get(b.at?.file ?? "")! || (a.at?.start ?? 0) - (b.at?.start ?? 0));
};
