// An adapter -> the tensors that merging it writes. What the adapter rebinds of a parameter becomes a program over the base's tensor; what it
// trains itself is read as it is.

import type { MergedTensor } from "../../spec/job.ts";
import type { AdapterPlan } from "../adapters/inject.ts";
import { layersOf } from "../adapters/layers.ts";
import { changedPlaces } from "../adapters/merging.ts";
import type { Checked } from "../check/check.ts";
import { type Instance, modulesOf, type ParamSpec } from "../model/instantiate.ts";
import { elaborate } from "../unfold/elaborate.ts";
import type { Context } from "../values/expressions.ts";
import { storedAs } from "./job-parameters.ts";
import type { Planned } from "./lower.ts";
import { mergeProgram } from "./programs.ts";

/** What merging an adapter computes of each tensor that it changes, and the programs for it. Undefined after a report. */
export const mergeTensors = (
  adapter: AdapterPlan,
  checked: Checked,
  programs: Map<string, Planned>,
  context: Context,
): MergedTensor[] | undefined => {
  const tensors: MergedTensor[] = [];
  const { computed, copied } = changedPlaces(adapter, checked.adapters);
  for (const param of copied) {
    const own = param.module.params.get(param.local)!;
    tensors.push({ ...storedAs(own), shape: param.shape.map(Number), output: param.name });
  }
  const layers = layersOf(adapter.name, checked.adapters);
  const done = new Set<string>();
  for (const [target, names] of computed)
    for (const local of names) {
      const amended = target.params.get(local);
      if (!amended) continue;
      // A part is merged into the tensor that it is a part of, together with the other parts of it.
      const own = amended.view?.of ?? amended.tiedTo ?? amended;
      const { module, name } = amended.view ? holderOf(checked.base.root, own) : { module: target, name: local };
      if (done.has(own.path)) continue;
      done.add(own.path);
      const model = elaborate(checked.base.root, { layers, training: false }, { module, param: name }, context);
      if (!model) return undefined;
      const program = `merge(${adapter.name}).${own.path}`;
      const graph = mergeProgram(model, own.path);
      programs.set(program, { graph, dims: {} });
      tensors.push({
        ...storedAs(own),
        shape: own.shape.map(Number),
        program,
        ...(graph.inputs.includes("base") && { base: "base" }),
        output: "merged",
      });
    }
  return tensors;
};

const holderOf = (root: Instance, param: ParamSpec): { readonly module: Instance; readonly name: string } => {
  for (const module of modulesOf(root)) for (const [name, own] of module.params) if (own === param) return { module, name };
  throw new Error(`${param.path} belongs to no module`);
};
