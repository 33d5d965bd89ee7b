// The VS Code extension: starts `peft lsp` and keeps it running. All that is known about the language is on the server's side.

import { existsSync } from "node:fs";
import { join } from "node:path";
import * as vscode from "vscode";
import { LanguageClient, type ServerOptions, TransportKind } from "vscode-languageclient/node";

let client: LanguageClient | undefined;

/** The setting, else the workspace's own, so that the editor and CI find the same mistakes, else the one that comes along. */
const serverOf = (context: vscode.ExtensionContext): ServerOptions => {
  const set = vscode.workspace.getConfiguration("peft").get<string>("path");
  if (set) return { command: set, args: ["lsp", "--stdio"] };
  const own = (vscode.workspace.workspaceFolders ?? [])
    .map(({ uri }) => join(uri.fsPath, "node_modules", "peft-lang", "dist", "peft.cjs"))
    .find((path) => existsSync(path));
  return { module: own ?? context.asAbsolutePath(join("server", "peft.cjs")), args: ["lsp"], transport: TransportKind.stdio };
};

const start = async (context: vscode.ExtensionContext): Promise<void> => {
  client = new LanguageClient("peft", "peft", serverOf(context), {
    documentSelector: [{ language: "peft" }],
    outputChannelName: "peft",
  });
  await client.start();
};

/** Opens the page of the diagnostic under the cursor in a terminal, as `peft explain` prints it. */
const explain = (context: vscode.ExtensionContext): void => {
  const editor = vscode.window.activeTextEditor;
  const here = editor && vscode.languages.getDiagnostics(editor.document.uri).find(({ range }) => range.contains(editor.selection.active));
  if (!here) {
    void vscode.window.showInformationMessage("There is no mistake under the cursor.");
    return;
  }
  const server = serverOf(context);
  const [command, ...args] =
    "module" in server
      ? [process.execPath, server.module, "explain", String(here.code)]
      : ["command" in server ? server.command : "peft", "explain", String(here.code)];
  const terminal = vscode.window.createTerminal({
    name: `peft explain ${String(here.code)}`,
    shellPath: command!,
    shellArgs: args,
    env: { ELECTRON_RUN_AS_NODE: "1" },
  });
  terminal.show();
};

export const activate = async (context: vscode.ExtensionContext): Promise<void> => {
  context.subscriptions.push(
    vscode.commands.registerCommand("peft.restart", async () => {
      await client?.stop();
      await start(context);
    }),
    vscode.commands.registerCommand("peft.explain", () => explain(context)),
    vscode.workspace.onDidChangeConfiguration((change) => {
      if (change.affectsConfiguration("peft.path")) void vscode.commands.executeCommand("peft.restart");
    }),
  );
  await start(context);
};

export const deactivate = (): Promise<void> | undefined => client?.stop();
