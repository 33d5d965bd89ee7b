// Places of the hub that a file names -> the cache, before the file is compiled for good.

import { DiagnosticError } from "../../runtime/diagnostic-error.ts";
import type { ExitCode, Invocation } from "../command.ts";
import type { CompiledFile } from "../compile-file.ts";
import { listenOn } from "../render/events.ts";
import { report } from "../report.ts";
import { bringPlace, isWhole } from "./bring.ts";
import { type Place, readPlace } from "./place.ts";

/** Fetches what is not here. "new" when something came, "same" when all was there, an exit code after what went wrong was printed. */
export const fetchAbsent = (compiled: CompiledFile, call: Invocation): Promise<"new" | "same" | ExitCode> =>
  fetchPlaces(
    [...compiled.places].flatMap(([text, weights]) => {
      const place = readPlace(text);
      return typeof place === "string" || isWhole(place, weights, process.env) ? [] : [{ place, weights }];
    }),
    call,
    { at: compiled, verify: false },
  );

export interface ToFetch {
  readonly place: Place;
  readonly weights: boolean;
}

/** `at`: the file that names them, so that what goes wrong is shown there. `verify`: what is there is held to its checksums. */
export const fetchPlaces = async (
  places: readonly ToFetch[],
  call: Invocation,
  { at, verify }: { readonly at?: CompiledFile; readonly verify: boolean },
): Promise<"new" | "same" | ExitCode> => {
  if (places.length === 0) return "same";
  const { io } = call;
  const { listen, end } = listenOn(io.err, io.now, (path) => path);
  try {
    for (const { place, weights } of places) await bringPlace(place, weights, process.env, listen, verify);
    end();
    return "new";
  } catch (error) {
    end();
    if (!(error instanceof DiagnosticError)) throw error;
    const where = at?.diagnostics.find(({ code }) => code === "PEFT0587")?.at;
    const found = error.diagnostics.map((one) => (where && !one.at ? { ...one, at: where } : one));
    return report(call, { found, files: [], text: (file) => at?.texts.get(file), product: false });
  }
};
