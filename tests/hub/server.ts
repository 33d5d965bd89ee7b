// A hub on this machine, as far as a fetch asks one: what a revision is, what files it has, their bytes from a position on. Answers are those of
// huggingface.co: statuses, `X-Error-Code`, checksums as etags. It counts what it was asked, and can break a connection in the middle.

import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface HubFile {
  readonly bytes: Buffer;
  /** Stored apart from git, as large files are: its checksum is a sha256. */
  readonly apart?: boolean;
}

export interface Repository {
  /** Branch → commit. */
  readonly refs: Record<string, string>;
  readonly files: Record<string, HubFile>;
  readonly gated?: boolean;
  /** Everything that is asked of it is refused with this status. */
  readonly refused?: number;
}

export interface FakeHub {
  readonly endpoint: string;
  readonly repositories: Record<string, Repository>;
  /** `GET PATH`, and the range that was asked for. */
  readonly asked: string[];
  /** Bytes of a file after which the connection is cut, each time. */
  readonly cutAfter: Map<string, number>;
  /** Files that arrive with one bit wrong. */
  readonly spoiled: Set<string>;
  readonly close: () => Promise<void>;
}

export const etagOf = ({ bytes, apart }: HubFile): string =>
  apart
    ? createHash("sha256").update(bytes).digest("hex")
    : createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");

export const openFakeHub = async (repositories: Record<string, Repository>): Promise<FakeHub> => {
  const asked: string[] = [];
  const cutAfter = new Map<string, number>();
  const spoiled = new Set<string>();
  const server = createServer((request, response) => answer(request, response, { repositories, asked, cutAfter, spoiled }));
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    repositories,
    asked,
    cutAfter,
    spoiled,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
};

const answer = (
  request: IncomingMessage,
  response: ServerResponse,
  { repositories, asked, cutAfter, spoiled }: Pick<FakeHub, "repositories" | "asked" | "cutAfter" | "spoiled">,
): void => {
  const path = decodeURIComponent(new URL(request.url!, "http://hub").pathname);
  const { range } = request.headers;
  asked.push(`${request.method} ${path}${range ? ` ${range}` : ""}`);
  const refuse = (status: number, code: string): void => {
    response.writeHead(status, { "x-error-code": code, "x-error-message": `${code} of ${path}`, "content-type": "application/json" });
    response.end(JSON.stringify({ error: code }));
  };
  const parts =
    /^\/api\/models\/(?<name>[^/]+\/[^/]+)\/(?<kind>revision|tree)\/(?<revision>.+)$/.exec(path)?.groups ??
    /^\/(?<name>[^/]+\/[^/]+)\/(?<kind>resolve)\/(?<revision>[^/]+)\/(?<file>.+)$/.exec(path)?.groups;
  const repository = parts && repositories[parts.name!];
  // One who is not known is told the same of what is not there and of what is private.
  if (!parts || !repository) {
    refuse(401, "RepoNotFound");
    return;
  }
  const commit = repository.refs[parts.revision!] ?? Object.values(repository.refs).find((one) => one === parts.revision);
  if (repository.refused !== undefined) {
    refuse(repository.refused, "Refused");
    return;
  }
  if (!commit) {
    refuse(404, "RevisionNotFound");
    return;
  }
  const json = (value: unknown): void => {
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify(value));
  };
  if (parts.kind === "revision") {
    const { gated = false } = repository;
    const told = { downloads: 0, likes: 0, lastModified: "2026-01-01T00:00:00Z" };
    const siblings = Object.keys(repository.files).map((rfilename) => ({ rfilename }));
    json({ _id: "1", id: parts.name, sha: commit, private: false, gated, siblings, ...told });
    return;
  }
  if (repository.gated && request.headers.authorization !== "Bearer hf_known") {
    refuse(request.headers.authorization ? 403 : 401, "GatedRepo");
    return;
  }
  if (parts.kind === "tree") {
    json(Object.entries(repository.files).map(entryOf));
    return;
  }
  const file = repository.files[parts.file!];
  if (!file) {
    refuse(404, "EntryNotFound");
    return;
  }
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(range ?? "") ?? [];
  const last = to ? Math.min(Number(to), file.bytes.length - 1) : file.bytes.length - 1;
  const body = Buffer.from(file.bytes.subarray(Number(from ?? 0), last + 1));
  if (spoiled.has(parts.file!) && body.length > 1) body[body.length - 1]! ^= 1;
  response.writeHead(range ? 206 : 200, {
    etag: `"${etagOf(file)}"`,
    "x-repo-commit": commit,
    ...(file.apart && { "x-linked-etag": `"${etagOf(file)}"`, "x-linked-size": file.bytes.length }),
    "content-length": body.length,
    ...(range && { "content-range": `bytes ${from}-${last}/${file.bytes.length}` }),
  });
  if (request.method === "HEAD") {
    response.end();
    return;
  }
  const cut = cutAfter.get(parts.file!);
  if (cut === undefined || body.length <= cut || body.length === 1) response.end(body);
  else response.write(body.subarray(0, cut), () => setTimeout(() => response.destroy(), 5));
};

const entryOf = ([path, file]: [string, HubFile]) => ({
  type: "file",
  path,
  size: file.bytes.length,
  oid: file.apart ? "0".repeat(40) : etagOf(file),
  ...(file.apart && { lfs: { oid: etagOf(file), size: file.bytes.length, pointerSize: 134 } }),
});
