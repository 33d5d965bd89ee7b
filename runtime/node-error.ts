// What Node throws where a file operation fails -> a diagnostic that names the path.

import { DiagnosticError } from "./diagnostic-error.ts";
import { type FileTrouble, fileError } from "./host.ts";

const troubles: Readonly<Record<string, FileTrouble>> = {
  ENOENT: "missing",
  EACCES: "denied",
  EPERM: "denied",
  EROFS: "read-only",
  ENOSPC: "full",
  EDQUOT: "full",
  EISDIR: "is-folder",
  ENOTDIR: "not-folder",
};

/** What Node threw, as a diagnostic. */
export const fromNode = (error: unknown, doing: "read" | "write", path: string): DiagnosticError => {
  if (error instanceof DiagnosticError) return error;
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return fileError((code && troubles[code]) || "other", doing, path, error instanceof Error ? error.message : String(error));
};
