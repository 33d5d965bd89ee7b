// argv -> an invocation, or the diagnostics of what is wrong with it. util.parseArgs splits the words; what it would throw as
// its own sentences becomes diagnostics with a near name, all of them in one go.

import { parseArgs } from "node:util";
import { type Diagnostic, nearest } from "../spec/diagnostic.ts";
import { diagnostics } from "../spec/diagnostics.generated.ts";
import { type Command, everywhere, type Option } from "./command.ts";

export interface Arguments {
  readonly words: readonly string[];
  readonly flags: ReadonlySet<string>;
  readonly values: ReadonlyMap<string, readonly string[]>;
  readonly diagnostics: readonly Diagnostic[];
}

export const parseArguments = (argv: readonly string[], command: Command): Arguments => {
  const options: Readonly<Record<string, Option>> = { ...command.options, ...everywhere };
  const { tokens } = parseArgs({
    args: [...argv],
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: Object.fromEntries(
      Object.entries(options).map(([name, { type, short }]) => [
        name,
        { type: type === "flag" ? ("boolean" as const) : ("string" as const), ...(short && { short }) },
      ]),
    ),
  });

  const words: string[] = [];
  const flags = new Set<string>();
  const values = new Map<string, string[]>();
  const found: Diagnostic[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") words.push(token.value);
    if (token.kind !== "option") continue;
    const option = options[token.name];
    if (!option) found.push(unknownOption(token.rawName, command, options));
    else if (option.type === "flag") {
      if (token.value !== undefined) found.push(diagnostics.option_value(undefined, { option: token.rawName, problem: "takes no value" }));
      else flags.add(token.name);
    } else {
      const problem = valueProblem(option, token.value, token.inlineValue === true);
      if (problem) found.push(diagnostics.option_value(undefined, { option: token.rawName, problem }, valueHelp(option, token.value)));
      else values.set(token.name, [...(values.get(token.name) ?? []), token.value!]);
    }
  }
  for (const [name, given] of values)
    if (options[name]!.type === "value" && given.length > 1)
      found.push(diagnostics.option_value(undefined, { option: `--${name}`, problem: `is given ${given.length} times` }));
  if (!flags.has("help") && !flags.has("version")) found.push(...countProblems(words, command));
  return { words, flags, values, diagnostics: found };
};

const unknownOption = (raw: string, command: Command, options: Readonly<Record<string, Option>>): Diagnostic => {
  const near = raw.startsWith("--") ? nearest(raw.slice(2), Object.keys(options)) : undefined;
  return diagnostics.unknown_option(
    undefined,
    { option: raw, command: command.name },
    near
      ? { help: `did you mean \`--${near}\`?` }
      : {
          notes: [
            {
              message: `\`peft ${command.name}\` takes: ${Object.keys(options)
                .map((name) => `--${name}`)
                .join(", ")}`,
            },
          ],
        },
  );
};

const choices = (option: Option): readonly string[] | undefined =>
  option.value && /^[a-z|]+$/.test(option.value) ? option.value.split("|") : undefined;

const valueProblem = (option: Option, value: string | undefined, inline: boolean): string | undefined => {
  // `--output -x`: the next word begins with a dash, so the value was forgotten. `--prompt=-x` and `-` alone are values.
  if (value === undefined || value === "" || (!inline && /^-[^\d]/.test(value))) return `needs a value: ${option.value}`;
  const allowed = choices(option);
  if (allowed && !allowed.includes(value)) return `cannot be \`${value}\``;
  if (option.value === "N" && !/^\d+$/.test(value)) return `needs a whole number, not \`${value}\``;
  if (option.value === "X" && !(Number(value) >= 0)) return `needs a number of at least 0, not \`${value}\``;
  if (option.value === "NAME=VALUE" && !/^[A-Za-z_]\w*=/.test(value)) return `needs NAME=VALUE, not \`${value}\``;
  return undefined;
};

const valueHelp = (option: Option, value: string | undefined): { help?: string } => {
  const allowed = choices(option);
  if (!allowed || value === undefined) return {};
  const near = nearest(value, allowed);
  return { help: near ? `did you mean \`${near}\`?` : `one of: ${allowed.join(", ")}` };
};

const countProblems = (words: readonly string[], command: Command): readonly Diagnostic[] => {
  const [least, most] = command.count;
  const usage = `peft ${command.name} ${command.takes}`;
  if (words.length < least) return [diagnostics.usage_incomplete(undefined, { usage })];
  if (words.length > most) return [diagnostics.usage_excess(undefined, { argument: words[most]!, usage })];
  return [];
};
