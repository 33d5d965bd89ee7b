// What the other library answered for a case: from a live process, or from the committed fixtures.

import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { weightsFiles } from "../../../runtime/adapter-names.ts";
import { batches, type MethodCase, usual } from "./case.ts";
import { readTensors, type Stored, type Tensors, writeTensors } from "./tensors.ts";

export interface Reference {
  /** The adapter's first tensors, as the library saved them. */
  readonly first: Tensors;
  /** adapter_config.json; absent where the base's own parameters are trained. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** The first tensors of a network that makes the adapter's. */
  readonly encoder?: Tensors;
  /** Of the first batch; of a network that makes the adapter's tensors, its own. */
  readonly gradients: Tensors;
  readonly sgd: Trained;
  readonly adamw: Trained;
  readonly trainable: number;
  /** Of the library's safetensors file. */
  readonly bytes: number;
  /** Of the first row after SGD, [tokens][vocabulary], where they were asked for. */
  readonly logits?: readonly (readonly number[])[];
}

export interface Trained {
  readonly losses: readonly number[];
  readonly tensors: Tensors;
}

/** Asks the other library. `ask` is a running methods.py, or adapterhub.py. */
export const askLibrary = async (ask: Ask, base: string, one: MethodCase, out: string): Promise<Reference> => {
  mkdirSync(out, { recursive: true });
  const { sgd = usual.sgd, adamw = usual.adamw, noise = usual.noise, config } = one;
  const job = {
    ...{ do: "train", base, out, config, noise, seed: usual.seed, batches, sgd, adamw },
    ...(one.optimizer && { optimizer: one.optimizer.theirs }),
    ...(one.observe && { observe: one.observe }),
    ...(one.encoder && { encoder: true }),
    ...(one.named && { named: true }),
  };
  const { losses, trainable, logits } = (await ask(job)) as {
    losses: { sgd: number[]; adamw: number[] };
    trainable: number;
    logits?: number[][];
  };
  const file = (part: string): string => `${out}/${part}/${"hub" in config ? weightsFiles.adapters : weightsFiles.peft}`;
  const said = `${out}/first/adapter_config.json`;
  return {
    first: await readTensors(file("first")),
    ...(existsSync(said) && { config: JSON.parse(readFileSync(said, "utf8")) as Record<string, unknown> }),
    ...(one.encoder && { encoder: await readTensors(`${out}/encoder.safetensors`) }),
    gradients: await readTensors(`${out}/gradients.safetensors`),
    sgd: { losses: losses.sgd, tensors: await readTensors(file("sgd")) },
    adamw: { losses: losses.adamw, tensors: await readTensors(file("adamw")) },
    trainable,
    bytes: statSync(file("first")).size,
    ...(logits && { logits }),
  };
};

export type Ask = (question: unknown) => Promise<unknown>;

/** The library's adapter folder, written anew from a reference. */
export const writeFirst = (folder: string, { first, config }: Reference, without: object): Promise<void> =>
  writeFolder(folder, first, config ?? without);

/** An adapter's folder of these tensors, in the layout that the configuration is in. */
export const writeFolder = async (folder: string, tensors: Tensors, config: object): Promise<void> => {
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}/adapter_config.json`, JSON.stringify(config));
  await writeTensors(`${folder}/${"config" in config ? weightsFiles.adapters : weightsFiles.peft}`, tensors);
};

// ---- fixtures -------------------------------------------------------------------------------------------------------

/** Where a set of fixtures lies: this path with `.json` and with `.safetensors`. */
const methodsPath = fileURLToPath(new URL("fixtures/methods", import.meta.url));

interface Written {
  readonly versions: Readonly<Record<string, string>>;
  readonly cases: Readonly<Record<string, WrittenCase>>;
}

interface WrittenCase {
  /** The case as it was asked: a case that was changed since is asked again, not compared. */
  readonly asked: MethodCase;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly losses: { readonly sgd: readonly number[]; readonly adamw: readonly number[] };
  readonly trainable: number;
  readonly bytes: number;
  readonly logits?: readonly (readonly number[])[];
}

const parts = ["first", "encoder", "gradients", "sgd", "adamw"] as const;

export interface Fixtures {
  readonly versions: Readonly<Record<string, string>>;
  readonly references: ReadonlyMap<string, { readonly asked: MethodCase; readonly reference: Reference }>;
}

export const readFixtures = async (path = methodsPath): Promise<Fixtures> => {
  if (!existsSync(`${path}.json`)) return { versions: {}, references: new Map() };
  const written = JSON.parse(readFileSync(`${path}.json`, "utf8")) as Written;
  const all = await readTensors(`${path}.safetensors`);
  const references = new Map(
    Object.entries(written.cases).map(([name, { asked, config, losses, trainable, bytes, logits }]) => {
      const part = (of: (typeof parts)[number]): Tensors => {
        const prefix = `${name}/${of}/`;
        return new Map(
          [...all].flatMap(([key, value]): [string, Stored][] => (key.startsWith(prefix) ? [[key.slice(prefix.length), value]] : [])),
        );
      };
      const reference: Reference = {
        first: part("first"),
        ...(config && { config }),
        ...(asked.encoder && { encoder: part("encoder") }),
        gradients: part("gradients"),
        sgd: { losses: losses.sgd, tensors: part("sgd") },
        adamw: { losses: losses.adamw, tensors: part("adamw") },
        trainable,
        bytes,
        ...(logits && { logits }),
      };
      return [name, { asked, reference }];
    }),
  );
  return { versions: written.versions, references };
};

/** Without the settings that say nothing: null, empty lists and records. */
const saying = (config: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(config).filter(([, value]) => value !== null && !(typeof value === "object" && Object.keys(value).length === 0)),
  );

export const writeFixtures = async ({ versions, references }: Fixtures, path = methodsPath): Promise<void> => {
  const tensors = new Map<string, Stored>();
  const cases: Record<string, WrittenCase> = {};
  for (const [name, { asked, reference }] of [...references].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const { first, config, gradients, sgd, adamw, trainable, bytes, logits } = reference;
    const losses = { sgd: sgd.losses, adamw: adamw.losses };
    cases[name] = { asked, ...(config && { config: saying(config) }), losses, trainable, bytes, ...(logits && { logits }) };
    for (const [part, of] of [
      ["first", first],
      ["encoder", reference.encoder ?? new Map()],
      ["gradients", gradients],
      ["sgd", sgd.tensors],
      ["adamw", adamw.tensors],
    ] as const)
      for (const [key, value] of of) tensors.set(`${name}/${part}/${key}`, value);
  }
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(
    `${path}.json`,
    `${JSON.stringify({ versions, cases }, undefined, 1).replaceAll(/\[\s+([^[\]{}]*?)\s+\]/g, (_, items: string) => `[${items.replaceAll(/\s*\n\s*/g, " ")}]`)}\n`,
  );
  await writeTensors(`${path}.safetensors`, tensors);
};
