// `peft chat FILE [NAME …]`: a conversation with the base and its adapters, any of which answers next. The base is in memory once; to switch
// is to bind other tensors.

import { resolve } from "node:path";
import { chooseDevice } from "../runtime/choose-device.ts";
import { DiagnosticError } from "../runtime/diagnostic-error.ts";
import type { Diagnostic } from "../spec/diagnostic.ts";
import { nearest } from "../spec/diagnostic.ts";
import { diagnostics } from "../spec/diagnostics.generated.ts";
import type { Evaluate } from "../spec/job.ts";
import { outputFolder } from "./build.ts";
import { type ExitCode, type Invocation, lastValue } from "./command.ts";
import { converse } from "./conversation.ts";
import { numberOf, settingsOf } from "./generation-settings.ts";
import { givenAdapters } from "./given-adapters.ts";
import { type Prepared, prepare } from "./prepare.ts";
import { report } from "./report.ts";
import { bundleReader, sourceFolder } from "./run.ts";
import { openSpeaker } from "./speaker.ts";
import { linesOf } from "./terminal-lines.ts";

export const run = async (call: Invocation): Promise<ExitCode> => {
  const names = call.arguments.slice(1);
  const adapters = givenAdapters(call, call.values.get("adapter") ?? []);
  const most = numberOf(call, "max-new-tokens");
  const context = numberOf(call, "context");
  const prepared = await prepare(call, "build", {
    weights: true,
    asked: {
      adapters,
      to: "answer",
      subjects: names,
      talk: context === undefined ? {} : { context },
      ...(most !== undefined && { max_new_tokens: most }),
    },
  });
  if (typeof prepared === "number") return prepared;
  const complain = (found: readonly Diagnostic[]): Promise<ExitCode> =>
    report(call, { found, files: [], text: (file) => prepared.texts.get(file), product: false });
  const blocks = blocksOf(prepared, names);
  if ("code" in blocks) return complain([blocks]);
  // Whoever was named; else what was brought along, else the first adapter, else the base.
  const first = names[0] ?? adapters[0]?.name ?? [...blocks.keys()].find((name) => name !== prepared.job!.base.name);
  try {
    const speaker = await openSpeaker({
      job: prepared.job!,
      read: bundleReader(prepared),
      choice: await chooseDevice((lastValue(call, "device") as "auto" | "cpu" | "webgpu" | undefined) ?? "auto", prepared.job),
      folder: resolve(call.io.cwd, sourceFolder(prepared)),
      output: resolve(call.io.cwd, outputFolder(call)),
    });
    const lines = (await call.io.lines?.()) ?? linesOf(call.io.stdin());
    try {
      return await converse({
        speaker,
        lines,
        blocks,
        base: prepared.job!.base.name,
        first: first ?? prepared.job!.base.name,
        system: lastValue(call, "system"),
        raw: call.flags.has("raw"),
        settings: (block) => settingsOf(call, block.generate!),
        out: call.io.out,
        err: call.io.err,
        complain,
      });
    } finally {
      lines.close();
      await speaker.close();
    }
  } catch (error) {
    if (error instanceof DiagnosticError) return complain(error.diagnostics);
    throw error;
  }
};

/** Who may speak, each with the block that says how. */
const blocksOf = ({ job, source }: Prepared, names: readonly string[]): ReadonlyMap<string, Evaluate> | Diagnostic => {
  const blocks = new Map((job?.evaluate ?? []).flatMap((block) => (block.generator ? [[block.subject, block] as const] : [])));
  const unknown = names.find((name) => !blocks.has(name));
  if (blocks.size > 0 && unknown === undefined) return blocks;
  const near = unknown && nearest(unknown, blocks.keys());
  return diagnostics.nothing_to_do(
    undefined,
    {
      what: unknown === undefined ? `${source.file} has no data to talk about` : `nobody called \`${unknown}\` can talk in ${source.file}`,
    },
    {
      notes: blocks.size ? [{ message: `there are: ${[...blocks.keys()].join(", ")}` }] : [],
      help: near ? `did you mean \`${near}\`?` : "add an `evaluate` block with `generate: greedy(max_new_tokens: 64)`",
    },
  );
};
