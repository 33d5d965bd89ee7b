// What a method observes and nothing reads: a pass over the data for nothing. Read are the names in first values and measured sizes, and in the
// `let`s that these name.

import type * as tree from "../../grammar/tree.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import { namesIn } from "../adapters/needs.ts";
import type { Context } from "../values/expressions.ts";

export const checkObserved = ({ members: own }: tree.MethodDef, { report }: Context): void => {
  const members = own.flatMap((member) => (member.kind === "each" ? [member, ...member.members] : [member]));
  const lets = new Map(members.flatMap((member) => (member.kind === "let" ? [[member.name.text, member.value] as const] : [])));
  const read = new Set<string>();
  const follow = (expr: unknown): void => {
    for (const name of namesIn(expr)) {
      if (read.has(name)) continue;
      read.add(name);
      follow(lets.get(name));
    }
  };
  // What a binding reads it reads too late, and that is said there.
  for (const member of members) if (member.kind === "param" || member.kind === "measure" || member.kind === "bind") follow(member.value);
  for (const member of members)
    if (member.kind === "observe" && !read.has(member.name.text))
      report(
        diagnostics.observed_by_none(
          member.name.at,
          { name: member.name.text },
          { help: `read it in a first value, like \`frozen param kept: [...] = ${member.name.text}\`, or leave it out` },
        ),
      );
};
