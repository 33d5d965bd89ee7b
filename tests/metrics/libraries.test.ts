// The metrics against the libraries that define them, on real outputs, real summaries and text made to be awkward. One Python process.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { random } from "../../examples/base/world.ts";
import { classification } from "../../runtime/metrics/classification.ts";
import { type Item, scoreItems } from "../../runtime/metrics/metric.ts";
import { approximateRandomisation, pairedBootstrap } from "../../runtime/metrics/paired.ts";
import { assert, group } from "../harness.ts";
import { python } from "../parity/python.ts";
import { shared, without } from "../runtime/shared.ts";
import { score, textMetric, withDefaults } from "./score.ts";

const probe = spawnSync("python3", ["-c", "import rouge_score, sacrebleu, sklearn"], { timeout: 60_000 });
const skip = probe.status === 0 ? undefined : "python3 lacks rouge-score, sacrebleu or scikit-learn";

const awkward: readonly Item[] = [
  { hypothesis: "The dog bit the man.", references: ["The dog bit the man.", "The dog had bit the man."] },
  { hypothesis: "", references: ["It was not unexpected.", "No one was surprised."] },
  { hypothesis: "It cost $1,234.56 -- 5% off (today)!", references: ["It cost 1,234.56 dollars, 5% off today.", "A-b c/d_e 3-4"] },
  { hypothesis: "Producția de zahăr primă\nva fi exprimată", references: ["producţia de zahăr brut\nse exprimă în zahăr alb;"] },
  { hypothesis: "日本語の テキスト。 そして 😀 emoji", references: ["日本語のテキスト。 そして emoji 😀!"] },
  { hypothesis: "He said &quot;no&quot; &amp; left 3.", references: ['He said "no" & left 3.', "he'd said no"] },
  { hypothesis: "skies dying flies tied agreed running happily generously", references: ["sky die fly tie agree run happy generous"] },
];

const systems = (): Item[][] => {
  const sets: Item[][] = [[...awkward]];
  if (!without("metrics/ukp")) {
    const multi = readFileSync(shared("e2e/valid_multi.jsonl"), "utf8").trim().split("\n");
    const outputs = readFileSync(shared("metrics/ukp/seed1/predictions.epoch16"), "utf8").trim().split("\n").slice(0, 150);
    sets.push(outputs.map((hypothesis, i) => ({ hypothesis, references: (JSON.parse(multi[i]!) as { references: string[] }).references })));
  }
  if (!without("dialogue/dialogsum.dev.jsonl")) {
    const rows = readFileSync(shared("dialogue/dialogsum.dev.jsonl"), "utf8").trim().split("\n").slice(0, 60);
    const parsed = rows.map((row) => JSON.parse(row) as { dialogue: string; summary: string });
    // The lead of a dialogue as its summary: a baseline with real text and several lines.
    sets.push(parsed.map(({ dialogue, summary }) => ({ hypothesis: dialogue.split("\n").slice(0, 3).join("\n"), references: [summary] })));
  }
  return sets;
};

const labels = [
  { predicted: ["a", "b", "b", "c", "a", "a"], true: ["a", "b", "c", "c", "b", "a"] },
  { predicted: ["yes", "yes", "no", "maybe"], true: ["yes", "no", "no", "no"] },
  { predicted: ["x", "x", "x"], true: ["x", "y", "x"] },
];

/** Two systems that write a sentence each, better and worse at random, and the same again with one word changed. */
const rivals = (): { readonly first: string[]; readonly second: string[]; readonly references: string[] }[] => {
  const next = random(3);
  const words = "the a place serves cheap food near river and it is rated five out of high low".split(" ");
  const sentence = (): string[] => Array.from({ length: 8 + Math.floor(8 * next()) }, () => words[Math.floor(next() * words.length)]!);
  const spoilt = (text: readonly string[], share: number): string =>
    text.map((word) => (next() < share ? words[Math.floor(next() * words.length)]! : word)).join(" ");
  const texts = Array.from({ length: 30 }, sentence);
  const references = texts.map((text) => text.join(" "));
  return [0.34, 0.31].map((share) => ({
    first: texts.map((text) => spoilt(text, 0.3)),
    second: texts.map((text) => spoilt(text, share)),
    references,
  }));
};

group("metrics against the libraries", (test) => {
  test(
    "rouge-score, sacrebleu and scikit-learn give the same numbers",
    async () => {
      const sets = systems();
      const input = {
        sets: sets.map((items) => ({ hypotheses: items.map((i) => i.hypothesis), references: items.map((i) => i.references) })),
        labels,
        paired: rivals(),
      };
      const answer = (await python("metric_scores.py", input)) as {
        sets: Record<string, number>[];
        labels: Record<string, number>[];
        paired: { draws: { bs: number[][]; ar: number[][] }; p: Record<string, number> }[];
      };
      let compared = 0;
      const same = (what: string, ours: number, theirs: number): void => {
        compared++;
        assert.ok(Math.abs(ours - theirs) < 1e-9 * Math.max(1, Math.abs(theirs)), `${what}: ${ours} and ${theirs}`);
      };
      for (const [i, items] of sets.entries()) {
        const theirs = answer.sets[i]!;
        for (const [key, value] of Object.entries(theirs)) {
          const [name, first, second] = key.split(" ") as [string, string, string];
          const ours =
            name === "bleu" && first === "smooth"
              ? score("bleu", items, { smooth: second }).bleu
              : name === "bleu" && first === "order"
                ? score("bleu", items, { order: Number(second) }).bleu
                : name === "bleu"
                  ? score("bleu", items, { tokenize: first, lowercase: second === "True" }).bleu
                  : name.startsWith("chrf")
                    ? score("chrf", items, { word_order: name === "chrf" ? 0 : 2 }).chrf
                    : score("rouge", items, { stem: first === "True" })[name];
          same(`set ${i}, ${key}`, ours!, value);
        }
      }
      for (const [i, { predicted, true: truth }] of labels.entries()) {
        const items = predicted.map((hypothesis, k) => ({ hypothesis, references: [truth[k]!] }));
        for (const [name, value] of Object.entries(scoreItems(classification.make({}), items)))
          same(`labels ${i}, ${name}`, value, answer.labels[i]![name]!);
      }
      for (const [i, { first, second, references }] of rivals().entries()) {
        const { draws, p } = answer.paired[i]!;
        const itemsOf = (texts: readonly string[]): Item[] => texts.map((hypothesis, k) => ({ hypothesis, references: [references[k]!] }));
        for (const [name, key] of [
          ["bleu", "BLEU"],
          ["chrf", "chrF2"],
        ] as const) {
          const metric = textMetric(name).make(withDefaults(textMetric(name)));
          const [a, b] = [metric.statistics(itemsOf(first)), metric.statistics(itemsOf(second))];
          // In their shuffles a draw says where the first system stays, in ours where the two change places.
          const moved = draws.ar.map((draw) => draw.map((stays) => 1 - stays));
          const [resampled, shuffled] = [pairedBootstrap(metric, a, b, draws.bs), approximateRandomisation(metric, a, b, moved)];
          same(`difference, ${name}`, resampled[name]!.difference, p[`difference ${key}`]!);
          same(`paired bootstrap, ${name}`, resampled[name]!.p, p[`bs ${key}`]!);
          same(`approximate randomisation, ${name}`, shuffled[name]!.p, p[`ar ${key}`]!);
          // With draws of our own, within what so many draws leave to chance.
          const own = [pairedBootstrap(metric, a, b)[name]!.p, approximateRandomisation(metric, a, b)[name]!.p];
          for (const [k, theirs] of [p[`bs ${key}`]!, p[`ar ${key}`]!].entries())
            assert.ok(
              Math.abs(own[k]! - theirs) < 4 * Math.sqrt((theirs * (1 - theirs)) / 1000) + 2e-3,
              `${name}: ${own[k]} and ${theirs}`,
            );
        }
      }
      assert.ok(compared >= 32, `${compared} numbers were compared`);
    },
    { skip },
  );
});
