// Names of optimizers and schedules as transformers, Axolotl and LLaMA-Factory write them -> calls of the library's. A name is taken
// apart: the equation, how its state is stored, where it is kept.

import type { Row } from "./draft.ts";
import { shown } from "./given.ts";
import { carried, lost, settled } from "./outcome.ts";

interface Parts {
  readonly equation: string;
  readonly bits: number;
  readonly paged: boolean;
}

/** `paged_adamw_8bit` → adamw, 8 bits, paged. Whose kernels run it is not part of the equation. */
export const partsOf = (name: string): Parts => {
  const paged = /^paged_/.test(name);
  const bits = /_(4|8|32)bit$/.exec(name)?.[1];
  const equation = name
    .replace(/^paged_/, "")
    .replace(/_(4|8|32)bit$/, "")
    .replace(/_(torch|hf|bnb|fused|npu|apex|xla|anyprecision|ao)(?=_|$)/g, "");
  return { equation: equation === "adamw_kahan" ? "adamw" : equation, bits: Number(bits ?? 32), paged };
};

/** How what is called 8-bit keeps the states of an equation. */
const inBytes: Readonly<Record<string, string>> = {
  adamw: "store m as signed8() store v as unsigned8()",
  sgd: "store m as signed8()",
};

export const optimizerRow: Row = ({ value }, { draft, library }) => {
  const name = String(value).toLowerCase();
  const { equation, bits, paged } = partsOf(name);
  if (!library.names("optimizer").includes(equation))
    return lost(`the library has no optimizer \`${equation}\`; adamw is written in its place`);
  draft.optimizer.name = equation;
  const store = bits === 8 ? inBytes[equation] : undefined;
  if (store !== undefined) {
    draft.optimizer.store = store;
    return carried(`\`optimizer: ${equation}(…) ${store}\``);
  }
  if (bits < 32) return settled(`\`${equation}\` is written; its state is kept in f32, which is no less exact and takes more memory`);
  if (paged) return settled(`\`${equation}\` is written; where its state lies does not change what is computed`);
  return carried(`\`optimizer: ${equation}(…)\``);
};

/** Names of schedules, and the floor that some of them have by name. */
const schedules: Readonly<Record<string, string>> = {
  cosine: "cosine",
  linear: "linear",
  constant: "constant",
  constant_with_warmup: "constant",
  cosine_with_min_lr: "cosine",
};

export const scheduleRow: Row = ({ value }, { draft, library }) => {
  const name = schedules[String(value)];
  if (!name || !library.names("schedule").includes(name))
    return lost(`the library has no schedule \`${shown(value)}\`; constant is written in its place`);
  draft.schedule.name = name;
  return carried(`\`schedule: ${name}(…)\``);
};
