// A filled draft -> the text of a pipeline, formatted, with what was not carried as comments at its top. Only what this version of the
// language takes is written: settings, formats and readers are looked up where the checker looks them up.

import { trainTable } from "../../compiler/blocks/pipeline.ts";
import type { Library } from "../../compiler/blocks/resolve.ts";
import { format } from "../../grammar/format.ts";
import { parse } from "../../grammar/parse.ts";
import type { Line } from "./adapters.ts";
import type { ChatDraft, Draft } from "./draft.ts";
import { shown } from "./given.ts";
import { carried, lost, type Outcome, type Reported } from "./outcome.ts";
import { textLiteral } from "./rows.ts";

/** How the base is stored, as the library's formats have it. */
export const storeOf = ({ store }: Draft, library: Library): { readonly text?: string; readonly outcome?: Outcome } => {
  if (!store) return {};
  const formats = library.names("format");
  const name = store.bits === 4 ? "nf4" : "int8";
  if (!formats.includes(name))
    return { outcome: lost(`the library has no ${store.bits}-bit format yet: the base is kept as its checkpoint stores it`) };
  const parameters = library.find("format", name)?.parameters ?? [];
  const settings = parameters.some(({ name: own }) => own.text === "double") ? `double: ${store.double}` : "";
  const text = `store layers.** as ${name}(${settings})`;
  return { text, outcome: carried(`\`${text}\``) };
};

export interface Parts {
  readonly source: string;
  readonly tool: string;
  readonly lines: readonly Line[];
  readonly store: string | undefined;
  readonly outcomes: readonly Reported[];
  /** Line of a place in the other tool's file. */
  readonly lineOf: (offset: number) => number;
}

export const assemble = (draft: Draft, parts: Parts): string => {
  const { lines, store } = parts;
  const base = draft.base?.path ?? "base/";
  const blocks = [
    `base model = checkpoint(${textLiteral(base)})${store ? ` { ${store} }` : ""}`,
    ...adapterText(lines),
    ...(draft.data.splits.length ? [dataText(draft)] : []),
    ...(draft.data.splits.some((text) => text.startsWith("train =")) && lines.length && draft.optimizer.settings.has("learning_rate")
      ? [trainText(draft)]
      : []),
    ...evaluateText(draft, lines),
    ...(draft.merge !== undefined && lines.length ? [`merge tuned into ${textLiteral(draft.merge)}`] : []),
  ];
  const text = `${header(draft, parts)}\npeft 1\n\n${blocks.join("\n\n")}\n`;
  const { file, diagnostics } = parse(text, parts.source);
  if (diagnostics.length) throw new Error(`what was written of ${parts.source} does not parse: ${diagnostics[0]!.message}`);
  return format(file, text);
};

const pathText = (path: string): string => (path === "" ? "model" : `model.${path}`);

const adapterText = (lines: readonly Line[]): readonly string[] => {
  const text = ({ call, paths }: Line): string => (paths.length ? `${call} into ${paths.map(pathText).join(", ")}` : call);
  if (lines.length === 0) return [];
  return lines.length === 1
    ? [`adapter tuned = ${text(lines[0]!)}`]
    : [`adapter tuned {\n${lines.map((line) => `  ${text(line)}`).join("\n")}\n}`];
};

const dataText = ({ data }: Draft): string => {
  const entries = [
    ...data.splits,
    ...(data.prompt !== undefined && data.prompt !== "" ? [`prompt = ${textLiteral(data.prompt)}`] : []),
    ...(data.chat ? [`chat = ${chatText(data.chat, data.template)}`] : [`answer = ${textLiteral(data.answer ?? "{text}")}`]),
    ...(data.lossOn ? ["loss_on = all"] : []),
  ];
  return `data rows {\n${entries.map((entry) => `  ${entry}`).join("\n")}\n}`;
};

const chatText = ({ column, settings }: ChatDraft, template: string | undefined): string => {
  const all = [...settings, ...(template === undefined ? [] : [["template", textLiteral(template)] as const])];
  return all.length ? `messages(${[textLiteral(column), ...all.map(([key, text]) => `${key}: ${text}`)].join(", ")})` : textLiteral(column);
};

const call = (name: string, settings: ReadonlyMap<string, string>): string =>
  `${name}(${[...settings].map(([key, value]) => `${key}: ${value}`).join(", ")})`;

const trainText = ({ optimizer, schedule, train }: Draft): string => {
  const settings = new Map([
    ["optimizer", [call(optimizer.name ?? "adamw", optimizer.settings), optimizer.store ?? []].flat().join(" ")],
    ...(schedule.name ? [["schedule", call(schedule.name, schedule.settings)] as const] : []),
    ...train,
  ]);
  // In the order of the checker's own table.
  const entries = Object.keys(trainTable).flatMap((key) => (settings.has(key) ? [`  ${key}: ${settings.get(key)}`] : []));
  return `train tuned on rows {\n${entries.join("\n")}\n}`;
};

const evaluateText = ({ data, evaluate, train }: Draft, lines: readonly Line[]): readonly string[] => {
  if (!data.splits.some((text) => text.startsWith("eval ="))) return [];
  const metrics = evaluate?.metrics ?? ["loss"];
  const longest = evaluate?.maxNewTokens;
  const overlong = train.get("overlong");
  const generate = longest !== undefined ? `\n  generate: greedy(max_new_tokens: ${longest})` : "";
  const longer = overlong ? `\n  overlong: ${overlong}` : "";
  return [`evaluate ${lines.length ? "tuned" : "model"} on rows.eval {\n  metrics: [${metrics.join(", ")}]${generate}${longer}\n}`];
};

// ---- comments -------------------------------------------------------------------------------------------------------

const width = 118;

const header = (draft: Draft, { source, tool, outcomes, lineOf, lines }: Parts): string => {
  const of = (fate: string): readonly Reported[] => outcomes.filter((one) => one.fate === fate && one.along === undefined);
  const list = (title: string, all: readonly Reported[]): readonly string[] =>
    all.length
      ? [
          "",
          title,
          ...all.flatMap((one) => wrapped(`  line ${lineOf(one.given.at.start)}, ${one.given.name}${valueText(one)}: ${one.says}`)),
        ]
      : [];
  const comments = [
    `From ${source} (${tool}), by \`peft import\`.`,
    ...(lines.length ? [] : ["", "Nothing is trained in it: see below."]),
    ...(draft.fetch.length
      ? ["", "To be fetched first:", ...draft.fetch.flatMap(({ path, from }) => wrapped(`  ${path} is ${from}`))]
      : []),
    ...(draft.base ? [] : ["", "The file names no base; put the folder of one in base/."]),
    ...list("Not carried:", of("lost")),
    ...list(`Ignored by ${tool} itself:`, of("dropped")),
    ...(draft.notes.length ? ["", ...draft.notes.flatMap((note) => wrapped(note))] : []),
  ];
  // A line of its own between, so that the comment stays apart from what follows.
  return `${comments.map((line) => `// ${line}`.trimEnd()).join("\n")}\n`;
};

const valueText = ({ given }: Reported): string =>
  given.fields || given.items || typeof given.value === "object" ? "" : ` (${shown(given.value)})`;

const wrapped = (text: string): readonly string[] => {
  const indent = /^ */.exec(text)![0];
  const found: string[] = [];
  let line = "";
  for (const word of text.trimStart().split(/\s+/)) {
    if (line && indent.length + line.length + word.length + 4 > width) {
      found.push(indent + (found.length ? "  " : "") + line);
      line = word;
    } else line = line ? `${line} ${word}` : word;
  }
  return [...found, indent + (found.length ? "  " : "") + line];
};
