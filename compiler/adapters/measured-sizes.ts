// A line of an adapter whose method measures sizes -> lines whose sizes are settings like any other: one for each set of sizes that targets
// have in common. What was measured comes from outside; where nothing was, each size is the largest that its bounds allow, so that counts,
// bytes and budgets are upper bounds. A target with a size of 0 is left out.

import type * as tree from "../../grammar/tree.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { Instance } from "../model/instantiate.ts";
import { faceOf } from "../model/interfaces.ts";
import { type Context, evaluate, reportThrough } from "../values/expressions.ts";
import { asDim, describe, type Scope, size, type Value } from "../values/values.ts";
import { type Applied, sizesOf } from "./amend.ts";

/** Sizes by name, at each module by its path. */
export type SizesByPath = ReadonlyMap<string, Readonly<Record<string, number>>>;

/** What a line of an adapter has of measured sizes. */
export interface MeasuredLine {
  /** Which line of the adapter it is, from 0. */
  readonly line: number;
  readonly at: tree.Span;
  /** The sizes that the data decides. */
  readonly names: readonly string[];
  /** Every target that the line covers, those that are left out too: measured, or the largest there may be. */
  readonly sizes: SizesByPath;
  readonly known: boolean;
}

export interface SizedGroup {
  readonly settings: ReadonlyMap<string, Value>;
  readonly modules: readonly Instance[];
}

export const measuresOf = ({ members }: Pick<tree.MethodDef, "members">): readonly tree.MeasureMember[] =>
  members.filter((member) => member.kind === "measure");

/** What a `measure` may be at one target. */
interface Bounds {
  readonly least: number;
  readonly most: number;
  /** Whether its condition holds: otherwise it is the largest. */
  readonly measured: boolean;
}

/** Undefined where the method measures nothing, and after a report. */
export const sizedGroups = (
  applied: Applied,
  modules: readonly Instance[],
  line: number,
  found: SizesByPath | undefined,
  context: Context,
): { readonly groups: readonly SizedGroup[]; readonly measured?: MeasuredLine } | undefined => {
  const members = measuresOf(applied.method);
  const sizes = new Map<string, Record<string, number>>();
  const names = new Set<string>();
  const groups = new Map<string, { settings: Map<string, Value>; modules: Instance[] }>();
  for (const module of modules) {
    const own: Record<string, number> = {};
    const settings = new Map(applied.settings);
    for (const member of members) {
      const { text } = member.name;
      const face = faceOf(module, applied.method.amends!.text);
      const scope = sizesOf({ settings, face, members: applied.method.members }, context);
      const bounds = boundsOf(member, scope, context);
      if (!bounds) return undefined;
      if (bounds.measured) names.add(text);
      const value = bounds.measured ? (found?.get(module.path)?.[text] ?? bounds.most) : bounds.most;
      if (value < bounds.least || value > bounds.most) {
        const problem = `it was measured as ${value} at ${module.path}, and may be ${bounds.least} to ${bounds.most}`;
        reportThrough(context, member.name.at, (at, details) => diagnostics.bad_measure(at, { name: text, problem }, details));
        return undefined;
      }
      own[text] = value;
      settings.set(text, size(value));
    }
    if (names.size > 0) sizes.set(module.path, own);
    if (Object.values(own).includes(0)) continue;
    const key = JSON.stringify(own);
    const group = groups.get(key) ?? { settings, modules: [] };
    group.modules.push(module);
    groups.set(key, group);
  }
  const measured: MeasuredLine = { line, at: applied.at!, names: [...names], sizes, known: found !== undefined };
  return { groups: [...groups.values()], ...(names.size > 0 && { measured }) };
};

/** Undefined after a report, and where the case leaves it open. */
const boundsOf = (member: tree.MeasureMember, scope: Scope, context: Context): Bounds | undefined => {
  const least = asDim(evaluate(member.least, scope, context));
  const most = asDim(evaluate(member.most, scope, context));
  const when = member.when && evaluate(member.when, scope, context);
  if (when?.kind === "unknown") return undefined;
  if (when && when.kind !== "bool") {
    reportThrough(context, member.when!.at, (at, details) => diagnostics.wrong_operand(at, { op: "when", what: describe(when) }, details));
    return undefined;
  }
  const whole = (one: unknown): one is number => typeof one === "number" && Number.isInteger(one) && one >= 0;
  if (whole(least) && whole(most) && least <= most && most > 0) return { least, most, measured: when?.value ?? true };
  reportThrough(
    context,
    member.least.at,
    (at, details) =>
      diagnostics.bad_measure(at, { name: member.name.text, problem: `its bounds are ${String(least)} to ${String(most)} here` }, details),
    { help: "write whole numbers of which the second is the larger, like `0..2 * r`" },
  );
  return undefined;
};
