// Data that hides tokens goes with a base whose tokens see what stands after them, and no other data does: there the next token could be
// read off. What a base sees is a property of its graph: an encoder's tokens are told where their row ends.

import type { Diagnostic } from "../../spec/diagnostic.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { Data } from "../../spec/job-data.ts";
import type { EvaluatePlan } from "../blocks/evaluate-block.ts";
import type { TrainPlan } from "../blocks/pipeline.ts";
import type { Model } from "../unfold/elaborate.ts";
import type { Dim } from "../values/dims.ts";

/** What a model reads of a batch, by name. */
export const batchOf = ({ stages }: Model): ReadonlySet<string> =>
  new Set(stages.flatMap(({ inputs }) => [...inputs.values()].flatMap(({ from }) => (from.kind === "batch" ? [from.name] : []))));

/** `result`: the shape of what the base computes; `reads`: what of a batch it does that from. */
export const checkMasked = (
  result: readonly Dim[],
  reads: ReadonlySet<string>,
  plans: readonly (TrainPlan | EvaluatePlan)[],
  data: ReadonlyMap<string, Data>,
  report: (diagnostic: Diagnostic) => void,
): void => {
  const tells = result.length > 2 && reads.has("ends") && !reads.has("source.ids");
  for (const plan of plans) {
    const rows = data.get(plan.data);
    if (!rows || rows.classes) continue;
    if (tells !== (rows.masked !== undefined))
      report(
        diagnostics.masks_do_not_fit(
          plan.item.on.at,
          {
            data: plan.data,
            hides: tells ? "hides no tokens" : "hides tokens",
            base: tells ? "the tokens of the base see what stands after them" : "the base does not tell hidden tokens",
          },
          {
            help: tells
              ? 'say which share is hidden and to be told: `masked = 15%`, with the text as `answer`; or ask the base for a head: `checkpoint("…", classes: 2)`'
              : "remove `masked`: this base learns to write the answer",
          },
        ),
      );
    if (tells && "generate" in plan && plan.generate) report(diagnostics.masked_write_nothing(plan.item.at, { subject: plan.subject }));
  }
};
