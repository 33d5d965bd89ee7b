// A job's rows as its blocks read them: the tokenizer, the way conversations are written, and the examples of each split, opened when they
// are first needed and read once.

import type { Job, Train } from "../spec/job.ts";
import type { Data } from "../spec/job-data.ts";
import type { ChatTemplate } from "./chat/chat-template.ts";
import { openChatOf } from "./chat/open-chat.ts";
import { type Examples, readExamples, readPictures } from "./data/examples.ts";
import type { Listener } from "./events.ts";
import type { Host } from "./host.ts";
import { readProcessor } from "./pictures/processor.ts";
import { openTokenizer, type Tokenizer } from "./tokenizer.ts";

/** What a block says about the rows it reads. */
type Reading = Pick<Train, "data" | "split" | "sequence_len" | "source" | "overlong">;

export interface ReadingOptions {
  readonly host: Host;
  /** Folder of the `.peft` file: relative paths of the job start here. */
  readonly folder: string;
  readonly listen: Listener;
}

export interface RowReading {
  readonly tokens: () => Promise<Tokenizer>;
  /** How the conversations of a data block are written; undefined where it has none. */
  readonly chatOf: (data: Data) => Promise<ChatTemplate | undefined>;
  readonly examplesOf: (reading: Reading) => Promise<Examples>;
}

export const readingOf = (job: Job, { host, folder, listen }: ReadingOptions, baseFolder: string): RowReading => {
  let tokenizer: Promise<Tokenizer> | undefined;
  const tokens = (): Promise<Tokenizer> => (tokenizer ??= openTokenizer(host, baseFolder));
  const chats = new Map<string, Promise<ChatTemplate | undefined>>();
  const chatOf = (data: Data): Promise<ChatTemplate | undefined> => {
    const open = async (): Promise<ChatTemplate | undefined> =>
      data.chat && openChatOf(data.chat, host, folder, await tokens(), baseFolder);
    const known = chats.get(data.name) ?? open();
    chats.set(data.name, known);
    return known;
  };
  const encoded = new Map<string, Promise<Examples>>();
  const examplesOf = ({ data, split, sequence_len, source, overlong }: Reading): Promise<Examples> => {
    const key = `${data}.${split} ${sequence_len} ${source} ${overlong}`;
    const known = encoded.get(key);
    if (known) return known;
    const made = (async () => {
      listen({ kind: "phase", title: `read ${data}.${split}` });
      const block = dataOf(job, data);
      const read = splitOf(job, data, split);
      const { picture } = job.base;
      const { examples, report } = picture
        ? await readPictures(host, block, read, folder, await readProcessor(host, baseFolder, picture))
        : await readExamples(host, block, read, folder, await tokens(), {
            limit: sequence_len,
            overlong,
            chat: await chatOf(block),
            vocabulary: job.base.vocab_size,
            ...(source !== undefined && { source: { limit: source, start: job.base.start ?? 0 } }),
          });
      for (const diagnostic of report.warnings) listen({ kind: "warning", diagnostic });
      return examples;
    })();
    encoded.set(key, made);
    return made;
  };
  return { tokens, chatOf, examplesOf };
};

export const dataOf = (job: Job, name: string): Data => job.data.find((data) => data.name === name)!;
export const splitOf = (job: Job, data: string, name: string): Data["splits"][number] =>
  dataOf(job, data).splits.find((split) => split.name === name)!;
