// `peft sweep FILE [NAME …]`: the file's sweeps, or the named ones.

import { nearest } from "../spec/diagnostic.ts";
import { diagnostics } from "../spec/diagnostics.generated.ts";
import type { ExitCode, Invocation } from "./command.ts";
import { prepare } from "./prepare.ts";
import { report } from "./report.ts";
import { runPoints } from "./run-points.ts";

export const run = (call: Invocation): Promise<ExitCode> => runSets(call, "sweep");

export const runSets = async (call: Invocation, kind: "sweep" | "compare"): Promise<ExitCode> => {
  const prepared = await prepare(call, "check", { weights: true });
  if (typeof prepared === "number") return prepared;
  const sets = (prepared.points ?? []).filter((set) => set.kind === kind);
  const names = call.arguments.slice(1);
  const unknown = names.find((name) => !sets.some((set) => set.name === name));
  if (unknown === undefined && sets.length)
    return runPoints(call, prepared, names.length ? sets.filter(({ name }) => names.includes(name)) : sets);
  const near =
    unknown &&
    nearest(
      unknown,
      sets.map(({ name }) => name),
    );
  const found = diagnostics.nothing_to_do(
    undefined,
    { what: `${prepared.source.file} has no \`${kind}\` block${unknown ? ` called \`${unknown}\`` : ""}` },
    {
      notes: sets.length ? [{ message: `there are: ${sets.map(({ name }) => name).join(", ")}` }] : [],
      help: near
        ? `did you mean \`${near}\`?`
        : kind === "sweep"
          ? "add one, like `sweep ranks over menu { r: [1, 2, 4, 8] }`"
          : "add one, like `compare ways on orders { lora: menu, full: tune() into tiny.** }`",
    },
  );
  return report(call, { found: [found], files: [], text: () => undefined, product: false });
};
