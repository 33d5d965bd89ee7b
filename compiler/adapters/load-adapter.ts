// `load("folder/")` -> the plan of the adapter that lies there: the method whose `interop` block its configuration fits, with the
// settings it says, in the places its tensors name. The folder's header is compared tensor by tensor with what that plan would
// store, so nothing of it is passed over; the numbers themselves are read by the run.

import type * as tree from "../../grammar/tree.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import { bindArguments, typed } from "../blocks/arguments.ts";
import type { Library } from "../blocks/resolve.ts";
import { parameter } from "../blocks/settings.ts";
import { storedShape } from "../check/facts.ts";
import type { CompileHost, StoredTensor } from "../host.ts";
import { type Instance, modulesOf } from "../model/instantiate.ts";
import { product } from "../values/dims.ts";
import { type Context, evaluate } from "../values/expressions.ts";
import { type Scope, scopeOf, unknown, type Value } from "../values/values.ts";
import { adapterFiles, wrappedPlaces } from "./adapter-files.ts";
import { type Applied, amend, take } from "./amend.ts";
import type { AdapterPlan, InjectionPlan } from "./inject.ts";
import { settingsIn } from "./layouts.ts";
import { type Line, layerKeys, methodFor, ownMethods, suffixesOf } from "./match-interop.ts";
import { measuresOf } from "./measured-sizes.ts";
import { savedIn } from "./saved-modules.ts";

/** What an adapter's folder holds, as far as its plan needs it. */
export interface AdapterFolder {
  /** As written in the file. */
  readonly path: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly beside?: readonly string[];
  /** Whether it may go over another base than it was made for. */
  readonly anyBase: boolean;
}

/** The call of `load`, if the item is one. */
export const loadOf = (item: tree.Adapter): tree.Call | undefined => {
  const [only, more] = item.injections;
  if (!only || more || item.block || only.method.kind !== "call") return undefined;
  return only.method.callee.kind === "ref" && only.method.callee.name === "load" ? only.method : undefined;
};

const loadParameters = [parameter("folder", "path"), parameter("any_base", "bool", "false")];

const reportOther = (
  call: tree.Call,
  folder: string,
  base: string,
  { lines, total }: { readonly lines: readonly string[]; readonly total: number },
  context: Context,
): void =>
  context.report(
    diagnostics.other_base(
      call.at,
      { folder, count: lines.length, total },
      {
        notes: noted(lines),
        help: `load it over the base it was made for, or write \`any_base: true\` after the folder to put it over \`${base}\` all the same`,
      },
    ),
  );

/** The first few lines of a difference. */
const noted = (lines: readonly string[], most = 8): { readonly message: string }[] => [
  ...lines.slice(0, most).map((message) => ({ message })),
  ...(lines.length > most ? [{ message: `and ${lines.length - most} more` }] : []),
];

/** Reads the folders that a file's adapters are loaded from; what cannot be read is reported. */
export const readFolders = async (
  items: readonly tree.Adapter[],
  file: string,
  scope: Scope,
  host: CompileHost,
  /** The checkpoint that they go over; undefined where it is drawn, or cannot be read. */
  base: { readonly name: string; readonly folder: string } | undefined,
  context: Context,
): Promise<ReadonlyMap<tree.Adapter, AdapterFolder>> => {
  const folders = new Map<tree.Adapter, AdapterFolder>();
  for (const item of items) {
    const call = loadOf(item);
    if (!call) continue;
    const args = bindArguments({ what: "load", at: call.at, parameters: loadParameters }, call.args, scope, context);
    const path = args.get("folder");
    if (path?.kind !== "text") continue;
    const folder = host.resolve(file, path.value);
    const found = await host.adapter?.(folder);
    if (!found) {
      context.report(
        diagnostics.cannot_load(
          call.at,
          { folder: path.value, problem: "adapters cannot be read here" },
          { help: "compile where files can be read" },
        ),
      );
      continue;
    }
    if ("diagnostics" in found) for (const diagnostic of found.diagnostics) context.report({ ...diagnostic, at: diagnostic.at ?? call.at });
    else {
      const any = args.get("any_base");
      const anyBase = any?.kind === "bool" && any.value;
      const other = base && !anyBase ? await host.otherBase?.(folder, base.folder) : undefined;
      if (other && "diagnostics" in other)
        for (const diagnostic of other.diagnostics) context.report({ ...diagnostic, at: diagnostic.at ?? call.at });
      else if (base && other && other.lines.length > 0) reportOther(call, path.value, base.name, other, context);
      else folders.set(item, { path: path.value, anyBase, ...found });
    }
  }
  return folders;
};

/** Undefined after a report. `model` is what it goes into: a base, or the model that an adapter makes. */
export const planLoaded = (
  item: tree.Adapter,
  folder: AdapterFolder,
  model: { readonly name: string; readonly root: Instance },
  library: Library,
  context: Context,
): AdapterPlan | undefined => {
  const call = loadOf(item)!;
  const name = item.name.text;
  const wrong = (problem: string, help: string): undefined => {
    context.report(diagnostics.cannot_load(call.at, { folder: folder.path, problem }, { help }));
    return undefined;
  };
  const saved = savedIn(folder.config, model.root, library);
  if (saved && "problem" in saved) return wrong(saved.problem, saved.help);
  const found = "format" in folder.config ? ownMethods(folder.config, library) : methodFor(saved?.rest ?? folder.config, library);
  if ("problem" in found) return wrong(found.problem, found.help);

  const named = modulesOf(model.root).filter(({ checkpoint }) => checkpoint !== "");
  const wrapped = wrappedPlaces(named.filter((module) => module.parameter && isNamed(folder.config.target_parameters, module.checkpoint)));
  const checkpoints = new Map(named.map((module) => [wrapped.get(module) ?? module.checkpoint, module]));
  const strangers: string[] = [];
  const places = new Set<Instance>();
  const suffixes = suffixesOf(found, model.root);
  for (const key of folder.tensors.keys()) {
    // What stands in front of every text has no module in its name: it is the model's.
    if (suffixes.some(({ tail, shared }) => tail === key && !shared)) places.add(model.root);
    const place = suffixes.map(({ head, tail }) => moduleName(key, head, tail)).find((part) => part !== undefined);
    const module = place === undefined ? undefined : checkpoints.get(place);
    if (module) places.add(module);
    else if (place) strangers.push(place);
  }
  const odd = strangers[0];
  if (odd !== undefined && places.size === 0)
    return wrong(
      `it was made for another base: its first tensor belongs to \`${odd}\``,
      `\`${model.name}\` has ${[...checkpoints.keys()].slice(0, 3).join(", ")}, …`,
    );
  const injections = found.lines.map((line): InjectionPlan => {
    const settings = withDefaults(line, context);
    const applied: Applied = { adapter: name, at: call.at, method: line.method, settings, tied: false };
    const through = { ...context, through: [...context.through, call.at] };
    const modules = line.method.amends
      ? [model.root, ...named].filter((module) => places.has(module) && line.covers(module.checkpoint))
      : [];
    const params = !line.method.amends
      ? takeStored(applied, model.root, folder)
      : modules.length > 0
        ? amend(applied, modules, through)
        : [];
    const targets = line.method.amends ? modules : [...new Set(params.map((param) => param.module))];
    return { at: call.at, method: line.method, settings, tied: false, params, targets, coverage: [coverageOf(call, model.name, targets)] };
  });
  if (saved) {
    const { method, modules } = saved;
    const applied: Applied = { adapter: name, at: call.at, method, settings: new Map(), tied: false };
    const params = modules.flatMap((module) =>
      [...module.params.values()].flatMap((param) => (param ? [take(applied, { kind: "param", param, module })] : [])),
    );
    const coverage = [coverageOf(call, model.name, modules)];
    injections.push({ at: call.at, method, settings: applied.settings, tied: false, params, targets: modules, coverage });
  }
  const params = injections.flatMap((plan) => plan.params);
  const plan: AdapterPlan = {
    name,
    at: item.at,
    base: model.name,
    injections: injections.filter(({ targets }) => targets.length > 0),
    params,
    targets: [...new Set(injections.flatMap((one) => one.targets))],
    coverage: injections.flatMap((one) => one.coverage),
    trainable: params.filter((param) => param.trained).reduce((sum, param) => sum + Number(product(param.shape)), 0),
    from: folder.path,
    ...(folder.anyBase && { anyBase: true }),
    ...("storedAs" in found && { storedAs: found.storedAs }),
  };
  for (const file of folder.beside ?? [])
    context.report(
      diagnostics.left_beside(
        call.at,
        { folder: folder.path, file },
        { help: "the adapter is loaded without it; train a head with `tune()`" },
      ),
    );
  if (plan.injections.length === 0)
    return wrong("none of its tensors belongs to a place of the base", "check that it was made for this base");
  return fits(plan, folder, model.root, call, context) ? plan : undefined;
};

/** Whether a list of names holds a parameter's, whole or its end, as the other library looks them up. */
const isNamed = (names: unknown, checkpoint: string): boolean =>
  Array.isArray(names) && names.some((name) => checkpoint === name || checkpoint.endsWith(`.${String(name)}`));

/** Settings that the folder does not say are the method's own. */
const withDefaults = ({ method, settings }: Line, context: Context): ReadonlyMap<string, Value> => {
  const values = new Map<string, Value>();
  for (const one of method.parameters) {
    const { text } = one.name;
    const said = settings.get(text);
    values.set(text, said ?? (one.value ? typed(evaluate(one.value, scopeOf(values), context), one, one.value.at, context) : unknown));
  }
  // What was measured before it was trained is as its folder says.
  for (const { name } of measuresOf(method)) values.set(name.text, settings.get(name.text) ?? unknown);
  return values;
};

/** The module's part of a key, "" where the key is the whole adapter's; undefined where the key is none of this kind. */
const moduleName = (key: string, head: string, tail: string): string | undefined => {
  if (key === `${head.replace(/model\.$/, "")}${tail}`) return "";
  return key.startsWith(head) && key.endsWith(`.${tail}`) ? key.slice(head.length, -tail.length - 1) : undefined;
};

const coverageOf = (call: tree.Call, base: string, targets: readonly Instance[]) => ({
  pattern: `${base}, as the folder says`,
  at: call.at,
  matches: targets.map((module) => module.path),
});

/** Trained copies of the base's own parameters lie under the checkpoint's names. */
const takeStored = (applied: Applied, root: Instance, folder: AdapterFolder) =>
  modulesOf(root).flatMap((module) =>
    [...module.params.values()].flatMap((param) =>
      param && !param.tiedTo && folder.tensors.has(param.tensor) ? [take(applied, { kind: "param", param, module })] : [],
    ),
  );

/** Strict: every tensor is there, none is left over, every shape is the plan's. */
const fits = (plan: AdapterPlan, folder: AdapterFolder, root: Instance, call: tree.Call, context: Context): boolean => {
  const { tensors, config } = adapterFiles(plan, root, { ...context, report: () => {} });
  const shapes = new Map(plan.params.map((param) => [param.name, param.shape.map(Number)] as const));
  const lines: string[] = [];
  const wanted = new Set<string>();
  for (const tensor of tensors) {
    const { key } = tensor;
    wanted.add(key);
    const shape = storedShape(tensor, shapes);
    const there = folder.tensors.get(key);
    if (!there) lines.push(`${key}: expected [${shape.join(", ")}], it is not there`);
    else if (there.shape.join() !== shape.join()) lines.push(`${key}: expected [${shape.join(", ")}], found [${there.shape.join(", ")}]`);
  }
  for (const [key, { shape }] of folder.tensors)
    if (!wanted.has(key)) lines.push(`${key}: [${shape.join(", ")}] is not part of the adapter`);
  const [said, found] = [settingsIn(folder.config)?.config ?? {}, settingsIn(config)?.config ?? {}];
  for (const key of new Set(plan.injections.flatMap(({ method }) => layerKeys(method))))
    if (JSON.stringify(said[key] ?? []) !== JSON.stringify(found[key] ?? []))
      lines.push(`${key}: it says ${JSON.stringify(said[key])}, by the names of its tensors it is ${JSON.stringify(found[key])}`);
  if (lines.length === 0) return true;
  context.report(
    diagnostics.adapter_mismatch(
      call.at,
      { folder: folder.path, adapter: plan.name, count: lines.length, total: tensors.length },
      {
        notes: noted(lines),
        help: `it is read as \`${plan.injections.map(({ method }) => method.name.text).join(" + ")}\` over \`${plan.base}\`; was it made for this base?`,
      },
    ),
  );
  return false;
};
