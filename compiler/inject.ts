// The module tree + adapters -> what each adapter amends and trains. Every pattern must match, and what it matches must fit.

import type * as tree from "../grammar/tree.ts";
import { nearest } from "../spec/diagnostic.ts";
import { diagnostics } from "../spec/diagnostics.generated.ts";
import { bindArguments } from "./arguments.ts";
import { type Dim, product } from "./dims.ts";
import { type Context, reportThrough } from "./expressions.ts";
import { type Draw, evaluateDraw, evaluateShape, type Instance, modulesOf } from "./instantiate.ts";
import { alternatives, match, type Pattern, type Target, whereItStops } from "./paths.ts";
import type { Library } from "./resolve.ts";
import { scopeOf, type Value } from "./values.ts";

/** A parameter that an adapter adds or takes over. */
export interface AdapterParam {
  /** "menu:layers.0.attn.q.a". */
  readonly name: string;
  readonly shape: readonly Dim[];
  readonly trained: boolean;
  readonly source: Draw | { readonly copyOf: string };
  /** Module it sits on and its name there. */
  readonly module: Instance;
  readonly local: string;
}

/** What one adapter does to one module. */
export interface Amendment {
  readonly adapter: string;
  /** The method's call in the user's file; undefined while the method is checked by itself. */
  readonly at: tree.Span | undefined;
  readonly method: tree.MethodDef;
  readonly settings: ReadonlyMap<string, Value>;
  /** Parameters by the name the method gives them; for a selective method by the module's own names. */
  readonly params: ReadonlyMap<string, AdapterParam>;
}

export interface Coverage {
  readonly pattern: string;
  readonly at: tree.Span;
  readonly matches: readonly string[];
}

export interface AdapterPlan {
  readonly name: string;
  readonly at: tree.Span;
  readonly base: string;
  readonly method: tree.MethodDef;
  readonly settings: ReadonlyMap<string, Value>;
  readonly params: readonly AdapterParam[];
  readonly targets: readonly Instance[];
  readonly coverage: readonly Coverage[];
  readonly trainable: number;
}

export const inject = (
  item: tree.Adapter,
  bases: ReadonlyMap<string, Instance>,
  library: Library,
  scope: Value & { kind: "record" },
  context: Context,
): AdapterPlan | undefined => {
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
  const settings = bindArguments(
    { what: `method ${method.name.text}`, at: item.method.at, parameters: method.parameters },
    item.method.args,
    outer,
    context,
  );

  const baseName = item.into[0]?.segments[0];
  const base = baseName?.kind === "name" ? bases.get(baseName.text) : undefined;
  if (item.into.length === 0) {
    context.report(
      diagnostics.missing_target(item.at, { adapter: item.name.text }, { help: "say where it goes, like `into tiny.layers.**`" }),
    );
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
    for (const pattern of alternatives(path)) {
      const fitting = fit(method, match(base, pattern), pattern, base, context);
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
        { adapter: item.name.text, count: targets.length - unique.length },
        { help: "each place is amended once; drop the pattern that repeats" },
      ),
    );
  const name = item.name.text;
  const params = method.amends
    ? unique.flatMap((target) =>
        amend(name, item.method.at, method, settings, target.module, { ...context, through: [...context.through, item.method.at] }),
      )
    : unique.flatMap((target) => (target.kind === "param" ? take(name, item.method.at, method, settings, target) : []));
  const trainable = params.filter((param) => param.trained).reduce((sum, param) => sum + Number(product(param.shape)), 0);
  if (trainable === 0) context.report(diagnostics.nothing_to_train(item.at, { adapter: name }));
  return {
    name,
    at: item.at,
    base: baseName!.kind === "name" ? baseName!.text : "",
    method,
    settings,
    params,
    targets: [...new Set(unique.map((target) => target.module))],
    coverage,
    trainable,
  };
};

/** The targets that the method fits; undefined after a report. */
const fit = (
  method: tree.MethodDef,
  targets: readonly Target[],
  pattern: Pattern,
  base: Instance,
  context: Context,
): Target[] | undefined => {
  if (targets.length === 0) {
    const stop = whereItStops(base, pattern);
    const near = nearest(stop.wanted, stop.has);
    context.report(
      diagnostics.unmatched_target(
        stop.at,
        { pattern: pattern.text },
        {
          label: "no such child",
          notes: stop.has.length ? [{ message: `${stop.reached} has: ${stop.has.join(", ")}` }] : [],
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
          ? [...modulesOf(target.module)].flatMap((module) =>
              [...module.params.values()].flatMap((param) => (param ? [{ kind: "param" as const, param, module }] : [])),
            )
          : [],
    );
    const own = params.filter((target) => target.kind === "param" && !target.param.tiedTo);
    if (own.length > 0) return own;
    context.report(
      diagnostics.no_parameters(pattern.at, { pattern: pattern.text }, { help: "end the pattern with `**` to cover what is below" }),
    );
    return undefined;
  }
  const wanted = method.amends.text;
  const fits = targets.filter((target) => target.kind === "module" && target.module.definition.name.text === wanted);
  const misfit = targets.find((target) => !fits.includes(target));
  if (fits.length === 0 || (pattern.exact && misfit)) {
    const example = misfit ?? targets[0]!;
    const below =
      example.kind === "module"
        ? [...example.module.children]
            .filter(([, child]) => !Array.isArray(child) && (child as Instance).definition.name.text === wanted)
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

/** Adds the method's parameters to one module. */
export const amend = (
  adapter: string,
  at: tree.Span | undefined,
  method: tree.MethodDef,
  settings: ReadonlyMap<string, Value>,
  module: Instance,
  context: Context,
): AdapterParam[] => {
  const scope = scopeOf(settings, scopeOf(module.sizes));
  const params = new Map<string, AdapterParam>();
  for (const member of method.members) {
    const beyond = notYet(member);
    if (beyond) reportThrough(context, member.at, (place, details) => diagnostics.unsupported_block(place, { what: beyond }, details));
    if (member.kind === "bind" && member.target.length === 1) checkRebinding(method, member, module, context);
    if (member.kind !== "param") continue;
    for (const name of member.names)
      params.set(name.text, {
        name: `${adapter}:${module.path}.${name.text}`,
        shape: evaluateShape(member.shape, scope, context),
        trained: !member.modifiers.includes("frozen"),
        source: member.draw ? evaluateDraw(member.draw, scope, context) : { distribution: "zeros", args: [] },
        module,
        local: name.text,
      });
  }
  module.amendments.push({ adapter, at, method, settings, params });
  return [...params.values()];
};

/** What the grammar reads and this version does not compute: refused, never passed over. */
const notYet = (member: tree.Member): string | undefined => {
  if (member.kind === "param" && member.value) return "a parameter that starts from an expression";
  if (member.kind === "param" && member.modifiers.includes("shared")) return "a shared parameter";
  if (member.kind === "bind" && (member.target.length > 1 || member.sign === "+="))
    return `\`${member.target.map((name) => name.text).join(".")} ${member.sign}\``;
  return member.kind === "state" || member.kind === "forward" || member.kind === "child" ? `\`${member.kind}\` in a method` : undefined;
};

/** A rebound name must be the module's: a parameter, a `let` of its forward, or `out`, its result. */
const checkRebinding = (method: tree.MethodDef, member: tree.BindMember, module: Instance, context: Context): void => {
  const forward = module.definition.members.find((own) => own.kind === "forward");
  const lets = forward?.kind === "forward" ? forward.lets.map((own) => own.name.text) : [];
  const names = [...module.params.keys(), ...lets, "out"];
  const name = member.target[0]!;
  if (names.includes(name.text)) return;
  const near = nearest(name.text, names);
  reportThrough(
    context,
    name.at,
    (at, details) =>
      diagnostics.unused_rebinding(at, { method: method.name.text, name: name.text, module: module.definition.name.text }, details),
    {
      notes: [{ message: `${module.definition.name.text} names: ${names.join(", ")}` }],
      ...(near && { help: `did you mean \`${near}\`?` }),
    },
  );
};

/** A selective method takes over a parameter of the base: a trained copy of it. */
const take = (
  adapter: string,
  at: tree.Span,
  method: tree.MethodDef,
  settings: ReadonlyMap<string, Value>,
  target: Target & { kind: "param" },
): AdapterParam[] => {
  const { param, module } = target;
  const local = [...module.params].find(([, own]) => own === param)![0];
  const taken: AdapterParam = {
    name: `${adapter}:${param.path}`,
    shape: param.shape,
    trained: true,
    source: { copyOf: param.path },
    module,
    local,
  };
  const existing = module.amendments.find((amendment) => amendment.adapter === adapter);
  if (existing) (existing.params as Map<string, AdapterParam>).set(local, taken);
  else module.amendments.push({ adapter, at, method, settings, params: new Map([[local, taken]]) });
  return [taken];
};
