// What holds for every metric in the list, whatever it measures, and for resampling.

import fc from "fast-check";
import { intervals } from "../../runtime/metrics/bootstrap.ts";
import { metrics } from "../../runtime/metrics/list.ts";
import { type Item, scoreItems, type TextMetric } from "../../runtime/metrics/metric.ts";
import { approximateRandomisation, pairedBootstrap } from "../../runtime/metrics/paired.ts";
import { assert, group } from "../harness.ts";
import { score, textMetric, withDefaults } from "./score.ts";

const texts = metrics.filter((metric): metric is TextMetric => metric.of === "text");
const word = fc.constantFrom("the", "cat", "sat", "on", "a", "mat", "mats", "running", "ran", ".", ",", "3.5", "é");
const text = fc.array(word, { maxLength: 9 }).map((words) => words.join(" "));
const item: fc.Arbitrary<Item> = fc.record({ hypothesis: text, references: fc.array(text, { minLength: 1, maxLength: 3 }) });
const many = fc.array(item, { minLength: 1, maxLength: 6 });
const close = (a: number, b: number): boolean => Math.abs(a - b) < 1e-9 * Math.max(1, Math.abs(a));

group("laws of metrics", (test) => {
  test("names and scores are said once, defaults are of their type", () => {
    const names = metrics.map(({ name }) => name);
    assert.is(new Set(names).size, names.length);
    const scores = metrics.flatMap((metric) => metric.scores);
    assert.is(new Set(scores).size, scores.length);
    for (const { name, default: value, type } of metrics.flatMap(({ parameters }) => parameters))
      assert.ok(
        typeof type === "object" ? type.oneOf.includes(String(value)) : typeof value === (type === "bool" ? "boolean" : "number"),
        name,
      );
  });

  for (const metric of texts)
    test(`${metric.name}: finite for any text, the same in any order of items and of references`, () => {
      const make = () => metric.make(withDefaults(metric));
      fc.assert(
        fc.property(many, (items) => {
          const forward = scoreItems(make(), items);
          assert.equal(Object.keys(forward), [...metric.scores]);
          for (const [name, value] of Object.entries(forward)) assert.ok(Number.isFinite(value), `${name} is ${value}`);
          const turned = [...items].reverse();
          const backward = scoreItems(make(), turned);
          for (const name of metric.scores)
            assert.ok(close(forward[name]!, backward[name]!), `${name}: ${forward[name]}, ${backward[name]}`);
          // The first reference is the label; of equally good ones sacrebleu and METEOR count the first.
          if (["classification", "chrf", "meteor"].includes(metric.name)) return;
          const swapped = scoreItems(
            make(),
            items.map(({ hypothesis, references }) => ({ hypothesis, references: [...references].reverse() })),
          );
          for (const name of metric.scores) assert.ok(close(forward[name]!, swapped[name]!), `${name} depends on the references' order`);
        }),
        { numRuns: 100, seed: 3 },
      );
    });

  const perfect = {
    rouge1: 1,
    rouge2: 1,
    rougeL: 1,
    rougeLsum: 1,
    rouge_l: 1,
    bleu: 100,
    chrf: 100,
    exact_match: 1,
    accuracy: 1,
    f1: 1,
    mcc: 1,
  };
  test("a text that is its reference has the best score there is, and another text a lower one", () => {
    const references = [
      "the quick brown fox jumps over it",
      "a slow green turtle sleeps under them all",
      "nobody saw what the two had done",
    ];
    const same = references.map((reference) => ({ hypothesis: reference, references: [reference] }));
    const other = references.map((reference, i) => ({ hypothesis: references[(i + 1) % 3]!, references: [reference] }));
    for (const metric of texts) {
      const [best, worse] = [score(metric.name, same), score(metric.name, other)];
      for (const name of metric.scores) {
        if (name in perfect) assert.ok(close(best[name]!, perfect[name as keyof typeof perfect]), `${name} is ${best[name]}`);
        assert.ok(worse[name]! < best[name]!, `${name}: ${worse[name]} is not below ${best[name]}`);
      }
    }
    assert.ok(close(score("cider", same).cider!, 10));
    // Counts add up over the split, chunks too, so METEOR of many perfect items is below that of one.
    assert.ok(close(score("meteor", same.slice(0, 1)).meteor!, 1));
  });

  test("intervals hold the score, repeat, and narrow with more items", () => {
    const make = (count: number): Item[] =>
      Array.from({ length: count }, (_, i) => ({
        hypothesis: i % 3 ? "the cat sat on the mat" : "a dog",
        references: ["the cat sat on a mat"],
      }));
    const metric = textMetric("bleu").make(withDefaults(textMetric("bleu")));
    const width = (count: number): number => {
      const vectors = metric.statistics(make(count));
      const [first, again] = [intervals(metric, vectors), intervals(metric, vectors)];
      assert.equal(first, again);
      const value = score("bleu", make(count)).bleu!;
      assert.ok(first.bleu!.low <= value && value <= first.bleu!.high);
      return first.bleu!.high - first.bleu!.low;
    };
    assert.ok(width(300) < width(30));
  });

  test("a paired test finds a real difference and none between a system and itself", () => {
    const references = Array.from({ length: 60 }, (_, i) => `place ${i} serves cheap food by the river`);
    const system = (wrong: (i: number) => boolean): Item[] =>
      references.map((reference, i) => ({ hypothesis: wrong(i) ? `place ${i} is nice` : reference, references: [reference] }));
    const metric = textMetric("rouge").make(withDefaults(textMetric("rouge")));
    const [good, bad] = [system((i) => i % 10 === 0), system((i) => i % 2 === 0)].map((items) => metric.statistics(items));
    for (const test of [pairedBootstrap, approximateRandomisation]) {
      assert.ok(test(metric, bad!, good!).rouge1!.p < 0.01);
      assert.ok(test(metric, bad!, good!).rouge1!.difference > 0);
      assert.is(test(metric, good!, good!).rouge1!.p, 1);
      assert.equal(test(metric, bad!, good!), test(metric, bad!, good!));
    }
  });
});
