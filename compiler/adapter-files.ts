// How an adapter is stored: the other library's configuration and tensor names, as the method's `interop` block gives them.
// A selective method stores the parameters it trained under the checkpoint's own names.

import type { AdapterFiles } from "../spec/job.ts";
import { type Context, evaluate } from "./expressions.ts";
import type { AdapterPlan } from "./inject.ts";
import { type Instance, modulesOf } from "./instantiate.ts";
import { scopeOf, type Value } from "./values.ts";

const plain = (value: Value): unknown =>
  value.kind === "number" || value.kind === "text" || value.kind === "bool"
    ? value.value
    : value.kind === "list"
      ? value.items.map(plain)
      : null;

export const adapterFiles = (adapter: AdapterPlan, root: Instance, context: Context): AdapterFiles => {
  const { method, settings, params } = adapter;
  if (!method.amends)
    return {
      library: "none",
      config: { format: "peft-lang", method: method.name.text },
      tensors: params.map((param) => {
        const base = param.module.params.get(param.local)!;
        return { key: base.tensor, parameter: param.name, transposed: base.transposed };
      }),
    };
  const interop = method.members.find((member) => member.kind === "interop");
  if (interop?.kind !== "interop")
    return {
      library: "none",
      config: {
        format: "peft-lang",
        method: method.name.text,
        ...Object.fromEntries([...settings].map(([name, value]) => [name, plain(value)])),
      },
      tensors: params.map((param) => ({ key: `${param.module.checkpoint}.${param.local}`, parameter: param.name, transposed: false })),
    };
  const config: Record<string, unknown> = { peft_type: interop.type.text, task_type: "CAUSAL_LM", bias: "none", inference_mode: true };
  for (const entry of interop.config) config[entry.key.text] = plain(evaluate(entry.value, scopeOf(settings), context));
  config.target_modules = targetModules(adapter, root);
  config.fan_in_fan_out = adapter.targets.some((target) => [...target.params.values()].some((param) => param?.transposed));
  const tensors = interop.tensors.flatMap(({ key, value }) =>
    params
      .filter((param) => value.kind === "ref" && param.local === value.name)
      .map((param) => ({ key: `base_model.model.${param.module.checkpoint}.${key}`, parameter: param.name, transposed: false })),
  );
  return { library: "peft", config, tensors: tensors.sort((a, b) => (a.key < b.key ? -1 : 1)) };
};

/** The shortest names that select exactly the targets: last parts where no other module ends the same way, else whole names. */
const targetModules = (adapter: AdapterPlan, root: Instance): string[] => {
  const targets = new Set(adapter.targets);
  const last = (module: Instance): string => module.checkpoint.split(".").at(-1)!;
  const clean = new Set([...targets].map(last));
  for (const module of modulesOf(root)) if (module.checkpoint !== "" && !targets.has(module)) clean.delete(last(module));
  return [...new Set([...targets].map((target) => (clean.has(last(target)) ? last(target) : target.checkpoint)))].sort();
};
