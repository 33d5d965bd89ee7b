// What a method says in `needs`, held at one module. Where it does not hold, the numbers that it is made of are told, and the nearest value of a
// setting with which it would: found by trying, since a condition is only text.

import type * as tree from "../../grammar/tree.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import { type Context, evaluate, reportThrough } from "../values/expressions.ts";
import { number, type Scope, type Value } from "../values/values.ts";
import type { Amendment } from "./amend.ts";

type Settings = Amendment["settings"];

/** How far from the value that was asked for another one is looked for. */
const reach = 4096;

/** Names that an expression reads, in their order. */
export const namesIn = (expr: unknown): string[] => {
  if (typeof expr !== "object" || expr === null) return [];
  const node = expr as Partial<tree.Expr>;
  return node.kind === "ref" && node.name !== undefined ? [node.name] : Object.values(expr).flatMap(namesIn);
};

const numberOf = (value: Value | undefined): number | undefined => (value?.kind === "number" ? value.value : undefined);

/** Reports what a method needs and a module does not have. `sizesWith` is what its sizes mean with these settings. */
export const needsHold = (
  { method, members, settings, module, face }: Amendment,
  sizesWith: (settings: Settings) => Scope,
  context: Context,
): boolean =>
  members.every((member) => {
    if (member.kind !== "needs") return true;
    const { condition } = member;
    const value = evaluate(condition, sizesWith(settings), context);
    if (value.kind !== "bool" || value.value) return true;
    context.cases?.ruleOut();
    const names = [...new Set(namesIn(condition))];
    const there = names.flatMap((name) => {
      const found = numberOf(settings.get(name)) ?? numberOf(face?.sizes.get(name));
      return found === undefined ? [] : [`${name} ${found}`];
    });
    const whole = method.parameters.flatMap(({ name: { text }, type }) => (type?.text === "int" && names.includes(text) ? [text] : []));
    const holdsWith = (name: string, other: number): boolean => {
      const tried = evaluate(condition, sizesWith(new Map(settings).set(name, number(other))), { ...context, report: () => {} });
      return tried.kind === "bool" && tried.value;
    };
    const better = context.cases
      ? []
      : whole.flatMap((name) => nearestThat((other) => holdsWith(name, other), numberOf(settings.get(name)), name));
    reportThrough(
      context,
      member.at,
      (at, details) => diagnostics.method_needs(at, { method: method.name.text, module: module.path }, details),
      {
        label: "what it needs",
        ...(there.length > 0 && { notes: [{ message: `there: ${there.join(", ")}` }] }),
        help: `${better.length > 0 ? `${better.join(" or ")} would do there; else ` : ""}leave \`${module.path}\` out of the places`,
      },
    );
    return false;
  });

/** The nearest whole number that will do, a smaller one first, as it is written. */
const nearestThat = (holds: (value: number) => boolean, from: number | undefined, name: string): string[] => {
  if (from === undefined) return [];
  for (let other = from - 1; other >= Math.max(1, from - reach); other--) if (holds(other)) return [`\`${name}: ${other}\``];
  for (let other = from + 1; other <= from + reach; other++) if (holds(other)) return [`\`${name}: ${other}\``];
  return [];
};
