// `peft fetch`: the one command whose work is the network. What is in the cache already is held to its checksums.

import { diagnostics } from "../spec/diagnostics.generated.ts";
import type { ExitCode, Invocation } from "./command.ts";
import { compileFile } from "./compile-file.ts";
import { hubCopy } from "./hub/base.ts";
import { fetchPlaces } from "./hub/fetch-places.ts";
import { isHubPlace, readPlace } from "./hub/place.ts";
import { report } from "./report.ts";
import { readSources } from "./sources.ts";

export const run = async (call: Invocation): Promise<ExitCode> => {
  const { sources, diagnostics: unread } = readSources(
    call.arguments.filter((name) => !isHubPlace(name)),
    call.io,
  );
  if (unread.length) return report(call, { found: unread, files: [], text: () => undefined, product: false });
  let worst: ExitCode = 0;
  for (const text of call.arguments.filter(isHubPlace)) worst = worse(worst, await fetchNamed(text, call));
  for (const source of sources) {
    const compiled = await compileFile(source, call, "check");
    const places = [...compiled.places].flatMap(([text, weights]) => {
      const place = readPlace(text);
      return typeof place === "string" ? [] : [{ place, weights }];
    });
    if (places.length) worst = worse(worst, await fetchPlaces(places, call, { at: compiled, verify: true }));
    else {
      const nothing = diagnostics.nothing_to_do(undefined, { what: `${source.file} names no model of the hub` });
      const errors = compiled.diagnostics.filter(({ severity }) => severity === "error");
      const found = errors.length ? errors : [nothing];
      worst = worse(worst, await report(call, { found, files: [], text: (file) => compiled.texts.get(file), product: false }));
    }
  }
  return worst;
};

const fetchNamed = async (text: string, call: Invocation): Promise<ExitCode | "new" | "same"> => {
  const place = readPlace(text);
  if (typeof place !== "string") return fetchPlaces([{ place, weights: true }], call, { verify: true });
  const { problem } = hubCopy(text, true, process.env);
  return report(call, { found: problem ? [problem] : [], files: [], text: () => undefined, product: false });
};

const worse = (code: ExitCode, outcome: ExitCode | "new" | "same"): ExitCode =>
  typeof outcome === "number" && outcome > code ? outcome : code;
