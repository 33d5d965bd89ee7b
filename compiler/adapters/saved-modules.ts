// Whole modules that are trained beside a method, as PEFT stores them: `modules_to_save` names them, and their tensors lie under their own
// names. Written from the lines of an adapter that train what is there; read back into one such line.
// The library goes by ends of names, letter by letter, so a name is as long as it must be to end no other.

import type * as tree from "../../grammar/tree.ts";
import type { AdapterFiles } from "../../spec/job.ts";
import type { Library } from "../blocks/resolve.ts";
import { type Instance, isOwn, modulesOf, type ParamSpec } from "../model/instantiate.ts";
import type { AdapterParam } from "./amend.ts";
import { type Config, layouts } from "./layouts.ts";

const key = "modules_to_save";

/** Whether the library's copy of a parameter means what ours does: it is one tensor of its own, and no other use follows it. */
const copied = (param: ParamSpec | undefined): boolean =>
  isOwn(param) && !param.tiedBy?.length && !param.parts && param.stack === undefined;

/** The modules whose parameters these are, every one of them; undefined where a module is covered in part, or means another thing there. */
const whole = (params: readonly AdapterParam[]): readonly Instance[] | undefined => {
  const trained = new Set(params.map(({ module, local }) => module.params.get(local)));
  const modules = [...new Set(params.map(({ module }) => module))];
  const holds = modules.every(
    (module) =>
      module.checkpoint !== "" &&
      !module.parameter &&
      [...module.params.values()].every((param) => !param || (trained.has(param) && copied(param))),
  );
  return holds ? modules : undefined;
};

const holdsNumbers = ({ params }: Instance): boolean => [...params.values()].some(Boolean);

/** Modules that are covered with all below them, in place of those. */
const topmost = (modules: readonly Instance[], root: Instance): readonly Instance[] => {
  const covered = new Set(modules);
  const full = modulesOf(root).filter(
    (module) => module.checkpoint !== "" && !module.parameter && modulesOf(module).every((one) => !holdsNumbers(one) || covered.has(one)),
  );
  const wide = full.filter((module) => modulesOf(module).some(holdsNumbers));
  return wide.filter((module) => !wide.some((above) => above !== module && modulesOf(above).includes(module)));
};

/** The shortest ends of names, from a dot on, that end these modules' names and no other's but those below them. */
const namesOf = (modules: readonly Instance[], root: Instance): string[] => {
  const meant = new Set(modules.flatMap(modulesOf));
  const others = modulesOf(root).flatMap((module) => (module.checkpoint === "" || meant.has(module) ? [] : [module.checkpoint]));
  const names = modules.map(({ checkpoint }) => {
    const parts = checkpoint.split(".");
    const ends = parts.map((_, i) => parts.slice(parts.length - 1 - i).join("."));
    return ends.find((end) => !others.some((other) => other.endsWith(end))) ?? checkpoint;
  });
  return [...new Set(names)].sort();
};

/** What the library adds to a method's files for modules that are trained as they are; undefined where it cannot. `amended` are the method's own. */
export const savedFiles = (
  params: readonly AdapterParam[],
  amended: readonly Instance[],
  root: Instance,
): Pick<AdapterFiles, "config" | "tensors"> | undefined => {
  const modules = whole(params);
  if (!modules || modules.some((module) => amended.includes(module))) return undefined;
  const named = namesOf(topmost(modules, root), root);
  // A name that ends another's too would make the library save that as well.
  if (matching(named, root).length !== modules.length) return undefined;
  const tensors = params.map(({ name, module, local }) => {
    const base = module.params.get(local)!;
    const own = base.tensor.slice(base.tensor.lastIndexOf(".") + 1);
    return { key: `${layouts.peft.head}${module.checkpoint}.${own}`, parameter: name, transposed: base.transposed };
  });
  return { config: { [key]: named }, tensors };
};

/** Modules with parameters that the names mean, and all below them. */
const matching = (names: readonly string[], root: Instance): readonly Instance[] => {
  const all = modulesOf(root).filter(({ checkpoint }) => checkpoint !== "");
  const tops = all.filter(({ checkpoint }) => names.some((name) => checkpoint.endsWith(name)));
  return all.filter(
    ({ checkpoint, params }) =>
      [...params.values()].some(Boolean) &&
      tops.some((top) => checkpoint === top.checkpoint || checkpoint.startsWith(`${top.checkpoint}.`)),
  );
};

export interface SavedModules {
  /** The configuration as it would be without them. */
  readonly rest: Config;
  readonly modules: readonly Instance[];
  /** What trains them here: a method of the library that trains what is there and has nothing to set. */
  readonly method: tree.MethodDef;
}

/** What a configuration says of whole modules; undefined where it says nothing, `problem` where that cannot be had here. */
export const savedIn = (
  config: Config,
  root: Instance,
  library: Library,
): SavedModules | { readonly problem: string; readonly help: string } | undefined => {
  const { [key]: said, ...rest } = config;
  if (!Array.isArray(said) || said.length === 0 || typeof config.peft_type !== "string") return undefined;
  const modules = matching(said.map(String), root);
  const method = library
    .names("method")
    .map((name) => library.find("method", name)!)
    .find(({ amends, parameters }) => !amends && parameters.length === 0);
  if (!method) return { problem: "it holds whole modules, and no method here trains what is there", help: "load it where the library is" };
  const tied = modules.find(({ params }) => [...params.values()].some((param) => param && !copied(param)));
  if (tied)
    return {
      problem: `it holds a copy of \`${tied.checkpoint}\` by itself, which is one with another use of the same numbers here`,
      help: "untie it in the base (`tie_word_embeddings` in its config.json) and save the base with both, or train the adapter without it",
    };
  return { rest, modules, method };
};
