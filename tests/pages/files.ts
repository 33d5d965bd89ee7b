// The data files that a page's pipeline names has: rows with every column that its templates name. What is called `gone…` is not there.

const numbers = Array.from({ length: 120 }, (_, i) => i);

const template =
  "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% if m.role == 'assistant' %}</s>{% endif %}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}";

/** Content by name. */
export const filesFor = (text: string): ReadonlyMap<string, string> => {
  const columns = [...new Set([...text.matchAll(/\{[#^]?(\w+)\}/g)].map(([, column]) => column!))];
  const talk = /chat = (?:messages\()?"(\w+)"/.exec(text)?.[1];
  const row = (i: number): Readonly<Record<string, unknown>> => ({
    ...Object.fromEntries(columns.map((column) => [column, `${column} ${i}`])),
    // What a row is about has few values.
    ...(columns.includes("label") && { label: ["bad", "good"][i % 2]! }),
    ...(columns.includes("task") && { task: ["menu", "polite"][i % 2]! }),
    ...(talk !== undefined && {
      [talk]: [
        { role: "user", content: `${i} soup` },
        { role: "assistant", content: `Soup number ${i}.` },
      ],
    }),
  });
  const written: Readonly<Record<string, () => string>> = {
    jsonl: () => numbers.map((i) => `${JSON.stringify(row(i))}\n`).join(""),
    json: () => JSON.stringify(numbers.map(row)),
    csv: () => [columns.join(","), ...numbers.map((i) => columns.map((column) => `${column} ${i}`).join(","))].join("\n"),
    text: () => "One soup.\nTwo teas.\n",
  };
  const beside: readonly (readonly [string, string])[] = [
    ["shared.peft", "peft 1\ninput limit: int = 4\n"],
    ["chat.jinja", template],
    ["weights/notes.txt", "no config.json"],
  ];
  // What is evaluated has other rows than what is trained on.
  const own = (name: string, content: string): string => (name.startsWith("eval") ? content.replace(/(\w+) (\d+)/g, "$1 $2 e") : content);
  return new Map([
    ...beside,
    ...[...text.matchAll(/\b(jsonl|json|csv|text)\("(?!gone)([^"]+)"/g)].map(([, reader, name]): readonly [string, string] => [
      name!,
      own(name!, written[reader!]!()),
    ]),
  ]);
};
