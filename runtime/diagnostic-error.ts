// How the runtime stops: an Error that carries diagnostics for the person at the keyboard. The CLI prints them and nothing
// else; a plain Error that gets that far is our own fault.

import type { Diagnostic } from "../spec/diagnostic.ts";

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
