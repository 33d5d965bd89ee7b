// `peft --help` and `peft COMMAND --help`, printed from the command table.

import { type Command, everywhere, type Option } from "./command.ts";

const columns = (rows: readonly (readonly [string, string])[]): string => {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join("\n");
};

const optionRow = ([name, { short, value, says }]: [string, Option]): readonly [string, string] => [
  `${short ? `-${short}, ` : "    "}--${name}${value ? ` ${value}` : ""}`,
  says,
];

export const helpText = (
  commands: readonly Command[],
): string => `peft: a language, compiler and runtime for parameter-efficient fine-tuning

usage: peft COMMAND [ARGUMENTS] [OPTIONS]

${columns(commands.map(({ name, takes, says }) => [`${name} ${takes}`, says]))}

${columns(Object.entries(everywhere).map(optionRow))}

\`peft COMMAND --help\` shows its options. Exit codes: 0 clean, 1 diagnostics, 2 wrong usage or our own fault.
`;

export const commandHelp = (command: Command): string => `peft ${command.name}: ${command.says}

usage: peft ${command.name} ${command.takes}

${columns(Object.entries({ ...command.options, ...everywhere }).map(optionRow))}

${command.examples.map((example) => `  $ ${example}`).join("\n")}
`;
