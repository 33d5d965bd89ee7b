// PEFT's adapter_config.json: every key is the method's, so the table has only the base; the rest is decided in adapters.ts. Keys that the
// configuration class of the type does not have PEFT leaves out with a warning.

import type { Row, Tool } from "./draft.ts";
import { lost, outside, settled } from "./outcome.ts";
import { always, base, each, peftKey } from "./rows.ts";

const task: Row = ({ value }) =>
  value === "CAUSAL_LM" || value === null
    ? settled("a pipeline trains a model that writes text")
    : lost(`a head for \`${String(value)}\` is not in the architectures`);

export const peftConfig: Tool = {
  name: "PEFT",
  recognises: ({ fields }) => typeof fields?.get("peft_type")?.value === "string",
  unknown: (given) => ({ fate: "carried", says: `PEFT's \`${given.name}\`` }),
  complete: ({ draft, root }) => {
    draft.mode = "adapter";
    for (const [key, field] of root.fields ?? []) if (!(key in peftConfig.rows)) peftKey(key)(field, { draft, root } as Parameters<Row>[1]);
  },
  rows: {
    base_model_name_or_path: base,
    task_type: task,
    ...each("inference_mode auto_mapping peft_version revision", always(outside("about the file, not about the adapter"))),
  },
};
