// Templates: "{meaning} ||" with a row's columns in it. `{{` and `}}` are braces meant as themselves. Numbers are written as
// JSON writes them; text goes in as it is.

import { diagnostics } from "../../spec/diagnostics.generated.ts";
import { DiagnosticError } from "../diagnostic-error.ts";

export interface Template {
  /** Text between columns: one more than there are columns. */
  readonly texts: readonly string[];
  readonly columns: readonly string[];
}

/** Throws a DiagnosticError that says what is wrong with the braces. */
export const parseTemplate = (template: string): Template => {
  const wrong = (problem: string): DiagnosticError =>
    new DiagnosticError([
      diagnostics.template_syntax(undefined, { template, problem }, { help: "a brace meant as itself is written twice: `{{`" }),
    ]);
  const texts = [""];
  const columns: string[] = [];
  for (let i = 0; i < template.length; i++) {
    const c = template[i]!;
    if ((c === "{" || c === "}") && template[i + 1] === c) {
      texts[texts.length - 1] += c;
      i++;
    } else if (c === "{") {
      const end = template.indexOf("}", i);
      if (end < 0) throw wrong("has a `{` that nothing closes");
      const column = template.slice(i + 1, end);
      if (column.includes("{")) throw wrong("has a `{` inside another");
      if (column.trim() === "") throw wrong("has a `{}` without a column");
      columns.push(column.trim());
      texts.push("");
      i = end;
    } else if (c === "}") throw wrong("has a `}` that nothing opens");
    else texts[texts.length - 1] += c;
  }
  return { texts, columns };
};

/** The text for a row whose columns have been checked to be text or numbers. */
export const fillTemplate = ({ texts, columns }: Template, values: Readonly<Record<string, unknown>>): string => {
  let text = texts[0]!;
  for (let i = 0; i < columns.length; i++) text += String(values[columns[i]!]) + texts[i + 1]!;
  return text;
};
