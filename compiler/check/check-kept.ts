// Trainings of what a method keeps (`kept param`): the parameters that make it must be there, which a file that holds the result alone has
// not; and a mix, whose rows are trained as one, does not make it for each row.

import { diagnostics } from "../../spec/diagnostics.generated.ts";
import { adapterFiles } from "../adapters/adapter-files.ts";
import type { AdapterPlan } from "../adapters/inject.ts";
import type { TrainPlan } from "../blocks/pipeline.ts";
import type { Instance } from "../model/instantiate.ts";
import type { Context } from "../values/expressions.ts";

export const checkKept = (
  adapters: ReadonlyMap<string, AdapterPlan>,
  trains: readonly TrainPlan[],
  root: Instance,
  context: Context,
): void => {
  for (const { adapter: name, item } of trains) {
    const adapter = adapters.get(name);
    const members = adapter?.made?.kind === "mix" ? adapter.made.of : [];
    const keptIn = (one: string): string | undefined => adapters.get(one)?.params.find(({ source }) => "kept" in source)?.local;
    const mixed = members.map(keptIn).find((local) => local !== undefined);
    if (mixed !== undefined)
      context.report(
        diagnostics.bad_kept(
          item.subject.at,
          { name: mixed, problem: `is kept of a training, which ${name} cannot make for each row` },
          { help: "train the adapters by themselves; mixed, they are evaluated and generate" },
        ),
      );
    const kept = keptIn(name);
    if (adapter?.from === undefined || kept === undefined || adapterFiles(adapter, root, context).library !== "peft") continue;
    context.report(
      diagnostics.kept_alone(item.subject.at, { adapter: name, name: kept }, { help: "train a new one, or another adapter on top of it" }),
    );
  }
};
