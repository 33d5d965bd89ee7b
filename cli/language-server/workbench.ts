// The open documents and what is known about each: one analysis per version, made when something is first asked about it, and the
// names of other files where a question reaches beyond one.

import { readFileSync } from "node:fs";
import type { TextDocuments } from "vscode-languageserver/node";
import type { TextDocument } from "vscode-languageserver-textdocument";
import { type Analysis, analyse, HeaderCache } from "./analysis.ts";
import { referencesTo } from "./navigate.ts";
import { fileOf, uriOf } from "./positions.ts";
import { type Occurrence, occurrenceAt, occurrences } from "./symbols.ts";
import { filesThatImport } from "./workspace.ts";

export class Workbench {
  readonly #documents: TextDocuments<TextDocument>;
  readonly #headers = new HeaderCache();
  readonly #analyses = new Map<string, { readonly version: number; readonly made: Promise<Analysis> }>();
  /** The last analysis that could read its base: while a line is broken, its modules are still the ones to propose. */
  readonly #whole = new Map<string, Analysis>();
  /** The client can fill in snippets. */
  snippets = false;
  /** Folders of the workspace. */
  folders: readonly string[] = [];

  constructor(documents: TextDocuments<TextDocument>) {
    this.#documents = documents;
  }

  /** Undefined for a document that is not open. */
  analysisOf(uri: string): Promise<Analysis> | undefined {
    const document = this.#documents.get(uri);
    if (!document) return undefined;
    const known = this.#analyses.get(uri);
    if (known?.version === document.version) return known.made;
    const open = new Map(this.#documents.all().map((one) => [fileOf(one.uri), one.getText()]));
    const made = analyse(fileOf(uri), document.getText(), open, this.#headers).then((analysis) => {
      if (analysis.compiled.checked) this.#whole.set(uri, analysis);
      return analysis;
    });
    this.#analyses.set(uri, { version: document.version, made });
    return made;
  }

  /** With the base of an earlier version where this one has none that can be read. */
  withBase(uri: string, analysis: Analysis): Analysis {
    const checked = analysis.compiled.checked ?? this.#whole.get(uri)?.compiled.checked;
    return checked ? { ...analysis, compiled: { ...analysis.compiled, checked } } : analysis;
  }

  forget(uri: string): void {
    this.#analyses.delete(uri);
    this.#whole.delete(uri);
  }

  /** What lies on the disk has changed: every document is read anew when it is asked about. */
  refresh(): void {
    this.#analyses.clear();
  }

  /** Open documents whose analysis read another text of `file` than this one; they are read anew. */
  async outdatedBy({ file, text }: Analysis): Promise<readonly string[]> {
    const outdated: string[] = [];
    for (const { uri } of this.#documents.all()) {
      const read = (await this.#analyses.get(uri)?.made)?.compiled.texts.get(file);
      if (fileOf(uri) !== file && read !== undefined && read !== text) outdated.push(uri);
    }
    for (const uri of outdated) this.#analyses.delete(uri);
    return outdated;
  }

  names({ tree, compiled: { resolved } }: Analysis): readonly Occurrence[] {
    return resolved ? occurrences(tree, resolved.items, resolved.library) : [];
  }

  /** Every place that names what stands at the offset: here, in the file that declares it, in files of the workspace that import it. */
  async everywhere(analysis: Analysis, offset: number): Promise<readonly Occurrence[]> {
    const chosen = occurrenceAt(this.names(analysis), offset);
    if (!chosen) return [];
    const { symbol } = chosen;
    const places = new Map<string, Occurrence>();
    for (const file of new Set([analysis.file, symbol.at.file, ...filesThatImport(symbol.at.file, this.folders)])) {
      const one = file === analysis.file ? analysis : await this.#read(file);
      if (!one) continue;
      for (const found of referencesTo(one, symbol, this.names(one))) places.set(`${found.at.file}:${found.at.start}`, found);
    }
    return [...places.values()];
  }

  #read(file: string): Promise<Analysis> | undefined {
    if (file.startsWith("std/")) return undefined;
    const open = this.#documents.all().find(({ uri }) => fileOf(uri) === file);
    if (open) return this.analysisOf(open.uri);
    const text = onDisk(file);
    return text === undefined ? undefined : analyse(file, text, new Map(), this.#headers);
  }

  /** Text of any file a span may name. */
  textOf(file: string, analysis: Analysis): string | undefined {
    return (
      analysis.textOf(file) ??
      this.#documents
        .all()
        .find(({ uri }) => fileOf(uri) === file)
        ?.getText() ??
      onDisk(file)
    );
  }

  /** As the client writes it, when the file is open. */
  uriFor(file: string): string {
    return this.#documents.all().find(({ uri }) => fileOf(uri) === file)?.uri ?? uriOf(file);
  }
}

const onDisk = (file: string): string | undefined => {
  try {
    return readFileSync(file, "utf8").replace(/^\ufeff/, "");
  } catch {
    return undefined;
  }
};
