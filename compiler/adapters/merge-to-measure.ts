// A candidate of a comparison is also measured merged, where it can be: its merge is planned as if the file asked for it. What is written to
// the disk, and how it would be stored there, is of no matter.

import type { Checked } from "../check/check.ts";
import { unmergeable } from "./merging.ts";

export const mergingToMeasure = (checked: Checked, subject: string): Checked => {
  const adapter = checked.adapters.get(subject);
  if (!adapter || unmergeable(adapter, checked.adapters) !== undefined) return checked;
  const { at, name } = adapter;
  const item = { kind: "merge" as const, at, subject: { text: name, at }, into: { kind: "string" as const, at, value: "merged/" } };
  return { ...checked, merges: [{ item, adapter: name, into: "merged/" }] };
};
