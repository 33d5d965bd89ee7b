// What methods observe before training: each adapter that observes is trained on its own data, its training says how much of it, and what is
// observed is there for each token. Found by unfolding the forward pass that will be observed.

import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { AdapterPlan } from "../adapters/inject.ts";
import type { TrainPlan } from "../blocks/pipeline.ts";
import type { Instance } from "../model/instantiate.ts";
import { observedModel, observes } from "../programs/observe.ts";
import type { Context } from "../values/expressions.ts";

export const checkObservations = (
  adapters: ReadonlyMap<string, AdapterPlan>,
  trains: readonly TrainPlan[],
  root: Instance,
  context: Context,
): void => {
  const tell = (at: TrainPlan["item"]["at"], problem: string, help: string): void =>
    context.report(diagnostics.nothing_observed(at, { problem }, { help }));
  for (const { adapter: name, observe, item } of trains) {
    const adapter = adapters.get(name);
    const entry = item.entries.find(({ key }) => key.text === "observe");
    if (adapter && entry && !observes(adapter)) tell(entry.at, `no method of ${name} observes its data`, "leave `observe` out");
    if (adapter && observes(adapter) && observe === undefined && !entry)
      tell(item.subject.at, `${name} observes its data before its first values, and nothing says how much`, "add `observe: 64 rows`");
  }
  for (const adapter of adapters.values()) {
    if (!observes(adapter) || adapter.from !== undefined) continue;
    const { at } = adapter.injections[0]!;
    if (!trains.some((plan) => plan.adapter === adapter.name))
      tell(
        at,
        `${adapter.name} observes the data it is trained on, and the file does not train it by itself`,
        `add \`train ${adapter.name} on … { … }\``,
      );
    observedModel(adapter, root, adapters, { ...context, through: [...context.through, at] });
  }
};
