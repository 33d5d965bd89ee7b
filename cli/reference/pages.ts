// The reference -> Markdown pages, one per kind of thing, and their index.

import { pages as diagnosticPages } from "../embedded/pages.ts";
import { type Entry, entries, type Kind } from "./entries.ts";

const chapters: readonly { readonly file: string; readonly title: string; readonly says: string; readonly kinds: readonly Kind[] }[] = [
  {
    file: "methods",
    title: "Methods",
    says: "What an adapter injects, or trains of what is there ([how long each is](method-table.md), and what it is held to; [which of PEFT's benchmark settings are not compared](peft-settings.md)).",
    kinds: ["method"],
  },
  { file: "architectures", title: "Architectures", says: "Models whose checkpoints are read.", kinds: ["architecture"] },
  {
    file: "modules",
    title: "Interfaces and modules",
    says: "What methods amend: interfaces with their points, and the modules that architectures are made of.",
    kinds: ["interface", "module"],
  },
  { file: "formats", title: "Formats", says: "How a base is stored: `store layers.** as FORMAT`.", kinds: ["format"] },
  { file: "optimizers", title: "Optimizers", says: "How trained parameters move.", kinds: ["optimizer"] },
  { file: "schedules", title: "Schedules", says: "How the learning rate changes over the steps.", kinds: ["schedule"] },
  {
    file: "settings",
    title: "Settings",
    says: "What blocks of a pipeline may say, and the calls that stand in them.",
    kinds: ["setting", "source", "generator"],
  },
  { file: "metrics", title: "Metrics", says: "What `evaluate` measures.", kinds: ["metric"] },
  { file: "budgets", title: "Budgets", says: "What `require` may hold.", kinds: ["fact"] },
  {
    file: "ops",
    title: "Ops",
    says: "What definitions compute with, beside the operators of spec/language/definitions.md.",
    kinds: ["op"],
  },
];

/** File name inside docs/ → text. */
export const referencePages = (): ReadonlyMap<string, string> => {
  const all = entries();
  const of = (kinds: readonly Kind[]): readonly Entry[] => all.filter(({ kind }) => kinds.includes(kind));
  return new Map([
    ["README.md", index()],
    ...chapters.map(({ file, title, says, kinds }) => [`${file}.md`, page(title, says, of(kinds))] as const),
    ["diagnostics.md", diagnosticIndex()],
  ]);
};

const made = "<!-- Made from stdlib/, the checker's tables and spec/diagnostics by `npm run docs`. Edit those. -->";

const index = (): string => {
  const rows = chapters.map(({ file, title, says }) => `| [${title}](${file}.md) | ${says} |`);
  return `${made}

# Reference

Every name that a pipeline may use. \`peft explain NAME\` prints the same in a terminal, and an editor shows it on hover (\`peft lsp\`). The
language itself is specified in [spec/language](../spec/language).

| page | |
|---|---|
${rows.join("\n")}
| [Diagnostics](diagnostics.md) | Every mistake that is found, with its page. |
`;
};

const page = (title: string, says: string, found: readonly Entry[]): string => `${made}

# ${title}

${says}

${found.map(section).join("\n")}`;

const section = ({ name, signature, doc, facts, source }: Entry): string => {
  const list = facts.map(([what, text]) => `- ${what}: ${text}`);
  const from = source ? [`- source: [stdlib/${source}](../stdlib/${source})`] : [];
  const parts = [`## ${name}`, `\`\`\`peft\n${signature}\n\`\`\``, doc, [...list, ...from].join("\n")];
  return `${parts.filter(Boolean).join("\n\n")}\n`;
};

const diagnosticIndex = (): string => {
  const rows = [...diagnosticPages].map(([code, text]) => {
    const message = /^> (.+)$/m.exec(text)?.[1] ?? "";
    const severity = /^severity: warning$/m.test(text) ? "warning" : "error";
    return `| [${code}](../spec/diagnostics/${code}.md) | ${severity} | ${message.replaceAll("|", "\\|")} |`;
  });
  return `${made}

# Diagnostics

\`peft explain CODE\` prints a page. What stands in braces is filled in.

| code | | message |
|---|---|---|
${rows.join("\n")}
`;
};
