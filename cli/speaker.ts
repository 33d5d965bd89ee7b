// A job that is ready to be asked: the base is in the device's memory, adapters come when they are needed, and a prompt goes through the
// generation program of its subject.

import { placeOf } from "../runtime/bank.ts";
import { ChatProblem, type ChatTemplate, openChatTemplate } from "../runtime/chat/chat-template.ts";
import { openChatOf, problemOf } from "../runtime/chat/open-chat.ts";
import type { Choice } from "../runtime/choose-device.ts";
import { encodePrompt } from "../runtime/data/encode-row.ts";
import { DiagnosticError } from "../runtime/diagnostic-error.ts";
import { answerPrompts } from "../runtime/generation/answers.ts";
import { nodeHost } from "../runtime/node-host.ts";
import { openBase } from "../runtime/open-base.ts";
import { readyAdapters } from "../runtime/ready.ts";
import { openTokenizer } from "../runtime/tokenizer.ts";
import type { Evaluate, Generation, Job } from "../spec/job.ts";
import { folderOf } from "./hub/base.ts";

export interface SpeakerOptions {
  readonly job: Job;
  readonly read: (path: string) => Promise<Uint8Array>;
  readonly choice: Choice;
  /** Folder that relative paths of the job start from, and where runs left their adapters. */
  readonly folder: string;
  readonly output: string;
}

export interface Question {
  /** The block whose subject and generation program are used. */
  readonly block: Evaluate;
  readonly settings: Generation;
  readonly prompts: readonly string[];
  /** Prompts are all that the model reads: a chat template wrote them. */
  readonly bare?: boolean;
  /** Of a mix: the adapter of each prompt. */
  readonly adapters?: readonly string[] | undefined;
  /** The answers as they are written. */
  readonly told?: (prompt: number, more: string) => void;
  readonly signal?: AbortSignal;
}

export interface Speaker {
  /** Throws a DiagnosticError. */
  readonly answer: (question: Question) => Promise<readonly string[]>;
  /** Brings what a subject needs into memory. Throws a DiagnosticError. */
  readonly need: (subject: string) => Promise<void>;
  /** Tokens of a prompt, how many of them the block reads, and how many an answer may then have. */
  readonly lengthOf: (
    block: Evaluate,
    prompt: string,
    bare: boolean,
  ) => { readonly tokens: number; readonly most: number; readonly room: number };
  /** How the block's conversations are written: its data's template. Throws a DiagnosticError. */
  readonly chatOf: (block: Evaluate) => Promise<ChatTemplate | undefined>;
  /** The same, else the tokenizer's own template. Throws a DiagnosticError. */
  readonly talkOf: (block: Evaluate) => Promise<ChatTemplate | undefined>;
  readonly close: () => Promise<void>;
}

/** Throws a DiagnosticError. */
export const openSpeaker = async ({ job, read, choice, folder, output }: SpeakerOptions): Promise<Speaker> => {
  const base = await nodeHost.resolve(folder, folderOf(job.base.path, process.env));
  const tokenizer = await openTokenizer(nodeHost, base);
  const { checkpoint, session, close } = await openBase(job, { host: nodeHost, choice, read, folder: base, listen: () => {} });
  const ready = readyAdapters(job, {
    host: nodeHost,
    session,
    folder,
    out: output,
    listen: () => {},
    base: checkpoint,
    tokens: async () => tokenizer,
  });
  const chatOf = async (block: Evaluate): Promise<ChatTemplate | undefined> => {
    const chat = job.data.find(({ name }) => name === block.data)?.chat;
    return chat && openChatOf(chat, nodeHost, folder, tokenizer, base);
  };
  return {
    close,
    chatOf,
    need: (subject) => ready.need(subject),
    talkOf: async (block) => {
      const own = await chatOf(block);
      if (own || tokenizer.template === undefined) return own;
      try {
        return await openChatTemplate(tokenizer.template, { named: tokenizer.named, special: tokenizer.specials });
      } catch (error) {
        if (error instanceof ChatProblem) throw new DiagnosticError([problemOf(error, `the template of ${base}`)]);
        throw error;
      }
    },
    lengthOf: (block, prompt, bare) => {
      const { t, s } = job.programs[block.generator!]!.dims;
      const virtual = block.virtual ?? 0;
      const tokens = (bare ? tokenizer.encode(prompt) : encodePrompt(tokenizer, prompt)).length;
      const most = block.source ?? t! - virtual;
      return { tokens, most, room: s! - virtual - (block.source === undefined ? Math.min(tokens, most) : 0) };
    },
    answer: async ({ block, settings, prompts, bare = false, adapters, told, signal }) => {
      await ready.need(block.subject);
      const members = job.adapters.find(({ name }) => name === block.subject)?.bank ?? [];
      const { texts } = await answerPrompts(prompts, tokenizer, session, {
        job,
        program: block.generator!,
        virtual: block.virtual,
        source: block.source,
        bare,
        settings,
        places: adapters?.map((name) => placeOf(block.subject, members, name, "a prompt")),
        told,
        signal,
      });
      return texts;
    },
  };
};
