// A job that exceeds a memory budget -> the cheapest one that keeps it: `require { memory(train NAME) <= … }` is a promise, and there
// are three things to give up for it. Optimizer state goes into pages outside the device's memory, which costs its traffic, and costs
// least wherever the state is small beside the work of a step, which it is in every method that trains few parameters. Activations of
// some layers are computed again in the backward pass, which costs those layers' forward pass once more. Last, weights of some layers
// are read from the checkpoint whenever they are needed, which costs the disk's time twice a step.

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
  let streamed = 0;
  let current = lowered;
  const budgets = budgetsOf(checked);
  for (const [name, budget] of budgets) {
    const train = lowered.job.train.find(({ adapter }) => adapter === name);
    if (!train || needs(current, name) <= budget) continue;
    const layers = lowered.job.programs[train.step]!.calls.length;
    const tried = (saving: Saving, layersRead = streamed): Lowered =>
      lower(checked, host, quiet, new Map([...savings, [name, saving]]), layersRead) ?? current;
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
      if (needs(all, name) <= budget) {
        saving = { recompute: least(1, most, (count) => needs(tried({ recompute: count, paged }), name) <= budget), paged };
        best = tried(saving);
      }
    }
    if (needs(best, name) > budget) {
      const all = tried(saving, Number.POSITIVE_INFINITY);
      if (needs(all, name) < needs(best, name)) {
        const found = least(streamed + 1, all.job.ring!.length, (count) => needs(tried(saving, count), name) <= budget);
        streamed = found;
        best = tried(saving, found);
      }
    }
    savings.set(name, saving);
    current = best;
  }
  return budgets.size > 0 ? declared(current, budgets) : current;
};

const declared = (lowered: Lowered, budgets: ReadonlyMap<string, number>): Lowered => {
  const train = lowered.job.train.map((one) => {
    const budget = budgets.get(one.adapter);
    return budget === undefined ? one : { ...one, budget };
  });
  return { ...lowered, job: { ...lowered.job, train } };
};

/** The least number for which it holds, given that it holds for all above; `high` where it holds for none. */
const least = (low: number, high: number, holds: (count: number) => boolean): number => {
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return high;
};

const needs = ({ job }: Lowered, name: string): number => job.plan[`train ${name}`] ?? 0;

/** How many calls compute something again. */
const countOf = ({ job }: Lowered, name: string): number => {
  const train = job.train.find(({ adapter }) => adapter === name)!;
  return job.programs[train.step]!.calls.filter(({ segment }) => segment.includes(".recompute-")).length;
};
