// What is shown in the editor, and because of which document. A file that two documents import has the mistakes that either found,
// each once; when the last document that found some is closed or mended, they go.

import type { Diagnostic } from "vscode-languageserver";

export class Published {
  readonly #send: (uri: string, found: readonly Diagnostic[]) => void;
  readonly #byRoot = new Map<string, ReadonlyMap<string, readonly Diagnostic[]>>();

  constructor(send: (uri: string, found: readonly Diagnostic[]) => void) {
    this.#send = send;
  }

  /** What the document `root` found, by the URI of the file it was found in. */
  put(root: string, found: ReadonlyMap<string, readonly Diagnostic[]>): void {
    const before = this.#byRoot.get(root);
    this.#byRoot.set(root, found);
    for (const uri of new Set([...(before?.keys() ?? []), ...found.keys()])) this.#sendAll(uri);
  }

  withdraw(root: string): void {
    const before = this.#byRoot.get(root);
    this.#byRoot.delete(root);
    for (const uri of before?.keys() ?? []) this.#sendAll(uri);
  }

  #sendAll(uri: string): void {
    const all = [...this.#byRoot.values()].flatMap((byFile) => byFile.get(uri) ?? []);
    const keyOf = ({ code, message, range }: Diagnostic): string => JSON.stringify([code, message, range]);
    this.#send(uri, [...new Map(all.map((diagnostic) => [keyOf(diagnostic), diagnostic])).values()]);
  }
}
