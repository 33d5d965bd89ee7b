// A call of a module in a forward pass: that it can be called by itself, has a forward, and gets as many values as that one takes.

import type * as tree from "../../grammar/tree.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { Instance } from "../model/instantiate.ts";
import { type Context, reportThrough } from "../values/expressions.ts";

/** The module's forward; undefined after a report. `stacked`: it stands for a stack, and not for one module of it. */
export const checkCall = (
  { definition }: Instance,
  given: number,
  stacked: boolean,
  at: tree.Span,
  context: Context,
): tree.ForwardMember | undefined => {
  const module = definition.name.text;
  const forward = definition.members.find((member) => member.kind === "forward");
  if (stacked)
    reportThrough(
      context,
      at,
      (place, details) => diagnostics.cannot_stack(place, { problem: "its modules are called together" }, details),
      { help: "write `routed(experts, x, gates)`, with a gate for each of them" },
    );
  else if (forward?.kind !== "forward") reportThrough(context, at, (place, details) => diagnostics.no_forward(place, { module }, details));
  else if (given !== forward.inputs.length)
    reportThrough(
      context,
      at,
      (place, details) => diagnostics.wrong_argument_count(place, { module, wanted: forward.inputs.length, given }, details),
      { notes: [{ message: "its forward is declared here", at: forward.at }] },
    );
  else return forward;
  return undefined;
};
