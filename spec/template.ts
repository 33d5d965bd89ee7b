// Templates: "{meaning} ||" with a row's columns in it. `{{` and `}}` are braces meant as themselves. The compiler checks them,
// the runtime fills them; both read them here.

export interface Template {
  /** Text between columns: one more than there are columns. */
  readonly texts: readonly string[];
  readonly columns: readonly string[];
  /** Where each column's `{` stands in the template, and behind its `}`. */
  readonly places: readonly (readonly [start: number, end: number])[];
}

/** What is wrong with the braces, and where; a phrase for a message. */
export interface TemplateProblem {
  readonly problem: string;
  readonly at: readonly [start: number, end: number];
}

export const readTemplate = (template: string): Template | TemplateProblem => {
  const texts = [""];
  const columns: string[] = [];
  const places: [number, number][] = [];
  for (let i = 0; i < template.length; i++) {
    const c = template[i]!;
    if ((c === "{" || c === "}") && template[i + 1] === c) {
      texts[texts.length - 1] += c;
      i++;
    } else if (c === "{") {
      const end = template.indexOf("}", i);
      if (end < 0) return { problem: "has a `{` that nothing closes", at: [i, i + 1] };
      const column = template.slice(i + 1, end);
      if (column.includes("{")) return { problem: "has a `{` inside another", at: [i, end + 1] };
      if (column.trim() === "") return { problem: "has a `{}` without a column", at: [i, end + 1] };
      columns.push(column.trim());
      places.push([i, end + 1]);
      texts.push("");
      i = end;
    } else if (c === "}") return { problem: "has a `}` that nothing opens", at: [i, i + 1] };
    else texts[texts.length - 1] += c;
  }
  return { texts, columns, places };
};
