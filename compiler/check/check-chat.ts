// Conversations against the base they are written for: its tokenizer has a chat template, or the file names one; the template can tell
// the turns of an assistant apart; and the base goes on with what it read, as a conversation does.

import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { CompileHost } from "../host.ts";
import type { Context } from "../values/expressions.ts";
import type { Checked } from "./check.ts";

export const checkChat = async (checked: Checked, file: string, host: CompileHost, { report }: Context): Promise<void> => {
  const { base, source } = checked;
  for (const data of checked.data.values()) {
    if (!data.chat) continue;
    const item = source.items.find((one) => one.kind === "data" && one.name.text === data.name);
    const entry = item?.kind === "data" ? item.entries.find(({ key }) => key.text === "chat") : undefined;
    if (!entry) continue;
    if (base.start !== undefined) {
      report(
        diagnostics.chat_with_encoder(
          entry.at,
          { data: data.name, base: base.name },
          { help: "write the last turn as `answer`, and what stands before it as `prompt`" },
        ),
      );
      continue;
    }
    const { template } = data.chat;
    const named = template === undefined ? undefined : host.resolve(file, template);
    for (const found of (await host.chat?.(host.resolve(file, base.path), named)) ?? [])
      report({ ...found, at: found.at ?? entry.value.at });
  }
};
