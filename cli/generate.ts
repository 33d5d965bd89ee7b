// `peft generate FILE [NAME]`: what the base, an adapter that a run has saved, or one in a folder answers to a prompt. Prompts are given as they
// would stand in the data, after the template: what the model reads is what is written here.

import { resolve } from "node:path";
import { chooseDevice } from "../runtime/choose-device.ts";
import { DiagnosticError } from "../runtime/diagnostic-error.ts";
import type { Diagnostic } from "../spec/diagnostic.ts";
import { nearest } from "../spec/diagnostic.ts";
import { diagnostics } from "../spec/diagnostics.generated.ts";
import type { Evaluate } from "../spec/job.ts";
import { outputFolder } from "./build.ts";
import { type ExitCode, type Invocation, lastValue } from "./command.ts";
import { numberOf, settingsOf } from "./generation-settings.ts";
import { givenAdapters, isFolder } from "./given-adapters.ts";
import { type Prepared, prepare } from "./prepare.ts";
import { report } from "./report.ts";
import { bundleReader, sourceFolder } from "./run.ts";
import { openSpeaker } from "./speaker.ts";

export const run = async (call: Invocation): Promise<ExitCode> => {
  const named = call.values.get("adapter") ?? [];
  const given = givenAdapters(call, named.filter(isFolder));
  const members = named.filter((one) => !isFolder(one));
  const subject = call.arguments[1] ?? given[0]?.name;
  const most = numberOf(call, "max-new-tokens");
  const prepared = await prepare(call, "build", {
    weights: true,
    asked: {
      adapters: given,
      to: "answer",
      subjects: subject === undefined ? [] : [subject],
      ...(most !== undefined && { max_new_tokens: most }),
    },
  });
  if (typeof prepared === "number") return prepared;
  const complain = (found: readonly Diagnostic[]): Promise<ExitCode> =>
    report(call, { found, files: [], text: (file) => prepared.texts.get(file), product: false });
  const block = findBlock(prepared, subject);
  if ("code" in block) return complain([block]);
  const prompts = (call.values.get("prompt") ?? call.io.stdin().split("\n").filter(Boolean)).map((prompt) =>
    prompt.replaceAll("\\n", "\n"),
  );
  const adapters = adaptersOf(prepared, block, members.length ? members : undefined, prompts.length);
  if (adapters && "code" in adapters) return complain([adapters]);
  try {
    const answers = await ask(call, prepared, block, prompts, adapters, complain);
    if (typeof answers === "number") return answers;
    const { out } = call.io;
    if (call.flags.has("json"))
      out.write(
        `${JSON.stringify(
          prompts.map((prompt, i) => ({ prompt, answer: answers[i] })),
          undefined,
          2,
        )}\n`,
      );
    else for (const text of answers) out.write(`${text.trim()}\n`);
    return 0;
  } catch (error) {
    if (error instanceof DiagnosticError) return complain(error.diagnostics);
    throw error;
  }
};

/** The answer to each prompt; one that is longer than is read is told first. Throws a DiagnosticError. */
const ask = async (
  call: Invocation,
  prepared: Prepared,
  block: Evaluate,
  prompts: readonly string[],
  adapters: readonly string[] | undefined,
  complain: (found: readonly Diagnostic[]) => Promise<ExitCode>,
): Promise<readonly string[] | ExitCode> => {
  const speaker = await openSpeaker({
    job: prepared.job!,
    read: bundleReader(prepared),
    choice: await chooseDevice((lastValue(call, "device") as "auto" | "cpu" | "webgpu" | undefined) ?? "auto", prepared.job),
    folder: resolve(call.io.cwd, sourceFolder(prepared)),
    output: resolve(call.io.cwd, outputFolder(call)),
  });
  try {
    // Where rows are conversations, a prompt is what a user says in one.
    const chat = await speaker.chatOf(block);
    const asked = chat ? prompts.map((content) => chat.ask([{ role: "user", content }])) : prompts;
    const cut = asked.flatMap((prompt) => {
      const { tokens, most } = speaker.lengthOf(block, prompt, chat !== undefined);
      return tokens > most ? [diagnostics.prompt_cut(undefined, { tokens, most }, { help: cutHelp })] : [];
    });
    const denied = cut.length ? await complain(cut) : 0;
    if (denied !== 0) return denied;
    return await speaker.answer({
      block,
      settings: settingsOf(call, block.generate!),
      prompts: asked,
      bare: chat !== undefined,
      adapters,
    });
  } finally {
    await speaker.close();
  }
};

const cutHelp = "raise `sequence_len` of the `evaluate` block that generates, or shorten the prompt";

/** A block that generates for the name; for the first adapter, else the base, when none is given. */
const findBlock = ({ job, source }: Prepared, name: string | undefined): Evaluate | Diagnostic => {
  const blocks = (job?.evaluate ?? []).filter(({ generator }) => generator !== undefined);
  const adapters = new Set(job?.adapters.map((adapter) => adapter.name));
  const found =
    name === undefined
      ? (blocks.find(({ subject }) => adapters.has(subject)) ?? blocks[0])
      : blocks.find(({ subject }) => subject === name);
  if (found) return found;
  const subjects = [...new Set(blocks.map(({ subject }) => subject))];
  const near = name && nearest(name, subjects);
  return diagnostics.nothing_to_do(
    undefined,
    { what: `${source.file} has no \`evaluate\` block that generates${name ? ` for \`${name}\`` : ""}` },
    {
      notes: subjects.length ? [{ message: `there are blocks for: ${subjects.join(", ")}` }] : [],
      help: near
        ? `did you mean \`${near}\`?`
        : "add `generate: greedy(max_new_tokens: 64)` to an `evaluate` block; its program is what answers",
    },
  );
};

/** The adapter of each prompt, where the subject is a mix of adapters and each row has its own. */
const adaptersOf = (
  { job }: Prepared,
  block: Evaluate,
  names: readonly string[] | undefined,
  prompts: number,
): readonly string[] | Diagnostic | undefined => {
  const bank = job?.adapters.find(({ name }) => name === block.subject)?.bank;
  if (!bank && !names) return undefined;
  const wanted = (what: string, help: string): Diagnostic => diagnostics.nothing_to_do(undefined, { what }, { help });
  if (!bank) return wanted(`\`${block.subject}\` is no mix of adapters`, "leave `--adapter` out; name what answers after the file");
  if (names?.length === 1) return new Array<string>(prompts).fill(names[0]!);
  if (names?.length === prompts) return names;
  return wanted(
    `\`${block.subject}\` is a mix, and ${names?.length ?? 0} adapters are named for ${prompts} prompts`,
    `give \`--adapter\` once, or once for each prompt; it holds ${bank.join(", ")}`,
  );
};
