// Every key of every architecture's configuration in transformers, set to another value: what is computed must follow it, or an error must
// name it. `npm run parity:keys` (TEXT: only architectures whose name holds it) asks both and writes fixtures/keys.json; keys.test.ts holds it.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { openPython, type PythonSession } from "../python.ts";
import type { Case } from "./cases.ts";
import { compare, type Theirs } from "./compare.ts";
import { firsts, names, type Tried } from "./key-outcomes.ts";
import { ask } from "./live.ts";

const activations = ["relu", "gelu", "silu", "gelu_new", "gelu_pytorch_tanh", "tanh", "quick_gelu", "swish", "gelu_fast"];
const ropes = (theta: number): readonly Record<string, unknown>[] => [
  { rope_type: "default", rope_theta: theta * 3 },
  { rope_type: "default", rope_theta: theta, partial_rotary_factor: 0.5 },
  { rope_type: "linear", rope_theta: theta, factor: 4.0 },
  { rope_type: "dynamic", rope_theta: theta, factor: 4.0 },
  { rope_type: "yarn", rope_theta: theta, factor: 4.0, original_max_position_embeddings: 16 },
  {
    rope_type: "llama3",
    rope_theta: theta,
    factor: 8.0,
    low_freq_factor: 1.0,
    high_freq_factor: 4.0,
    original_max_position_embeddings: 32,
  },
];

/** Values that differ from the one a configuration has. */
const others = (key: string, value: unknown): readonly unknown[] => {
  if (key === "layer_types") return [(value as string[] | null)?.map((_, i) => (i % 2 === 0 ? "full_attention" : "sliding_attention"))];
  if (key === "rope_parameters") {
    const nested = (value as Record<string, Record<string, unknown>> | null)?.full_attention;
    const one = nested ?? (value as Record<string, unknown>);
    const all = ropes((one?.rope_theta as number | undefined) ?? 100);
    if (!nested) return all;
    const near = (value as Record<string, unknown>).sliding_attention as Record<string, unknown>;
    return [
      ...all.map((rope) => ({ full_attention: rope, sliding_attention: near })),
      ...all.map((rope) => ({ full_attention: nested, sliding_attention: rope })),
    ];
  }
  if (key === "feed_forward_proj") return ["gated-gelu", "relu", "gelu", "gated-silu"].filter((one) => one !== value);
  if (key === "classifier_pooling") return ["cls", "mean"].filter((one) => one !== value);
  if (typeof value === "string") return activations.includes(value) ? activations.filter((one) => one !== value) : [];
  if (typeof value === "boolean") return [!value];
  if (Array.isArray(value)) return [value.map((one) => (typeof one === "number" ? 1 - one : one))];
  // An id that no row of the cases has: padding is left out of what is counted.
  if (/token_id$/.test(key)) return [13];
  if (typeof value === "number") return Number.isInteger(value) && value > 1 ? [value * 2, value / 2, value - 1] : [value + 0.5, 2];
  if (value === null) return [3, 0.5, true].slice(0, key.includes("activation") ? 0 : 3);
  return [];
};

/** Keys of no model: who trained it, how it is told, and numbers that only drawing and training read. */
const outside =
  /^(architectures|chunk_size_feed_forward|_name_or_path|dtype|problem_type|label2id|id2label|output_attentions|model_type|output_hidden_states|return_dict|is_encoder_decoder|transformers_version|num_labels|.*dropout.*|.*pdrop|initializer_.*|init_std|use_cache)$/;

const deviation = (logits: readonly number[]): number => {
  const mean = logits.reduce((sum, x) => sum + x, 0) / logits.length;
  return Math.sqrt(logits.reduce((sum, x) => sum + (x - mean) ** 2, 0) / logits.length);
};
const flat = (theirs: Theirs): readonly number[] => (theirs.logits as readonly unknown[]).flat(3) as number[];

const changes = (before: Theirs, after: Theirs): boolean => {
  const [a, c] = [flat(before), flat(after)];
  return a.length !== c.length || a.some((x, i) => Math.abs(x - c[i]!) > 1e-5 * deviation(a));
};

const outcomeOf = async (python: PythonSession, one: Case, before: Theirs, key: string, value: unknown, folder: string): Promise<Tried> => {
  const tried = { case: one.name, key, value };
  // The eager path adds slopes twice (see the case of them).
  const attention = key === "alibi" ? ({ attention: "sdpa" } as const) : {};
  const changed: Case = { ...one, ...attention, config: { ...one.config, [key]: value } };
  let after: Theirs;
  try {
    after = await ask(python, changed, folder);
  } catch (error) {
    return { ...tried, outcome: "refused there", says: String(error).split("\n").at(-1)!.slice(0, 120) };
  }
  try {
    const { logits } = await compare(changed, after);
    if (!(logits < 1e-4)) return { ...tried, outcome: "silent", says: `${logits} apart` };
    return { ...tried, outcome: changes(before, after) ? "followed" : "changes nothing" };
  } catch (error) {
    const says = error instanceof Error ? error.message : String(error);
    if (names(key, says)) return { ...tried, outcome: "named" };
    return { ...tried, outcome: "other error", says: says.slice(0, 200) };
  }
};

const main = async (text: string): Promise<void> => {
  const python = openPython("models/models.py");
  const folder = mkdtempSync(`${tmpdir()}/peft-keys-`);
  const path = new URL("fixtures/keys.json", import.meta.url);
  const kept = (): Tried[] => {
    try {
      return JSON.parse(readFileSync(path, "utf8")) as Tried[];
    } catch {
      return [];
    }
  };
  for (const one of firsts.filter(({ name }) => name.includes(text))) {
    const found: Tried[] = [];
    const before = await ask(python, one, `${folder}/${one.name}`, undefined, true);
    const whole = before.whole!;
    for (const [key, value] of Object.entries(whole)) {
      if (outside.test(key)) continue;
      for (const other of others(key, value)) found.push(await outcomeOf(python, one, before, key, other, `${folder}/other`));
    }
    for (const { key, value, outcome, says } of found)
      if (outcome === "silent" || outcome === "other error") console.log(`${one.name} ${key}=${JSON.stringify(value)}: ${outcome} ${says}`);
    console.log(`${one.name}: ${found.length} values`);
    const all = [...kept().filter((tried) => tried.case !== one.name), ...found];
    writeFileSync(path, `[\n${all.map((tried) => JSON.stringify(tried)).join(",\n")}\n]\n`);
  }
  python.close();
  rmSync(folder, { recursive: true, force: true });
};

await main(process.argv[2] ?? "");
