// Rows that several tools' tables share, and the words they are made of.

import { trainTable } from "../../compiler/blocks/pipeline.ts";
import type { Around, Row } from "./draft.ts";
import { isEmpty, numberOf, shown } from "./given.ts";
import { carried, lost, type Outcome, outside, settled } from "./outcome.ts";

export const always =
  (outcome: Outcome): Row =>
  () =>
    outcome;

/** Rows for many keys that end the same way. */
export const each = (keys: string, row: Row): Readonly<Record<string, Row>> =>
  Object.fromEntries(keys.split(/\s+/).flatMap((key) => (key ? [[key, row]] : [])));

/** A number as it is written in the language. */
export const numberText = (value: number): string => {
  const text = String(value);
  return /^\d\.?\d*e[-+]\d+$/.test(text) || /^-?\d+(\.\d+)?$/.test(text) ? text.replace("e+", "e") : text;
};

export const textLiteral = (value: string): string =>
  `"${value.replace(/[\\"]/g, "\\$&").replaceAll("\n", "\\n").replaceAll("\t", "\\t").replaceAll("\r", "\\r")}"`;

/** A setting of `train` that takes a number. `whole` numbers may be written as `3.0`. */
export const trainNumber =
  (key: string, { whole = false, atLeast = 0 }: { whole?: boolean; atLeast?: number } = {}): Row =>
  ({ value }, { draft }) => {
    if (!trainTable[key]) return lost(`\`train\` has no \`${key}\` yet`);
    const number = numberOf(value);
    if (number === undefined) return lost(`\`${shown(value)}\` is not a number`);
    if (whole && !Number.isInteger(number)) return lost(`\`${key}\` is a whole number, and this is ${number}`);
    if (number < atLeast) return lost(`\`${key}\` is at least ${atLeast}, and this is ${number}`);
    draft.train.set(key, numberText(number));
    return carried(`\`${key}: ${numberText(number)}\``);
  };

export const trainSwitch =
  (key: string, without: string): Row =>
  ({ value }, { draft }) => {
    if (value !== true) return settled("off here too unless it is said");
    if (!trainTable[key]) return lost(without);
    draft.train.set(key, "true");
    return carried(`\`${key}: true\``);
  };

export const optimizerNumber =
  (key: string): Row =>
  ({ value }, { draft }) => {
    const number = numberOf(value);
    if (number === undefined) return lost(`\`${shown(value)}\` is not a number`);
    draft.optimizer.settings.set(key, numberText(number));
    return carried(`\`${key}: ${numberText(number)}\` of the optimizer`);
  };

/** A key of PEFT's own configuration. */
export const peftKey =
  (key: string): Row =>
  (given, { draft }) => {
    draft.peft.set(key, { value: given.value, from: given });
    return carried(`PEFT's \`${key}\``); // its fate is decided with the method's
  };

/** Off is what happens here anyway; on is lost. */
export const onlyOff =
  (reason: string): Row =>
  ({ value }) =>
    isEmpty(value) || value === false || value === 0 ? settled("off here too") : lost(reason);

export const tracking = always(outside("nothing is sent to a tracker; result.json holds every value of the run"));
export const kernels = always(settled("kernels are chosen by the compiler"));
export const devices = always(
  outside("how many devices share the work is said when a job is started; each of several sees rows of its own in every step"),
);
export const memory = always(settled("what is kept and what is computed again follows from the memory plan"));
export const loading = always(settled("it follows from the folder of the base"));
export const caching = always(outside("rows are read and tokenized each time; there is no cache to place"));
export const workers = always(outside("how rows are read does not change them"));
export const precision = always(settled("computed in f32, which is no less exact"));
export const hub = always(outside("nothing is sent to the Hub"));

/** `warmup_steps`; newer transformers take a share below 1 under the same name. */
export const warmupSteps: Row = ({ value }, { draft }) => {
  const number = numberOf(value);
  if (number === undefined || number < 0) return lost(`\`${shown(value)}\` is not a number of steps`);
  const text = number > 0 && number < 1 ? share(number) : number === 0 ? "0 steps" : `${Math.round(number)} steps`;
  draft.schedule.settings.set("warmup", text);
  return carried(`\`warmup: ${text}\` of the schedule`);
};

export const warmupRatio: Row = ({ value }, { draft }) => {
  const number = numberOf(value);
  if (number === undefined || number < 0 || number > 1) return lost(`\`${shown(value)}\` is not a share from 0 to 1`);
  draft.schedule.settings.set("warmup", share(number));
  return carried(`\`warmup: ${share(number)}\` of the schedule`);
};

export const share = (of: number): string => `${numberText(Number((100 * of).toPrecision(12)))}%`;

export const logEvery: Row = ({ value }, { draft }) => {
  const number = numberOf(value);
  if (number === undefined || number < 1) return lost(`\`${shown(value)}\` is not a number of steps`);
  const text = `every ${Math.round(number)} steps`;
  draft.train.set("log", text);
  return carried(`\`log: ${text}\``);
};

export const base: Row = ({ value }, { draft }) => (typeof value === "string" ? baseFolder(value, draft) : lost("not the name of a model"));

/** A name of the Hub becomes a folder that it is to be fetched into; a path stays one. */
const baseFolder = (name: string, draft: Around["draft"]) => {
  const onHub = /^[\w.-]+\/[\w.-]+$/.test(name) && !name.startsWith("./") && !name.startsWith("../");
  const path = onHub ? `models/${name.split("/")[1]}/` : name.endsWith("/") ? name : `${name}/`;
  draft.base = { path };
  if (onHub) draft.fetch.push({ path, from: `the model ${name} of the Hub` });
  return carried(`\`checkpoint("${path}")\``);
};
