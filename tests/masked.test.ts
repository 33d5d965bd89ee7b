// Hidden tokens: their law beside transformers' collator, that they follow from seed and epoch, that what is to be told is what was hidden,
// and a masked model that learns; and what does not fit is said.

import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { fillBatch, planEpoch } from "../runtime/data/batches.ts";
import type { Examples } from "../runtime/data/examples.ts";
import { hiddenIn } from "../runtime/data/hidden.ts";
import type { Result } from "../spec/result.ts";
import { peftIn } from "./checker/peft-in.ts";
import { assert, group } from "./harness.ts";
import { python, pythonMissing } from "./parity/python.ts";

const [mask, words, share] = [3, 50, 0.15];

/** Rows of a first and a last token that are never hidden, and others between. */
const examplesOf = (count: number, length: number): Examples => {
  const ids = Int32Array.from({ length: count * length }, (_, i) =>
    i % length === 0 ? 1 : i % length === length - 1 ? 2 : 4 + ((i * 7) % 46),
  );
  return {
    count,
    ids,
    labels: new Uint8Array(ids.length),
    starts: Int32Array.from({ length: count + 1 }, (_, i) => i * length),
    rows: Int32Array.from({ length: count }, (_, i) => i + 1),
    hiding: { share, mask, words, never: new Set([0, 1, 2, 3]) },
  };
};

interface Law {
  readonly hidden: number;
  readonly masked: number;
  readonly other: number;
  readonly same: number;
}

const lawOf = (examples: Examples, epochs: number): Law => {
  const counts = { all: 0, hidden: 0, masked: 0, other: 0, same: 0 };
  for (let epoch = 0; epoch < epochs; epoch++) {
    const { ids, labels, originals } = hiddenIn(examples, 5, epoch);
    for (const [i, id] of originals!.entries()) {
      if (examples.hiding!.never.has(id)) {
        assert.is(labels[i], 0, "a special token was hidden");
        assert.is(ids[i], id);
        continue;
      }
      counts.all++;
      if (labels[i] === 0) {
        assert.is(ids[i], id, "a token that is not hidden was changed");
        continue;
      }
      counts.hidden++;
      counts[ids[i] === mask ? "masked" : ids[i] === id ? "same" : "other"]++;
    }
  }
  const { all, hidden, masked, other, same } = counts;
  return { hidden: hidden / all, masked: masked / hidden, other: other / hidden, same: same / hidden };
};

/** Whether two shares, each counted over about n draws, are of one law: five deviations of their difference. */
const alike = (a: number, b: number, n: number): boolean => Math.abs(a - b) < 5 * Math.sqrt((2 * a * (1 - a)) / n);

const laws = (ours: Law, theirs: Law, n: number): string[] =>
  (["hidden", "masked", "other", "same"] as const).flatMap((name) =>
    alike(ours[name], theirs[name], name === "hidden" ? n : n * share) ? [] : [`${name}: ${ours[name]}, theirs ${theirs[name]}`],
  );

const example = fileURLToPath(new URL("../examples/classify/shape/", import.meta.url));

/** A small encoder with a mask token, and rows that it can learn. */
const inWorld = async (body: (folder: string) => Promise<void>, named = true): Promise<void> => {
  const folder = mkdtempSync(`${tmpdir()}/peft-masked-`);
  try {
    mkdirSync(`${folder}/base`);
    const read = (name: string) => JSON.parse(readFileSync(`${example}${name}`, "utf8")) as Record<string, unknown>;
    const tokenizer = read("tokenizer.json");
    const [unknown] = tokenizer.added_tokens as readonly object[];
    const added = [...(tokenizer.added_tokens as readonly object[]), { ...unknown, id: 384, content: "<mask>" }];
    const config = { ...read("config.json"), architectures: ["BertForMaskedLM"], vocab_size: 385 };
    writeFileSync(`${folder}/base/config.json`, JSON.stringify(config));
    writeFileSync(`${folder}/base/tokenizer.json`, JSON.stringify({ ...tokenizer, added_tokens: added }));
    if (named)
      writeFileSync(`${folder}/base/tokenizer_config.json`, JSON.stringify({ ...read("tokenizer_config.json"), mask_token: "<mask>" }));
    else copyFileSync(`${example}tokenizer_config.json`, `${folder}/base/tokenizer_config.json`);
    const [who, what] = [
      ["Ada", "Bob", "Cleo"],
      ["potter sells bowls", "baker sells bread", "painter sells pictures"],
    ];
    writeFileSync(
      `${folder}/rows.txt`,
      Array.from({ length: 60 }, (_, i) => `${who[(i * 5) % 3]} the ${what[(i * 7 + (i >> 2)) % 3]} in the old town every day\n`).join(""),
    );
    await body(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

const pipeline = (more = ""): string => `peft 1
base reader = blank("base/")
adapter menu {
  lora(r: 4) into reader.layers.**
  tune() into reader.embed, reader.transform
}
data texts { train = text("rows.txt")  eval = held_out(20%, of: train)  answer = "{text}"  masked = 15% }
train menu on texts { optimizer: adamw(learning_rate: 1e-2)  epochs: 6  micro_batch_size: 16  seed: 3 }
evaluate menu, reader on texts { metrics: [loss, perplexity, token_accuracy] ${more} }
`;

group("masked", (test) => {
  test(
    "tokens are hidden by the law of transformers' collator",
    async () => {
      const [count, length, times] = [40, 102, 20];
      const examples = examplesOf(count, length);
      const ids = Array.from({ length: count }, (_, i) => [...examples.ids.subarray(i * length, (i + 1) * length)]);
      const theirs = (await python("masked.py", { ids, special: [0, 1, 2, 3], mask, words, share, times })) as Law;
      const n = count * (length - 2) * times;
      assert.equal(laws(lawOf(examples, times), theirs, n), []);
      // A law that is a tenth off is seen.
      const wrong = { ...examples, hiding: { ...examples.hiding!, share: share * 1.1 } };
      assert.ok(laws(lawOf(wrong, times), theirs, n).length > 0);
    },
    { skip: pythonMissing },
  );

  test("what is hidden follows from seed and epoch alone, and differs between them", () => {
    const examples = examplesOf(6, 30);
    const one = hiddenIn(examples, 5, 2);
    assert.equal(hiddenIn(examples, 5, 2), one);
    for (const other of [hiddenIn(examples, 5, 3), hiddenIn(examples, 6, 2)]) assert.not.equal(other.ids, one.ids);
    const { hiding: _, ...plain } = examples;
    assert.is(hiddenIn(plain, 5, 2), plain);
  });

  test("every row has a hidden token, and a batch tells each at its own place", () => {
    const examples = hiddenIn(examplesOf(200, 4), 1, 0);
    const plan = planEpoch(examples, { size: 8, order: "shuffled", seed: 1, epoch: 0 });
    for (const planned of plan) {
      const batch = fillBatch(examples, planned, 8);
      assert.is(batch.rows.length, planned.labels);
      assert.ok(planned.labels >= planned.examples.length);
      const told = new Set(Array.from(batch.rows, (at) => Math.floor(at / batch.t)));
      assert.is(told.size, batch.b, "a row without a hidden token");
      for (const [i, at] of batch.rows.entries()) {
        const place = examples.starts[planned.examples[Math.floor(at / batch.t)]!]! + (at % batch.t);
        assert.is(batch.targets[i], examples.originals![place]);
        assert.is(batch.ids[at], examples.ids[place]);
      }
    }
  });

  test("a masked model learns, and is scored on what is hidden", async () => {
    await inWorld(async (folder) => {
      writeFileSync(`${folder}/it.peft`, pipeline());
      const { code, err } = await peftIn(folder, "run it.peft -o out --device cpu");
      assert.is(code, 0, err);
      const { evaluate } = JSON.parse(readFileSync(`${folder}/out/result.json`, "utf8")) as Result;
      const [menu, reader] = ["menu", "reader"].map((name) => evaluate.find(({ subject }) => subject === name)!.metrics);
      assert.ok(menu!.loss! < reader!.loss! - 1, `${menu!.loss} after ${reader!.loss}`);
      assert.ok(Math.abs(Math.log(menu!.perplexity!) - menu!.loss!) < 1e-6);
      assert.ok(menu!.token_accuracy! > reader!.token_accuracy!);
      const shown = await peftIn(folder, "data it.peft");
      assert.match(shown.out, "<mask>");
    });
  });

  test("a tokenizer without a mask token, and text that is asked for, are said", async () => {
    await inWorld(async (folder) => {
      writeFileSync(`${folder}/it.peft`, pipeline());
      assert.match((await peftIn(folder, "check --data it.peft")).out, "PEFT0464");
    }, false);
    await inWorld(async (folder) => {
      writeFileSync(`${folder}/it.peft`, pipeline("generate: greedy(max_new_tokens: 2)"));
      assert.match((await peftIn(folder, "check it.peft")).out, "PEFT0463");
    });
  });
});
