// Ctrl-C, once: stop after the step at hand, save, exit 130. Twice: exit now. SIGTERM counts as the first Ctrl-C (143), since
// schedulers send it before they kill.

import type { ExitCode } from "./command.ts";

export interface Interrupt {
  readonly signal: AbortSignal;
  /** The exit code of a stopped run, undefined when nothing stopped it. */
  readonly code: () => ExitCode | undefined;
  readonly dispose: () => void;
}

export interface Signals {
  readonly on: (signal: "SIGINT" | "SIGTERM", listener: () => void) => void;
  readonly off: (signal: "SIGINT" | "SIGTERM", listener: () => void) => void;
  readonly exit: (code: number) => void;
}

const processSignals: Signals = {
  on: (signal, listener) => process.on(signal, listener),
  off: (signal, listener) => process.off(signal, listener),
  exit: (code) => process.exit(code),
};

export const interruptible = (say: (line: string) => void, signals: Signals = processSignals): Interrupt => {
  const controller = new AbortController();
  let code: ExitCode | undefined;
  const stop = (asked: 130 | 143) => () => {
    if (code !== undefined) return signals.exit(asked);
    code = asked;
    say("stopping after this step and saving; once more to stop now");
    controller.abort();
  };
  const onInt = stop(130);
  const onTerm = stop(143);
  signals.on("SIGINT", onInt);
  signals.on("SIGTERM", onTerm);
  return {
    signal: controller.signal,
    code: () => code,
    dispose: () => {
      signals.off("SIGINT", onInt);
      signals.off("SIGTERM", onTerm);
    },
  };
};
