// How many rows: `5%` of a file's, or `500`, which may say `500 rows`.

import type * as tree from "../../grammar/tree.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { Context } from "../values/expressions.ts";
import type { Value } from "../values/values.ts";

export type Amount = { readonly share: number } | { readonly rows: number };

/** Undefined for none, and after a report. `least` is the smallest number of rows, and whether a share may be all or nothing. */
export const readAmount = (
  value: Value | undefined,
  name: string,
  at: tree.Span,
  least: 0 | 1,
  { report }: Context,
): Amount | undefined => {
  if (!value || value.kind === "none" || value.kind === "unknown") return undefined;
  const number = value.kind === "size" && typeof value.dim === "number" ? value.dim : value.kind === "number" ? value.value : Number.NaN;
  const unit = value.kind === "number" ? value.unit : undefined;
  const share = unit === "%" && (least === 0 ? number >= 0 && number <= 100 : number > 0 && number < 100);
  if (share) return { share: number / 100 };
  if (Number.isInteger(number) && number >= least && (unit === undefined || /^rows?$/.test(unit))) return { rows: number };
  report(diagnostics.wrong_type(at, { name, wanted: "a share or a number of rows, like `5%` or `500 rows`", found: "something else" }));
  return undefined;
};
