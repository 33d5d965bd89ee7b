// `peft plan`: what is trained and what it will cost, before anything runs.

import type { ExitCode, Invocation } from "./command.ts";
import { planFacts } from "./plan-facts.ts";
import { type Prepared, prepare } from "./prepare.ts";
import { renderPlan } from "./render/plan.ts";
import { report } from "./report.ts";

export const run = async (call: Invocation): Promise<ExitCode> => {
  if (call.flags.has("points")) {
    const prepared = await prepare(call, "check");
    return typeof prepared === "number" ? prepared : (await import("./plan-points.ts")).planPoints(prepared, call);
  }
  const prepared = await prepare(call, "build", { rows: call.flags.has("lock"), sizes: "bounds" });
  if (typeof prepared === "number") return prepared;
  const facts = planFacts(prepared);
  const { out } = call.io;
  if (call.flags.has("lock")) {
    const failed = await lock(prepared, call);
    if (failed !== 0) return failed;
  }
  out.write(call.flags.has("json") ? `${JSON.stringify(facts, undefined, 2)}\n` : renderPlan(facts, out.colour, out.columns() ?? 100));
  return 0;
};

/** Writes the lock file; what is wrong with the data is said, and then nothing is written. */
const lock = async (prepared: Prepared, call: Invocation): Promise<ExitCode> => {
  const [{ surveyData }, { writeLock }] = await Promise.all([import("./survey.ts"), import("./write-lock.ts")]);
  const survey = await surveyData(prepared, call.io.cwd);
  const wrong = survey.found.some(({ severity }) => severity === "error");
  const failed = wrong ? undefined : await writeLock(prepared, survey, call.io.cwd);
  const code = await report(call, {
    found: failed ? [...survey.found, failed] : survey.found,
    files: [],
    text: (file) => prepared.texts.get(file),
    product: false,
  });
  if (code === 0) call.io.err.write(`wrote ${prepared.source.file}.lock\n`);
  return code;
};
