// What PEFT answered for a case: from a live process, or from the committed fixtures.

import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { batches, type MethodCase, usual } from "./case.ts";
import { readTensors, type Stored, type Tensors, writeTensors } from "./tensors.ts";

export interface Reference {
  /** The adapter's first tensors, as PEFT saved them. */
  readonly first: Tensors;
  /** adapter_config.json; absent where the base's own parameters are trained. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Of the first batch. */
  readonly gradients: Tensors;
  readonly sgd: Trained;
  readonly adamw: Trained;
  readonly trainable: number;
  /** Of PEFT's adapter_model.safetensors. */
  readonly bytes: number;
}

export interface Trained {
  readonly losses: readonly number[];
  readonly tensors: Tensors;
}

/** Asks PEFT. `ask` is a running tests/parity/methods/methods.py. */
export const askPeft = async (ask: Ask, base: string, one: MethodCase, out: string): Promise<Reference> => {
  mkdirSync(out, { recursive: true });
  const { sgd = usual.sgd, adamw = usual.adamw, noise = usual.noise, config } = one;
  const job = {
    ...{ do: "train", base, out, config, noise, seed: usual.seed, batches, sgd, adamw },
    ...(one.optimizer && { optimizer: one.optimizer.theirs }),
    ...(one.observe && { observe: one.observe }),
  };
  const { losses, trainable } = (await ask(job)) as { losses: { sgd: number[]; adamw: number[] }; trainable: number };
  const file = (part: string): string => `${out}/${part}/adapter_model.safetensors`;
  const said = `${out}/first/adapter_config.json`;
  return {
    first: await readTensors(file("first")),
    ...(existsSync(said) && { config: JSON.parse(readFileSync(said, "utf8")) as Record<string, unknown> }),
    gradients: await readTensors(`${out}/gradients.safetensors`),
    sgd: { losses: losses.sgd, tensors: await readTensors(file("sgd")) },
    adamw: { losses: losses.adamw, tensors: await readTensors(file("adamw")) },
    trainable,
    bytes: statSync(file("first")).size,
  };
};

export type Ask = (question: unknown) => Promise<unknown>;

/** PEFT's adapter folder, written anew from a reference. */
export const writeFirst = async (folder: string, { first, config }: Reference, without: object): Promise<void> => {
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}/adapter_config.json`, JSON.stringify(config ?? without));
  await writeTensors(`${folder}/adapter_model.safetensors`, first);
};

// ---- fixtures -------------------------------------------------------------------------------------------------------

const at = (name: string): string => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));

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
}

const parts = ["first", "gradients", "sgd", "adamw"] as const;

export interface Fixtures {
  readonly versions: Readonly<Record<string, string>>;
  readonly references: ReadonlyMap<string, { readonly asked: MethodCase; readonly reference: Reference }>;
}

export const readFixtures = async (): Promise<Fixtures> => {
  if (!existsSync(at("methods.json"))) return { versions: {}, references: new Map() };
  const written = JSON.parse(readFileSync(at("methods.json"), "utf8")) as Written;
  const all = await readTensors(at("methods.safetensors"));
  const references = new Map(
    Object.entries(written.cases).map(([name, { asked, config, losses, trainable, bytes }]) => {
      const part = (of: (typeof parts)[number]): Tensors => {
        const prefix = `${name}/${of}/`;
        return new Map(
          [...all].flatMap(([key, value]): [string, Stored][] => (key.startsWith(prefix) ? [[key.slice(prefix.length), value]] : [])),
        );
      };
      const reference: Reference = {
        first: part("first"),
        ...(config && { config }),
        gradients: part("gradients"),
        sgd: { losses: losses.sgd, tensors: part("sgd") },
        adamw: { losses: losses.adamw, tensors: part("adamw") },
        trainable,
        bytes,
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

export const writeFixtures = async ({ versions, references }: Fixtures): Promise<void> => {
  const tensors = new Map<string, Stored>();
  const cases: Record<string, WrittenCase> = {};
  for (const [name, { asked, reference }] of [...references].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const { first, config, gradients, sgd, adamw, trainable, bytes } = reference;
    cases[name] = { asked, ...(config && { config: saying(config) }), losses: { sgd: sgd.losses, adamw: adamw.losses }, trainable, bytes };
    for (const [part, of] of [
      ["first", first],
      ["gradients", gradients],
      ["sgd", sgd.tensors],
      ["adamw", adamw.tensors],
    ] as const)
      for (const [key, value] of of) tensors.set(`${name}/${part}/${key}`, value);
  }
  mkdirSync(at(""), { recursive: true });
  writeFileSync(
    at("methods.json"),
    `${JSON.stringify({ versions, cases }, undefined, 1).replaceAll(/\[\s+([^[\]{}]*?)\s+\]/g, (_, items: string) => `[${items.replaceAll(/\s*\n\s*/g, " ")}]`)}\n`,
  );
  await writeTensors(at("methods.safetensors"), tensors);
};
