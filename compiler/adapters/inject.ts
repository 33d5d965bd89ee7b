// The module tree + adapters -> what each adapter amends and trains. An adapter is a list of injections, each a method and where it
// goes; on one module they amend in the order they are written. Every pattern must match, and what it matches must fit.

import type * as tree from "../../grammar/tree.ts";
import { nearest } from "../../spec/diagnostic.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import { bindArguments, typed } from "../blocks/arguments.ts";
import type { Library } from "../blocks/resolve.ts";
import { parameter } from "../blocks/settings.ts";
import { type Instance, isOwn, modulesOf } from "../model/instantiate.ts";
import { faceOf } from "../model/interfaces.ts";
import { alternatives, match, type Pattern, type Target, whereItStops } from "../model/paths.ts";
import { product } from "../values/dims.ts";
import { type Context, evaluate } from "../values/expressions.ts";
import type { Value } from "../values/values.ts";
import { type AdapterParam, type Applied, amend, take } from "./amend.ts";
import { type MeasuredLine, type SizesByPath, sizedGroups } from "./measured-sizes.ts";

export interface Coverage {
  readonly pattern: string;
  readonly at: tree.Span;
  readonly matches: readonly string[];
}

/** One line of an adapter. */
export interface InjectionPlan {
  readonly at: tree.Span;
  readonly method: tree.MethodDef;
  readonly settings: ReadonlyMap<string, Value>;
  readonly params: readonly AdapterParam[];
  readonly targets: readonly Instance[];
  readonly coverage: readonly Coverage[];
  /** Where a parameter is tied to another, both change. */
  readonly tied: boolean;
}

/** Sizes that were measured for a line of an adapter. */
export type FoundSizes = (adapter: string, line: number) => SizesByPath | undefined;

export interface AdapterPlan {
  readonly name: string;
  readonly at: tree.Span;
  readonly base: string;
  readonly injections: readonly InjectionPlan[];
  /** Of all injections, in their order. */
  readonly params: readonly AdapterParam[];
  readonly targets: readonly Instance[];
  readonly coverage: readonly Coverage[];
  readonly trainable: number;
  /** The adapter it stands on: `into menu.layers.**` amends the model that `menu` makes. */
  readonly under?: string;
  /** The folder it is read from, as written. */
  readonly from?: string;
  /** Whether that folder may be of another base. */
  readonly anyBase?: boolean;
  /** What it is called in the folder that it is read from, where tensors' names hold that. */
  readonly storedAs?: string;
  /** Adapters that its first values are computed from. */
  readonly of?: readonly string[];
  /** Its lines with sizes that the data decides. */
  readonly measured?: readonly MeasuredLine[];
  /** Of what it is made, where it is made of other adapters. */
  readonly made?: Made;
}

export type Made =
  | { readonly kind: "stack"; readonly of: readonly string[] }
  | { readonly kind: "sum"; readonly terms: readonly { readonly adapter: string; readonly weight: number }[] }
  | { readonly kind: "mix"; readonly of: readonly string[] };

/** The method's name, or `first + second` for a combination. */
export const methodNames = ({ made, injections }: AdapterPlan): string => {
  if (made?.kind === "sum") return made.terms.map(({ adapter, weight }) => `${weight} × ${adapter}`).join(" + ");
  if (made) return `${made.kind} of ${made.of.join(", ")}`;
  return [...new Set(injections.map(({ method }) => method.name.text))].join(" + ");
};

export const inject = (
  item: tree.Adapter,
  bases: ReadonlyMap<string, Instance>,
  library: Library,
  scope: Value & { kind: "record" },
  found: FoundSizes,
  context: Context,
): AdapterPlan | undefined => {
  const name = item.name.text;
  let wrong = false;
  const watched: Context = {
    ...context,
    report: (diagnostic) => {
      wrong ||= diagnostic.severity === "error";
      context.report(diagnostic);
    },
  };
  const plans = item.injections.map((injection, line) =>
    planInjection(name, injection, bases, library, scope, { line, sizes: found(name, line) }, watched),
  );
  if (item.injections.length === 0)
    context.report(diagnostics.nothing_to_train(item.at, { adapter: name }, { help: "write a method and where it goes in the block" }));
  if (plans.length === 0 || plans.some((plan) => !plan)) return undefined;
  const injections = plans.flatMap((plan) => plan!.injections);
  if (injections.length === 0) {
    context.report(diagnostics.nothing_to_train(item.at, { adapter: name }, { help: "every place has a measured size of 0" }));
    return undefined;
  }
  const measured = plans.flatMap((plan) => plan!.measured ?? []);
  // What learns at one rate lies together, so that an update is one walk over all of it.
  const params = injections.flatMap((plan) => plan.params).sort((a, b) => (a.rate ?? 1) - (b.rate ?? 1));
  if (!namesAreUnique(item, injections, context)) return undefined;
  const trainable = params.filter((param) => param.trained).reduce((sum, param) => sum + Number(product(param.shape)), 0);
  if (trainable === 0 && !wrong) context.report(diagnostics.nothing_to_train(item.at, { adapter: name }));
  const first = item.injections[0]!.into[0]?.segments[0];
  return {
    name,
    at: item.at,
    base: first?.kind === "name" ? first.text : "",
    injections,
    params,
    targets: [...new Set(injections.flatMap((plan) => plan.targets))],
    coverage: injections.flatMap((plan) => plan.coverage),
    trainable,
    ...(measured.length > 0 && { measured }),
  };
};

/** Two lines of one adapter may amend one module, but each parameter has one name. */
const namesAreUnique = (item: tree.Adapter, injections: readonly InjectionPlan[], context: Context): boolean => {
  const seen = new Map<string, InjectionPlan>();
  for (const injection of injections)
    for (const param of injection.params) {
      const earlier = seen.get(param.name);
      if (earlier) {
        context.report(
          diagnostics.injected_twice(
            injection.at,
            { adapter: item.name.text, parameter: param.name.slice(param.name.indexOf(":") + 1) },
            {
              notes: [{ message: "the line before is here", at: earlier.at }],
              help: "let each place be covered by one line: narrow one of the patterns",
            },
          ),
        );
        return false;
      }
      seen.set(param.name, injection);
    }
  return true;
};

const planInjection = (
  name: string,
  item: tree.Injection,
  bases: ReadonlyMap<string, Instance>,
  library: Library,
  scope: Value & { kind: "record" },
  { line, sizes }: { readonly line: number; readonly sizes: SizesByPath | undefined },
  context: Context,
): { readonly injections: readonly InjectionPlan[]; readonly measured?: MeasuredLine } | undefined => {
  const callee = item.method.kind === "call" ? item.method.callee : undefined;
  if (item.method.kind !== "call" || callee?.kind !== "ref") {
    context.report(diagnostics.not_a_method(item.method.at, { help: "write a method and its settings, like `NAME(setting: value)`" }));
    return undefined;
  }
  const method = library.find("method", callee.name);
  if (!method) {
    const near = nearest(callee.name, library.names("method"));
    context.report(
      diagnostics.unknown_method(
        callee.at,
        { name: callee.name },
        {
          label: "no such method",
          notes: [{ message: `methods: ${library.names("method").join(", ")}` }],
          ...(near && { help: `did you mean \`${near}\`?`, fixes: [{ at: callee.at, insert: near, title: `change to \`${near}\`` }] }),
        },
      ),
    );
    return undefined;
  }
  const outer = { find: (name: string) => scope.fields(name), names: scope.names };
  // Every method takes `tied`, unless it has a setting of that name for itself.
  const own = method.parameters.some(({ name: { text } }) => text === "tied");
  const both = own || !method.amends ? undefined : item.method.args.find((argument) => argument.name?.text === "tied");
  const settings = bindArguments(
    { what: `method ${method.name.text}`, at: item.method.at, parameters: method.parameters },
    item.method.args.filter((argument) => argument !== both),
    outer,
    context,
  );
  const tiedValue = both ? typed(evaluate(both.value, outer, context), parameter("tied", "bool"), both.value.at, context) : undefined;
  const tied = tiedValue?.kind === "bool" && tiedValue.value;

  const baseName = item.into[0]?.segments[0];
  const base = baseName?.kind === "name" ? bases.get(baseName.text) : undefined;
  if (item.into.length === 0) {
    context.report(diagnostics.missing_target(item.at, { adapter: name }, { help: "say where it goes, like `into tiny.layers.**`" }));
    return undefined;
  }
  const targets: Target[] = [];
  const coverage: Coverage[] = [];
  let failed = base === undefined;
  for (const path of item.into) {
    const first = path.segments[0];
    if (first?.kind !== "name" || !bases.has(first.text)) {
      const near = first?.kind === "name" ? nearest(first.text, bases.keys()) : undefined;
      context.report(
        diagnostics.unknown_base(
          first?.at ?? path.at,
          { name: first?.kind === "name" ? first.text : "this" },
          {
            ...(bases.size && { notes: [{ message: `bases here: ${[...bases.keys()].join(", ")}` }] }),
            ...(near && { help: `did you mean \`${near}\`?`, fixes: [{ at: first!.at, insert: near, title: `change to \`${near}\`` }] }),
          },
        ),
      );
      failed = true;
      continue;
    }
    if (!base) continue;
    const said = new Set<tree.Span>(); // alternatives share the segments before them
    for (const pattern of alternatives(path)) {
      const fitting = fit(method, match(base, pattern), pattern, base, said, context);
      if (!fitting) failed = true;
      else {
        coverage.push({
          pattern: pattern.text,
          at: pattern.at,
          matches: fitting.map((target) => (target.kind === "module" ? target.module.path : target.param.path)),
        });
        targets.push(...fitting);
      }
    }
  }
  if (failed || !base) return undefined;

  const unique = [
    ...new Map(targets.map((target) => [target.kind === "module" ? target.module.path : target.param.path, target])).values(),
  ];
  if (unique.length < targets.length)
    context.report(
      diagnostics.overlapping_patterns(
        item.at,
        { adapter: name, count: targets.length - unique.length },
        { help: "each place is amended once; drop the pattern that repeats" },
      ),
    );
  const applied: Applied = { adapter: name, at: item.method.at, method, settings, tied };
  const modules = unique.flatMap((target) => (target.kind === "module" ? [target.module] : []));
  let refused = false;
  const watched: Context = {
    ...context,
    through: [...context.through, item.method.at],
    report: (diagnostic) => {
      refused ||= diagnostic.severity === "error";
      context.report(diagnostic);
    },
  };
  const planned = { at: item.at, method, tied };
  if (!method.amends) {
    const params = unique.flatMap((target) => (target.kind === "param" ? [take(applied, target)] : []));
    const taken = { ...planned, settings, params, targets: [...new Set(unique.map((target) => target.module))], coverage };
    return refused ? undefined : { injections: [taken] };
  }
  const sized = sizedGroups(applied, modules, line, sizes, watched);
  const injections = sized?.groups.map((group, i): InjectionPlan => {
    const params = amend({ ...applied, settings: group.settings }, group.modules, watched);
    return { ...planned, settings: group.settings, params, targets: group.modules, coverage: i === 0 ? coverage : [] };
  });
  return refused || !injections ? undefined : { injections, ...(sized?.measured && { measured: sized.measured }) };
};

/** The targets that the method fits; undefined after a report. */
const fit = (
  method: tree.MethodDef,
  targets: readonly Target[],
  pattern: Pattern,
  base: Instance,
  said: Set<tree.Span>,
  context: Context,
): Target[] | undefined => {
  if (targets.length === 0) {
    const stop = whereItStops(base, pattern);
    // The place of a layer is no name to be near to another.
    const numbered = stop.has.length > 0 && stop.has.every((name) => /^\d+$/.test(name));
    const near = numbered ? undefined : nearest(stop.wanted, stop.has);
    if (said.has(stop.at)) return undefined;
    said.add(stop.at);
    context.report(
      diagnostics.unmatched_target(
        stop.at,
        { pattern: pattern.text },
        {
          label: "no such child",
          notes: stop.has.length
            ? [{ message: `${stop.reached} has: ${numbered ? `0 to ${stop.has.length - 1}` : stop.has.join(", ")}` }]
            : [],
          ...(near && { help: `did you mean \`${near}\`?`, fixes: [{ at: stop.at, insert: near, title: `change to \`${near}\`` }] }),
        },
      ),
    );
    return undefined;
  }
  if (!method.amends) {
    // A selective method trains parameters; a module stands for all of its own.
    const params = targets.flatMap((target): Target[] =>
      target.kind === "param"
        ? [target]
        : pattern.exact
          ? modulesOf(target.module).flatMap((module) =>
              [...module.params.values()].flatMap((param) => (param ? [{ kind: "param" as const, param, module }] : [])),
            )
          : [],
    );
    const own = params.filter((target) => target.kind === "param" && isOwn(target.param));
    if (own.length > 0) return own;
    const part = params.find((target) => target.kind === "param" && target.param.view);
    context.report(
      diagnostics.no_parameters(
        pattern.at,
        { pattern: pattern.text },
        {
          help:
            part?.kind === "param"
              ? `it is a part of ${part.param.view!.of.path}: train that`
              : "end the pattern with `**` to cover what is below",
        },
      ),
    );
    return undefined;
  }
  const wanted = method.amends.text;
  // A pattern that takes what is there takes what is stored; a part of a fused projection is taken by its name.
  const fits = targets.filter(
    (target) => target.kind === "module" && faceOf(target.module, wanted) !== undefined && (pattern.exact || !hasViews(target.module)),
  );
  const misfit = targets.find((target) => !fits.includes(target));
  if (fits.length === 0 || (pattern.exact && misfit)) {
    const example = misfit ?? targets[0]!;
    const below =
      example.kind === "module"
        ? [...example.module.children]
            .filter(([, child]) => !Array.isArray(child) && faceOf(child as Instance, wanted) !== undefined)
            .map(([child]) => child)
        : [];
    context.report(
      diagnostics.method_does_not_fit(
        pattern.at,
        { method: method.name.text, wanted, pattern: pattern.text },
        {
          label: example.kind === "param" ? "a parameter" : `a ${example.module.definition.name.text}`,
          help: below.length
            ? `it fits ${below.map((child) => `\`${pattern.text}.${child}\``).join(", ")}`
            : `name modules that are a ${wanted}, or end the pattern with \`**\``,
        },
      ),
    );
    return undefined;
  }
  return fits;
};

/** Whether a module's numbers are a part of another's. */
export const hasViews = (module: Instance): boolean => [...module.params.values()].some((param) => param?.view);
