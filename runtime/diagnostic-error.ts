// How the runtime stops: an Error that carries diagnostics for the person at the keyboard. The CLI prints them and nothing
// else; a plain Error that gets that far is our own fault.

import type { About, Diagnostic } from "../spec/diagnostic.ts";

export class DiagnosticError extends Error {
  readonly diagnostics: readonly Diagnostic[];

  constructor(diagnostics: readonly Diagnostic[]) {
    super(diagnostics.map((d) => `${d.code}: ${d.message}`).join("\n"));
    this.name = "DiagnosticError";
    this.diagnostics = diagnostics;
  }
}

/** Throws when there is anything in the list. */
export const throwIfAny = (diagnostics: readonly Diagnostic[]): void => {
  if (diagnostics.length > 0) throw new DiagnosticError(diagnostics);
};

/** Runs `body`; what it throws says what of the pipeline it is about, where it did not say so itself. */
export const blaming = async <T>(about: About, body: () => Promise<T>): Promise<T> => {
  try {
    return await body();
  } catch (error) {
    if (!(error instanceof DiagnosticError)) throw error;
    throw new DiagnosticError(error.diagnostics.map((one) => ({ ...one, about: { ...about, ...one.about } })));
  }
};
