// A compiled pipeline -> what its data is in tokens, block by block, and what is wrong with it. Reads every row, as a run would, and
// no weight. `check --data`, `plan --lock`, `data`, and every run whose file holds a budget over its rows.

import { dirname } from "node:path";
import { placed } from "../compiler/blocks/places.ts";
import type { RowFacts } from "../compiler/check/fact-table.ts";
import { placesIn } from "../runtime/bank.ts";
import { ChatProblem, type ChatTemplate } from "../runtime/chat/chat-template.ts";
import { conversationOf } from "../runtime/chat/conversation-rows.ts";
import { openChat } from "../runtime/chat/open-chat.ts";
import { auditDuplicates, auditEnds, auditTexts, auditTokenizer } from "../runtime/data/audit.ts";
import { type Examples, type ExamplesReport, readExamples, readPictures } from "../runtime/data/examples.ts";
import { placeOf, readRows } from "../runtime/data/read.ts";
import type { Row } from "../runtime/data/row.ts";
import { fillTemplate, parseTemplate } from "../runtime/data/template.ts";
import { blaming, DiagnosticError } from "../runtime/diagnostic-error.ts";
import { type Host, joinPath } from "../runtime/host.ts";
import { nodeHost } from "../runtime/node-host.ts";
import { readProcessor } from "../runtime/pictures/processor.ts";
import { openTokenizer, type Tokenizer } from "../runtime/tokenizer.ts";
import type { Diagnostic } from "../spec/diagnostic.ts";
import type { Job } from "../spec/job.ts";
import type { Data, Overlong, Split } from "../spec/job-data.ts";
import { rowColumns } from "../spec/row-columns.ts";
import { seenFrom } from "./compile-host.ts";
import { folderOf } from "./hub/base.ts";
import { isHubPlace } from "./hub/place.ts";
import type { Prepared } from "./prepare.ts";
import { standardInput } from "./sources.ts";

/** One split as the blocks that read it see it. */
export interface Surveyed {
  /** `train menu`, `evaluate menu`, … */
  readonly blocks: readonly string[];
  /** Those of them whose budgets these rows are held to. */
  readonly counted: readonly string[];
  readonly data: Data;
  readonly split: Split;
  readonly limit: number;
  readonly overlong: Overlong | undefined;
  /** Most tokens of a prompt, where an encoder reads it. */
  readonly source: number | undefined;
  readonly examples: Examples;
  readonly report: ExamplesReport;
}

export interface Survey {
  readonly splits: readonly Surveyed[];
  /** By block. */
  readonly rows: ReadonlyMap<string, RowFacts>;
  readonly found: readonly Diagnostic[];
  readonly tokenizer?: Tokenizer;
  readonly host: Host;
  readonly folder: string;
}

export const surveyData = async ({ source, checked, job }: Prepared, cwd: string): Promise<Survey> => {
  if (!checked || !job) throw new Error("a survey needs a file that was compiled to its plan");
  const host = seenFrom(nodeHost, cwd);
  const folder = source.file === standardInput ? "" : dirname(source.file).replace(/^\.$/, "");
  const found: Diagnostic[] = [];
  const tell = (diagnostics: readonly Diagnostic[]): void => void found.push(...diagnostics.map((one) => placed(one, checked.source)));
  const attempt = async <T>(body: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await body();
    } catch (error) {
      if (!(error instanceof DiagnosticError)) throw error;
      tell(error.diagnostics);
      return undefined;
    }
  };
  const about = { block: `base ${job.base.name}` };
  // As a person would write it from `cwd`; the host sees it from there.
  const seen = (path: string): string => (/^([/\\]|[A-Za-z]:)/.test(path) ? path : joinPath(folder, path));
  const base = isHubPlace(job.base.path) ? folderOf(job.base.path, process.env) : seen(job.base.path);
  const { picture } = job.base;
  if (picture) {
    const processor = await attempt(() => blaming(about, () => readProcessor(host, base, picture)));
    for (const { data, split } of processor ? usesOf(job) : []) await attempt(() => readPictures(host, data, split, folder, processor!));
    return { splits: [], rows: new Map(), found: distinct(found), host, folder };
  }
  const tokenizer = await attempt(() => blaming(about, () => openTokenizer(host, base)));
  if (!tokenizer) return { splits: [], rows: new Map(), found, host, folder };
  tell((await auditTokenizer(host, base, tokenizer)).map((one) => ({ ...one, about })));

  const splits: Surveyed[] = [];
  for (const use of usesOf(job)) {
    const { data, split, limit, overlong, source } = use;
    const chat = data.chat && (await attempt(() => openChat(host, tokenizer, base, data.chat!.template && seen(data.chat!.template))));
    if (data.chat && !chat) continue;
    const options = {
      limit,
      chat,
      overlong,
      vocabulary: job.base.vocab_size,
      ...(source !== undefined && { source: { limit: source, start: job.base.start ?? 0 } }),
    };
    const read = await attempt(() => readExamples(host, data, split, folder, tokenizer, options));
    if (!read) continue;
    const { examples, report } = read;
    splits.push({ ...use, examples, report });
    for (const { name, bank } of job.adapters)
      if (bank && use.blocks.some((block) => block.endsWith(` ${name}`)))
        await attempt(() =>
          blaming({ block: `data ${data.name}`, part: "adapter" }, async () => placesIn({ name, bank }, examples, data.name)),
        );
    const where = { block: `data ${data.name}`, part: split.name };
    tell(
      [...report.warnings, ...auditEnds(examples, endsOf(data, tokenizer), report.path)].map((one) => ({
        ...one,
        about: one.about ?? where,
      })),
    );
    const texts = await attempt(() => someTexts(host, data, split, folder, chat));
    tell(auditTexts(texts ?? [], tokenizer).map((one) => ({ ...one, about: where })));
  }
  tell(duplicates(splits));
  const rows = new Map(
    splits.flatMap(({ counted, report }) =>
      counted.map((block): [string, RowFacts] => [
        block,
        { rows: report.rows, tokens: report.tokens, labels: report.labels, truncated: report.truncated },
      ]),
    ),
  );
  return { splits, rows, found: distinct(found), tokenizer, host, folder };
};

/** Every split that a block reads, once per length it is cut to. Of several evaluations of one subject, the first counts. */
const usesOf = (job: Job) => {
  const uses = new Map<string, Omit<Surveyed, "examples" | "report"> & { blocks: string[]; counted: string[] }>();
  const named = new Set<string>();
  const blocks = [
    ...job.train.map((block) => ({ ...block, name: `train ${block.adapter}` })),
    ...job.evaluate.map((block) => ({ ...block, name: `evaluate ${block.subject}` })),
  ];
  for (const { name, data, split, sequence_len, overlong, source } of blocks) {
    const key = `${data}.${split} ${sequence_len} ${overlong} ${source}`;
    const block = job.data.find((one) => one.name === data)!;
    const use = uses.get(key) ?? {
      blocks: [],
      counted: [],
      data: block,
      split: block.splits.find((one) => one.name === split)!,
      limit: sequence_len,
      overlong,
      source,
    };
    use.blocks.push(name);
    if (!named.has(name)) use.counted.push(name);
    named.add(name);
    uses.set(key, use);
  }
  return [...uses.values()];
};

const most = 200;

const firstRows = ({ rows_share: _, ...split }: Split): Split => ({ ...split, rows: Math.min(most, split.rows ?? most) });

/** Prompts and answers of the first rows, as text. */
const someTexts = async (host: Host, data: Data, split: Split, folder: string, chat: ChatTemplate | undefined) => {
  const templates = [data.prompt, data.chat ? undefined : data.answer].flatMap((template) =>
    template === undefined ? [] : [parseTemplate(template)],
  );
  const rows = await readRows(host, firstRows(split), folder, rowColumns(data));
  return rows.flatMap((row) => {
    const place = placeOf(split, joinPath(folder, split.path), row.number);
    return [...talkOf(row, data, chat), ...templates.map((template) => fillTemplate(template, row.values))].map((text) => ({
      text,
      place,
    }));
  });
};

/** A conversation as the template writes it; one that it cannot write is told where rows are encoded. */
const talkOf = (row: Row, { chat }: Data, template: ChatTemplate | undefined): readonly string[] => {
  if (!chat || !template) return [];
  try {
    return [template.write(conversationOf(row, chat).map(({ message }) => message))];
  } catch (error) {
    if (error instanceof ChatProblem) return [];
    throw error;
  }
};

/** Tokens that end an answer, where each has one end: text that is learnt whole may hold several. */
const endsOf = ({ chat, loss_on }: Data, { eos, stops }: Tokenizer): readonly number[] =>
  chat ? (loss_on === "all" ? [] : stops) : eos === undefined ? [] : [eos];

const duplicates = (splits: readonly Surveyed[]): readonly Diagnostic[] => {
  const read = (verb: string): readonly Surveyed[] => splits.filter(({ blocks }) => blocks.some((block) => block.startsWith(`${verb} `)));
  const nameOf = ({ data, split }: Surveyed): string => `${data.name}.${split.name}`;
  return read("train").flatMap((one) =>
    read("evaluate").flatMap((other) =>
      // One split evaluated on purpose, or two that overlap in one file: the compiler says that. Parts of one file have no row in common,
      // and may have rows that differ in what no template reads.
      one.split.path === other.split.path && (!one.split.part || !other.split.part || one.split.part.index === other.split.part.index)
        ? []
        : auditDuplicates(
            { name: nameOf(one), examples: one.examples },
            { name: nameOf(other), examples: other.examples },
            one.split.path === other.split.path,
          ).map((found) => ({
            ...found,
            about: { block: `data ${other.data.name}`, part: other.split.name },
          })),
    ),
  );
};

const distinct = (found: readonly Diagnostic[]): readonly Diagnostic[] => [
  ...new Map(found.map((one) => [`${one.code} ${one.at?.start} ${one.message}`, one])).values(),
];
