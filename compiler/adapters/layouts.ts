// The folders of other libraries, as far as no method's text says it: how a configuration frames what an `interop` block writes, what a tensor's
// name has around it, and when a configuration says more than the block it is read with. One record per library.

import type * as tree from "../../grammar/tree.ts";
import type { AdapterFiles } from "../../spec/job.ts";
import type { Instance } from "../model/instantiate.ts";

export type Config = Readonly<Record<string, unknown>>;
export type LibraryName = Exclude<AdapterFiles["library"], "none">;

/** A folder's configuration, seen as an `interop` block writes it. */
export interface Settings {
  readonly library: LibraryName;
  /** The block's label; undefined where the configuration does not say it. */
  readonly type: string | undefined;
  readonly config: Config;
  /** Under which name its tensors lie, where the library's names hold one. */
  readonly name?: string;
}

interface Layout {
  readonly read: (config: Config) => Settings | undefined;
  /** What stands in front of a module's name. */
  readonly head: string;
  /** What stands in front of what all targets share. */
  readonly sharedHead: string;
  /** Whether a key that no block's entry covers changes what is computed. */
  readonly saysMore: (key: string, value: unknown) => boolean;
  /** Whether what tensors are called depends on the architecture, which then says it in a block of its own. */
  readonly named: boolean;
}

const empty = (value: unknown): boolean =>
  value === null || value === false || value === undefined || (typeof value === "object" && Object.keys(value).length === 0);

/** Settings beyond the usual ones that change what is computed when they are set. */
const special = new Set(["bias", "layer_replication", "alora_invocation_tokens", "modules_to_save", "trainable_token_indices"]);

const isRecord = (value: unknown): value is Config => typeof value === "object" && value !== null && !Array.isArray(value);

/** The release whose folders are written. */
const hubVersion = "adapters.1.3.0";

export const layouts: Readonly<Record<LibraryName, Layout>> = {
  peft: {
    read: (config) => (typeof config.peft_type === "string" ? { library: "peft", type: config.peft_type, config } : undefined),
    head: "base_model.model.",
    sharedHead: "base_model.",
    saysMore: (key, value) =>
      !empty(value) &&
      value !== "none" &&
      (key.startsWith("use_") || key.startsWith("enable_") || key.endsWith("_pattern") || special.has(key)),
    named: false,
  },
  adapters: {
    // Before its `version` said so, such a folder was known by a configuration inside the configuration.
    read: ({ config, name }) =>
      isRecord(config) && typeof name === "string"
        ? { library: "adapters", type: typeof config.architecture === "string" ? config.architecture : "bottleneck", config, name }
        : undefined,
    head: "",
    sharedHead: "",
    saysMore: (_, value) => !empty(value) && value !== 0,
    named: true,
  },
};

export const isLayout = (name: string): name is LibraryName => Object.hasOwn(layouts, name);

/** Of a folder that another library wrote; undefined where it is none of theirs. */
export const settingsIn = (config: Config): Settings | undefined => {
  for (const { read } of Object.values(layouts)) {
    const found = read(config);
    if (found) return found;
  }
  return undefined;
};

/** The whole configuration of an adapter named `name` in the other library's form. */
export const hubConfig = (settings: Config, name: string, words: Words): Config => ({
  config: settings,
  hidden_size: words.hidden,
  model_type: words.type,
  name,
  version: hubVersion,
});

/** What an architecture's own `interop` block says: the library's word for this model, and for its places. */
export interface Words {
  readonly type: string;
  readonly hidden: number | undefined;
  readonly places: ReadonlyMap<string, string>;
}

export const wordsOf = ({ definition, faces }: Instance, library: LibraryName): Words | undefined => {
  const block = definition.members.find(
    (member): member is tree.InteropMember => member.kind === "interop" && member.library.text === library,
  );
  if (!block) return undefined;
  const hidden = faces.get("Sequence")?.sizes.get("hidden");
  return {
    type: block.type.text,
    hidden: hidden?.kind === "number" ? hidden.value : undefined,
    places: new Map(block.config.flatMap(({ key, value }) => (value.kind === "string" ? [[key.text, value.value] as const] : []))),
  };
};

/** A tensor's name with its `{word}`s put in; undefined where one has no meaning here. */
export const fillKey = (key: string, name: string, words: Words | undefined): string | undefined => {
  let whole = true;
  const filled = key.replaceAll(/\{(\w+)\}/g, (_, word: string) => {
    const meant = word === "name" ? name : words?.places.get(word);
    whole &&= meant !== undefined;
    return meant ?? "";
  });
  return whole ? filled : undefined;
};
