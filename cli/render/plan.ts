// The facts of a plan -> a page. One block per adapter and per training; what a path covers is shown by its first few places.

import { isHubPlace } from "../hub/place.ts";
import type { AdapterFacts, DividedFacts, MeasuredFacts, PlanFacts, TrainFacts } from "../plan-facts.ts";
import { widthOf } from "./columns.ts";
import { type Paint, paintFor } from "./paint.ts";
import { bytes, grouped, metric, renderTable } from "./table.ts";

export const renderPlan = (plan: PlanFacts, colour: boolean, columns: number): string => {
  const paint = paintFor(colour);
  const { base } = plan;
  const origin = base.weights === "drawn" ? "drawn at random" : `from ${isHubPlace(base.path) ? base.path : "its checkpoint"}`;
  return [
    `${paint.strong(`base ${base.name}`)}: ${base.architecture}, ${grouped(base.parameters)} parameters, ${origin}\n`,
    ...(plan.stored.length ? [storedBlock(plan)] : []),
    ...plan.adapters.map((adapter) => adapterBlock(adapter, plan, paint, columns)),
    ...(plan.divided.length ? [plan.divided.map(dividedLine).join("")] : []),
    ...plan.train.map((train) => trainBlock(train, paint)),
    ...(plan.inference.length ? [inferenceBlock(plan)] : []),
    `a run of the whole file holds ${bytes(plan.run.cpu)} on the cpu${plan.lanes > 1 ? ` in ${plan.lanes} lanes` : ""}, ${bytes(plan.run.webgpu)} on webgpu`,
    `${plan.segments} distinct segments, ${plan.kernels} kernels\n`,
  ].join("\n");
};

/** Bits for each parameter, all told: codes, scales, and what scales have of their own. */
const storedBlock = ({ stored }: PlanFacts): string => {
  const rows = stored.map(({ format, parameters, bytes: size, bits }) => [format, parameters, bits.toFixed(3), bytes(size)] as const);
  const table = renderTable(
    [
      { title: "stored as" },
      { title: "parameters", align: "right" },
      { title: "bits each", align: "right" },
      { title: "", align: "right" },
    ],
    rows,
  );
  const notes = stored.flatMap(({ format, nested, parameters }) =>
    nested > 0
      ? [`  scales of ${format} stored in 8 bits: ${((8 * nested) / parameters).toFixed(3)} bit each less, ${bytes(nested)}\n`]
      : [],
  );
  return `${table}${notes.join("")}`;
};

const inferenceBlock = ({ inference }: PlanFacts): string =>
  renderTable(
    [{ title: "memory" }, { title: "bytes", align: "right" }, { title: "", align: "right" }],
    inference.map(({ what, bytes: size }) => [what, size, bytes(size)] as const),
  );

const adapterBlock = (adapter: AdapterFacts, { base }: PlanFacts, paint: Paint, columns: number): string => {
  const { name, method, trainable, covered, file, mergeable, coverage, measured, tied } = adapter;
  const lines = [
    `${paint.strong(`adapter ${name}`)}: ${method}`,
    `  trains ${grouped(trainable)} parameters against ${grouped(covered)} in the places it covers${fewer(trainable, covered)}`,
    `  ${percent(trainable / base.parameters)} of the base; ${bytes(file)} on disk; ${mergeable ? "can be merged" : "cannot be merged"}`,
    ...measured.map(measuredLine),
    ...tied.map(
      ({ at, same, both }) =>
        `  ${at} is the tensor of ${same.join(", ")} too: ${both ? "every use changes" : "this use changes and the other does not (`tied: true` changes both)"}`,
    ),
    "",
  ];
  const width = Math.max(...coverage.map(({ pattern }) => widthOf(pattern)));
  const rows = coverage.map(({ pattern, matches }) => [pattern, matches.length, examples(matches, columns - width - 16)] as const);
  return `${lines.join("\n")}\n${renderTable([{ title: "path" }, { title: "covers", align: "right" }, { title: "" }], rows)}`;
};

const measuredLine = ({ size, known, targets, out, least, most }: MeasuredFacts): string =>
  known
    ? `  ${size} was measured: ${least} to ${most} at ${targets - out} of ${targets} places${out ? "; the others have none and are left out" : ""}`
    : `  ${size} is not measured yet: all of this is of the most it may be, ${most}`;

const fewer = (trainable: number, covered: number): string =>
  trainable < covered ? `: ${Math.round(100 * (1 - trainable / covered))} % fewer` : "";

const percent = (share: number): string => `${(100 * share).toPrecision(3)} %`;

/** As many as fit, then how many more. */
const examples = (matches: readonly string[], room: number): string => {
  let shown = "";
  for (const [index, match] of matches.entries()) {
    const next = index ? `${shown}, ${match}` : match;
    if (index && widthOf(next) + (index < matches.length - 1 ? ", …".length : 0) > room) return `${shown}, …`;
    shown = next;
  }
  return shown;
};

const dividedLine = ({ data, path, seed, parts }: DividedFacts): string => {
  const some = parts.map(({ split, share, rows }) => {
    const amount =
      share !== undefined ? `${Number((100 * share).toPrecision(6))} %` : rows !== undefined ? `${grouped(rows)} rows` : "the others";
    return `${split} ${amount}`;
  });
  return `data ${data}: the rows of ${path} are divided by what is in them, seed ${seed}: ${some.join(", ")}\n`;
};

const longer = { cut: "longer ones lose their end", drop: "longer ones are left out", error: "none may be longer" } as const;

const observedLine = ({ amount: { rows, share = 0 }, passes, bytes: size }: NonNullable<TrainFacts["observed"]>): string => {
  const what = rows === undefined ? `${Number((100 * share).toPrecision(6))}% of the rows` : `${grouped(rows)} row${rows === 1 ? "" : "s"}`;
  return `  before its first values ${what} are observed, in ${passes} pass${passes === 1 ? "" : "es"}, with ${bytes(size)} of sums on the host`;
};

const evaluatedLine = ({ every, unit, bytes: size, best }: NonNullable<TrainFacts["evaluated"]>, peak: number): string => {
  const rhythm = every === 1 ? unit.replace(/s$/, "") : `${every} ${unit}`;
  const kept = best > 0 ? `; the best parameters so far are kept on the host, ${bytes(best)}` : "";
  return `  evaluated every ${rhythm}, which holds ${bytes(size)} in all${size < peak ? ", less than a step" : ": more than a step"}${kept}`;
};

const statesLine = ({ formats, stored, tensors }: NonNullable<TrainFacts["states"]>): string => {
  const named = Object.entries(formats).map(([state, format]) => `${state} as ${format}`);
  const of = stored === tensors ? `all ${grouped(tensors)}` : `${grouped(stored)} of ${grouped(tensors)}`;
  const rest = stored === tensors ? "" : "; the others are smaller than sixteen blocks and stay in f32";
  return `  optimizer state is stored: ${named.join(", ")}; of ${of} tensors${rest}`;
};

const streamedLine = (layers: number): string =>
  `  weights of ${layers} layers are read from the checkpoint as they are needed, two layers at a time, to keep the budget (cpu)`;

const trainBlock = (train: TrainFacts, paint: Paint): string => {
  const { adapter, data, rows, tokens, length, memory, peak, flopsPerToken, calls, kernels } = train;
  const parts = Object.entries(memory).filter(([, size]) => size > 0);
  const table = renderTable(
    [{ title: "memory" }, { title: "bytes", align: "right" }, { title: "", align: "right" }],
    [...parts, ["peak of the plan", peak] as const].map(([part, size]) => [part, size, bytes(size)]),
  );
  const lines = [
    `${paint.strong(`train ${adapter}`)} on ${data}: ${length} of ${rows} rows, up to ${tokens} tokens each, ${longer[train.overlong]}`,
    `  ${metric(flopsPerToken)}FLOPs per token, forward and backward; ${calls} calls and ${kernels} kernels per micro-batch`,
    ...(train.compute === "f16" ? ["  products of f16 operands, added up in f32; activations and their gradients in 16 bits"] : []),
    ...(train.recompute > 0 ? [`  activations of ${train.recompute} layers are computed again, to keep the budget`] : []),
    ...(train.streamed > 0 ? [streamedLine(train.streamed)] : []),
    ...(train.observed ? [observedLine(train.observed)] : []),
    ...(train.evaluated ? [evaluatedLine(train.evaluated, peak)] : []),
    ...(train.states ? [statesLine(train.states)] : []),
    ...(train.paged > 0 ? [`  optimizer state of ${bytes(train.paged)} is paged: it lies outside the device's memory`] : []),
    "",
  ];
  return `${lines.join("\n")}\n${table}`;
};
