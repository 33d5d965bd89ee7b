// A user's own definitions, checked by themselves with every size and setting a symbol, in every case that these leave open: what
// fits here fits for all sizes, used or not.

import type * as tree from "../../grammar/tree.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import { type Amendment, amend, amendOne } from "../adapters/amend.ts";
import { computedAt } from "../adapters/first-values.ts";
import { alone } from "../adapters/layers.ts";
import { measuresOf } from "../adapters/measured-sizes.ts";
import { bindsStep, moments } from "../adapters/training-bindings.ts";
import type { Definition, Library } from "../blocks/resolve.ts";
import { build, type Instance } from "../model/instantiate.ts";
import { findFace } from "../model/interfaces.ts";
import { ops } from "../ops/index.ts";
import { elaborate } from "../unfold/elaborate.ts";
import { inEveryCase } from "../values/cases.ts";
import type { Context } from "../values/expressions.ts";
import { number, size, type Value } from "../values/values.ts";
import { checkInterop } from "./check-interop.ts";
import { checkObserved } from "./check-observed.ts";

/** One case of a definition. */
interface Checking extends Context {
  readonly library: Library;
  /** What the case takes settings and sizes to be. */
  readonly known: ReadonlyMap<string, Value>;
}

/** The definitions that hold a mistake: it was reported where it stands, and need not be again wherever they are used. */
export const checkDefinitions = (own: readonly Definition[], library: Library, context: Context): ReadonlySet<Definition> => {
  const wrong = new Set<Definition>();
  for (const definition of own) {
    const watched: Context = {
      ...context,
      report: (diagnostic) => {
        if (diagnostic.severity === "error") wrong.add(definition);
        context.report(diagnostic);
      },
    };
    checkInterop(definition, library, watched);
    if (definition.kind === "method") checkObserved(definition, watched);
    if (definition.kind !== "module" && definition.kind !== "method") continue;
    inEveryCase((cases, known, report) => {
      const inner: Checking = { ...context, cases, report, library, known };
      if (definition.kind === "module") checkForward(symbolic(definition, inner), [], inner);
      else checkMethod(definition, inner);
    }, watched.report);
  }
  return wrong;
};

/** Every setting by its own name, but for what a case has taken it to be; a method that asks for an op gets one like any other. */
const symbols = (parameters: readonly tree.Parameter[], known: ReadonlyMap<string, Value>): Map<string, Value> =>
  new Map(parameters.map((parameter) => [parameter.name.text, known.get(parameter.name.text) ?? symbolOf(parameter)]));

const symbolOf = ({ name, type, value }: tree.Parameter): Value => {
  switch (type?.text) {
    case "bool":
    case "list":
      return { kind: "open", type: type.text, name: name.text };
    case "string":
    case "path":
      return { kind: "open", type: "text", name: name.text };
    case "op":
      return { kind: "op", op: ops.get("tanh")!, attrs: {} };
    case undefined:
      if (value?.kind === "string") return { kind: "open", type: "text", name: name.text };
  }
  return size(name.text);
};

const symbolic = (definition: tree.ModuleDef | tree.InterfaceDef, context: Checking): Instance =>
  build(
    definition,
    symbols(definition.parameters, context.known),
    { path: definition.name.text, checkpoint: "", stored: [""], transposed: false },
    context.library,
    context,
  );

const checkForward = (module: Instance, adapters: readonly string[], context: Context): void => {
  // Something that declares no shape makes the rest unknown: that is no failure.
  const [observes] = adapters;
  elaborate(module, { ...alone(adapters, true), ...(observes !== undefined && { observes }) }, { forwardOf: module }, context);
};

const checkMethod = (method: tree.MethodDef, context: Checking): void => {
  const { library } = context;
  // A rule that combines adapters reads what two of them change; what is no rule has no use for it.
  const two = [0, 1].map(() => ({ layers: [], weight: 1 }));
  const applied = {
    adapter: "it",
    at: undefined,
    method,
    settings: new Map([
      ["members", number(2)] as const,
      ...symbols(method.parameters, context.known),
      ...measuresOf(method).map(({ name: { text } }) => [text, context.known.get(text) ?? size(text)] as const),
    ]),
    tied: false,
    combines: two,
  };
  const face = (name: tree.Name): Instance | undefined => {
    const definition = findFace(name.text, library);
    if (definition) return symbolic(definition, context);
    const known = [...library.names("interface"), ...library.names("module")].join(", ");
    context.report(diagnostics.unknown_module(name.at, { name: name.text }, { notes: [{ message: `interfaces and modules: ${known}` }] }));
    return undefined;
  };
  const module = method.amends && face(method.amends);
  if (!module) return;
  // An interface has no module below it: what an `each` amends is taken from its own definition.
  const own = method.members.filter((member) => member.kind !== "each");
  amend({ ...applied, method: { ...method, members: own } }, [module], context);
  checkForward(module, ["it"], context);
  const outer = module.amendments.at(-1);
  // A method whose condition turns it away here has amended nothing.
  const computed = (amendment: Amendment | undefined): void => {
    const params = [...(amendment?.params.values() ?? [])];
    if (amendment && params.some((param) => computedAt("init", param)))
      elaborate(amendment.module, alone(["it"], false), { amendment }, context);
    if (amendment && params.some((param) => computedAt("kept", param)))
      elaborate(amendment.module, alone(["it"], false), { amendment, kept: true }, context);
    if (amendment && measuresOf(amendment).length > 0)
      elaborate(amendment.module, alone(["it"], false), { amendment, measure: { targets: size("targets"), part: 0 } }, context);
    for (const moment of moments)
      if (amendment && bindsStep(amendment.members, moment))
        elaborate(amendment.module, alone(["it"], false), { amendment, step: { moment, targets: size("targets") } }, context);
  };
  computed(outer);
  for (const member of method.members) {
    const inner = member.kind === "each" ? face(member.module) : undefined;
    if (member.kind !== "each" || !inner || !outer) continue;
    amendOne(applied, member.members, member.module.text, inner, new Map(), outer, context);
    checkForward(inner, ["it"], context);
    computed(inner.amendments.at(-1));
  }
};
