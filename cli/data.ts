// `peft data FILE [SPLIT …]`: what a pipeline's rows become: counts per split, and the first rows as the model reads them, with the
// tokens it learns from marked. With --schema, the JSON Schema that each row must keep to.

import { type Diagnostic, nearest } from "../spec/diagnostic.ts";
import { diagnostics } from "../spec/diagnostics.generated.ts";
import { rowSchema } from "../spec/row-schema.ts";
import { type ExitCode, type Invocation, lastValue } from "./command.ts";
import { dataFacts } from "./data-facts.ts";
import { prepare } from "./prepare.ts";
import { renderData } from "./render/data.ts";
import { report } from "./report.ts";
import { surveyData } from "./survey.ts";

export const run = async (call: Invocation): Promise<ExitCode> => {
  const prepared = await prepare(call, "plan");
  if (typeof prepared === "number") return prepared;
  const complain = (found: readonly Diagnostic[]): Promise<ExitCode> =>
    report(call, { found, files: [], text: (file) => prepared.texts.get(file), product: false });
  const { out } = call.io;
  if (call.flags.has("schema")) {
    const schemas = Object.fromEntries([...prepared.checked!.data.values()].map((data) => [data.name, rowSchema(data)]));
    out.write(`${JSON.stringify(schemas, undefined, 2)}\n`);
    return 0;
  }
  const survey = await surveyData(prepared, call.io.cwd);
  const code = await complain(survey.found);
  const names = survey.splits.map(({ data, split }) => `${data.name}.${split.name}`);
  const wanted = call.arguments.slice(1);
  for (const name of wanted)
    if (!names.includes(name) && !names.some((one) => one.startsWith(`${name}.`))) {
      const near = nearest(name, names);
      const what = `no block of ${prepared.source.file} reads \`${name}\``;
      return complain([
        diagnostics.nothing_to_do(
          undefined,
          { what },
          { notes: [{ message: `they read: ${names.join(", ") || "nothing"}` }], ...(near && { help: `did you mean \`${near}\`?` }) },
        ),
      ]);
    }
  const chosen = survey.splits.filter(
    ({ data, split }) => !wanted.length || wanted.some((name) => [data.name, `${data.name}.${split.name}`].includes(name)),
  );
  const facts = survey.tokenizer ? chosen.map((one) => dataFacts(one, survey.tokenizer!, Number(lastValue(call, "rows") ?? 3))) : [];
  out.write(call.flags.has("json") ? `${JSON.stringify(facts, undefined, 2)}\n` : renderData(facts, out.colour));
  return code;
};
