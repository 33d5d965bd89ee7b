// argv in, exit code out. Chooses the command, loads its module and nothing else, and is the last to see an error: what a
// user did wrong was a diagnostic long before it came here, so whatever is thrown this far is our own fault and exits 2.

import { type Diagnostic, nearest } from "../spec/diagnostic.ts";
import { diagnostics } from "../spec/diagnostics.generated.ts";
import { parseArguments } from "./arguments.ts";
import type { ExitCode } from "./command.ts";
import { commands } from "./commands.ts";
import { endProcess, type Io, processIo } from "./io.ts";

export { endProcess, processIo };

export const main = async (argv: readonly string[], io: Io): Promise<ExitCode> => {
  const verbose = argv.includes("--verbose");
  if (verbose) process.setSourceMapsEnabled(true);
  try {
    return await dispatch(argv, io);
  } catch (error) {
    const { version } = await import("./version.ts");
    const message = error instanceof Error ? error.message : String(error);
    await complain(io, [
      diagnostics.internal_error(
        undefined,
        { message },
        {
          help: verbose
            ? "report the lines below, with the file, in this project's issue tracker"
            : "run it again with --verbose and report what it prints",
        },
      ),
    ]);
    if (verbose && error instanceof Error)
      io.err.write(`peft ${version}, node ${process.version}, ${process.platform} ${process.arch}\n${error.stack}\n`);
    return 2;
  }
};

const dispatch = async (argv: readonly string[], io: Io): Promise<ExitCode> => {
  const [first] = argv;
  if (first === "--version" || first === "-V") {
    const { version } = await import("./version.ts");
    io.out.write(`peft ${version}\n`);
    return 0;
  }
  if (first === undefined || first === "--help" || first === "-h" || first === "help") {
    const { helpText } = await import("./help.ts");
    (first === undefined ? io.err : io.out).write(helpText(commands));
    return first === undefined ? 2 : 0;
  }
  const command = commands.find(({ name }) => name === first);
  if (!command) {
    const near = nearest(
      first,
      commands.map(({ name }) => name),
    );
    const help = near ? `did you mean \`peft ${near}\`?` : `\`peft --help\` lists the commands`;
    await complain(io, [diagnostics.unknown_command(undefined, { command: first }, { help })]);
    return 2;
  }
  const { words, flags, values, diagnostics: wrong } = parseArguments(argv.slice(1), command);
  if (wrong.length) {
    await complain(io, wrong);
    return 2;
  }
  if (flags.has("help") || flags.has("version")) {
    const [{ commandHelp }, { version }] = await Promise.all([import("./help.ts"), import("./version.ts")]);
    io.out.write(flags.has("help") ? commandHelp(command) : `peft ${version}\n`);
    return 0;
  }
  const { run } = await command.load();
  return run({ io, arguments: words, flags, values });
};

const complain = async (io: Io, found: readonly Diagnostic[]): Promise<void> => {
  const { renderText } = await import("./render/text.ts");
  io.err.write(renderText(found, { text: () => undefined, colour: io.err.colour, columns: io.err.columns() }));
};
