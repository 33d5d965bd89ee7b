// `peft explain CODE|NAME`: the page behind a diagnostic, or what a method, a setting, a metric, an op or any other name of the language
// means. The reference is loaded only for a name.

import { nearest } from "../spec/diagnostic.ts";
import { diagnostics } from "../spec/diagnostics.generated.ts";
import type { ExitCode, Invocation } from "./command.ts";
import { pages } from "./embedded/pages.ts";
import { renderPage } from "./render/page.ts";
import { report } from "./report.ts";

export const run = async (call: Invocation): Promise<ExitCode> => {
  const given = call.arguments[0]!;
  const code = /^\d{1,4}$/.test(given) ? `PEFT${given.padStart(4, "0")}` : given.toUpperCase();
  const page = pages.get(code);
  if (page !== undefined) {
    call.io.out.write(renderPage(page, call.io.out.colour));
    return 0;
  }
  const [{ entries }, { renderEntry }] = await Promise.all([import("./reference/entries.ts"), import("./render/entry.ts")]);
  const all = entries();
  const named = all.filter(({ name }) => name === given);
  if (named.length) {
    call.io.out.write(named.map((entry) => renderEntry(entry, call.io.out.colour, call.io.out.columns() ?? 100)).join("\n"));
    return 0;
  }
  const near = /^PEFT/.test(code)
    ? nearest(code, pages.keys())
    : nearest(
        given,
        all.map(({ name }) => name),
      );
  const help = near ? { help: `did you mean \`${near}\`?` } : {};
  await report(call, {
    found: [diagnostics.unknown_code(undefined, { code: given }, help)],
    files: [],
    text: () => undefined,
    product: false,
  });
  return 2;
};
