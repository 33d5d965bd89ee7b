// The hub as a fetch sees it: which commit a revision is, what files it has, their bytes from a position on. Every way in which it does
// not answer becomes a diagnostic here. @huggingface/hub is loaded when a hub is opened, and not before.

import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import type { ListFileEntry } from "@huggingface/hub";
import { DiagnosticError } from "../../runtime/diagnostic-error.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { Environment } from "./cache.ts";
import { type Place, writePlace } from "./place.ts";

export interface Hub {
  readonly endpoint: string;
  readonly commit: () => Promise<string>;
  readonly files: (commit: string) => Promise<readonly ListFileEntry[]>;
  readonly read: (commit: string, path: string, from: number) => AsyncIterable<Uint8Array>;
  /** What a connection that broke means for a file of which some bytes are there. */
  readonly broken: (error: unknown, path: string, done: number, total: number) => DiagnosticError;
}

export const openHub = async (place: Place, env: Environment): Promise<Hub> => {
  const hub = await import("@huggingface/hub");
  const endpoint = (env.HF_ENDPOINT || hub.HUB_URL).replace(/\/+$/, "");
  const accessToken = tokenOf(env);
  if (accessToken !== undefined && !accessToken.startsWith("hf_"))
    throw new DiagnosticError([diagnostics.hub_token(undefined, { help: "make one at the hub, under Access Tokens, or unset HF_TOKEN" })]);
  const answer = { status: 0, code: "", message: "" };
  const watched: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    Object.assign(answer, {
      status: response.status,
      code: response.headers.get("x-error-code") ?? "",
      message: response.headers.get("x-error-message") ?? "",
    });
    return response;
  };
  const common = { hubUrl: endpoint, fetch: watched, ...(accessToken !== undefined && { accessToken }) };
  const repo = { type: "model", name: place.name } as const;

  const asked = async <T>(body: () => Promise<T>): Promise<T> => {
    answer.status = 0;
    try {
      return await body();
    } catch (error) {
      if (error instanceof DiagnosticError) throw error;
      throw new DiagnosticError([
        answer.status >= 400 ? refusal(place, endpoint, answer, accessToken !== undefined) : unreachable(endpoint, error),
      ]);
    }
  };

  return {
    endpoint,
    commit: () =>
      asked(async () => (await hub.modelInfo({ ...common, name: place.name, revision: place.revision, additionalFields: ["sha"] })).sha),
    files: (commit) =>
      asked(async () => {
        const found: ListFileEntry[] = [];
        for await (const entry of hub.listFiles({ ...common, repo, revision: commit })) found.push(entry);
        return found;
      }),
    read: async function* (commit, path, from) {
      const blob = await asked(() => hub.downloadFile({ ...common, repo, path, revision: commit }));
      if (!blob) throw new Error("the hub no longer has it");
      const reader = blob.slice(from).stream().getReader();
      for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
    },
    broken: (error, path, done, total) =>
      new DiagnosticError([
        diagnostics.hub_unreachable(
          undefined,
          { endpoint, reason: reasonOf(error) },
          {
            notes: [{ message: `of ${path} there are ${done} of ${total} bytes; they are kept` }],
            help: "run it again: it goes on where it stopped",
          },
        ),
      ]),
  };
};

/** As Hugging Face's tools find it; it is sent to the endpoint and nowhere else. */
const tokenOf = (env: Environment): string | undefined => {
  const given = env.HF_TOKEN || env.HUGGING_FACE_HUB_TOKEN;
  if (given) return given;
  try {
    const home = env.HF_HOME ?? join(env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "huggingface");
    return readFileSync(env.HF_TOKEN_PATH ?? join(home, "token"), "utf8").trim() || undefined;
  } catch {
    return undefined;
  }
};

const unreachable = (endpoint: string, error: unknown) =>
  diagnostics.hub_unreachable(
    undefined,
    { endpoint, reason: reasonOf(error) },
    {
      help: 'is there a network? A mirror is named by HF_ENDPOINT; a folder with the model\'s files is a base, too: `checkpoint("folder/")`',
    },
  );

/** What the operating system says stands below what fetch says. */
const reasonOf = (error: unknown): string => {
  const cause = error instanceof Error ? (error.cause as { readonly code?: string; readonly message?: string } | undefined) : undefined;
  const code = cause?.code;
  return (code && reasons[code]) || cause?.message || code || (error instanceof Error ? error.message : String(error));
};

const reasons: Readonly<Record<string, string>> = {
  ENOTFOUND: "its name leads to no machine",
  EAI_AGAIN: "names cannot be looked up: there is no network",
  ECONNREFUSED: "nothing listens there",
  ECONNRESET: "the connection was cut",
  UND_ERR_SOCKET: "the connection was cut",
  ETIMEDOUT: "it did not answer in time",
  UND_ERR_CONNECT_TIMEOUT: "it did not answer in time",
};

interface Answer {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

const refusal = (place: Place, endpoint: string, { status, code, message }: Answer, known: boolean) => {
  const text = writePlace(place);
  if (code === "GatedRepo")
    return diagnostics.hub_gated(
      undefined,
      { place: text },
      {
        ...(message && { notes: [{ message }] }),
        help: known
          ? `the token is not enough: ask for access at ${endpoint}/${place.name}`
          : `accept its terms at ${endpoint}/${place.name}, then set HF_TOKEN to a token of that account`,
      },
    );
  if (code === "RevisionNotFound")
    return diagnostics.hub_not_found(
      undefined,
      { what: `${place.name} has no revision \`${place.revision}\`` },
      { help: `its branches, tags and commits: ${endpoint}/${place.name}/commits` },
    );
  // The hub tells one who is not known the same of what is not there and of what is private.
  if (status === 404 || status === 401 || status === 403)
    return diagnostics.hub_not_found(
      undefined,
      { what: `there is no model \`${place.name}\`${known ? "" : " that everyone may see"}` },
      { help: known ? "look the name up on the hub" : "look the name up on the hub; for one that is private, set HF_TOKEN" },
    );
  return diagnostics.hub_refused(
    undefined,
    { endpoint, status },
    {
      ...(message && { notes: [{ message }] }),
      help: status === 429 ? "too many were asked for: wait, or set HF_TOKEN" : "try it again later",
    },
  );
};
