// `peft lsp`: the language server on standard input and output. Loaded by this command alone, with the protocol's library.

import type { ExitCode } from "./command.ts";
import { serve } from "./language-server/server.ts";

export const run = async (): Promise<ExitCode> => serve({ input: process.stdin, output: process.stdout });
