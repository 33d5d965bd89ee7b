// `eval = held_out(5%, of: train, seed: 1)`: a split of the rows that another one gives up. Splits as declared, and what they hold out ->
// splits that each say which part of their file they are.

import type * as tree from "../../grammar/tree.ts";
import { instead, nearest } from "../../spec/diagnostic.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { Split } from "../../spec/job-data.ts";
import type { Context } from "../values/expressions.ts";
import { number, type Scope, scopeOf } from "../values/values.ts";
import { type Amount, readAmount } from "./amount.ts";
import { bindArguments } from "./arguments.ts";
import { parameter } from "./settings.ts";

/** As it stands where a reader could. */
export const heldOut = "held_out";

export interface HeldOut {
  readonly entry: tree.Entry;
  readonly of: tree.Ref;
  readonly amount: Amount;
  readonly seed: number;
  readonly seedAt: tree.Span;
}

/** Undefined after a report. */
export const readHeldOut = (entry: tree.Entry, call: tree.Call, scope: Scope, context: Context): HeldOut | undefined => {
  const argument = (name: string): tree.Argument | undefined => call.args.find((one) => one.name?.text === name);
  const of = argument("of")?.value;
  // The split is a name of the block, not a value.
  const inner = of?.kind === "ref" ? scopeOf(new Map([[of.name, number(0)]]), scope) : scope;
  const parameters = [parameter("amount", "amount"), parameter("of", "split"), parameter("seed", "int", 0)];
  const bound = bindArguments({ what: heldOut, at: call.at, parameters }, call.args, inner, context);
  if (of && of.kind !== "ref") {
    context.report(
      diagnostics.wrong_type(of.at, { name: "of", wanted: "a split of this block, like `of: train`", found: "something else" }),
    );
    return undefined;
  }
  const amount = bound.get("amount");
  const amountAt = (call.args.find((one) => !one.name) ?? argument("amount"))?.value.at ?? call.at;
  const read = readAmount(amount, "amount", amountAt, 1, context);
  if (!of || !read) return undefined;
  const seed = bound.get("seed");
  return { entry, of, amount: read, seed: seed?.kind === "number" ? seed.value : 0, seedAt: argument("seed")?.value.at ?? call.at };
};

/** Every split with the part that it is; what is held out reads the file that it is held out of. */
export const divide = (splits: readonly Split[], held: readonly HeldOut[], item: tree.Data, { report }: Context): readonly Split[] => {
  const known = held.filter(({ of }) => {
    if (splits.some(({ name }) => name === of.name)) return true;
    const names = splits.map(({ name }) => name);
    report(
      diagnostics.unknown_split(
        of.at,
        { data: item.name.text, split: of.name },
        { notes: [{ message: `splits that are read: ${names.join(", ") || "none"}` }], ...instead(of.at, nearest(of.name, names)) },
      ),
    );
    return false;
  });
  return splits.flatMap((split) => {
    const own = known.filter(({ of }) => of.name === split.name);
    const [first] = own;
    if (!first) return split;
    for (const { seed, seedAt } of own)
      if (seed !== first.seed)
        report(
          diagnostics.held_out_seeds(
            seedAt,
            { split: split.name },
            { notes: [{ message: "the first seed is here", at: first.seedAt }], help: `write \`seed: ${first.seed}\` in both` },
          ),
        );
    const shares = own.reduce((sum, { amount }) => sum + ("share" in amount ? amount.share : 0), 0);
    if (shares >= 1)
      report(
        diagnostics.held_out_all(
          own.at(-1)!.entry.value.at,
          { split: split.name, share: `${Number((100 * shares).toPrecision(6))}%` },
          { help: "hold out less" },
        ),
      );
    const parts = { seed: first.seed, held: own.map(({ amount }) => amount) };
    return [
      { ...split, part: { ...parts, index: own.length } },
      ...own.map(({ entry }, index): Split => ({ ...split, name: entry.key.text, part: { ...parts, index } })),
    ];
  });
};
