// Where rows come from and what is made of them -> splits and templates. Only what a template can say exactly is carried: a prompt
// that differs from row to row, a conversation with a model's own markers, a sample drawn at random are each said to be lost.

import { readers } from "../../compiler/blocks/data-block.ts";
import type { Around, Draft } from "./draft.ts";
import type { Given } from "./given.ts";
import { isEmpty, shown } from "./given.ts";
import { carried, lost, type Outcome, outside, settled } from "./outcome.ts";
import { textLiteral } from "./rows.ts";

/** The reader for a file, by its ending or the format that is said. */
const readerOf = (path: string, said: unknown): string | undefined => {
  const ending = typeof said === "string" ? said : (/\.(\w+)$/.exec(path)?.[1] ?? "");
  const known: Readonly<Record<string, string>> = {
    jsonl: "jsonl",
    json: path.endsWith(".json") && said !== "json" ? "json" : "jsonl",
    csv: "csv",
    txt: "text",
    text: "text",
    parquet: "parquet",
  };
  const reader = known[ending.toLowerCase()];
  return reader && (readers as readonly string[]).includes(reader) ? reader : undefined;
};

/** A name of the Hub has one slash, no ending and nothing that a path begins with. */
const isHubName = (path: string): boolean => /^[\w.-]+\/[\w.-]+$/.test(path) && !/\.(jsonl?|csv|txt|parquet)$/.test(path);

export interface Rows {
  readonly path: string;
  readonly format?: unknown;
  /** `rows` and `skip`, as they are written. */
  readonly limits?: readonly string[];
}

/** Declares a split; says what has to be fetched for it. */
export const addSplit = (split: string, { path, format, limits = [] }: Rows, draft: Draft): Outcome => {
  const local = isHubName(path) ? `data/${path.split("/").at(-1)}.jsonl` : path;
  const reader = isHubName(path) ? "jsonl" : readerOf(path, format);
  if (!reader) return lost(`there is no reader for \`${shown(path)}\``);
  if (draft.data.splits.some((text) => text.startsWith(`${split} =`)))
    return lost(`one file makes a split; put the rows of \`${shown(path)}\` into the first one's`);
  const text = `${split} = ${reader}(${[textLiteral(local), ...limits].join(", ")})`;
  draft.data.splits.push(text);
  if (local !== path) draft.fetch.push({ path: local, from: `the data set ${path} of the Hub, as JSON lines` });
  return carried(`\`${text}\``);
};

/** Text that is learnt whole. */
export const wholeText = (column: string, draft: Draft): Outcome => {
  draft.data.answer = `{${column}}`;
  return carried(`\`answer = "{${column}}"\``);
};

/** A prompt and an answer. */
export const templates = (prompt: string, answer: string, draft: Draft): Outcome => {
  draft.data.prompt = prompt;
  draft.data.answer = answer;
  return carried("`prompt` and `answer`");
};

/** Conversations in a column; `settings` are those of `messages(…)`. */
export const conversation = (column: string, draft: Draft, settings: ReadonlyMap<string, string> = new Map()): Outcome => {
  draft.data.chat = { column, settings };
  return carried("`chat`, learnt where an assistant speaks");
};

/** Conversations are written by a template of the tool's own, as a file that is to be fetched. */
export const ownTemplate = (name: string, tool: string, draft: Draft): Outcome => {
  const path = `templates/${name}.jinja`;
  draft.data.template = path;
  draft.fetch.push({ path, from: `${tool}'s chat template \`${name}\`, as Jinja` });
  return carried(`\`template: "${path}"\``);
};

/** `{name}` of another tool's template names a column here too; every other brace is itself. */
export const templateText = (format: string, columns: Readonly<Record<string, string>>): string =>
  format
    .split(/(\{\w+\})/)
    .map((part, i) =>
      i % 2 ? (columns[part.slice(1, -1)] === undefined ? `{${part}}` : `{${columns[part.slice(1, -1)]}}`) : part.replace(/[{}]/g, "$&$&"),
    )
    .join("");

// ---- Axolotl's data sets --------------------------------------------------------------------------------------------

/** `split: train`, `train[:1000]`, `train[80%:]`. */
const rowsOfSplit = (split: unknown): readonly string[] | undefined => {
  if (isEmpty(split)) return [];
  const [, from, to, plain] = /^\w+\[(\d+%?)?:(\d+%?)?\]$|^(\w+)$/.exec(String(split)) ?? [];
  if (plain !== undefined) return [];
  if (from === undefined && to === undefined) return undefined;
  if (from === undefined) return [`rows: ${to}`];
  if (to === undefined) return [`skip: ${from}`];
  if (from.endsWith("%") !== to.endsWith("%")) return undefined;
  const unit = to.endsWith("%") ? "%" : "";
  return [`rows: ${Number.parseInt(to, 10) - Number.parseInt(from, 10)}${unit}`, `skip: ${from}`];
};

const ofRow: Readonly<Record<string, Outcome>> = {
  data_files: settled("it is the file that is read"),
  ds_type: settled("it follows from the file's ending"),
  trust_remote_code: outside("no code is fetched"),
  name: lost("which part of the data set: fetch that part"),
  revision: outside("what is fetched is pinned where it is fetched"),
};

/** One entry of `datasets`: its rows, then what its type makes of them. */
export const axolotlDataset = (given: Given, split: string, around: Around): Outcome => {
  const { draft, report } = around;
  const fields = given.fields;
  if (!fields) return lost("an entry without a path");
  const value = (key: string): unknown => fields.get(key)?.value;
  const files = value("data_files");
  const file = Array.isArray(files) ? files[0] : files;
  const path = typeof file === "string" && !isHubName(String(value("path"))) ? file : value("path");
  if (typeof path !== "string") return lost("an entry without a path");
  const cut = rowsOfSplit(value("split"));
  const wanted = typeof value("split") === "string" ? value("split") : "";
  const first = !draft.data.splits.some((text) => text.startsWith(`${split} =`));
  const rows = addSplit(split, { path, format: value("ds_type"), ...(cut && { limits: cut }) }, draft);
  for (const [key, field] of fields) {
    if (key === "path" || key === "type" || isEmpty(field.value)) continue;
    if (key === "split")
      report(
        field,
        cut
          ? carried(cut.length ? `\`${cut.join(", ")}\`` : `rows of \`${String(wanted)}\``)
          : lost(`what \`${String(wanted)}\` takes is neither the first nor the last rows`),
      );
    else if (ofRow[key])
      report(field, key === "data_files" && Array.isArray(files) && files.length > 1 ? lost("one file makes a split") : ofRow[key]!);
    else if (key in ofType) report(field, ofType[key]!(field));
    else report(field, lost(`nothing here does what \`${key}\` does`));
  }
  const type = fields.get("type");
  if (type && first) report(type, axolotlType(type, fields, around));
  else if (type) report(type, lost("it belongs to rows that are not read"));
  return rows;
};

/** Keys that `axolotlType` reads. */
const ofType: Readonly<Record<string, (given: Given) => Outcome>> = {
  ...Object.fromEntries(
    ["field", "text_column", "field_messages", "chat_template", "roles", "message_field_role", "message_field_content"].map((key) => [
      key,
      () => carried("what is made of a row"),
    ]),
  ),
  message_property_mappings: ({ fields }) => {
    const others = [...(fields?.keys() ?? [])].filter((key) => key !== "role" && key !== "content");
    return others.length ? lost(`messages have a role and a text; \`${others.join("`, `")}\` is not read`) : carried("keys of messages");
  },
  roles_to_train: ({ value }) =>
    Array.isArray(value) && value.length === 1 && ["assistant", "gpt"].includes(String(value[0]))
      ? settled("the loss falls on what an assistant says")
      : lost("the loss falls on what an assistant says, or on everything"),
  train_on_eos: ({ value }) =>
    value === "turn"
      ? settled("a turn is learnt with the token that ends it")
      : lost("a turn is learnt with the token that ends it, and no other"),
};

const axolotlType = (type: Given, fields: ReadonlyMap<string, Given>, { draft }: Around): Outcome => {
  const text = (key: string, fallback: string): string =>
    typeof fields.get(key)?.value === "string" ? String(fields.get(key)!.value) : fallback;
  if (type.fields) return customType(type.fields, draft);
  const name = String(type.value);
  if (name === "completion") return wholeText(text("field", "text"), draft);
  if (name === "pretrain") return wholeText(text("text_column", "text"), draft);
  if (name === "chat_template" || name === "chat_template.default") return talks(text("field_messages", "messages"), fields, draft);
  if (name === "alpaca") return templates(alpacaPrompt, "{output}", draft);
  draft.data.prompt ??= "{instruction}\n";
  draft.data.answer ??= "{output}";
  return lost(`what \`${shown(name)}\` makes of a row is Axolotl's; \`{instruction}\` and \`{output}\` are written as a start`);
};

/** Alpaca's prompt as Axolotl writes it (Stanford Alpaca, Apache-2.0), with a part for rows that have an input. */
const alpacaPrompt = [
  "Below is an instruction that describes a task{#input}, paired with an input that provides further context{/input}.",
  " Write a response that appropriately completes the request.\n\n### Instruction:\n{instruction}\n\n",
  "{#input}### Input:\n{input}\n\n{/input}### Response:\n",
].join("");

/** `type: chat_template`: keys and roles of messages where they are not the usual ones. */
const talks = (column: string, fields: ReadonlyMap<string, Given>, draft: Draft): Outcome => {
  const settings = new Map<string, string>();
  const mapped = fields.get("message_property_mappings")?.fields;
  for (const [ours, usual] of [
    ["role", "from"],
    ["content", "value"],
  ] as const) {
    const said = mapped?.get(ours)?.value ?? fields.get(`message_field_${ours}`)?.value;
    if (typeof said === "string" && said !== ours && said !== usual) settings.set(ours, textLiteral(said));
  }
  for (const [role, given] of fields.get("roles")?.fields ?? []) {
    const names = (Array.isArray(given.value) ? (given.value as unknown[]) : [given.value]).filter((name) => typeof name === "string");
    const [only] = names;
    if (names.some((name) => !usualRoles.has(name)))
      settings.set(role, names.length === 1 ? textLiteral(only!) : `[${names.map(textLiteral).join(", ")}]`);
  }
  return conversation(column, draft, settings);
};

/** Roles that need not be said. */
const usualRoles = new Set(["user", "human", "assistant", "gpt", "system", "tool"]);

/** A format of the user's own, with one form for all rows or two. */
const customType = (fields: ReadonlyMap<string, Given>, draft: Draft): Outcome => {
  const text = (key: string): string | undefined =>
    typeof fields.get(key)?.value === "string" ? String(fields.get(key)!.value) : undefined;
  const columns = {
    instruction: text("field_instruction") ?? "instruction",
    input: text("field_input") ?? "input",
    ...(text("field_system") !== undefined && { system: text("field_system")! }),
  };
  const format = text("format") ?? "{instruction}";
  const answer = `{${text("field_output") ?? "output"}}`;
  const system = text("system_prompt");
  templates((system ? `${templateText(system, columns)}\n` : "") + templateText(format, columns), answer, draft);
  if (system) return lost("how `system_prompt` is joined to a prompt is Axolotl's; it is written before it");
  const other = text("no_input_format");
  return other !== undefined && other !== format && text("field_input") !== undefined
    ? lost("rows without an `input` have another form (`no_input_format`); the form with one is written")
    : carried("`prompt` and `answer`");
};
