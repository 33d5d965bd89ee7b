// The compiler's view of this machine: files by path, checkpoint headers through the runtime's reader.

import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { CompileHost } from "../compiler/host.ts";
import { DiagnosticError } from "../runtime/diagnostic-error.ts";
import { readHeaders } from "../runtime/headers.ts";
import { nodeHost } from "../runtime/node-host.ts";
import type { DType } from "../spec/job.ts";
import { std } from "./embedded/std.ts";

const dtypes: Readonly<Record<string, DType>> = { F32: "f32", F16: "f16", BF16: "bf16" };

/** `texts` holds files that are not read from disk: standard input, an editor's buffer. */
export const compileHost = (texts: ReadonlyMap<string, string> = new Map()): CompileHost => ({
  std,
  read: (path) => texts.get(path) ?? (existsSync(path) ? readFileSync(path, "utf8") : undefined),
  list: (folder) => (existsSync(folder) ? readdirSync(folder) : undefined),
  headers: async (folder) => {
    try {
      const { tensors, sha256 } = await readHeaders(nodeHost, folder);
      return { tensors: new Map([...tensors].map(([name, tensor]) => [name, { dtype: dtypes[tensor.dtype as string] ?? "f32", shape: tensor.shape }])), sha256 };
    } catch (error) {
      if (error instanceof DiagnosticError) return { diagnostics: error.diagnostics };
      throw error;
    }
  },
  resolve: (from, relative) => (from.endsWith("/") ? resolve(from, relative) : resolve(dirname(from), relative)),
  here: (path) => resolve(path),
  sha256: (data) => createHash("sha256").update(data).digest("hex"),
});
