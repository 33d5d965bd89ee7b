// Runs something that must stop with diagnostics, and returns them.

import { DiagnosticError } from "../../runtime/diagnostic-error.ts";
import type { Diagnostic } from "../../spec/diagnostic.ts";

export const caught = async (body: () => unknown): Promise<readonly Diagnostic[]> => {
  try {
    await body();
  } catch (error) {
    if (error instanceof DiagnosticError) return error.diagnostics;
    throw error;
  }
  throw new Error("nothing was thrown");
};

export const codes = async (body: () => unknown): Promise<string[]> => (await caught(body)).map((d) => d.code);
