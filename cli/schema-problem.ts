// The first of Ajv's errors as one line.

import type { ErrorObject } from "ajv";

export const problemOf = (errors: readonly ErrorObject[] | null | undefined): string => {
  const [first] = errors ?? [];
  const extra = first?.params as { readonly additionalProperty?: string } | undefined;
  return `${first?.instancePath || "the document"} ${first?.message ?? "is not valid"}${extra?.additionalProperty ? ` (${extra.additionalProperty})` : ""}`;
};
