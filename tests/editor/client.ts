// A real client: the built `peft lsp` as a child process, spoken to through the protocol's own library. Documents are files of a
// fresh folder beside the quickstart's base; `|` in a text marks the cursor.

import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import {
  type CompletionItem,
  createProtocolConnection,
  type Diagnostic,
  type Position,
  type ProtocolConnection,
  StreamMessageReader,
  StreamMessageWriter,
  type TextEdit,
} from "vscode-languageserver-protocol/node";
import { buildWhenStale } from "../../build.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

export interface Client {
  readonly connection: ProtocolConnection;
  readonly folder: string;
  readonly uri: (name: string) => string;
  /** Opens a document without its cursor mark; resolves with the first diagnostics that are published for it. */
  readonly open: (name: string, text: string) => Promise<readonly Diagnostic[]>;
  /** Replaces the whole text, or a range of it. */
  readonly change: (
    name: string,
    text: string,
    range?: { readonly start: Position; readonly end: Position },
  ) => Promise<readonly Diagnostic[]>;
  /** The next diagnostics published for a document. */
  readonly published: (name: string) => Promise<readonly Diagnostic[]>;
  readonly write: (name: string, text: string) => void;
  readonly exitCode: () => Promise<number | null>;
  /** Milliseconds of processor time that the server has used; undefined where the system does not say. */
  readonly processorTime: () => number | undefined;
}

/** Where `|` stands, and the text without it. */
export const marked = (text: string): { readonly text: string; readonly position: Position } => {
  const offset = text.indexOf("|");
  const lines = text.slice(0, offset).split("\n");
  return { text: text.slice(0, offset) + text.slice(offset + 1), position: { line: lines.length - 1, character: lines.at(-1)!.length } };
};

/** A text after edits, which the protocol gives against the text as it was. */
export const edited = (text: string, edits: readonly TextEdit[]): string => {
  const lines = text.split("\n");
  const offset = ({ line, character }: Position): number => lines.slice(0, line).reduce((sum, one) => sum + one.length + 1, 0) + character;
  return [...edits]
    .sort((a, b) => offset(b.range.start) - offset(a.range.start))
    .reduce((now, { range, newText }) => now.slice(0, offset(range.start)) + newText + now.slice(offset(range.end)), text);
};

export const labels = (items: readonly CompletionItem[]): readonly string[] => items.map(({ label }) => label);

/** Starts a server, gives it to `use`, and stops it however that ends. */
export const withServer = async <T>(use: (client: Client) => Promise<T>, capabilities: object = {}): Promise<T> => {
  await buildWhenStale();
  const folder = mkdtempSync(join(tmpdir(), "peft-editor-"));
  cpSync(`${root}examples/quickstart/base`, join(folder, "base"), { recursive: true });
  cpSync(`${root}examples/quickstart/orders.eval.jsonl`, join(folder, "orders.jsonl"));
  const child = spawn(process.execPath, [`${root}dist/peft.cjs`, "lsp", "--stdio"], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, XDG_CACHE_HOME: join(folder, ".cache") },
  });
  const connection = createProtocolConnection(new StreamMessageReader(child.stdout!), new StreamMessageWriter(child.stdin!));
  try {
    const client = await start(connection, child, folder, capabilities);
    const result = await use(client);
    await connection.sendRequest("shutdown");
    await connection.sendNotification("exit");
    return result;
  } finally {
    connection.dispose();
    child.kill();
    rmSync(folder, { recursive: true, force: true });
  }
};

const start = async (connection: ProtocolConnection, child: ChildProcess, folder: string, capabilities: object): Promise<Client> => {
  const versions = new Map<string, number>();
  const arrived = new Map<string, (readonly Diagnostic[])[]>();
  const waiting = new Map<string, ((found: readonly Diagnostic[]) => void)[]>();
  connection.onNotification("textDocument/publishDiagnostics", ({ uri, diagnostics }: { uri: string; diagnostics: Diagnostic[] }) => {
    const next = waiting.get(uri)?.shift();
    if (next) next(diagnostics);
    else arrived.set(uri, [...(arrived.get(uri) ?? []), diagnostics]);
  });
  connection.onRequest("client/registerCapability", () => null);
  connection.listen();
  const uri = (name: string): string => pathToFileURL(join(folder, name)).href;
  await connection.sendRequest("initialize", {
    processId: process.pid,
    rootUri: pathToFileURL(folder).href,
    workspaceFolders: [{ uri: pathToFileURL(folder).href, name: "test" }],
    capabilities: { textDocument: { completion: { completionItem: { snippetSupport: true } } }, ...capabilities },
  });
  await connection.sendNotification("initialized", {});
  const published = (name: string): Promise<readonly Diagnostic[]> => {
    const early = arrived.get(uri(name))?.shift();
    if (early) return Promise.resolve(early);
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`nothing was published for ${name}`)), 10_000);
      waiting.set(uri(name), [
        ...(waiting.get(uri(name)) ?? []),
        (found) => {
          clearTimeout(late);
          resolve(found);
        },
      ]);
    });
  };
  const write = (name: string, text: string): void => {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  };
  const change: Client["change"] = async (name, text, range) => {
    const version = versions.get(name)! + 1;
    versions.set(name, version);
    await connection.sendNotification("textDocument/didChange", {
      textDocument: { uri: uri(name), version },
      contentChanges: [{ text, ...(range && { range }) }],
    });
    return published(name);
  };
  return {
    connection,
    folder,
    uri,
    published,
    write,
    open: async (name, text) => {
      write(name, text);
      if (versions.has(name)) return change(name, text);
      versions.set(name, 1);
      await connection.sendNotification("textDocument/didOpen", { textDocument: { uri: uri(name), languageId: "peft", version: 1, text } });
      return published(name);
    },
    change,
    processorTime: () => {
      try {
        // Fields 14 and 15, in hundredths of a second, behind the name in parentheses (proc(5)).
        const fields = readFileSync(`/proc/${child.pid}/stat`, "utf8").split(") ")[1]!.split(" ");
        return 10 * (Number(fields[11]) + Number(fields[12]));
      } catch {
        return undefined;
      }
    },
    exitCode: () => new Promise((resolve) => (child.exitCode === null ? child.once("exit", resolve) : resolve(child.exitCode))),
  };
};
