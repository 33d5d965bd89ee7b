// Templates: "{meaning} ||" with a row's columns in it. `{#input}…{/input}` is there in rows whose `input` holds something,
// `{^input}…{/input}` in the others (the sections of Mustache). `{{` and `}}` are braces meant as themselves. The compiler checks
// templates, the runtime fills them; both read them here.

export type TemplatePart = string | TemplateColumn | TemplateSection;

export interface TemplateColumn {
  readonly column: string;
}

export interface TemplateSection {
  readonly when: string;
  /** Whether it is there in rows whose column holds nothing. */
  readonly empty: boolean;
  readonly parts: readonly TemplatePart[];
}

export interface Template {
  readonly parts: readonly TemplatePart[];
  /** Every column that it names, in order, as often as it does; the signs of sections too. */
  readonly columns: readonly string[];
  /** Where each stands in the template, braces included. */
  readonly places: readonly (readonly [start: number, end: number])[];
  /** Columns that every row must have. The others stand only in parts that are there when they are. */
  readonly needed: ReadonlySet<string>;
}

/** What is wrong with the braces, and where; a phrase for a message. */
export interface TemplateProblem {
  readonly problem: string;
  readonly at: readonly [start: number, end: number];
}

interface OpenSection {
  readonly when: string;
  readonly empty: boolean;
  readonly parts: TemplatePart[];
  readonly at: readonly [start: number, end: number];
}

export const readTemplate = (template: string): Template | TemplateProblem => {
  const top: TemplatePart[] = [];
  const open: OpenSection[] = [];
  const columns: string[] = [];
  const places: [number, number][] = [];
  const needed = new Set<string>();
  const inside = (): TemplatePart[] => open.at(-1)?.parts ?? top;
  let text = "";
  const add = (part?: TemplatePart): void => {
    if (text !== "") inside().push(text);
    text = "";
    if (part) inside().push(part);
  };
  for (let i = 0; i < template.length; i++) {
    const c = template[i]!;
    if ((c === "{" || c === "}") && template[i + 1] === c) {
      text += c;
      i++;
      continue;
    }
    if (c === "}") return { problem: "has a `}` that nothing opens", at: [i, i + 1] };
    if (c !== "{") {
      text += c;
      continue;
    }
    const end = template.indexOf("}", i);
    if (end < 0) return { problem: "has a `{` that nothing closes", at: [i, i + 1] };
    const at = [i, end + 1] as const;
    const inner = template.slice(i + 1, end).trim();
    if (inner.includes("{")) return { problem: "has a `{` inside another", at };
    const sign = /^[#^/]/.exec(inner)?.[0];
    const column = sign ? inner.slice(1).trim() : inner;
    if (column === "") return { problem: `has a \`{${sign ?? ""}}\` without a column`, at };
    i = end;
    if (sign === "/") {
      const section = open.at(-1);
      if (section?.when !== column) return { problem: `has a \`{/${column}}\` that closes no \`{#${column}}\``, at };
      add();
      open.pop();
      inside().push({ when: section.when, empty: section.empty, parts: section.parts });
      continue;
    }
    columns.push(column);
    places.push([...at]);
    if (sign) {
      add();
      open.push({ when: column, empty: sign === "^", parts: [], at });
    } else {
      add({ column });
      if (!open.some(({ when, empty }) => when === column && !empty)) needed.add(column);
    }
  }
  const unclosed = open.at(-1);
  if (unclosed)
    return { problem: `has a \`{${unclosed.empty ? "^" : "#"}${unclosed.when}}\` that no \`{/${unclosed.when}}\` closes`, at: unclosed.at };
  add();
  return { parts: top, columns, places, needed };
};

/** Whether a row's value is nothing: no such column, null, or the empty text. */
export const holdsNothing = (value: unknown): boolean => value === undefined || value === null || value === "";
