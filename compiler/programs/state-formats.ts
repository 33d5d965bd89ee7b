// The `store STATES as FORMAT` lines behind an optimizer -> the format of each of its states. Said once for all tensors: which of them are
// large enough for blocks follows from their sizes (arena.ts).

import type * as tree from "../../grammar/tree.ts";
import { nearest } from "../../spec/diagnostic.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { TrainPlan } from "../blocks/pipeline.ts";
import type { Library } from "../blocks/resolve.ts";
import { type FormatPlan, planFormat, readFormat } from "../model/format.ts";
import { unstorable } from "../model/format-encode.ts";
import type { Context } from "../values/expressions.ts";
import type { Scope } from "../values/values.ts";
import type { StateFormats } from "./arena.ts";

/** What is wrong is reported and left in f32. */
export const readStateFormats = ({ optimizer, stores }: TrainPlan, library: Library, scope: Scope, context: Context): StateFormats => {
  const formats = new Map<string, FormatPlan>();
  const definition = optimizer.callee.kind === "ref" ? library.find("optimizer", optimizer.callee.name) : undefined;
  if (!definition) return formats;
  const states = definition.members.flatMap((member) => (member.kind === "state" ? [member.name.text] : []));
  const wrong = (at: tree.Span, problem: string, help: string): void =>
    context.report(diagnostics.state_not_stored(at, { optimizer: definition.name.text, problem }, { help }));
  for (const { paths, format, at } of stores) {
    const plan = readFormat(format, library, scope, context);
    const reason = plan && unstorable(plan);
    if (plan && reason) wrong(format.at, `${plan.label} cannot store it: ${reason}`, storing(library, scope));
    for (const { text, at: place } of paths.flatMap((path) => namesIn(path, states))) {
      if (!states.includes(text)) {
        const near = nearest(text, states);
        wrong(
          place,
          `it has no state \`${text}\``,
          near
            ? `did you mean \`${near}\`?`
            : states.length > 0
              ? `its states are ${states.join(", ")}`
              : "it keeps nothing from step to step",
        );
      } else if (formats.has(text)) wrong(at, `\`${text}\` is stored in two ways`, "let one line name it");
      else if (plan && !reason) formats.set(text, plan);
    }
  }
  return formats;
};

/** Which formats would do, of those that are here. */
const storing = (library: Library, scope: Scope): string => {
  const quiet: Context = { report: () => {}, through: [] };
  const fit = library.names("format").filter((name) => {
    const definition = library.find("format", name)!;
    const plan = planFormat(definition, [], definition.at, library, scope, quiet, 0);
    return plan && !unstorable(plan);
  });
  return `formats that can: ${fit.map((name) => `\`${name}()\``).join(", ")}`;
};

/** The states that a path names; one that is no name of a state stands for itself. */
const namesIn = ({ segments, at }: tree.Path, states: readonly string[]): tree.Name[] => {
  const [first] = segments;
  if (segments.length > 1 || !first) return [{ text: segments.map((segment) => ("text" in segment ? segment.text : "*")).join("."), at }];
  if (first.kind === "choice") return [...first.options];
  if (first.kind === "star" || first.kind === "deep") return states.map((text) => ({ text, at }));
  return [{ text: first.kind === "name" ? first.text : "that", at }];
};
