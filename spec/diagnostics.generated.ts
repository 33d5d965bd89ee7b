// Generated from spec/diagnostics by spec/generate.ts. Do not edit.

import type { Span } from "../grammar/tree.ts";
import type { Details, Diagnostic } from "./diagnostic.ts";

const make = (code: string, severity: "error" | "warning", message: string, at: Span | undefined, details: Details): Diagnostic => ({
  code,
  severity,
  message,
  ...(at && { at }),
  ...(details.label !== undefined && { label: details.label }),
  notes: details.notes ?? [],
  ...(details.help !== undefined && { help: details.help }),
  fixes: details.fixes ?? [],
});

export const diagnostics = {
  /** `into` matches no module: `{pattern}` */
  unmatched_target: (at: Span | undefined, { pattern }: { readonly pattern: string | number }, details: Details = {}): Diagnostic => make("PEFT0312", "error", `\`into\` matches no module: \`${pattern}\``, at, details),
};
