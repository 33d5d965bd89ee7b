// A fragment of a diagnostic page -> a whole pipeline: the version, a base, and what the fragment uses and does not declare. A page shows
// the lines that matter; these are the others.

import { parse } from "../../grammar/parse.ts";
import type * as tree from "../../grammar/tree.ts";

const names = (path: tree.Path): string => (path.segments[0]?.kind === "name" ? path.segments[0].text : "");

const optimizer = "optimizer: adamw(learning_rate: 2e-4)";

/** A training that shows one setting, and neither how parameters move nor for how long, has both. */
const trainable = (text: string): string =>
  text.replace(/(train \w+ on \w+ \{)([^}]*\})/g, (_, head: string, rest: string) =>
    /optimizer|steps|epochs|learning_rate/.test(rest) ? head + rest : `${head} ${optimizer}  steps: 10 ${rest}`,
  );

/** The fragment with its version before it, what a training needs at the start of its block, and the rest behind it. */
export const complete = (fragment: string, code = ""): string => {
  const text = trainable(code === "PEFT0203" || /^\s*(\/\/.*\n)*\s*peft \d/.test(fragment) ? fragment : `peft 1\n${fragment}`);
  const { items } = parse(text, "page").file;
  const declared = (kind: tree.Item["kind"]): ReadonlySet<string> =>
    new Set(items.flatMap((item) => (item.kind === kind && "name" in item && item.name ? [item.name.text] : [])));
  const bases = declared("base");
  const base = [...bases][0] ?? "tiny";
  const adapters = new Set([...declared("adapter"), ...bases]);
  const data = declared("data");
  const added: string[] = [];
  // A page that declares an adapter, or data, declares all that it uses.
  const [ownAdapters, ownData] = [declared("adapter").size > 0, data.size > 0];
  const needAdapter = (name: string): void => {
    if (ownAdapters || adapters.has(name) || name === base) return;
    adapters.add(name);
    added.push(`adapter ${name} = lora(r: 2) into ${base}.layers.*.attn.{q, v}`);
  };
  const needData = (name: string): void => {
    if (ownData || data.has(name) || name === "") return;
    (data as Set<string>).add(name);
    added.push(`data ${name} { train = jsonl("train.jsonl")  eval = jsonl("eval.jsonl")  prompt = "{slip}\\n"  answer = "{text}" }`);
  };
  const definesAlone = items.every(({ kind }) =>
    /Def$|module|method|format|optimizer|schedule|interface|architecture|import|input/.test(kind),
  );
  for (const item of items) {
    if (item.kind === "train") {
      needAdapter(item.subject.text);
      needData(names(item.on));
    } else if (item.kind === "evaluate") {
      for (const { text: subject } of item.subjects) needAdapter(subject);
      needData(names(item.on));
    } else if (item.kind === "merge") needAdapter(item.subject.text);
    else if (item.kind === "sweep") needAdapter(item.over.text);
    else if (item.kind === "compare") {
      needData(names(item.on));
      for (const [, name] of text.slice(item.at.start, item.at.end).matchAll(/\w+: (\w+)(?=[,\s}])/g))
        if (name && !/^\d/.test(name)) needAdapter(name);
    }
  }
  const trained = new Set(items.flatMap((item) => (item.kind === "train" ? [item.subject.text] : [])));
  for (const item of items)
    if (item.kind === "require")
      for (const [, verb, subject] of text.slice(item.at.start, item.at.end).matchAll(/\w+\((train |evaluate |generate )?(\w+)\)/g)) {
        needAdapter(subject!);
        if (verb === "train " && !trained.has(subject!)) {
          trained.add(subject!);
          needData("orders");
          added.push(`train ${subject} on orders { ${optimizer}  steps: 10  sequence_len: 16 }`);
        }
      }
  const first = bases.size > 0 || definesAlone ? [] : [`base ${base} = checkpoint("base/")`];
  return `${text}\n${[...first, ...added].join("\n")}\n`;
};
