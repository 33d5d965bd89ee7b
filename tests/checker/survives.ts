// What every text must survive: checked in bounded time without a fault of ours, each place inside its file, each output printable.

import { renderGithub } from "../../cli/render/github.ts";
import { renderJson } from "../../cli/render/json.ts";
import { renderSarif } from "../../cli/render/sarif.ts";
import { renderText } from "../../cli/render/text.ts";
import { compile } from "../../compiler/compile.ts";
import type { Diagnostic } from "../../spec/diagnostic.ts";
import { gptConfig, llamaConfig, memoryHost } from "../compiler/support.ts";

export interface Survival {
  readonly found: readonly Diagnostic[];
  readonly milliseconds: number;
}

/** Throws what went wrong, with the text that did it. */
export const survives = async (text: string): Promise<Survival> => {
  const files = { "main.peft": text, "base/config.json": JSON.stringify(llamaConfig), "shape/config.json": JSON.stringify(gptConfig) };
  const start = performance.now();
  let result: Awaited<ReturnType<typeof compile>>;
  try {
    result = await compile({ file: "main.peft", goal: "check" }, memoryHost(files));
  } catch (error) {
    throw new Error(`a fault of ours (${error instanceof Error ? error.stack : error}) on\n${JSON.stringify(text)}`);
  }
  const milliseconds = performance.now() - start;
  const { diagnostics, texts } = result;
  const textOf = (file: string): string | undefined => texts.get(file);
  for (const one of diagnostics) {
    const places = [one.at, ...one.notes.map(({ at }) => at), ...one.fixes.map(({ at }) => at)].filter((at) => at !== undefined);
    for (const at of places) {
      const own = textOf(at.file);
      if (own === undefined || !(at.start >= 0 && at.start <= at.end && at.end <= own.length))
        throw new Error(`${one.code} at ${at.file}:${at.start}-${at.end} is outside (${own?.length}) on\n${JSON.stringify(text)}`);
    }
    if (one.message.includes("undefined") || one.message.includes("[object"))
      throw new Error(`${one.code} says "${one.message}" on\n${JSON.stringify(text)}`);
  }
  for (const render of [
    () => renderText(diagnostics, { text: textOf, colour: false, columns: 80 }),
    () => renderGithub(diagnostics, textOf),
    () => renderJson(diagnostics, ["main.peft"], textOf),
    () => renderSarif(diagnostics, textOf, "0"),
  ])
    render();
  return { found: diagnostics, milliseconds };
};
