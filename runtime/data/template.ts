// Templates filled with a row's values. Numbers are written as JSON writes them; text goes in as it is.

import { diagnostics } from "../../spec/diagnostics.generated.ts";
import { holdsNothing, readTemplate, type Template, type TemplatePart } from "../../spec/template.ts";
import { DiagnosticError } from "../diagnostic-error.ts";

/** Throws a DiagnosticError that says what is wrong with the braces. */
export const parseTemplate = (template: string): Template => {
  const read = readTemplate(template);
  if ("parts" in read) return read;
  throw new DiagnosticError([
    diagnostics.template_syntax(undefined, { template, problem: read.problem }, { help: "a brace meant as itself is written twice: `{{`" }),
  ]);
};

/** The text for a row whose columns have been checked to be text or numbers. */
export const fillTemplate = ({ parts }: Template, values: Readonly<Record<string, unknown>>): string => filled(parts, values);

const filled = (parts: readonly TemplatePart[], values: Readonly<Record<string, unknown>>): string => {
  const own = (column: string): unknown => (Object.hasOwn(values, column) ? values[column] : undefined);
  let text = "";
  for (const part of parts) {
    if (typeof part === "string") text += part;
    else if ("column" in part) text += String(own(part.column));
    else if (holdsNothing(own(part.when)) === part.empty) text += filled(part.parts, values);
  }
  return text;
};
