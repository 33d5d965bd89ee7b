// `peft explain CODE`: the page behind a diagnostic.

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
  const near = nearest(code, pages.keys());
  const help = near ? { help: `did you mean \`${near}\`?` } : {};
  await report(call, {
    found: [diagnostics.unknown_code(undefined, { code: given }, help)],
    files: [],
    text: () => undefined,
    product: false,
  });
  return 2;
};
