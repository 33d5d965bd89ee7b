// A checkpoint whose weights lie packed already, as another library wrote them -> the format and settings that each was packed with.
// Found from the header alone: the settings are those under which every piece has the shape that the file has.

import type * as tree from "../../grammar/tree.ts";
import type { FormatFiles } from "../../spec/job-formats.ts";
import type { Library } from "../blocks/resolve.ts";
import type { StoredTensor } from "../host.ts";
import type { Context } from "../values/expressions.ts";
import { type FormatPlan, piecesOf, planFormat } from "./format.ts";
import type { ParamSpec } from "./instantiate.ts";

/** Blocks that libraries pack in. */
const blocks = [64, 32, 128, 256, 512, 1024, 2048, 4096];

/** The full name of a key of `files`. */
export const keyOf = (tensor: string, key: string): string =>
  key === "" ? tensor : key.startsWith(".") ? tensor + key : `${tensor.slice(0, tensor.lastIndexOf(".") + 1)}${key}`;

/** Where a library keeps a packed tensor's settings as JSON. */
export const settingsKey = (files: FormatFiles): string => `.quant_state.${files.library}__${files.type}`;

/** Looks for packed tensors; plans are made once per format and settings. */
export const packedReader = (tensors: ReadonlyMap<string, StoredTensor>, library: Library, context: Context, at: tree.Span) => {
  const nowhere: Context = { report: () => {}, through: context.through };
  const none = { find: () => undefined, names: () => [] };
  let plans: readonly FormatPlan[] | undefined;
  const all = (): readonly FormatPlan[] =>
    (plans ??= library.names("format").flatMap((name) => {
      const definition = library.find("format", name)!;
      if (!definition.members.some((member) => member.kind === "interop")) return [];
      return settingsOf(definition.parameters, at).flatMap((args) => planFormat(definition, args, at, library, none, nowhere, 0) ?? []);
    }));
  return (param: ParamSpec): { readonly format: FormatPlan; readonly names: readonly string[] } | undefined => {
    // Only a tensor that is not what was asked for is worth looking at.
    if (param.transposed || param.shape.length !== 2) return undefined;
    for (const format of all()) {
      const names = fits(format, param, tensors);
      if (names) return { format, names };
    }
    return undefined;
  };
};

/** Every combination of blocks and switches. */
const settingsOf = (parameters: readonly tree.Parameter[], at: tree.Span): tree.Argument[][] =>
  parameters.reduce<tree.Argument[][]>(
    (lists, { name, type }) => {
      const values: tree.Expr[] =
        type?.text === "int"
          ? blocks.map((value) => ({ kind: "number", at, text: String(value), value }))
          : type?.text === "bool"
            ? [false, true].map((value) => ({ kind: "ref", at, name: String(value) }))
            : [];
      return values.length
        ? lists.flatMap((list) => values.map((value): tree.Argument[] => [...list, { at, name: { text: name.text, at }, value }]))
        : lists;
    },
    [[]],
  );

/** The names of a parameter's tensors when all are there with the format's shapes. */
const fits = (format: FormatPlan, param: ParamSpec, tensors: ReadonlyMap<string, StoredTensor>): string[] | undefined => {
  const { files } = format.job;
  if (!files) return undefined;
  const pieces = new Map(piecesOf(format, param.shape.map(Number)).map(({ suffix, type }) => [suffix, type]));
  const names: string[] = [];
  for (const { key, piece, table } of files.tensors) {
    const name = keyOf(param.tensor, key);
    const found = tensors.get(name);
    if (!found) return undefined;
    names.push(name);
    const elements = found.shape.reduce((a, b) => a * b, 1);
    if (table && elements !== table.length) return undefined;
    if (piece === undefined) continue;
    const type = pieces.get(piece)!;
    const wanted = type.shape.reduce<number>((a, b) => a * Number(b), 1);
    const bytes = type.dtype === "u8" ? ["U8", "I8"] : ["F32"];
    if (elements !== wanted || !bytes.includes(found.raw ?? "")) return undefined;
  }
  if (files.entries.length > 0) {
    const name = keyOf(param.tensor, settingsKey(files));
    if (!tensors.has(name)) return undefined;
    names.push(name);
  }
  return names;
};
