// `stack(a, b)`, `combine(a: 0.7, b: 0.3)`, `mix(a, b)` -> the plan of an adapter that is made of others and has nothing of its own to
// store. What each means while something is computed is in layers.ts and elaborate.ts.

import type * as tree from "../../grammar/tree.ts";
import { nearest } from "../../spec/diagnostic.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { Library } from "../blocks/resolve.ts";
import { type Context, evaluate } from "../values/expressions.ts";
import { number, type Scope } from "../values/values.ts";
import { makeBank } from "./bank.ts";
import { combineBy } from "./combine-by.ts";
import type { AdapterPlan, Made } from "./inject.ts";

const makers = ["stack", "combine", "mix"] as const;
type Maker = (typeof makers)[number];

/** The call that makes an adapter of others, if the item is one. */
export const makerOf = (
  item: tree.Adapter,
): { readonly maker: Maker; readonly call: tree.Call; readonly into: readonly tree.Path[] } | undefined => {
  const [only, more] = item.injections;
  if (!only || more || item.block || only.method.kind !== "call" || only.method.callee.kind !== "ref") return undefined;
  const maker = makers.find((name) => only.method.kind === "call" && only.method.callee.kind === "ref" && only.method.callee.name === name);
  return maker && { maker, call: only.method, into: only.into };
};

/** Names of adapters that an item stands on or is made of; they are planned first. */
export const namesIn = (item: tree.Adapter): readonly string[] => {
  const made = makerOf(item);
  if (made)
    return made.call.args.flatMap((argument) => {
      const name = nameOf(argument, made.maker);
      return name === undefined || (made.maker === "combine" && name === "by") ? [] : [name];
    });
  return item.injections.flatMap(({ into }) => into.flatMap((path) => (path.segments[0]?.kind === "name" ? [path.segments[0].text] : [])));
};

/** `combine` gives each name its weight; the others list names. */
const nameOf = (argument: tree.Argument, maker: Maker): string | undefined =>
  maker === "combine" ? argument.name?.text : !argument.name && argument.value.kind === "ref" ? argument.value.name : undefined;

/** Undefined after a report. */
export const compose = (
  item: tree.Adapter,
  adapters: ReadonlyMap<string, AdapterPlan>,
  declared: ReadonlySet<string>,
  library: Library,
  scope: Scope,
  context: Context,
): AdapterPlan | undefined => {
  const { maker, call, into } = makerOf(item)!;
  const wrong = (at: tree.Span, problem: string, help: string): undefined => {
    context.report(diagnostics.made_of(at, { maker, problem }, { help }));
    return undefined;
  };
  const form = maker === "combine" ? "combine(first: 0.7, second: 0.3)" : `${maker}(first, second)`;
  if (into.length > 0)
    return wrong(into[0]!.at, "goes where its adapters go", "remove `into …`: every adapter keeps the places it was declared with");
  const by = maker === "combine" ? call.args.find((argument) => argument.name?.text === "by") : undefined;
  const members: { readonly name: string; readonly at: tree.Span; readonly weight: number }[] = [];
  let failed = false;
  for (const argument of call.args) {
    if (argument === by) continue;
    const name = nameOf(argument, maker);
    const at = argument.name?.at ?? argument.at;
    if (name === undefined) {
      wrong(argument.at, maker === "combine" ? "needs a weight for every adapter" : "takes names of adapters", `write \`${form}\``);
      failed = true;
    } else if (!declared.has(name)) {
      const near = nearest(name, declared);
      context.report(
        diagnostics.unknown_adapter(
          at,
          { name },
          {
            notes: declared.size ? [{ message: `adapters here: ${[...declared].join(", ")}` }] : [],
            ...(near && { help: `did you mean \`${near}\`?`, fixes: [{ at, insert: near, title: `change to \`${near}\`` }] }),
          },
        ),
      );
      failed = true;
    } else if (members.some((member) => member.name === name)) {
      wrong(at, `names \`${name}\` twice`, maker === "combine" ? "add up its weights" : "name it once");
      failed = true;
    } else {
      const value = maker === "combine" ? evaluate(argument.value, scope, context) : number(1);
      if (value.kind === "number" && (value.unit === undefined || value.unit === "%"))
        members.push({ name, at, weight: value.unit === "%" ? value.value / 100 : value.value });
      else {
        if (value.kind !== "unknown") wrong(argument.value.at, "needs a number for every weight", `write \`${form}\``);
        failed = true;
      }
    }
  }
  // An adapter that is declared and could not be planned was reported.
  const plans = members.flatMap(({ name }) => adapters.get(name) ?? []);
  if (failed || plans.length < members.length) return undefined;
  if (plans.length < (maker === "combine" ? 1 : 2)) return wrong(call.at, "needs more than one adapter", `write \`${form}\``);
  const names = members.map((member) => member.name);
  const made: Made =
    maker === "combine"
      ? { kind: "sum", terms: members.map(({ name, weight }) => ({ adapter: name, weight })) }
      : { kind: maker, of: names };
  if (by) {
    const weights = members.map(({ weight }) => weight);
    return combineBy(item, by.value, plans, weights, adapters, library, scope, context);
  }
  const bank = maker === "mix" ? makeBank(item.name.text, call.at, plans, context) : { params: [], trainable: 0 };
  if (!bank) return undefined;
  const { under } = plans[0]!;
  return {
    name: item.name.text,
    at: item.at,
    base: plans[0]!.base,
    injections: [],
    params: bank.params,
    targets: [...new Set(plans.flatMap((plan) => plan.targets))],
    coverage: plans.flatMap((plan) => plan.coverage),
    trainable: bank.trainable,
    ...(maker === "mix" && under !== undefined && { under }),
    made,
  };
};
