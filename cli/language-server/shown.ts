// What the language server knows -> the protocol's words for it.

import {
  CompletionItemKind,
  DiagnosticSeverity,
  InsertTextFormat,
  type Range,
  type Diagnostic as ShownDiagnostic,
  SymbolKind,
  type TextEdit,
  type WorkspaceEdit,
} from "vscode-languageserver/node";
import type { Span } from "../../grammar/tree.ts";
import type { Diagnostic } from "../../spec/diagnostic.ts";
import { sentences } from "../render/place.ts";
import type { Proposal } from "./complete.ts";
import type { Entry } from "./outline.ts";
import { locationOf, rangeOf, type TextOf } from "./positions.ts";

export interface Insertion {
  readonly at: Span;
  readonly insert: string;
}

const nowhere: Range = { start: { line: 0, character: 0 }, end: { line: 0, character: 0 } };

export const shownDiagnostic = (diagnostic: Diagnostic, textOf: TextOf): ShownDiagnostic => {
  const { code, severity, at, notes } = diagnostic;
  const text = at && textOf(at.file);
  return {
    source: "peft",
    code,
    severity: severity === "error" ? DiagnosticSeverity.Error : DiagnosticSeverity.Warning,
    range: at && text !== undefined ? rangeOf(at, text) : nowhere,
    message: sentences(diagnostic).join("\n"),
    relatedInformation: notes.flatMap((note) => {
      const location = note.at && locationOf(note.at, textOf);
      return location ? [{ location, message: note.message }] : [];
    }),
  };
};

export const shownEdit = (edits: readonly Insertion[], textOf: TextOf, uriFor: (file: string) => string): WorkspaceEdit => {
  const changes: Record<string, TextEdit[]> = {};
  for (const { at, insert } of edits) {
    const text = textOf(at.file);
    if (text === undefined) continue;
    const uri = uriFor(at.file);
    changes[uri] = [...(changes[uri] ?? []), { range: rangeOf(at, text), newText: insert }];
  }
  return { changes };
};

const proposalKinds: Readonly<Record<Proposal["kind"], CompletionItemKind>> = {
  keyword: CompletionItemKind.Keyword,
  setting: CompletionItemKind.Property,
  function: CompletionItemKind.Function,
  class: CompletionItemKind.Class,
  value: CompletionItemKind.Value,
  module: CompletionItemKind.Module,
  file: CompletionItemKind.File,
  folder: CompletionItemKind.Folder,
  operator: CompletionItemKind.Operator,
};

/** Snippets only for a client that can fill them in; another gets the text with the defaults that stand in the slots. */
export const shownProposal = ({ label, kind, insert, detail, markdown }: Proposal, order: number, range: Range, snippets: boolean) => ({
  label,
  kind: proposalKinds[kind],
  // The order they are proposed in is the order they make sense in.
  sortText: String(order).padStart(4, "0"),
  ...(detail && { detail }),
  ...(markdown && { documentation: { kind: "markdown" as const, value: markdown } }),
  insertTextFormat: insert && snippets ? InsertTextFormat.Snippet : InsertTextFormat.PlainText,
  textEdit: { range, newText: insert === undefined ? label : snippets ? insert : withoutSlots(insert) },
});

const withoutSlots = (snippet: string): string =>
  snippet
    .replace(/\$\{\d+:((?:\\\}|[^}])*)\}/g, "$1")
    .replace(/\$\{?\d+\}?/g, "")
    .replaceAll("\\}", "}");

const entryKinds: Partial<Record<Entry["kind"], SymbolKind>> = {
  base: SymbolKind.Package,
  adapter: SymbolKind.Object,
  data: SymbolKind.Array,
  input: SymbolKind.Variable,
  module: SymbolKind.Class,
  architecture: SymbolKind.Class,
  method: SymbolKind.Function,
  optimizer: SymbolKind.Function,
  schedule: SymbolKind.Function,
  format: SymbolKind.Function,
  part: SymbolKind.Property,
};

interface ShownEntry {
  name: string;
  detail: string;
  kind: SymbolKind;
  range: Range;
  selectionRange: Range;
  children: ShownEntry[];
}

export const shownEntry = ({ name, detail, kind, at, nameAt, children }: Entry, text: string): ShownEntry => ({
  name,
  detail,
  kind: entryKinds[kind] ?? SymbolKind.Event,
  range: rangeOf(at, text),
  selectionRange: rangeOf(nameAt, text),
  children: children.map((child) => shownEntry(child, text)),
});
