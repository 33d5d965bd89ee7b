// What a checkpoint folder holds, from its headers alone: no weight is read. Stands on the host and safetensors.ts and nothing
// else, so that checking a pipeline can use it without the rest of the runtime.
//
// In: a Hugging Face folder with model.safetensors, or model.safetensors.index.json and its shards.
// Out: every tensor's name, format, shape and place. Invariant: index and shards agree, or a diagnostic says where they do not.

import { nearest } from "../spec/diagnostic.ts";
import { diagnostics } from "../spec/diagnostics.generated.ts";
import { DiagnosticError } from "./diagnostic-error.ts";
import { joinPath, missing, type ReadingHost, readNamed } from "./host.ts";
import { duplicateKeys, isRecord, parseJson } from "./json.ts";
import { type Header, readHeader, type TensorEntry } from "./safetensors.ts";
import { indexFile, weightsFile } from "./weight-files.ts";

export interface StoredTensor extends TensorEntry {
  /** Path of the file that holds it. */
  readonly path: string;
}

export interface Headers {
  readonly folder: string;
  /** One per file, in file-name order. */
  readonly files: readonly Header[];
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

/** Reads the headers of a checkpoint folder. Throws a DiagnosticError. */
export const readHeaders = async (host: ReadingHost, folder: string): Promise<Headers> => {
  const single = joinPath(folder, weightsFile);
  const index = joinPath(folder, indexFile);
  // As transformers does: one file wins over an index.
  if ((await host.kind(single)) === "file") return gather(folder, [await headerOf(host, single)]);
  if ((await host.kind(index)) === "file") return readShards(host, folder, index);
  if ((await host.kind(folder)) !== "folder") throw await missing(host, folder);
  const names = (await host.list(folder)).map((entry) => entry.name);
  const pickled = names.some((name) => /\.(bin|pt|pth|ckpt|h5|msgpack)$/.test(name));
  throw new DiagnosticError([
    diagnostics.checkpoint_no_weights(
      undefined,
      { folder },
      {
        notes: [{ message: names.length ? `it has: ${names.slice(0, 12).join(", ")}` : "it is empty" }],
        help: names.some((name) => /-of-\d+\.safetensors$/.test(name))
          ? `fetch ${indexFile} too: it says which shard holds what`
          : pickled
            ? "convert it once: `model.save_pretrained(folder, safe_serialization=True)`"
            : `put ${weightsFile}, or ${indexFile} with its shards, into the folder`,
      },
    ),
  ]);
};

const headerOf = async (host: ReadingHost, path: string): Promise<Header> => {
  const file = await host.open(path);
  try {
    return await readHeader(file, path);
  } finally {
    await file.close();
  }
};

const readShards = async (host: ReadingHost, folder: string, index: string): Promise<Headers> => {
  const map = await readIndex(host, index);
  const files: Header[] = [];
  const notes: string[] = [];
  const beside = (await host.list(folder)).map((entry) => entry.name);
  const named = new Set(map.values());
  for (const name of [...named].sort()) {
    const path = joinPath(folder, name);
    // Asked of the file itself: a link to nothing is listed too.
    const kind = await host.kind(path);
    if (kind === "file") files.push(await headerOf(host, path));
    else if (kind === "folder") notes.push(`${name} is a folder`);
    else {
      const near = nearest(
        name,
        beside.filter((other) => other !== name && !named.has(other)),
      );
      notes.push(`there is no ${name}${near ? `; there is ${near}` : ""}`);
    }
  }
  const absent = notes.length > 0;
  if (!absent) {
    const holders = new Map<string, string>();
    for (const file of files)
      for (const { name } of file.tensors) {
        const other = holders.get(name);
        if (other) notes.push(`${name} is in two files: ${other} and ${file.path}`);
        holders.set(name, file.path);
      }
    for (const [name, file] of map) {
      const holder = holders.get(name);
      if (holder === undefined) notes.push(`${name} is in no shard; the index says ${file}`);
      else if (holder !== joinPath(folder, file)) notes.push(`${name} is in ${holder}; the index says ${file}`);
    }
  }
  if (notes.length > 0)
    throw new DiagnosticError([
      diagnostics.checkpoint_shards(
        undefined,
        { folder },
        {
          notes: summed(notes),
          help: absent ? "fetch the missing shards again" : "fetch the index and its shards again: they are not of one save",
        },
      ),
    ]);
  return gather(folder, files);
};

/** Tensor name → file name, checked. */
const readIndex = async (host: ReadingHost, path: string): Promise<ReadonlyMap<string, string>> => {
  const wrong = (problem: string, help = "fetch it again from where the shards are from") =>
    new DiagnosticError([diagnostics.checkpoint_index(undefined, { file: path, problem }, { help })]);
  const bytes = await readNamed(host, path);
  const parsed = parseJson(bytes);
  if ("problem" in parsed) throw wrong(parsed.problem);
  if (!isRecord(parsed.value) || !isRecord(parsed.value.weight_map)) throw wrong("it has no `weight_map`");
  const twice = duplicateKeys(new TextDecoder().decode(bytes))[0];
  if (twice !== undefined) throw wrong(`the key \`${twice}\` stands there twice`);
  const map = new Map<string, string>();
  for (const [name, file] of Object.entries(parsed.value.weight_map)) {
    // A path would let an index read any file of the machine.
    if (typeof file !== "string" || !/^[^/\\]+\.safetensors$/.test(file))
      throw wrong(`\`${name}\` is not in a .safetensors file of this folder`, "name a .safetensors file that lies beside the index");
    map.set(name, file);
  }
  if (map.size === 0) throw wrong("its `weight_map` is empty");
  return map;
};

const gather = (folder: string, files: readonly Header[]): Headers => {
  const tensors = new Map<string, StoredTensor>();
  for (const file of files) for (const tensor of file.tensors) tensors.set(tensor.name, { ...tensor, path: file.path });
  return { folder, files, tensors };
};

/** The header texts in file-name order: equal for equal names, formats, shapes and places. */
export const headerText = (files: readonly Header[]): Uint8Array => {
  const text = new Uint8Array(files.reduce((sum, file) => sum + file.raw.length, 0));
  let at = 0;
  for (const { raw } of files) {
    text.set(raw, at);
    at += raw.length;
  }
  return text;
};

/** Hex digest; Web Crypto, so the same in Node and in a browser. */
export const sha256 = async (bytes: Uint8Array): Promise<string> => {
  const digest = await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
};

/** A long list as notes: the first dozen and how many more. */
export const summed = (lines: readonly string[], most = 12): { readonly message: string }[] => [
  ...lines.slice(0, most).map((message) => ({ message })),
  ...(lines.length > most ? [{ message: `and ${lines.length - most} more` }] : []),
];
