// Adapters of one form over one model -> a bank: each parameter once for all of them, with one more axis in front. A batch whose
// rows use different adapters then runs in one pass, and training the bank trains all of them. The adapters keep their own
// tensors and files; the runtime copies them into the bank and back.

import type * as tree from "../../grammar/tree.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import { product } from "../values/dims.ts";
import type { Context } from "../values/expressions.ts";
import { describe } from "../values/values.ts";
import type { AdapterParam, Amendment } from "./amend.ts";
import type { AdapterPlan } from "./inject.ts";

export interface Bank {
  readonly params: readonly AdapterParam[];
  readonly trainable: number;
}

/** Adds the bank's amendments to the modules that its members amend; undefined after a report. */
export const makeBank = (name: string, at: tree.Span, members: readonly AdapterPlan[], context: Context): Bank | undefined => {
  const [first, ...others] = members as [AdapterPlan, ...AdapterPlan[]];
  for (const other of others) {
    const problem = differs(first, other);
    if (problem === undefined) continue;
    context.report(
      diagnostics.members_differ(
        at,
        { first: first.name, second: other.name, problem },
        {
          notes: [
            { message: `\`${first.name}\` is declared here`, at: first.at },
            { message: `\`${other.name}\` is declared here`, at: other.at },
          ],
          help: "give them the same method, settings and places; then all of them run in one pass",
        },
      ),
    );
    return undefined;
  }
  const banked = new Map(
    first.params.map((param, i): [AdapterParam, AdapterParam] => [
      param,
      {
        ...param,
        name: `${name}:${within(param)}`,
        shape: [members.length, ...param.shape],
        source: { stackOf: members.map((member) => member.params[i]!.name) },
      },
    ]),
  );
  for (const module of first.targets)
    for (const amendment of [...module.amendments])
      if (amendment.adapter === first.name)
        module.amendments.push({
          ...amendment,
          adapter: name,
          params: new Map([...amendment.params].map(([local, param]) => [local, banked.get(param)!])),
        });
  const params = [...banked.values()];
  return { params, trainable: params.filter((param) => param.trained).reduce((sum, param) => sum + Number(product(param.shape)), 0) };
};

/** A parameter's name without its adapter's. */
const within = (param: AdapterParam): string => param.name.slice(param.name.indexOf(":") + 1);

/** In what two adapters differ that must be alike; undefined when they are of one form. */
const differs = (first: AdapterPlan, other: AdapterPlan): string | undefined => {
  if (first.made || other.made) return `\`${first.made ? first.name : other.name}\` is made of adapters`;
  if (first.under !== other.under) return "they stand on different models";
  const stacked = first.params.find(({ stack }) => stack !== undefined);
  if (stacked) return `\`${within(stacked)}\` belongs to a stack of modules, which a bank cannot hold`;
  const listed = ({ params }: AdapterPlan): string =>
    params.map((param) => `${within(param)} ${param.shape.join()} ${param.trained}`).join("\n");
  if (listed(first) !== listed(other)) {
    const own = new Set(first.params.map(within));
    const odd = other.params.find((param) => !own.has(within(param)));
    return odd ? `only \`${other.name}\` has \`${within(odd)}\`` : "their tensors have different shapes";
  }
  for (const module of first.targets) {
    const [a, b] = [first, other].map(({ name }) => module.amendments.filter((amendment) => amendment.adapter === name)) as [
      Amendment[],
      Amendment[],
    ];
    for (const [i, one] of a.entries()) {
      if (b[i]?.method !== one.method) return "their methods differ";
      const setting = [...one.settings].find(([key, value]) => describe(value) !== describe(b[i]!.settings.get(key) ?? value));
      if (setting)
        return `\`${setting[0]}\` is ${describe(setting[1])} in one and ${describe(b[i]!.settings.get(setting[0])!)} in the other`;
    }
  }
  return undefined;
};
