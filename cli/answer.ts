// Prompts in, answers out, with the base alone or one adapter over it: the base is read, the adapter laid over it, and each prompt
// goes through the generation program of the job.

import { placeOf } from "../runtime/bank.ts";
import { openChatOf } from "../runtime/chat/open-chat.ts";
import { loadParameters, openCheckpoint } from "../runtime/checkpoint.ts";
import type { Choice } from "../runtime/choose-device.ts";
import { storeParameter, storePieces } from "../runtime/formats/store.ts";
import { answerPrompts } from "../runtime/generation/answers.ts";
import { nodeHost } from "../runtime/node-host.ts";
import { readyAdapters } from "../runtime/ready.ts";
import { openTokenizer } from "../runtime/tokenizer.ts";
import type { Evaluate, Generation, Job } from "../spec/job.ts";

export interface Question {
  readonly job: Job;
  readonly read: (path: string) => Promise<Uint8Array>;
  readonly choice: Choice;
  /** Folder that relative paths of the job start from, and where runs left their adapters. */
  readonly folder: string;
  readonly output: string;
  /** The block whose subject and generation program are used. */
  readonly block: Evaluate;
  readonly settings: Generation;
  readonly prompts: readonly string[];
  /** Of a mix: the adapter of each prompt. */
  readonly adapters?: readonly string[];
}

/** Throws a DiagnosticError. */
export const answer = async ({
  job,
  read,
  choice,
  folder,
  output,
  block,
  settings,
  prompts,
  adapters,
}: Question): Promise<readonly string[]> => {
  const base = await nodeHost.resolve(folder, job.base.path);
  const checkpoint = job.base.weights === "checkpoint" ? await openCheckpoint(nodeHost, base) : undefined;
  const tokenizer = await openTokenizer(nodeHost, base);
  const session = await choice.device.open(job, read);
  try {
    await loadParameters(
      job,
      checkpoint,
      (parameter, values) => storeParameter(job, parameter, values, session),
      (parameter, pieces) => storePieces(job, parameter, pieces, session),
    );
    await readyAdapters(job, { host: nodeHost, session, folder, out: output, listen: () => {} }).need(block.subject);
    const members = job.adapters.find(({ name }) => name === block.subject)?.bank ?? [];
    const places = adapters?.map((name) => placeOf(block.subject, members, name, "a prompt"));
    const data = job.data.find(({ name }) => name === block.data);
    const chat = data?.chat && (await openChatOf(data.chat, nodeHost, folder, tokenizer, base));
    // Where rows are conversations, a prompt is what a user says in one.
    const asked = chat ? prompts.map((content) => chat.ask([{ role: "user", content }])) : prompts;
    const { texts } = await answerPrompts(asked, tokenizer, session, {
      bare: chat !== undefined,
      job,
      program: block.generator!,
      virtual: block.virtual,
      settings,
      places,
    });
    return texts;
  } finally {
    await session.close();
    await checkpoint?.close();
  }
};
