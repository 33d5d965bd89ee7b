// A model as an adapter leaves it -> a report where nothing that is computed reads what the adapter trains: a value of a module that
// is stored and never called, a parameter in no equation of the method. Its gradient would be zero for ever.

import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { AdapterPlan } from "../adapters/inject.ts";
import { type Instance, modulesOf } from "../model/instantiate.ts";
import type { Model } from "../unfold/elaborate.ts";
import type { Context } from "../values/expressions.ts";

/** Names of the adapters' parameters that a model reads. */
export const readBy = ({ stages }: Model): ReadonlySet<string> =>
  new Set(stages.flatMap(({ inputs }) => [...inputs.values()].flatMap(({ from }) => (from.kind === "adapter" ? [from.param.name] : []))));

/** `model` is the whole forward pass with the adapter switched on; `added` are parameters that something added to the loss reads. */
export const checkEffects = (
  adapter: AdapterPlan,
  model: Model,
  root: Instance,
  added: ReadonlySet<string>,
  { report }: Pick<Context, "report">,
): void => {
  const read = new Set([...readBy(model), ...added]);
  for (const { at, method, params } of adapter.injections) {
    const idle = params.filter(({ trained, name }) => trained && !read.has(name));
    const [first] = idle;
    if (!first) continue;
    const names = idle.slice(0, 4).map(({ name }) => name.slice(adapter.name.length + 1));
    const notes = [{ message: `nothing reads ${names.join(", ")}${idle.length > 4 ? ` and ${idle.length - 4} more` : ""}` }];
    // A selective method may cover what a model holds and does not use, such as a pooler.
    if (!method.amends) report(diagnostics.idle_parameters(at, { adapter: adapter.name, count: idle.length }, { notes }));
    else {
      const parts = partsOf(first.module, root);
      const help = parts.length
        ? `the model computes the parts of this projection and not the whole: name ${parts.map((part) => `\`${part}\``).join(", ")}`
        : "bind a value that the model computes, and use every parameter in an equation";
      report(diagnostics.no_effect(at, { method: method.name.text, module: first.module.path || "the model" }, { notes, help }));
    }
  }
};

/** Modules that are views of this one, by path. */
const partsOf = (whole: Instance, root: Instance): readonly string[] => {
  const own = new Set([...whole.params.values()]);
  return modulesOf(root)
    .filter(({ params }) => [...params.values()].some((param) => param?.view && own.has(param.view.of)))
    .map(({ path }) => path);
};
