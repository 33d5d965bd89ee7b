// Texts of a library -> what they declare, without parsing them: a definition stands at the start of a line.

const declaration = /^(module|interface|architecture|method|optimizer|schedule|format)\s+(\w+)(?:\s+for\s+((?:"[^"]*"[\s,]*)+))?/gm;

export interface Declared {
  /** "method NAME" -> path of its text. */
  readonly definitions: ReadonlyMap<string, string>;
  /** "SomeForCausalLM" -> architecture name. */
  readonly classes: ReadonlyMap<string, string>;
}

export const declaredIn = (texts: ReadonlyMap<string, string>): Declared => {
  const definitions = new Map<string, string>();
  const classes = new Map<string, string>();
  for (const [path, text] of texts)
    for (const [, kind, name, classList] of text.matchAll(declaration)) {
      definitions.set(`${kind} ${name}`, path);
      for (const [, className] of (classList ?? "").matchAll(/"([^"]*)"/g)) classes.set(className!, name!);
    }
  return { definitions, classes };
};
