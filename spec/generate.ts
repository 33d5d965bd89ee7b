// Turns the pages of spec/diagnostics into typed creators. A page is `# CODE name`, an optional `severity: warning` line, the
// message in a quote with {holes}, prose, and a failing and a corrected block. Run by `npm run generate`; the tests check
// that running it changes nothing.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const folder = new URL("./diagnostics/", import.meta.url);

const creator = (file: string): string => {
  const text = readFileSync(new URL(file, folder), "utf8");
  const heading = /^# (PEFT\d{4}) ([a-z_]+)$/m.exec(text);
  const message = /^> (.+)$/m.exec(text)?.[1];
  if (!heading || !message || `${heading[1]}.md` !== file) throw new Error(`${file}: needs "# CODE name" and a quoted message`);
  const severity = /^severity: warning$/m.test(text) ? "warning" : "error";
  const holes = [...new Set([...message.matchAll(/\{(\w+)\}/g)].map((m) => m[1]!))];
  const template = message
    .replaceAll("\\", "\\\\")
    .replaceAll("`", "\\`")
    .replace(/\{(\w+)\}/g, "${$1}");
  const types = holes.map((hole) => `readonly ${hole}: string | number`).join("; ");
  const parameters = holes.length ? `at: Span | undefined, { ${holes.join(", ")} }: { ${types} }` : "at?: Span";
  return `  /** ${message} */
  ${heading[2]}: (${parameters}, details: Details = {}): Diagnostic => make("${heading[1]}", "${severity}", \`${template}\`, at, details),`;
};

/** The text of diagnostics.generated.ts. */
export const generated = (): string => {
  const files = readdirSync(folder)
    .filter((file) => file.endsWith(".md"))
    .sort();
  const names = files.map((file) => /^# \S+ (\S+)$/m.exec(readFileSync(new URL(file, folder), "utf8"))?.[1]);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice) throw new Error(`two pages are named ${twice}`);
  return `// Generated from spec/diagnostics by spec/generate.ts. Do not edit.

import type { Span } from "../grammar/tree.ts";
import type { Details, Diagnostic } from "./diagnostic.ts";

const make = (code: string, severity: "error" | "warning", message: string, at: Span | undefined, details: Details): Diagnostic => ({
  code,
  severity,
  message,
  ...(at && { at }),
  ...(details.about && { about: details.about }),
  ...(details.label !== undefined && { label: details.label }),
  notes: details.notes ?? [],
  ...(details.help !== undefined && { help: details.help }),
  fixes: details.fixes ?? [],
});

export const diagnostics = {
${files.map(creator).join("\n")}
};
`;
};

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(new URL("./diagnostics.generated.ts", import.meta.url), generated());
