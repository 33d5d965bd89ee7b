// Every level as text: what `--emit` shows and the golden files hold. Headers carry counters, so that a lost fusion or a
// larger buffer is a difference in review.

import type { Job, Place } from "../spec/job.ts";
import { methodNames } from "./adapters/inject.ts";
import { layersOf } from "./adapters/layers.ts";
import type { Checked } from "./check/check.ts";
import { reachable } from "./graph/graph.ts";
import { printSegment } from "./graph/segments.ts";
import { modulesOf } from "./model/instantiate.ts";
import type { Lowered } from "./programs/lower.ts";
import { elaborate } from "./unfold/elaborate.ts";
import type { Context } from "./values/expressions.ts";

/** The module tree; equal neighbours of a repeat are shown once. */
export const printModel = ({ base, adapters }: Checked): string => {
  const lines = [`model ${base.architecture.name.text}: ${base.parameters} parameters`];
  for (const module of modulesOf(base.root)) {
    if (/(^|\.)[1-9]\d*(\.|$)/.test(module.path)) continue;
    const params = [...module.params].flatMap(([name, param]) =>
      param
        ? [`${name}[${param.shape.join(", ")}]${param.tiedTo ? ` = ${param.tiedTo.path}` : param.view ? ` of ${param.view.of.path}` : ""}`]
        : [],
    );
    lines.push(
      `  ${module.path || "."}: ${module.definition.name.text}${params.length ? ` ${params.join(" ")}` : ""}${module.checkpoint ? `  @ ${module.checkpoint}` : ""}`,
    );
  }
  for (const adapter of adapters.values()) {
    lines.push(`adapter ${adapter.name}: ${methodNames(adapter)}, ${adapter.trainable} trained`);
    for (const { pattern, matches } of adapter.coverage)
      lines.push(`  ${pattern}: ${matches.length} (${matches.slice(0, 3).join(", ")}${matches.length > 3 ? ", …" : ""})`);
  }
  return lines.join("\n");
};

/** The forward pass with each adapter in it, before products are reordered. */
export const printAmended = (checked: Checked, context: Context): string =>
  [...checked.adapters.keys()]
    .map((name) => {
      const model = elaborate(checked.base.root, { layers: layersOf(name, checked.adapters), training: true }, "forward", context);
      if (!model) return `amended ${name}: not valid`;
      const seen = new Map<string, string>();
      const stages = model.stages.map((stage, i) => {
        const outputs = i === model.stages.length - 1 ? [model.result] : stage.outputs;
        const text = printSegment({
          name: stage.name,
          inputs: [...stage.inputs].map(([input, { node }]) => ({ name: input, node })),
          outputs: outputs.map((node, k) => ({ name: `y${k}`, node })),
        });
        const same = seen.get(text);
        if (same) return `stage ${stage.name}: as ${same}`;
        seen.set(text, stage.name);
        return `stage ${stage.name}: ${reachable(outputs).length} nodes\n${text}`;
      });
      return `amended ${name}\n${stages.join("\n")}`;
    })
    .join("\n\n");

/** Programs as lists of calls, then each distinct segment. */
export const printTraining = ({ job, segments }: Lowered): string => {
  const programs = Object.entries(job.programs).map(([name, program]) => {
    const lines = program.calls.map((call) => `  ${call.segment}(${call.inputs.join(", ")}) -> ${call.outputs.join(", ")}`);
    return `program ${name}: ${program.calls.length} calls, ${program.peak} bytes\n${lines.join("\n")}`;
  });
  const bodies = [...segments].map(
    ([id, segment]) => `segment ${id}: ${reachable(segment.outputs.map((output) => output.node)).length} nodes\n${printSegment(segment)}`,
  );
  return [...programs, ...bodies].join("\n\n");
};

const placed = (place: Place): string => ("own" in place ? "own" : "paged" in place ? "paged" : `${place.arena}+${place.offset}`);

/** Every value with its place. */
export const printMemory = (job: Job): string => {
  const lines = [`memory of ${job.name}`, ...Object.entries(job.arenas).map(([name, bytes]) => `  arena ${name}: ${bytes} bytes`)];
  for (const [name, value] of Object.entries(job.values))
    lines.push(`  ${name}: ${value.dtype}[${value.shape.join(", ")}] ${placed(value.place)}`);
  for (const [program, { values }] of Object.entries(job.programs)) {
    lines.push(`program ${program}`);
    for (const [name, value] of Object.entries(values))
      lines.push(`  ${name}: ${value.dtype}[${value.shape.join(", ")}] ${placed(value.place)}`);
  }
  return lines.join("\n");
};
