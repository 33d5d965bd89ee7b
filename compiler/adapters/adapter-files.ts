// How an adapter is stored: the other library's configuration and tensor names, as the method's `interop` block gives them.
// Lines of one method are one configuration whose exceptions stand under `pattern(…)` entries. What the other library has no
// word for is stored in this project's own way: trained copies under the checkpoint's names, all else under ours.

import type * as tree from "../../grammar/tree.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { AdapterFiles, Fold } from "../../spec/job.ts";
import { type Instance, modulesOf } from "../model/instantiate.ts";
import { type Context, reportThrough } from "../values/expressions.ts";
import { type AdapterPlan, hasViews, type InjectionPlan } from "./inject.ts";
import { type Config, fillKey, hubConfig, isLayout, type LibraryName, layouts, type Words, wordsOf } from "./layouts.ts";
import { savedFiles } from "./saved-modules.ts";
import { configOf, entryCall, lastName, plain, shortNames } from "./stored-config.ts";

type Interop = tree.InteropMember;

export const adapterFiles = (adapter: AdapterPlan, root: Instance, context: Context): AdapterFiles => {
  if (adapter.made) return { library: "none", config: {}, tensors: [] };
  const saved = adapter.injections.filter(({ method }) => !method.amends);
  const amending = adapter.injections.filter(({ method }) => method.amends);
  if (saved.length > 0 && amending.length > 0) return besideMethod(adapter, amending, saved, root, context);
  const [first, ...others] = adapter.injections as readonly [InjectionPlan, ...InjectionPlan[]];
  const blocks = first.method.members.filter((member): member is Interop => member.kind === "interop");
  // The other library has no name for a part of a fused projection.
  const part = blocks.length > 0 && adapter.targets.find(hasViews);
  if (part)
    context.report(
      diagnostics.parts_stay_here(
        adapter.at,
        { adapter: adapter.name, module: part.path },
        { help: "name the whole projection instead to save it as that library does" },
      ),
    );
  if (part || others.some(({ method }) => method !== first.method)) return own(adapter);
  for (const block of blocks) {
    const files = filesBy(block, adapter, root, context);
    if (files) return files;
  }
  return own(adapter);
};

/** A method's files with whole modules that are trained beside it; where a library has no word for one or the other, in our own way. */
const besideMethod = (
  adapter: AdapterPlan,
  amending: readonly InjectionPlan[],
  saved: readonly InjectionPlan[],
  root: Instance,
  context: Context,
): AdapterFiles => {
  const of = (plans: readonly InjectionPlan[]) => ({
    ...adapter,
    injections: plans,
    params: plans.flatMap(({ params }) => params),
    targets: [...new Set(plans.flatMap(({ targets }) => targets))],
  });
  const more = savedFiles(of(saved).params, of(amending).targets, root);
  if (!more) return own(adapter);
  const files = adapterFiles(of(amending), root, context);
  if (files.library !== "peft") return own(adapter);
  const tensors = [...files.tensors, ...more.tensors].sort((a, b) => (a.key < b.key ? -1 : 1));
  return { ...files, config: { ...files.config, ...more.config }, tensors };
};

/** As a library stores it; undefined where it cannot hold the adapter. */
const filesBy = (interop: Interop, adapter: AdapterPlan, root: Instance, context: Context): AdapterFiles | undefined => {
  const library = interop.library.text;
  if (!isLayout(library) || !holdsAll(interop, adapter)) return undefined;
  const words = wordsOf(root, library);
  const entries = layouts[library].named && !words ? undefined : configOf(interop, adapter, root, context);
  if (!entries) return undefined;
  const stack = adapter.targets.find(({ stack: count }) => count !== undefined);
  const problem = stack && unfitForStack(interop, entries);
  if (problem)
    context.report(
      diagnostics.stack_stays_here(
        adapter.at,
        { adapter: adapter.name, module: stack.path, problem },
        { help: "leave the stack out, or the setting, to save it as that library does" },
      ),
    );
  const tensors = problem ? undefined : tensorsOf(interop, library, words, adapter, context);
  if (!tensors) return undefined;
  if (library === "peft") return { library, config: peftConfig(interop, entries, adapter, root), tensors };
  const decimals = decimalsOf(interop, adapter.injections[0]!.method);
  return { library, config: hubConfig(entries, adapter.storedAs ?? adapter.name, words!), tensors, decimals };
};

/** Entries whose number has a decimal point even where it is whole: a library may tell 1 from 1.0. */
const decimalsOf = (interop: Interop, { parameters }: tree.MethodDef): string[] =>
  interop.config.flatMap(({ key, value }) =>
    value.kind === "ref" && parameters.some(({ name, type }) => name.text === value.name && type?.text === "float") ? [key.text] : [],
  );

const peftConfig = (interop: Interop, entries: Config, adapter: AdapterPlan, root: Instance): Config => {
  const classes = root.sizes.get("classes");
  const task = classes?.kind === "number" && classes.value > 0 ? "SEQ_CLS" : "CAUSAL_LM";
  const config = { peft_type: interop.type.text, task_type: task, bias: "none", inference_mode: true, ...entries };
  // What goes into the whole model names no module.
  if (adapter.targets.some((target) => target.checkpoint === "")) return config;
  if (interop.config.some(({ value }) => entryCall(value, "topmost"))) return { ...config, target_modules: lastName(adapter.targets[0]!) };
  const parameters = adapter.targets.filter(({ parameter }) => parameter);
  return {
    ...config,
    target_modules: shortNames(new Set(adapter.targets.filter(({ parameter }) => !parameter)), modulesOf(root)),
    ...(parameters.length > 0 && { target_parameters: shortNames(new Set(parameters), modulesOf(root)) }),
    // Of a parameter the library sees by itself which way it lies, and refuses to be told.
    fan_in_fan_out: adapter.targets.some((target) => !target.parameter && [...target.params.values()].some((param) => param?.transposed)),
  };
};

/** Why the other library cannot hold such an adapter of a stack: there it is a parameter, and not a module that is called. */
const unfitForStack = (interop: Interop, config: Readonly<Record<string, unknown>>): string | undefined => {
  if (!interop.tensors.every(({ value }) => partsOf(value)?.[0]?.fold)) return "its method is not stored for a stack";
  const dropout = Object.entries(config).find(([key, value]) => key.includes("dropout") && value !== 0);
  return dropout && `there is no dropout in front of it there (\`${dropout[0]}: ${String(dropout[1])}\`)`;
};

/** Whether what the block names is enough to have the adapter again: what it leaves out must follow from the settings alone. */
const holdsAll = ({ tensors }: Interop, { params }: AdapterPlan): boolean => {
  const named = new Set(tensors.flatMap(({ value }) => partsOf(value)?.map(({ name }) => name) ?? []));
  // Of what is kept of a training, what made it is left behind.
  const keeps = params.some((param) => "kept" in param.source);
  return params.every(({ local, source }) => {
    if (named.has(local)) return true;
    if (keeps) return !("kept" in source);
    return "init" in source ? !readsBase(source.init) : !("distribution" in source && random.has(source.distribution));
  });
};

const random: ReadonlySet<string> = new Set(["uniform", "normal", "distinct"]);

/** Whether a first value depends on the base's numbers, or draws anew. */
const readsBase = (expr: unknown): boolean => {
  if (typeof expr !== "object" || expr === null) return false;
  const node = expr as Partial<tree.Expr>;
  if (node.kind === "ref" && (node.name === "base" || node.name === "uniform")) return true;
  return Object.values(expr).some(readsBase);
};

const own = ({ injections, params }: AdapterPlan): AdapterFiles => {
  const described = injections.map(({ method, settings, targets }) => ({
    method: method.name.text,
    ...(method.amends && injections.length > 1 && { targets: targets.map(({ checkpoint }) => checkpoint) }),
    ...(method.amends && Object.fromEntries([...settings].map(([name, value]) => [name, plain(value)]))),
  }));
  return {
    library: "none",
    config: { format: "peft-lang", ...(described.length === 1 ? described[0] : { injections: described }) },
    tensors: params.map((param) => {
      const base = "copyOf" in param.source ? param.module.params.get(param.local) : undefined;
      if (base) return { key: base.tensor, parameter: param.name, transposed: base.transposed };
      return { key: param.shared ? param.local : `${param.module.checkpoint}.${param.local}`, parameter: param.name, transposed: false };
    }),
  };
};

const tensorsOf = (
  interop: Interop,
  library: LibraryName,
  words: Words | undefined,
  adapter: AdapterPlan,
  context: Context,
): AdapterFiles["tensors"] | undefined => {
  const { params, targets } = adapter;
  const { head, sharedHead } = layouts[library];
  const places = wrappedPlaces(targets);
  let named = true;
  const tensors = interop.tensors
    .flatMap(({ key: written, value }) => {
      const key = fillKey(written, adapter.storedAs ?? adapter.name, words);
      named &&= key !== undefined;
      const [first, ...others] = partsOf(value) ?? [];
      if (!first) {
        reportThrough(context, value.at, (at, details) => diagnostics.bad_interop(at, { key: written }, details), {
          help: "write a parameter, or `concat(a, -b, axis: 0)` of parameters",
        });
        return [];
      }
      if (key === undefined) return [];
      const axis = value.kind === "call" ? axisOf(value) : 0;
      const partsIn = (module: Instance) =>
        [first, ...others].map(({ name, sign }) => ({
          parameter: params.find((other) => other.local === name && other.module === module)!.name,
          sign,
        }));
      const found = params.filter((param) => param.local === first.name);
      // What lies below the target is one tensor, module after module: a prefix in every layer.
      const [one] = found;
      if (one && !targets.includes(one.module) && !one.shared) {
        const parts = found.flatMap((param) => partsIn(param.module));
        return [{ key, parameter: one.name, transposed: false, joined: { axis, parts } }];
      }
      return found.flatMap((param) => {
        // `*.NAME`: what all targets share is stored again with each of them.
        if (key.startsWith("*."))
          return targets.map((module) => ({
            key: `${head}${module.checkpoint}.${key.slice(2)}`,
            parameter: param.name,
            transposed: false,
          }));
        const place = places.get(param.module) ?? param.module.checkpoint;
        const name = place === "" ? key : param.shared ? `${sharedHead}${key}` : `${head}${place}.${key}`;
        const fold = param.stack === undefined ? undefined : first.fold;
        if (others.length === 0 && first.sign === 1)
          return [{ key: name, parameter: param.name, transposed: false, ...(fold && { fold }) }];
        return [{ key: name, parameter: param.name, transposed: false, joined: { axis, parts: partsIn(param.module) } }];
      });
    })
    .sort((a, b) => (a.key < b.key ? -1 : 1));
  return named ? tensors : undefined;
};

/**
 * Where the other library keeps what it adds to parameters that are no modules there: at the module that holds them, each wrapped by the
 * next, so that all but the last stand under `base_layer`.
 */
export const wrappedPlaces = (targets: readonly Instance[]): ReadonlyMap<Instance, string> => {
  const byHolder = new Map<string, Instance[]>();
  for (const target of targets)
    if (target.parameter) {
      const holder = target.checkpoint.slice(0, target.checkpoint.lastIndexOf("."));
      byHolder.set(holder, [...(byHolder.get(holder) ?? []), target]);
    }
  return new Map(
    [...byHolder].flatMap(([holder, inside]) =>
      inside.map((target, i) => [target, `${holder}${".base_layer".repeat(inside.length - 1 - i)}`] as const),
    ),
  );
};

interface Part {
  readonly name: string;
  readonly sign: 1 | -1;
  /** How the tensors of a stack become one of as many axes as each has. */
  readonly fold?: Fold;
}

/** `a`, `-a`, `concat(a, -b, axis: 0)`, and of a stack `stacked(a)` or `woven(a)`: what can be read back as it was written. */
const partsOf = (value: tree.Expr): Part[] | undefined => {
  if (value.kind === "ref") return [{ name: value.name, sign: 1 }];
  if (value.kind === "call" && value.callee.kind === "ref" && (value.callee.name === "stacked" || value.callee.name === "woven")) {
    const [only, more] = value.args;
    return only?.value.kind === "ref" && !more ? [{ name: only.value.name, sign: 1, fold: value.callee.name }] : undefined;
  }
  if (value.kind === "unary" && value.op === "-" && value.value.kind === "ref") return [{ name: value.value.name, sign: -1 }];
  if (value.kind !== "call" || value.callee.kind !== "ref" || value.callee.name !== "concat") return undefined;
  const parts = value.args.filter((argument) => !argument.name).map((argument) => partsOf(argument.value));
  return parts.every((part) => part?.length === 1) ? parts.flatMap((part) => part!) : undefined;
};

const axisOf = (call: tree.Call): 0 | 1 => {
  const axis = call.args.find((argument) => argument.name?.text === "axis")?.value;
  return axis?.kind === "number" && axis.value === 0 ? 0 : 1;
};
