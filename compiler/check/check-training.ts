// What a `train` block says about time, before anything is lowered: its optimizer and schedule are bound once, and the learning
// rate is followed over the steps that the block declares. Nothing here knows a schedule by name: the curve is evaluated.

import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { ScalarExpr } from "../../spec/job.ts";
import { evaluateScalar } from "../../spec/scalar.ts";
import type { AdapterPlan } from "../adapters/inject.ts";
import type { TrainPlan } from "../blocks/pipeline.ts";
import type { Library } from "../blocks/resolve.ts";
import { type Arena, leastBlocks, type StateFormats } from "../programs/arena.ts";
import { readStateFormats } from "../programs/state-formats.ts";
import { buildUpdate, type Update } from "../programs/update.ts";
import { product } from "../values/dims.ts";
import type { Context } from "../values/expressions.ts";
import type { Scope } from "../values/values.ts";

export const checkTrainings = (
  plans: readonly TrainPlan[],
  adapters: ReadonlyMap<string, AdapterPlan>,
  library: Library,
  scope: Scope,
  context: Context,
): void => {
  // Trainings that say the same of their steps, where nothing was wrong with it, have one update.
  const clean = new Map<string, Update | undefined>();
  for (const plan of plans) {
    const { optimizer, schedule, max_grad_norm } = plan;
    const said = JSON.stringify([optimizer, schedule, max_grad_norm], (key, value) => (key === "at" ? undefined : value));
    let mistakes = 0;
    const report: Context["report"] = (diagnostic) => {
      mistakes++;
      context.report(diagnostic);
    };
    // The update of one element has every mistake that the whole one has.
    const update =
      clean.get(said) ??
      buildUpdate(plan.adapter, oneElement, "gradients", optimizer, schedule, max_grad_norm, library, scope, { ...context, report });
    if (mistakes === 0) clean.set(said, update);
    checkTraining(plan, update, context);
    const adapter = adapters.get(plan.adapter);
    const formats = readStateFormats(plan, library, scope, context);
    if (adapter) checkStates(plan, adapter, formats, context);
  }
};

/** A state whose blocks every tensor is too small for is kept as if nothing had been said. */
const checkStates = (plan: TrainPlan, { name, params }: AdapterPlan, formats: StateFormats, context: Context): void => {
  const largest = Math.max(0, ...params.filter((param) => param.trained).map(({ shape }) => Number(product(shape))));
  const small = [...formats].filter(([, { block = 1 }]) => largest < leastBlocks * block);
  if (small.length === 0 || largest === 0) return;
  context.report(
    diagnostics.state_too_small(
      plan.stores[0]!.at,
      { adapter: name, states: small.map(([state]) => state).join(", "), largest, least: leastBlocks * small[0]![1].block! },
      { help: "leave the line out, or store it in smaller blocks, like `block: 64`" },
    ),
  );
};

/** The arena of an adapter that trains one number. */
const oneElement: Arena = {
  places: [],
  elements: 1,
  stretches: [{ first: 0, count: 1, formats: new Map() }],
  rates: [],
};

const checkTraining = (plan: TrainPlan, update: Update | undefined, context: Context): void => {
  const { steps, checkpoint, item } = plan;
  if (steps === undefined) return;
  if (checkpoint?.unit === "steps" && checkpoint.every > steps)
    context.report(
      diagnostics.checkpoint_never(
        item.entries.find(({ key }) => key.text === "checkpoint")?.value.at ?? item.at,
        { every: checkpoint.every, steps },
        { help: "a run that is stopped begins anew; save more often" },
      ),
    );
  if (update && plan.schedule) checkRate(plan, steps, update.factor, context);
};

const most = 10_000;

/** The schedule's factor at the steps of a run, or at ten thousand of them, spread evenly. */
const checkRate = ({ schedule, adapter }: TrainPlan, steps: number, curve: ScalarExpr, context: Context): void => {
  let highest = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < Math.min(steps, most); i++) {
    const step = steps <= most ? i : Math.floor((i * steps) / most);
    const factor = evaluateScalar(curve, { step, total: steps });
    if (!Number.isFinite(factor) || factor < 0) {
      context.report(
        diagnostics.rate_out_of_range(
          schedule!.at,
          { step, factor: Number.isFinite(factor) ? factor.toPrecision(3) : String(factor) },
          { help: `the schedule is evaluated at every step from 0 to ${steps - 1}, with \`total\` ${steps}` },
        ),
      );
      return;
    }
    highest = Math.max(highest, factor);
  }
  if (highest < 0.9)
    context.report(
      diagnostics.rate_never_reached(
        schedule!.at,
        { adapter, share: `${(100 * highest).toPrecision(3)}%`, steps },
        { help: "shorten the warmup, or train longer" },
      ),
    );
};
