// The compiler's view of this machine: files by path, checkpoint headers through the runtime's reader, the built-in library.
// Paths stay as a person would write them from `cwd`, so a diagnostic's place can be clicked and copied.

import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { posix, resolve } from "node:path";
import type { CompileHost } from "../compiler/host.ts";
import type { Host } from "../runtime/host.ts";
import type { DType } from "../spec/job.ts";
import { classes, definitions } from "./embedded/declared.ts";
import { metricSignatures } from "./embedded/metrics.ts";
import { std } from "./embedded/std.ts";
import { trees } from "./embedded/trees.ts";
import { folderOf, hubCopy } from "./hub/base.ts";
import { isHubPlace } from "./hub/place.ts";
import { readingHost } from "./reading-host.ts";

/** The dtypes of a checkpoint that a job computes with. */
export const dtypes: Readonly<Record<string, DType>> = { F32: "f32", F16: "f16", BF16: "bf16" };

/** `texts` holds files that are not read from disk: standard input, an editor's buffer, what was read already. */
export const compileHost = (texts: ReadonlyMap<string, string> = new Map(), cwd = process.cwd()): CompileHost => ({
  std,
  stdTrees: trees,
  stdDeclares: { definitions, classes },
  metrics: metricSignatures,
  read: (path) => texts.get(path) ?? orUndefined(() => readFileSync(resolve(cwd, path), "utf8").replace(/^\ufeff/, "")),
  list: (folder) => orUndefined(() => readdirSync(resolve(cwd, folder)).sort()),
  headers: async (folder) => {
    // Loaded here: a file that names no checkpoint is checked without the reader.
    const [{ headerText, readHeaders }, { DiagnosticError }] = await Promise.all([
      import("../runtime/headers.ts"),
      import("../runtime/diagnostic-error.ts"),
    ]);
    try {
      const { tensors, files } = await readHeaders(readingHost(cwd), folder);
      return {
        tensors: new Map([...tensors].map(([name, { dtype, shape }]) => [name, { dtype: dtypes[dtype] ?? "f32", shape, raw: dtype }])),
        sha256: () => sha256(headerText(files)),
      };
    } catch (error) {
      if (error instanceof DiagnosticError) return { diagnostics: error.diagnostics };
      throw error;
    }
  },
  adapter: async (folder) => {
    const [{ readAdapterHeader }, { DiagnosticError }] = await Promise.all([
      import("../runtime/adapter-header.ts"),
      import("../runtime/diagnostic-error.ts"),
    ]);
    try {
      const { config, tensors, beside } = await readAdapterHeader(readingHost(cwd), folder);
      return {
        config,
        beside,
        tensors: new Map(tensors.map(({ name, dtype, shape }) => [name, { dtype: dtypes[dtype] ?? "f32", shape, raw: dtype }])),
      };
    } catch (error) {
      if (error instanceof DiagnosticError) return { diagnostics: error.diagnostics };
      throw error;
    }
  },
  otherBase: async (folder, base) => {
    const [{ printOf, printsApart, readBasePrint }, { readHeaders }, { DiagnosticError }] = await Promise.all([
      import("../runtime/base-print.ts"),
      import("../runtime/headers.ts"),
      import("../runtime/diagnostic-error.ts"),
    ]);
    const host = readingHost(cwd);
    try {
      const made = await readBasePrint(host, folder);
      // Without its weights a base is not compared: a lock knows shapes, and those are held to the adapter's tensors.
      if (!made || (await host.kind(base)) !== "folder") return { lines: [], total: 0 };
      const headers = await readHeaders(host, base);
      return { lines: printsApart(made, await printOf(host, headers)), total: headers.tensors.size };
    } catch (error) {
      if (error instanceof DiagnosticError) return { diagnostics: error.diagnostics };
      throw error;
    }
  },
  weightsPrint: async (folder) => {
    const host = readingHost(cwd);
    if ((await host.kind(folder)) !== "folder") return undefined;
    const [{ printOf }, { readHeaders }] = await Promise.all([import("../runtime/base-print.ts"), import("../runtime/headers.ts")]);
    return sha256(JSON.stringify(await printOf(host, await readHeaders(host, folder))));
  },
  rows: async (path, split, columns) => {
    const { peekRows } = await import("../runtime/data/peek.ts");
    return peekRows(readingHost(cwd), path, split, columns);
  },
  chat: async (folder, template) => {
    const [{ openChat }, { readChatTokens }, { DiagnosticError }] = await Promise.all([
      import("../runtime/chat/open-chat.ts"),
      import("../runtime/chat/chat-tokens.ts"),
      import("../runtime/diagnostic-error.ts"),
    ]);
    const host = readingHost(cwd);
    try {
      const tokens = await readChatTokens(host, folder);
      if (tokens) await openChat(host, tokens, folder, template);
      return [];
    } catch (error) {
      if (error instanceof DiagnosticError) return error.diagnostics;
      throw error;
    }
  },
  sample: async (path) => {
    const { sampleOf } = await import("../runtime/data/sample.ts");
    const host = readingHost(cwd);
    return (await host.kind(path)) === "file" ? sampleOf(host, path) : undefined;
  },
  hub: (place, weights) => hubCopy(place, weights, process.env),
  // A `from` that ends with a slash is the folder itself.
  resolve: (from, relative) =>
    isHubPlace(relative)
      ? folderOf(relative, process.env)
      : posix.isAbsolute(relative)
        ? relative
        : posix.join(from.slice(0, from.lastIndexOf("/") + 1), relative),
  here: (path) => (isHubPlace(path) ? path : resolve(cwd, path).replaceAll("\\", "/")),
  sha256,
});

const require = createRequire(import.meta.url);

/** Loads its module here: it takes longer than all that is digested, and most checks digest nothing. */
const sha256 = (content: string | Uint8Array): string => {
  const { createHash }: typeof import("node:crypto") = require("node:crypto");
  return createHash("sha256").update(content).digest("hex");
};

/** Reading as from a folder: paths stay as a person wrote them, in messages too. */
export const seenFrom = (host: Host, cwd: string): Host => ({
  ...host,
  kind: (path) => host.kind(resolve(cwd, path)),
  open: (path) => host.open(resolve(cwd, path)),
  read: (path) => host.read(resolve(cwd, path)),
  list: (path) => host.list(resolve(cwd, path)),
});

const orUndefined = <T>(read: () => T): T | undefined => {
  try {
    return read();
  } catch {
    return undefined;
  }
};
