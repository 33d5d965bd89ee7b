// Rows whose prompt names a picture's file and whose answer is a class -> examples. A picture is kept as bytes of the size that the model
// looks at; numbers are made of them batch by batch. Paths start at the folder of the data's own file.

import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { Data } from "../../spec/job-data.ts";
import { DiagnosticError } from "../diagnostic-error.ts";
import { type Host, joinPath, parentOf } from "../host.ts";
import { decodePicture } from "../pictures/decode.ts";
import type { Processor } from "../pictures/processor.ts";
import type { Examples, ExamplesReport } from "./examples.ts";
import type { Row } from "./row.ts";
import { fillTemplate, parseTemplate } from "./template.ts";

/** Throws a DiagnosticError that names every row, up to five, whose file is no picture or whose answer is no class. */
export const encodePictures = async (
  host: Host,
  rows: readonly Row[],
  data: Pick<Data, "prompt" | "answer"> & { readonly classes: readonly string[] },
  processor: Processor,
  path: string,
  place: (row: Row) => string,
): Promise<{ examples: Examples; report: ExamplesReport }> => {
  const prompt = parseTemplate(data.prompt ?? "");
  const answer = parseTemplate(data.answer);
  const strange: string[] = [];
  const broken: string[] = [];
  const { channels, height, width } = processor;
  const bytes = new Uint8Array(rows.length * channels * height * width);
  const classes = new Int32Array(rows.length);
  for (const [i, row] of rows.entries()) {
    const told = fillTemplate(answer, row.values);
    classes[i] = data.classes.indexOf(told);
    if (classes[i]! < 0) strange.push(`${place(row)}: "${told}"`);
    const name = fillTemplate(prompt, row.values);
    const found = await pictureAt(host, name, parentOf(path), channels);
    if ("problem" in found) broken.push(`${place(row)}: ${shortened(name)} ${found.problem}`);
    else bytes.set(processor.sized(found), i * channels * height * width);
  }
  const total = rows.length;
  if (broken.length > 0)
    throw new DiagnosticError([
      diagnostics.no_picture(
        undefined,
        { count: broken.length, total, path },
        {
          notes: broken.slice(0, 5).map((message) => ({ message })),
          help: "PNG and JPEG are read; paths start at the folder of the data's file",
        },
      ),
    ]);
  if (strange.length > 0)
    throw new DiagnosticError([
      diagnostics.data_no_class(
        undefined,
        { count: strange.length, total, path },
        { notes: strange.slice(0, 5).map((message) => ({ message })), help: `the classes are: ${data.classes.join(", ")}` },
      ),
    ]);
  const examples: Examples = {
    count: total,
    ids: new Int32Array(total),
    labels: new Uint8Array(total),
    starts: Int32Array.from({ length: total + 1 }, (_, i) => i),
    rows: Int32Array.from(rows, (row) => row.number),
    classes,
    pictures: { bytes, processor },
  };
  return { examples, report: { path, rows: total, tokens: total, labels: total, truncated: 0, emptyAnswers: 0, longest: 1, warnings: [] } };
};

const shortened = (name: string): string => (name.length > 60 ? `${name.slice(0, 40)}… (${name.length} characters)` : name);

/** A file, relative to the data's own, or the bytes themselves in a `data:` address. */
const bytesOf = async (host: Host, name: string, folder: string): Promise<Uint8Array | undefined> => {
  const given = /^data:[\w/+.-]*;base64,(.*)$/s.exec(name)?.[1];
  if (given !== undefined) return Uint8Array.from(atob(given), (char) => char.charCodeAt(0));
  const file = name.startsWith("/") ? name : joinPath(folder, name);
  return (await host.kind(file)) === "file" ? host.read(file) : undefined;
};

const pictureAt = async (host: Host, name: string, folder: string, channels: number) => {
  try {
    const bytes = await bytesOf(host, name, folder);
    if (!bytes) return { problem: "is not there" };
    return (await decodePicture(bytes, channels)) ?? { problem: "is neither PNG nor JPEG" };
  } catch (error) {
    return { problem: `cannot be decoded: ${error instanceof Error ? error.message : String(error)}` };
  }
};
