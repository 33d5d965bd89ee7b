// `peft plan`: what is trained and what it will cost, before anything runs.

import type { ExitCode, Invocation } from "./command.ts";
import { planFacts } from "./plan-facts.ts";
import { prepare } from "./prepare.ts";
import { renderPlan } from "./render/plan.ts";

export const run = async (call: Invocation): Promise<ExitCode> => {
  const prepared = await prepare(call, "build");
  if (typeof prepared === "number") return prepared;
  const facts = planFacts(prepared);
  const { out } = call.io;
  out.write(call.flags.has("json") ? `${JSON.stringify(facts, undefined, 2)}\n` : renderPlan(facts, out.colour, out.columns() ?? 100));
  return 0;
};
