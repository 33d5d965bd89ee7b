// Checked pipeline -> job: programs are built and placed, equal segments meet, and everything the runtime will need is
// written down. The graphs themselves are printed by emit/.

import type { Adapter, Evaluate, Job, Merge, Parameter, Program, Segment, Train, Value } from "../../spec/job.ts";
import { adapterFiles } from "../adapters/adapter-files.ts";
import { type AdapterPlan, methodNames } from "../adapters/inject.ts";
import { adaptersIn, layersOf } from "../adapters/layers.ts";
import { unmergeable } from "../adapters/merging.ts";
import { stepGraphs } from "../adapters/step-graphs.ts";
import { moments } from "../adapters/training-bindings.ts";
import type { Checked } from "../check/check.ts";
import { flopsOf } from "../graph/flops.ts";
import type { SegmentGraph, TensorType } from "../graph/graph.ts";
import { printSegment } from "../graph/segments.ts";
import type { CompileHost } from "../host.ts";
import { piecesOf } from "../model/format.ts";
import { parametersOf } from "../model/instantiate.ts";
import { elaborate, type Model } from "../unfold/elaborate.ts";
import { add, type Dim } from "../values/dims.ts";
import type { Context } from "../values/expressions.ts";
import { type AfterUpdate, buildAfter } from "./after-update.ts";
import { type Arena, layArena } from "./arena.ts";
import { buildBefore } from "./before-update.ts";
import { type InitPlan, planInit, planKept } from "./init.ts";
import { adapterParameter, storedAs } from "./job-parameters.ts";
import { type MeasurePlan, planMeasure } from "./measure.ts";
import { mergeTensors } from "./merge-tensors.ts";
import { type ObservationPlan, planObservation } from "./observe.ts";
import { bytesOf, layOut, peakOf, place } from "./place.ts";
import { memoryPlan, placeAdapter } from "./place-adapter.ts";
import { evaluationProgram, generationProgram, type ProgramGraph, trainingProgram } from "./programs.ts";
import { ringOf } from "./ring.ts";
import { stateArrays, statePages } from "./state-arrays.ts";
import { readStateFormats } from "./state-formats.ts";
import { buildAccumulate, buildUpdate, type Update } from "./update.ts";

export interface Lowered {
  readonly job: Job;
  /** Segment graphs by id, to be printed for a target. */
  readonly segments: ReadonlyMap<string, SegmentGraph>;
}

/** What one training gives up for memory. */
export interface Saving {
  /** Layers, from the first, whose activations are computed again. */
  readonly recompute: number;
  readonly paged: boolean;
}

export interface Planned {
  readonly graph: ProgramGraph;
  readonly dims: Readonly<Record<string, number>>;
}

const round8 = (n: number): number => Math.ceil(n / 8) * 8;

/** Undefined after a report. */
export const lower = (
  checked: Checked,
  host: CompileHost,
  context: Context,
  savings: ReadonlyMap<string, Saving> = new Map(),
  /** Layers of the base, from the first, that are read anew whenever they are needed. */
  streamed = 0,
): Lowered | undefined => {
  const { base, adapters, trains, evaluates, merges } = checked;
  const programs = new Map<string, Planned>();
  const models = new Map<string, Model | undefined>();
  const modelOf = (subject: string, training: boolean, packed = false): Model | undefined => {
    const key = `${subject} ${training} ${packed}`;
    const choice = { layers: layersOf(subject, adapters), training, packed, ...(training && { trains: subject }) };
    if (!models.has(key)) models.set(key, elaborate(base.root, choice, "forward", context));
    return models.get(key);
  };
  const vocabularyOf = (model: Model): number => Number(model.result.type.shape.at(-1));
  let vocabulary = 0;
  /** Slots per row, virtual tokens included, for so many real tokens. */
  const lengthOf = (wanted: number | undefined, { extent: { virtual, ahead } }: Model): number =>
    Math.min(round8(wanted === undefined ? base.context - ahead : wanted + virtual), base.context - ahead);
  /** Tokens per row that an encoder reads, where there is one. */
  const sourceOf = (wanted: number | undefined, length: number, model: Model): { u: number } | undefined =>
    model.stages.some(({ inputs }) => inputs.has("source.ids")) ? { u: round8(wanted ?? length) } : undefined;
  const dimsOf = (rows: number, length: number, more: Record<string, number> = {}): Record<string, number> => ({
    b: rows,
    t: length,
    n: rows * length,
    ...more,
  });

  // What is wrong with formats of state the check has said.
  const quiet: Context = { report: () => {}, through: [] };
  const jobTrains: Train[] = [];
  const updates = new Map<string, Update>();
  const flat = new Map<string, Arena>();
  const kept = new Map<string, AfterUpdate["states"]>();
  const observations = new Map<string, ObservationPlan | undefined>();
  for (const [i, plan] of trains.entries()) {
    const adapter = adapters.get(plan.adapter)!;
    const model = modelOf(plan.adapter, true, plan.packing);
    if (!model) return undefined;
    vocabulary = vocabularyOf(model);
    const length = lengthOf(plan.sequence_len, model);
    const { virtual } = model.extent;
    const source = sourceOf(plan.source_len, length, model);
    const dims = dimsOf(plan.micro_batch_size, length, source);
    const observation = planObservation(plan, base.root, adapters, context, (observed) => {
      const slots = lengthOf(plan.sequence_len, observed);
      return dimsOf(plan.micro_batch_size, slots, sourceOf(plan.source_len, slots, observed));
    });
    observations.set(plan.adapter, observation);
    const step = `train.${i}.step`;
    const saving = savings.get(plan.adapter) ?? { recompute: 0, paged: false };
    const paged = saving.paged || plan.paged;
    const graph = trainingProgram(model, { sizes: dims, vocabulary, recompute: saving.recompute, half: plan.half });
    programs.set(step, { graph, dims });
    const accumulating = plan.gradient_accumulation_steps > 1;
    const arena = layArena(adapter, readStateFormats(plan, checked.library, checked.scope, quiet));
    flat.set(plan.adapter, arena);
    const gradients = accumulating ? `${adapter.name}.accumulated` : `${adapter.name}.gradients`;
    const update = buildUpdate(
      adapter.name,
      arena,
      gradients,
      plan.optimizer,
      plan.schedule,
      plan.max_grad_norm,
      checked.library,
      checked.scope,
      context,
      paged,
    );
    if (!update) return undefined;
    updates.set(plan.adapter, update);
    const [first, last] = moments.map((moment) => stepGraphs(plan.adapter, moment, base.root, adapters, context));
    if (!first || !last) return undefined;
    const before = buildBefore(adapter, first, accumulating);
    if (before) programs.set(`train.${i}.before`, { graph: before.program, dims });
    const after = buildAfter(adapter, last, accumulating, 1 + update.scalars.length);
    if (after) programs.set(`train.${i}.after`, { graph: after.program, dims });
    if (after?.states.length) kept.set(plan.adapter, after.states);
    const pages = update.pages?.map(({ part, program }, k) => {
      programs.set(`train.${i}.update.${k}`, { graph: program, dims });
      return { program: `train.${i}.update.${k}`, state: statePages(adapter.name, arena, update.states, part, k) };
    });
    programs.set(`train.${i}.norm`, { graph: update.norm, dims });
    if (!pages) programs.set(`train.${i}.update`, { graph: update.program, dims });
    const evaluate = `train.${i}.evaluate`;
    if (plan.evaluate) {
      const meanwhile = modelOf(plan.adapter, false);
      if (!meanwhile) return undefined;
      programs.set(evaluate, { graph: evaluationProgram(meanwhile, { sizes: dims, vocabulary }), dims });
    }
    if (accumulating) programs.set(`train.${i}.accumulate`, { graph: buildAccumulate(adapter.name, arena), dims });
    jobTrains.push({
      adapter: plan.adapter,
      data: plan.data,
      split: plan.split,
      ...(plan.epochs !== undefined && { epochs: plan.epochs }),
      ...(plan.steps !== undefined && { steps: plan.steps }),
      micro_batch_size: plan.micro_batch_size,
      gradient_accumulation_steps: plan.gradient_accumulation_steps,
      sequence_len: plan.sequence_len ?? length - virtual,
      ...(virtual > 0 && { virtual }),
      ...(plan.overlong && { overlong: plan.overlong }),
      ...(source && { source: source.u }),
      ...(plan.packing && { packing: true }),
      ...(graph.inputs.includes("ends") && { ends: true }),
      ...(observation && { observe: observation.told }),
      seed: plan.seed,
      shuffle: plan.shuffle,
      ...(plan.checkpoint && { checkpoint: plan.checkpoint }),
      log: plan.log,
      ...(plan.logs && { logs: plan.logs }),
      ...(plan.evaluate && {
        evaluate: {
          ...plan.evaluate,
          split: "eval",
          program: evaluate,
          ...(programs.get(evaluate)!.graph.inputs.includes("ends") && { ends: true }),
        },
      }),
      ...(plan.keep_best && { keep_best: plan.keep_best }),
      ...(plan.patience !== undefined && { patience: plan.patience }),
      step,
      seeds: graph.inputs.filter((name) => name.startsWith("seed.")).length,
      ...(accumulating && { accumulate: `train.${i}.accumulate` }),
      ...(before && { before: { program: `train.${i}.before`, scalars: before.scalars, adds: before.adds } }),
      ...(after && {
        after: { program: `train.${i}.after`, scalars: after.scalars, state: after.states.map(({ value, init }) => ({ value, init })) },
      }),
      norm: `train.${i}.norm`,
      update: `train.${i}.update`,
      scalars: update.scalars,
      rate: update.rate,
      ...(pages && { pages }),
      ...(plan.half && { compute: "f16" as const }),
      ...(saving.recompute > 0 && { recompute: saving.recompute }),
      state: stateArrays(adapter.name, arena, update.states),
    });
  }

  const jobEvaluates: Evaluate[] = [];
  for (const [i, plan] of evaluates.entries()) {
    const model = modelOf(plan.subject, false);
    if (!model) return undefined;
    vocabulary = vocabularyOf(model);
    const length = lengthOf(plan.sequence_len ?? trains[0]?.sequence_len, model);
    const { virtual, ahead } = model.extent;
    const source = sourceOf(plan.source_len ?? trains[0]?.source_len, length, model);
    const dims = dimsOf(plan.micro_batch_size, length, source);
    const program = `evaluate.${i}`;
    programs.set(program, { graph: evaluationProgram(model, { sizes: dims, vocabulary }), dims });
    if (plan.generate) {
      const rows = plan.micro_batch_size * (plan.generate.width ?? 1);
      const slots = Math.min(base.context - ahead, round8(length + plan.generate.max_new_tokens));
      programs.set(`generate.${i}`, {
        graph: generationProgram(model, { sizes: { ...dims, b: rows }, vocabulary }),
        dims: { ...dims, b: rows, n: rows, s: slots },
      });
    }
    jobEvaluates.push({
      subject: plan.subject,
      data: plan.data,
      split: plan.split,
      metrics: plan.metrics,
      inputs: plan.inputs,
      micro_batch_size: plan.micro_batch_size,
      sequence_len: plan.sequence_len ?? length - virtual,
      ...(virtual > 0 && { virtual }),
      ...(plan.overlong && { overlong: plan.overlong }),
      ...(source && { source: source.u }),
      ...(programs.get(program)!.graph.inputs.includes("ends") && { ends: true }),
      program,
      ...(plan.generate && { generate: plan.generate, samples: plan.samples ?? 3, generator: `generate.${i}` }),
    });
  }

  const jobMerges: Merge[] = [];
  for (const plan of merges) {
    const tensors = mergeTensors(adapters.get(plan.adapter)!, checked, programs, context);
    if (!tensors) return undefined;
    jobMerges.push({
      adapter: plan.adapter,
      into: plan.into,
      ...(plan.as && { as: plan.as }),
      ...(plan.format && { format: plan.format.label }),
      tensors,
    });
  }

  const inits = new Map<string, InitPlan>();
  const finishes = new Map<string, InitPlan>();
  const measures = new Map<string, MeasurePlan>();
  for (const adapter of adapters.values()) {
    const observation = observations.get(adapter.name);
    const init = planInit(adapter.name, base.root, adapters, context, observation?.passes);
    const finish = planKept(adapter.name, base.root, adapters, context);
    const measure = planMeasure(adapter, base.root, adapters, context, observation?.passes);
    if (measure) measures.set(adapter.name, measure);
    if (init) inits.set(adapter.name, init);
    if (finish) finishes.set(adapter.name, finish);
    for (const plan of [init, finish, measure])
      for (const [program, graph] of plan?.programs ?? []) programs.set(program, { graph, dims: observation?.dims ?? {} });
  }

  // ---- memory -------------------------------------------------------------------------------------------------------
  const largest: Record<string, number> = {};
  for (const { dims } of programs.values())
    for (const [name, value] of Object.entries(dims)) largest[name] = Math.max(largest[name] ?? 0, value);
  const globals = new Map<string, Value>();
  const arenas: Record<string, number> = {};
  const put = (arena: string, types: readonly (readonly [string, TensorType])[]): void => {
    const { values, bytes } = layOut(arena, types, largest);
    for (const [name, value] of values) globals.set(name, value);
    arenas[arena] = Math.max(arenas[arena] ?? 0, bytes);
  };
  const used = new Set([...programs.values()].flatMap(({ graph }) => [...graph.values.keys()]));
  const f32 = (shape: readonly Dim[]): TensorType => ({ dtype: "f32", shape });
  const inFile = [...parametersOf(base.root)].filter(
    (param) => base.weights === "checkpoint" && !param.fresh && !param.format && used.has(param.path),
  );
  const ring = ringOf(
    new Map(inFile.map((param) => [param.path, bytesOf(f32(param.shape), {})])),
    [...programs.values()].flatMap(({ graph }) => graph.steps.map(({ inputs }) => inputs)),
    streamed,
  );
  if (ring) arenas.ring = ring.bytes;
  for (const param of parametersOf(base.root))
    for (const { suffix, type } of param.format
      ? piecesOf(param.format, param.shape.map(Number))
      : [{ suffix: "", type: f32(param.shape) }])
      if (used.has(param.path + suffix))
        globals.set(param.path + suffix, { ...type, place: ring?.places.get(param.path + suffix) ?? { own: true } });
  for (const adapter of adapters.values())
    placeAdapter(
      adapter,
      flat.get(adapter.name) ?? layArena(adapter, new Map()),
      updates.get(adapter.name),
      trains.some((plan) => plan.adapter === adapter.name && plan.gradient_accumulation_steps > 1),
      trains.some((plan) => plan.adapter === adapter.name),
      used,
      put,
      globals,
      f32,
    );
  for (const [adapter, states] of kept)
    put(
      `${adapter}.states`,
      states.map(({ value, type }) => [value, type]),
    );
  const batchTypes = new Map<string, TensorType>();
  const isBatch = (name: string): boolean =>
    ["ids", "positions", "ends", "slots", "starts", "pixels", "labelled", "rows", "targets", "scale", "keep", "which"].includes(name) ||
    name.endsWith(".scalars") ||
    name.endsWith(".factors") ||
    name.startsWith("source.") ||
    name.startsWith("seed.");
  for (const { graph } of programs.values())
    for (const name of graph.inputs) if (isBatch(name) && !batchTypes.has(name)) batchTypes.set(name, graph.values.get(name)!);
  const seeds = [...batchTypes].filter(([name]) => name.startsWith("seed."));
  for (const [name] of seeds) batchTypes.delete(name);
  put("batch", [...batchTypes, ...seeds]);
  if (seeds.length > 0) globals.set("seeds", { dtype: "i32", shape: [64 * seeds.length], place: globals.get(seeds[0]![0])!.place });
  for (const { graph } of programs.values())
    for (const [name, type] of graph.values)
      if (name.startsWith("cache(") && !globals.has(name)) globals.set(name, { ...type, place: { own: true } });

  // ---- programs and segments ------------------------------------------------------------------------------------------
  const segments = new Map<string, SegmentGraph>();
  const specs: Record<string, Segment> = {};
  const ids = new Map<string, string>();
  const printed = new Map<SegmentGraph, string>();
  const jobPrograms: Record<string, Program> = {};
  for (const [name, { graph, dims }] of programs) {
    const placed = place(graph, globals, dims);
    arenas.activations = Math.max(arenas.activations ?? 0, placed.activations);
    const calls = graph.steps.map((step) => {
      let id = printed.get(step.segment);
      const text = id ? "" : printSegment(step.segment);
      id ??= ids.get(text);
      if (id) printed.set(step.segment, id);
      else {
        id = `${step.segment.name}-${host.sha256(text).slice(0, 8)}`.replaceAll(/[^\w.-]/g, "_");
        ids.set(text, id);
        printed.set(step.segment, id);
        segments.set(id, step.segment);
        specs[id] = {
          inputs: step.segment.inputs.map(({ name: port, node }) => ({ name: port, ...node.type })),
          outputs: step.segment.outputs.map(({ name: port, node }) => ({ name: port, ...node.type })),
          parts: [
            {
              onnx: `graphs/${id}.onnx`,
              engine: 0,
              keeps: 0,
              inputs: step.segment.inputs.map((one) => one.name),
              outputs: step.segment.outputs.map((one) => one.name),
            },
          ],
          between: {},
          wgsl: `kernels/${id}.wgsl`,
          kernels: [],
          scratch: {},
          flops: flopsOf(step.segment),
        };
      }
      return { segment: id, inputs: step.inputs, outputs: step.outputs };
    });
    const touched = new Set([...graph.values.keys()].filter((value) => globals.has(value)));
    jobPrograms[name] = {
      values: placed.values,
      calls,
      inputs: graph.inputs,
      outputs: graph.outputs,
      dims,
      peak: peakOf({ values: placed.values }, globals, touched, dims),
      flops: calls.reduce<Dim>((sum, call) => add(sum, specs[call.segment]!.flops), 0),
    };
  }

  const jobAdapters = [...adapters.values()].map((adapter): Adapter => {
    const files = adapterFiles(adapter, base.root, context);
    const reason = unmergeable(adapter, adapters);
    return {
      name: adapter.name,
      method: methodNames(adapter),
      parameters: adapter.params.map((param) => param.name),
      trainable: adapter.trainable,
      files,
      ...(measures.has(adapter.name) && {
        measure: { steps: measures.get(adapter.name)!.steps, sizes: measures.get(adapter.name)!.sizes },
      }),
      ...(inits.has(adapter.name) && { init: inits.get(adapter.name)!.steps }),
      ...(finishes.has(adapter.name) && { finish: finishes.get(adapter.name)!.steps }),
      with: adaptersIn(layersOf(adapter.name, adapters)),
      ...(adapter.of && { of: adapter.of }),
      ...(adapter.made?.kind === "mix" && { bank: adapter.made.of }),
      ...(adapter.from !== undefined && { from: adapter.from }),
      ...(adapter.anyBase && { anyBase: true as const }),
      trainedBy: trains.flatMap((plan) => (movedBy(plan.adapter, adapters).includes(adapter.name) ? [plan.adapter] : [])),
      mergeable: reason === undefined,
      ...(reason !== undefined && { unmergeable: reason }),
    };
  });

  const job: Job = {
    format: "peft-job/1",
    name: checked.name,
    source: { file: checked.name, sha256: host.sha256(checked.text) },
    profile: "default",
    dims: largest,
    base: {
      name: base.name,
      path: base.path,
      weights: base.weights,
      seed: base.seed,
      vocab_size: base.vocabulary ?? vocabulary,
      ...(base.start !== undefined && { start: base.start }),
      ...(base.picture && { picture: base.picture }),
      positions: base.context,
      config_sha256: base.configHash(),
      ...(base.headerHash !== undefined && { header_sha256: base.headerHash() }),
      parameters: base.parameters,
    },
    parameters: [...parametersOf(base.root)]
      .map(
        (param): Parameter => ({
          name: param.path,
          shape: param.shape.map(Number),
          dtype: "f32",
          ...(param.stored && { stored: param.stored }),
          ...(param.format && { format: param.format.label }),
          trained: false,
          source:
            base.weights === "checkpoint" && !param.fresh
              ? { kind: "checkpoint", ...storedAs(param), ...(param.packed && { packed: true }) }
              : {
                  kind: "draw",
                  distribution: param.draw.distribution,
                  args: param.draw.args,
                  ...storedAs(param),
                },
        }),
      )
      .concat([...adapters.values()].flatMap((adapter) => adapter.params.map(adapterParameter))),
    formats: Object.fromEntries(
      [...[...parametersOf(base.root)].map(({ format }) => format), ...merges.map(({ format }) => format)].flatMap((format) =>
        format ? [[format.label, format.job]] : [],
      ),
    ),
    adapters: jobAdapters,
    data: [...checked.data.values()],
    train: jobTrains,
    evaluate: jobEvaluates,
    merge: jobMerges,
    arenas,
    ...(ring && { ring: ring.layers }),
    values: Object.fromEntries(globals),
    segments: specs,
    programs: jobPrograms,
    plan: memoryPlan(globals, arenas, adapters, largest, jobPrograms, jobTrains, jobEvaluates),
  };
  return { job, segments };
};

/** The adapters that a training of this one moves: itself, and what its bank holds. */
const movedBy = (name: string, adapters: ReadonlyMap<string, AdapterPlan>): readonly string[] => {
  const made = adapters.get(name)?.made;
  return made?.kind === "mix" ? [name, ...made.of] : [name];
};
