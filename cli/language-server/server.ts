// The protocol: each request is answered from the analysis of its document; diagnostics are pushed after a change, once the messages
// that came with it are read, so that a burst of keystrokes is one check.

import {
  CodeActionKind,
  type Connection,
  createConnection,
  DidChangeWatchedFilesNotification,
  DocumentHighlightKind,
  InlayHintKind,
  LSPErrorCodes,
  ResponseError,
  type Diagnostic as ShownDiagnostic,
  StreamMessageReader,
  StreamMessageWriter,
  TextDocumentSyncKind,
  TextDocuments,
} from "vscode-languageserver/node";
import { TextDocument } from "vscode-languageserver-textdocument";
import type { Span } from "../../grammar/tree.ts";
import { version } from "../version.ts";
import { allFixes, quickFixes } from "./actions.ts";
import type { Analysis } from "./analysis.ts";
import { complete } from "./complete.ts";
import { formatEdit } from "./edits.ts";
import { hints } from "./hints.ts";
import { hover } from "./hover.ts";
import { definitionAt, referencesTo, unrenamable } from "./navigate.ts";
import { outline } from "./outline.ts";
import { fileOf, isStdCopy, locationOf, offsetAt, positionAt, rangeOf } from "./positions.ts";
import { Published } from "./published.ts";
import { shownDiagnostic, shownEdit, shownEntry, shownProposal } from "./shown.ts";
import { occurrenceAt, pipelineNames } from "./symbols.ts";
import { Workbench } from "./workbench.ts";

export interface Streams {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
}

/** Serves one client until it says `exit` or closes the stream; resolves with the exit code the protocol asks for. */
export const serve = ({ input, output }: Streams): Promise<0 | 1> =>
  new Promise((finish) => {
    const connection = createConnection(new StreamMessageReader(input), new StreamMessageWriter(output));
    let asked = false;
    connection.onShutdown(() => {
      asked = true;
    });
    connection.onExit(() => finish(asked ? 0 : 1));
    input.on("end", () => finish(asked ? 0 : 1));
    const documents = new TextDocuments(TextDocument);
    const workbench = new Workbench(documents);
    answerLifecycle(connection, workbench);
    answerChecks(connection, documents, workbench);
    answerQuestions(connection, workbench);
    answerEdits(connection, workbench);
    documents.listen(connection);
    connection.listen();
  });

const refuse = (message: string): never => {
  throw new ResponseError(LSPErrorCodes.RequestFailed, message);
};

const answerLifecycle = (connection: Connection, workbench: Workbench): void => {
  let watches = false;
  connection.onInitialize(({ capabilities, workspaceFolders, rootUri }) => {
    workbench.folders = (workspaceFolders ?? (rootUri ? [{ uri: rootUri }] : [])).map(({ uri }) => fileOf(uri));
    workbench.snippets = capabilities.textDocument?.completion?.completionItem?.snippetSupport ?? false;
    watches = capabilities.workspace?.didChangeWatchedFiles?.dynamicRegistration ?? false;
    return {
      serverInfo: { name: "peft", version },
      capabilities: {
        textDocumentSync: TextDocumentSyncKind.Incremental,
        hoverProvider: true,
        completionProvider: { triggerCharacters: [".", "{", "(", ":", "=", '"', " ", ",", "/"] },
        definitionProvider: true,
        referencesProvider: true,
        documentHighlightProvider: true,
        documentSymbolProvider: true,
        documentFormattingProvider: true,
        codeActionProvider: { codeActionKinds: [CodeActionKind.QuickFix, CodeActionKind.SourceFixAll] },
        renameProvider: { prepareProvider: true },
        inlayHintProvider: true,
      },
    };
  });
  connection.onInitialized(() => {
    // A config.json, a header or an imported file that changes on the disk changes what is wrong with the open files.
    if (watches)
      void connection.client.register(DidChangeWatchedFilesNotification.type, {
        watchers: [{ globPattern: "**/*.{peft,json,safetensors}" }],
      });
  });
};

const answerChecks = (connection: Connection, documents: TextDocuments<TextDocument>, workbench: Workbench): void => {
  const published = new Published((uri, found) => void connection.sendDiagnostics({ uri, diagnostics: [...found] }));
  const waiting = new Set<string>();
  const check = (uri: string): void => {
    if (waiting.has(uri)) return;
    waiting.add(uri);
    setImmediate(() => {
      waiting.delete(uri);
      publish(uri).catch((error: unknown) => connection.console.error(error instanceof Error ? (error.stack ?? "") : String(error)));
    });
  };
  const checkAll = (): void => {
    workbench.refresh();
    for (const { uri } of documents.all()) check(uri);
  };
  const publish = async (uri: string): Promise<void> => {
    const before = documents.get(uri)?.version;
    // The standard library is shown, and not complained about.
    const analysis = isStdCopy(fileOf(uri)) ? undefined : await workbench.analysisOf(uri);
    if (!analysis || documents.get(uri)?.version !== before) return;
    const textOf = (file: string): string | undefined => workbench.textOf(file, analysis);
    const found = new Map<string, ShownDiagnostic[]>([[uri, []]]);
    for (const diagnostic of analysis.diagnostics) {
      const of = workbench.uriFor(diagnostic.at?.file ?? analysis.file);
      found.set(of, [...(found.get(of) ?? []), shownDiagnostic(diagnostic, textOf)]);
    }
    published.put(uri, found);
    for (const other of await workbench.outdatedBy(analysis)) check(other);
  };
  connection.onDidChangeWatchedFiles(checkAll);
  documents.onDidChangeContent(({ document }) => check(document.uri));
  documents.onDidClose(({ document }) => {
    workbench.forget(document.uri);
    published.withdraw(document.uri);
    checkAll();
  });
};

const answerQuestions = (connection: Connection, workbench: Workbench): void => {
  connection.onHover(async ({ textDocument, position }) => {
    const analysis = await workbench.analysisOf(textDocument.uri);
    const found = analysis && hover(analysis, workbench.names(analysis), offsetAt(analysis.text, position));
    return analysis && found && { contents: { kind: "markdown", value: found.markdown }, range: rangeOf(found.at, analysis.text) };
  });
  connection.onCompletion(async ({ textDocument, position }) => {
    const analysis = await workbench.analysisOf(textDocument.uri);
    if (!analysis) return [];
    const { from, proposals } = complete(workbench.withBase(textDocument.uri, analysis), offsetAt(analysis.text, position));
    const range = { start: positionAt(analysis.text, from), end: position };
    return proposals.map((proposal, order) => shownProposal(proposal, order, range, workbench.snippets));
  });
  connection.onDefinition(async ({ textDocument, position }) => {
    const analysis = await workbench.analysisOf(textDocument.uri);
    return analysis && places(definitionAt(analysis, workbench.names(analysis), offsetAt(analysis.text, position)), analysis);
  });
  connection.onReferences(async ({ textDocument, position, context }) => {
    const analysis = await workbench.analysisOf(textDocument.uri);
    if (!analysis) return [];
    const found = await workbench.everywhere(analysis, offsetAt(analysis.text, position));
    const wanted = found.filter(({ declares }) => context.includeDeclaration || !declares);
    return places(
      wanted.map(({ at }) => at),
      analysis,
    );
  });
  connection.onDocumentHighlight(async ({ textDocument, position }) => {
    const analysis = await workbench.analysisOf(textDocument.uri);
    if (!analysis) return [];
    const names = workbench.names(analysis);
    const chosen = occurrenceAt(names, offsetAt(analysis.text, position));
    return (chosen ? referencesTo(analysis, chosen.symbol, names) : [])
      .filter(({ at }) => at.file === analysis.file)
      .map(({ at, declares }) => ({
        range: rangeOf(at, analysis.text),
        kind: declares ? DocumentHighlightKind.Write : DocumentHighlightKind.Read,
      }));
  });
  connection.onDocumentSymbol(async ({ textDocument }) => {
    const analysis = await workbench.analysisOf(textDocument.uri);
    return analysis && outline(analysis.tree.items).map((entry) => shownEntry(entry, analysis.text));
  });
  connection.languages.inlayHint.on(async ({ textDocument }) => {
    const analysis = await workbench.analysisOf(textDocument.uri);
    return (analysis ? hints(analysis) : []).map(({ offset, text, tooltip }) => ({
      position: positionAt(analysis!.text, offset),
      label: text,
      tooltip,
      kind: InlayHintKind.Type,
      paddingLeft: true,
    }));
  });
  const places = (spans: readonly Span[], analysis: Analysis) =>
    spans.flatMap((at) => locationOf(at, (file) => workbench.textOf(file, analysis)) ?? []);
};

const answerEdits = (connection: Connection, workbench: Workbench): void => {
  connection.onDocumentFormatting(async ({ textDocument }) => {
    const analysis = await workbench.analysisOf(textDocument.uri);
    const edit = analysis && formatEdit(analysis);
    return edit ? [{ range: rangeOf(edit, analysis.text), newText: edit.insert }] : [];
  });
  connection.onPrepareRename(async ({ textDocument, position }) => {
    const analysis = await workbench.analysisOf(textDocument.uri);
    const chosen = analysis && occurrenceAt(workbench.names(analysis), offsetAt(analysis.text, position));
    if (!chosen) return refuse("there is no name here that a file declares");
    const problem = unrenamable(chosen.symbol, undefined, []);
    return problem ? refuse(problem) : { range: rangeOf(chosen.at, analysis.text), placeholder: chosen.symbol.name };
  });
  connection.onRenameRequest(async ({ textDocument, position, newName }) => {
    const analysis = await workbench.analysisOf(textDocument.uri);
    const chosen = analysis && occurrenceAt(workbench.names(analysis), offsetAt(analysis.text, position));
    if (!chosen) return refuse("there is no name here that a file declares");
    const names = pipelineNames(analysis.compiled.resolved?.items ?? []);
    const taken = names.get(chosen.symbol.name)?.at.start === chosen.symbol.at.start ? [...names.keys()] : [];
    const problem = unrenamable(
      chosen.symbol,
      newName,
      taken.filter((name) => name !== chosen.symbol.name),
    );
    if (problem) return refuse(problem);
    const found = await workbench.everywhere(analysis, offsetAt(analysis.text, position));
    return shownEdit(
      found.map(({ at }) => ({ at, insert: newName })),
      (file) => workbench.textOf(file, analysis),
      (file) => workbench.uriFor(file),
    );
  });
  connection.onCodeAction(async ({ textDocument, range, context }) => {
    const analysis = await workbench.analysisOf(textDocument.uri);
    if (!analysis) return [];
    const { file, text, diagnostics } = analysis;
    const textOf = (name: string): string | undefined => workbench.textOf(name, analysis);
    const uriFor = (name: string): string => workbench.uriFor(name);
    const wants = (kind: string): boolean => !context.only || context.only.some((one) => kind === one || kind.startsWith(`${one}.`));
    const here: Span = { file, start: offsetAt(text, range.start), end: offsetAt(text, range.end) };
    const single = wants(CodeActionKind.QuickFix) ? quickFixes(diagnostics, here) : [];
    const all = wants(CodeActionKind.SourceFixAll) ? allFixes(diagnostics, file) : [];
    return [
      ...single.map(({ diagnostic, fix, preferred }) => ({
        title: fix.title,
        kind: CodeActionKind.QuickFix,
        diagnostics: [shownDiagnostic(diagnostic, textOf)],
        isPreferred: preferred,
        edit: shownEdit([fix], textOf, uriFor),
      })),
      ...(all.length
        ? [{ title: "fix everything that can be", kind: CodeActionKind.SourceFixAll, edit: shownEdit(all, textOf, uriFor) }]
        : []),
    ];
  });
};
