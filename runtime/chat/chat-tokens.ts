// What a chat template needs of a tokenizer's folder: the special tokens and the template itself, without the tokenizer being made.

import { readJsonObject } from "../checkpoint.ts";
import { joinPath, type ReadingHost } from "../host.ts";
import { decodeUtf8, isRecord } from "../json.ts";

type Json = Readonly<Record<string, unknown>>;

export interface ChatTokens {
  /** Special tokens as texts: all of them, and by name (`bos_token`). */
  readonly specials: readonly string[];
  readonly named: Readonly<Record<string, string>>;
  /** The chat template that comes with the tokenizer. */
  readonly template: string | undefined;
}

export const chatTokensOf = (
  tokenizer: Json,
  {
    config,
    special,
    template,
  }: { readonly config?: Json | undefined; readonly special?: Json | undefined; readonly template?: string | undefined },
): ChatTokens => ({
  specials: specialsOf(tokenizer),
  named: namedTokens({ ...special, ...config }),
  template: template ?? templateIn(config),
});

/** Undefined where there is no such folder. Throws a DiagnosticError for a file that is no JSON. */
export const readChatTokens = async (host: ReadingHost, folder: string): Promise<ChatTokens | undefined> => {
  if ((await host.kind(folder)) !== "folder") return undefined;
  const optional = async (name: string): Promise<Json | undefined> =>
    (await host.kind(joinPath(folder, name))) === "file" ? readJsonObject(host, joinPath(folder, name)) : undefined;
  return chatTokensOf((await optional("tokenizer.json")) ?? {}, {
    config: await optional("tokenizer_config.json"),
    special: await optional("special_tokens_map.json"),
    template: await templateFile(host, folder),
  });
};

/** chat_template.jinja, which goes before the template in tokenizer_config.json. */
export const templateFile = async (host: ReadingHost, folder: string): Promise<string | undefined> => {
  const file = joinPath(folder, "chat_template.jinja");
  return (await host.kind(file)) === "file" ? decodeUtf8(await host.read(file)) : undefined;
};

const specialsOf = ({ added_tokens: added }: Json): readonly string[] =>
  (Array.isArray(added) ? (added as unknown[]) : []).flatMap((token) =>
    isRecord(token) && token.special === true && typeof token.content === "string" && token.content !== "" ? token.content : [],
  );

const namedTokens = (config: Json): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(config).flatMap(([key, given]) => {
      const token = isRecord(given) ? given.content : given;
      return key.endsWith("_token") && typeof token === "string" ? [[key, token]] : [];
    }),
  );

/** One template, or several by name of which the one for conversations is "default". */
const templateIn = (config: Json | undefined): string | undefined => {
  const given = config?.chat_template;
  if (typeof given === "string") return given;
  const named = Array.isArray(given) ? (given as unknown[]).find((one) => isRecord(one) && one.name === "default") : undefined;
  return isRecord(named) && typeof named.template === "string" ? named.template : undefined;
};
