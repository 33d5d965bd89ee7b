// A job that exceeds a memory budget -> the cheapest one that keeps it: `require { memory(train NAME) <= … }` is a promise, and there
// are two things to give up for it. Activations of some layers are computed again in the backward pass, which costs those layers'
// forward pass once more; optimizer state goes into pages outside the device's memory, which costs its traffic. Pages first: they
// cost less wherever the state is small beside the work of a step, which it is in every method that trains few parameters.

import type * as tree from "../../grammar/tree.ts";
import type { Checked } from "../check/check.ts";
import { bytes as units } from "../check/require.ts";
import type { CompileHost } from "../host.ts";
import type { Context } from "../values/expressions.ts";
import { evaluate } from "../values/expressions.ts";
import { type Lowered, lower, type Saving } from "./lower.ts";

/** The least bound on each training's memory, in bytes. */
const budgetsOf = (checked: Checked): ReadonlyMap<string, number> => {
  const budgets = new Map<string, number>();
  const quiet: Context = { report: () => {}, through: [] };
  const read = ({ fact, verb, subject, compare, bound }: tree.Constraint): void => {
    if (fact.text !== "memory" || verb?.text !== "train" || (compare !== "<" && compare !== "<=")) return;
    const value = evaluate(bound, checked.scope, quiet);
    const unit = value.kind === "number" ? (value.unit === undefined ? 1 : units[value.unit]) : undefined;
    if (value.kind !== "number" || unit === undefined) return;
    const bytes = value.value * unit - (compare === "<" ? 1 : 0);
    budgets.set(subject.text, Math.min(bytes, budgets.get(subject.text) ?? Number.POSITIVE_INFINITY));
  };
  for (const item of checked.requires) for (const constraint of item.constraints) read(constraint);
  return budgets;
};

/** The same job where it keeps its budgets; where nothing helps, the one that needs least, so that the budget's error says how much that is. */
export const fit = (checked: Checked, lowered: Lowered, host: CompileHost): Lowered => {
  const quiet: Context = { report: () => {}, through: [] };
  const savings = new Map<string, Saving>();
  let current = lowered;
  for (const [name, budget] of budgetsOf(checked)) {
    const train = lowered.job.train.find(({ adapter }) => adapter === name);
    if (!train || needs(current, name) <= budget) continue;
    const layers = lowered.job.programs[train.step]!.calls.length;
    const tried = (saving: Saving): Lowered => lower(checked, host, quiet, new Map([...savings, [name, saving]])) ?? current;
    const inPages = tried({ recompute: 0, paged: true });
    const paged = needs(inPages, name) < needs(current, name);
    let saving: Saving = { recompute: 0, paged };
    let best = paged ? inPages : current;
    if (needs(best, name) > budget) {
      // More layers never need more memory, so the least number that fits is found by halving.
      const all = tried({ recompute: layers, paged });
      const most = all.job.train.find(({ adapter }) => adapter === name)?.recompute === undefined ? 0 : countOf(all, name);
      saving = { recompute: most, paged };
      best = all;
      if (needs(all, name) <= budget)
        for (let low = 1, high = most; low < high; ) {
          const middle = (low + high) >> 1;
          const here = tried({ recompute: middle, paged });
          if (needs(here, name) <= budget) {
            high = middle;
            saving = { recompute: middle, paged };
            best = here;
          } else low = middle + 1;
        }
    }
    savings.set(name, saving);
    current = best;
  }
  return current;
};

const needs = ({ job }: Lowered, name: string): number => job.plan[`train ${name}`] ?? 0;

/** How many calls compute something again. */
const countOf = ({ job }: Lowered, name: string): number => {
  const train = job.train.find(({ adapter }) => adapter === name)!;
  return job.programs[train.step]!.calls.filter(({ segment }) => segment.includes(".recompute-")).length;
};
