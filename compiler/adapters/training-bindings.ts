// What a method says about its training and not about the model: a parameter's learning rate (`b.rate = …`), its gradient
// (`b.grad = …`), an addend of the loss (`loss += …`), and what a parameter or a state is after the update (`s = …`). Told apart here
// and held against what the method declares; all but rates is computed by step-rules.ts.

import type * as tree from "../../grammar/tree.ts";
import { instead, nearest } from "../../spec/diagnostic.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import { multiply } from "../values/dims.ts";
import { type Context, evaluate, reportThrough } from "../values/expressions.ts";
import { dimOf, number, type Scope, scopeOf } from "../values/values.ts";
import type { AdapterParam, AdapterState } from "./amend.ts";

type Params = Map<string, AdapterParam>;

/** Whether the name is a parameter or a state of the members. */
const declares = (members: readonly tree.Member[], name: string): boolean =>
  members.some((member) =>
    member.kind === "param" ? member.names.some(({ text }) => text === name) : member.kind === "state" && member.name.text === name,
  );

/** The value of the module that a member rebinds. `members` are those it stands among: a name that they declare is theirs. */
export const reboundName = (member: tree.Member, members: readonly tree.Member[]): string | undefined => {
  if (member.kind !== "bind" || member.sign !== "=" || member.target.length !== 1) return undefined;
  const [{ text }] = member.target as [tree.Name];
  return declares(members, text) ? undefined : text;
};

const parts = ["rate", "grad"];

export type TrainingBinding = "loss" | "rate" | "grad" | "next";

/** What of the training a member binds ("next": what a parameter or a state is after the update); undefined where it binds nothing of it. */
export const trainingBinding = (member: tree.Member, members: readonly tree.Member[]): TrainingBinding | undefined => {
  if (member.kind !== "bind") return undefined;
  const [first, second, more] = member.target;
  if (member.sign === "+=") return !second && first!.text === "loss" ? "loss" : undefined;
  if (!second) return declares(members, first!.text) ? "next" : undefined;
  return more ? undefined : (parts.find((part) => part === second.text) as "rate" | "grad" | undefined);
};

/** When in a step a binding is computed: before the update or after it. */
export const moments = ["before", "after"] as const;
export type Moment = (typeof moments)[number];

/** Whether a step of training has something to compute for these members at that moment. */
export const bindsStep = (members: readonly tree.Member[], moment: Moment): boolean =>
  members.some((member) => {
    const kind = trainingBinding(member, members);
    return moment === "after" ? kind === "next" : kind === "loss" || kind === "grad";
  });

/** Reports a binding that is neither of a value of the module nor of the training. */
export const checkKnown = (member: tree.Member, members: readonly tree.Member[], context: Context): void => {
  if (member.kind !== "bind" || reboundName(member, members) !== undefined || trainingBinding(member, members)) return;
  const [first, second, more] = member.target as [tree.Name, ...tree.Name[]];
  const what = `${member.target.map(({ text }) => text).join(".")} ${member.sign}`;
  const part = second && !more ? instead(second.at, nearest(second.text, parts)) : {};
  const help = second
    ? `of a parameter there are ${parts.map((own) => `\`${first.text}.${own} = …\``).join(" and ")}`
    : "`+=` is for `loss`";
  reportThrough(context, member.at, (at, details) => diagnostics.unknown_binding(at, { what }, details), { help, ...part });
};

/** Holds what the members say about training against parameters and states, and gives each parameter its rate. */
export const bindTraining = (
  members: readonly tree.Member[],
  params: Params,
  states: ReadonlyMap<string, AdapterState>,
  scope: Scope,
  context: Context,
): void => {
  for (const member of members) {
    const kind = trainingBinding(member, members);
    if (member.kind !== "bind" || kind === undefined || kind === "loss") continue;
    const [name] = member.target as [tree.Name];
    const param = params.get(name.text);
    if (kind === "next" && states.has(name.text)) continue;
    if (!param?.trained) notTrained(name, params, context);
    else if (kind === "rate") setRate(member, param, params, scope, context);
    else if (param.shared)
      reportThrough(
        context,
        member.at,
        (at, details) =>
          diagnostics.shared_binding(
            at,
            { name: name.text, what: kind === "grad" ? "its gradient" : "what it is after the update" },
            details,
          ),
        { help: "each target would bind it anew; let each target have a parameter of its own" },
      );
  }
};

const notTrained = (name: tree.Name, params: Params, context: Context): void => {
  const known = [...params.values()].filter(({ trained }) => trained).map(({ local }) => local);
  reportThrough(context, name.at, (at, details) => diagnostics.unknown_name(at, { name: name.text }, details), {
    label: "no trained parameter",
    ...(known.length && { notes: [{ message: `trained here: ${known.join(", ")}` }] }),
  });
};

/** A parameter's own learning rate: a multiple of the training's, which is what an expression in `rate` must come to. */
const setRate = (member: tree.BindMember, param: AdapterParam, params: Params, outer: Scope, context: Context): void => {
  const [one, two] = [1, 2].map((rate) => evaluate(member.value, scopeOf(new Map([["rate", number(rate)]]), outer), context));
  if (one?.kind === "unknown" || two?.kind === "unknown") return;
  const [once, twice] = [one && dimOf(one), two && dimOf(two)];
  const multiple = once !== undefined && twice === multiply(2, once) && !(typeof once === "number" && once < 0);
  // Of a definition by itself the multiple is not known.
  if (multiple && typeof once === "number") params.set(param.local, { ...param, rate: once });
  else if (!multiple)
    reportThrough(context, member.value.at, (at, details) => diagnostics.bad_rate(at, { name: param.local }, details), {
      help: "write a multiple of `rate`, like `ratio * rate`",
    });
};
