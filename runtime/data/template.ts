// Templates filled with a row's values. Numbers are written as JSON writes them; text goes in as it is.

import { diagnostics } from "../../spec/diagnostics.generated.ts";
import { readTemplate, type Template } from "../../spec/template.ts";
import { DiagnosticError } from "../diagnostic-error.ts";

/** Throws a DiagnosticError that says what is wrong with the braces. */
export const parseTemplate = (template: string): Template => {
  const read = readTemplate(template);
  if ("texts" in read) return read;
  throw new DiagnosticError([
    diagnostics.template_syntax(undefined, { template, problem: read.problem }, { help: "a brace meant as itself is written twice: `{{`" }),
  ]);
};

/** The text for a row whose columns have been checked to be text or numbers. */
export const fillTemplate = ({ texts, columns }: Template, values: Readonly<Record<string, unknown>>): string => {
  let text = texts[0]!;
  for (let i = 0; i < columns.length; i++) text += String(values[columns[i]!]) + texts[i + 1]!;
  return text;
};
