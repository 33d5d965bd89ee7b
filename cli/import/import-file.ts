// Another tool's file -> a pipeline and what became of every key. The tool is found by its keys; its table is gone through row by row in
// the table's own order, so that what depends on another key comes after it; keys that the table lacks come last.

import type { Library } from "../../compiler/blocks/resolve.ts";
import { type Diagnostic, nearest } from "../../spec/diagnostic.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import { linesOf } from "../render/position.ts";
import { adapterOf } from "./adapters.ts";
import { assemble, storeOf } from "./assemble.ts";
import { axolotl } from "./axolotl.ts";
import { type Around, emptyDraft, type Imported, type Tool } from "./draft.ts";
import { type Given, isEmpty, readKeys } from "./given.ts";
import { llamaFactory } from "./llama-factory.ts";
import type { Outcome, Reported } from "./outcome.ts";
import { dropped, settled, unset } from "./outcome.ts";
import { peftConfig } from "./peft-config.ts";
import { textLiteral } from "./rows.ts";

const tools: readonly Tool[] = [peftConfig, axolotl, llamaFactory];

export interface Importing {
  readonly text: string;
  readonly file: string;
  readonly library: Library;
  readonly read: (path: string) => string | undefined;
}

export const importFile = ({ text, file, library, read }: Importing): Imported | { readonly diagnostics: readonly Diagnostic[] } => {
  const { root, problems, doubled, documents } = readKeys(text, file);
  if (!root) return { diagnostics: problems.map(({ at, problem }) => diagnostics.import_unreadable(at, { file, problem })) };
  const tool = tools.find(({ recognises }) => recognises(root));
  if (!tool) return { diagnostics: [unknownTool(root, file)] };

  const draft = emptyDraft();
  const outcomes = new Map<Given, Outcome>();
  const around: Around = { draft, root, library, read, report: (given, outcome) => void outcomes.set(given, outcome) };
  const fields = root.fields!;
  const decide = (given: Given, outcome: () => Outcome): void => void outcomes.set(given, isEmpty(given.value) ? unset : outcome());
  for (const [key, row] of Object.entries(tool.rows)) {
    const given = fields.get(key);
    if (given) decide(given, () => row(given, around));
  }
  for (const [key, given] of fields)
    if (!(key in tool.rows)) decide(given, () => tool.unknown(given, nearest(key, Object.keys(tool.rows))));
  for (const given of doubled) outcomes.set(given, dropped("it is given again further down, and the last one counts"));
  tool.complete(around);
  settleSaving(fields, around, outcomes);

  const adapter = draft.mode === "adapter" ? adapterOf(draft, library) : undefined;
  for (const [key, outcome] of adapter?.outcomes ?? []) {
    const from = draft.peft.get(key)?.from;
    if (from?.name) outcomes.set(from, outcome);
  }
  const store = storeOf(draft, library);
  if (draft.store && store.outcome) outcomes.set(draft.store.from, store.outcome);
  const whole = [{ call: "tune()", paths: draft.mode === "selective" ? draft.selected : ["**"] }];
  const lines =
    draft.loaded !== undefined
      ? [{ call: `load(${textLiteral(draft.loaded)})`, paths: [] }]
      : (adapter?.lines ?? (draft.mode === "none" || (draft.mode === "selective" && !draft.selected.length) ? [] : whole));

  const { position } = linesOf(text);
  const lineOf = (offset: number): number => position(offset).line;
  const reported: Reported[] = [...outcomes]
    .map(([given, outcome]) => ({ given, ...outcome }))
    .sort((a, b) => a.given.at.start - b.given.at.start);
  if (documents > 1) draft.notes.push(`The file holds ${documents} documents; the first one is imported, as ${tool.name} reads it.`);
  const written = assemble(draft, { source: file, tool: tool.name, lines, store: store.text, outcomes: reported, lineOf });
  return { tool: tool.name, text: written, outcomes: reported, fetch: draft.fetch };
};

/** State that would never be saved is not asked for: a run that is stopped before it begins anew either way. */
const settleSaving = (fields: ReadonlyMap<string, Given>, { draft }: Around, outcomes: Map<Given, Outcome>): void => {
  const [interval, steps] = [/^every (\d+) steps/.exec(draft.train.get("checkpoint") ?? "")?.[1], draft.train.get("steps")];
  if (interval === undefined || steps === undefined || Number(interval) <= Number(steps)) return;
  draft.train.delete("checkpoint");
  for (const key of ["save_steps", "save_total_limit"]) {
    const given = fields.get(key);
    if (given && outcomes.get(given)?.fate === "carried")
      outcomes.set(given, settled(`the run ends after ${steps} steps, so nothing is saved before its end`));
  }
};

/** Files that lie beside pipelines and are none. */
const others: readonly (readonly [key: string, what: string])[] = [
  [
    "compute_environment",
    "a launcher's configuration of Accelerate: it says which machines take part, which is said when a job is started",
  ],
  ["zero_optimization", "a configuration of DeepSpeed: it says how several devices share the work, which is said when a job is started"],
  ...["model_id", "optimizer_kwargs", "optimizer_type", "use_amp", "attn_implementation"].map(
    (key) => [key, "settings of a benchmark of PEFT's, not of an adapter: import the adapter_config.json beside it"] as const,
  ),
];

const unknownTool = ({ at, fields }: Given, file: string): Diagnostic => {
  const other = others.find(([key]) => fields?.has(key));
  const what = other?.[1] ?? "no file of Axolotl, LLaMA-Factory or PEFT that is known here";
  return diagnostics.import_unknown(
    { ...at, end: at.start },
    { file, what },
    { help: "Axolotl's files have `base_model`, LLaMA-Factory's `model_name_or_path`, PEFT's adapter_config.json `peft_type`" },
  );
};
