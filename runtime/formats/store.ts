// Parameters of a job into its values: as they are, or encoded into the pieces of their format. One tensor at a time.

import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { Job, Parameter } from "../../spec/job.ts";
import type { Format } from "../../spec/job-formats.ts";
import { type Checkpoint, type Fate, loadParameters } from "../checkpoint.ts";
import type { Data, Session } from "../devices/device.ts";
import { DiagnosticError } from "../diagnostic-error.ts";
import { decode, encode, type PieceData, type Pieces, piecesOf } from "./encode.ts";

export const formatOf = (job: Job, parameter: Parameter): Format | undefined =>
  parameter.format === undefined ? undefined : job.formats[parameter.format];

/** An array that is a value's whole memory may be kept as it is; what is packed, or lies among others, is copied. */
export const fateOf = (job: Job, parameter: Parameter): Fate => {
  const format = formatOf(job, parameter);
  if (format) return piecesOf(format, parameter.shape).some(({ suffix }) => job.values[parameter.name + suffix]) ? "copied" : "unread";
  const value = job.values[parameter.name];
  // A layer of the ring is read when it is needed, and not before.
  if (job.ring?.some(({ values }) => values.includes(parameter.name))) return "unread";
  return value ? ("own" in value.place ? "kept" : "copied") : "unread";
};

/** Writes a parameter's first value. What no program reads has no value, and is passed over. */
export const storeParameter = async (
  job: Job,
  parameter: Parameter,
  values: Float32Array | Int32Array,
  session: Session,
): Promise<void> => {
  const format = formatOf(job, parameter);
  if (!format || values instanceof Int32Array) {
    if (job.values[parameter.name]) await session.write(parameter.name, values);
    return;
  }
  if (fateOf(job, parameter) === "unread") return;
  checkFinite(parameter, values);
  await storePieces(job, parameter, encode(format, values, parameter.shape), session);
};

/** Writes a parameter that was read packed. */
export const storePieces = async (job: Job, parameter: Parameter, pieces: Pieces, session: Session): Promise<void> => {
  for (const [suffix, data] of pieces) if (job.values[parameter.name + suffix]) await session.write(parameter.name + suffix, data as Data);
};

/** A parameter as the model sees it, read back from the session. */
export const readParameter = async (job: Job, parameter: Parameter, session: Session): Promise<Float32Array> => {
  const format = formatOf(job, parameter);
  if (!format) return (await session.read(parameter.name)) as Float32Array;
  const pieces = new Map<string, PieceData>();
  for (const { suffix } of piecesOf(format, parameter.shape))
    pieces.set(suffix, (await session.read(parameter.name + suffix)) as PieceData);
  return decode(format, pieces, parameter.shape);
};

/** One infinity would become the scale of its whole block. */
const checkFinite = (parameter: Parameter, values: Float32Array): void => {
  const at = values.findIndex((x) => !Number.isFinite(x));
  if (at < 0) return;
  throw new DiagnosticError([
    diagnostics.weight_not_finite(
      undefined,
      { parameter: parameter.name, value: String(values[at]), element: at, format: parameter.format! },
      { help: "the checkpoint is damaged, or was saved from a run that diverged; fetch it again or use another" },
    ),
  ]);
};

/** Puts the base into the session's memory, stored as the job says. Throws a DiagnosticError. */
export const loadBase = (job: Job, checkpoint: Checkpoint | undefined, session: Session): Promise<void> =>
  loadParameters(
    job,
    checkpoint,
    (parameter, values) => storeParameter(job, parameter, values, session),
    (parameter, pieces) => storePieces(job, parameter, pieces, session),
    (parameter) => fateOf(job, parameter),
  );
