// What config.json asks for is computed or refused by its key: what keys.ts found when every key of every architecture was given other
// values beside transformers (fixtures/keys.json), and that what was refused still is.

import { readFileSync } from "node:fs";
import { assert, group } from "../../harness.ts";
import type { Theirs } from "./compare.ts";
import { firsts, names, type Tried } from "./key-outcomes.ts";
import { compiled, inFolder, pipelineOf } from "./session.ts";

const read = (name: string): unknown => JSON.parse(readFileSync(new URL(`fixtures/${name}.json`, import.meta.url), "utf8"));
const tried = read("keys") as readonly Tried[];

group("keys of config.json", (test) => {
  test("every architecture was tried, and no value passes in silence", () => {
    const counts = new Map(
      firsts.map(({ name }) => [name, tried.filter((one) => one.case === name && one.outcome !== "refused there").length]),
    );
    assert.equal(
      [...counts].filter(([, count]) => count < 10),
      [],
    );
    assert.equal(
      tried.filter(({ outcome }) => outcome === "silent"),
      [],
    );
    // Sizes that do not divide are told as what they lead to.
    assert.equal(
      tried.filter(
        ({ outcome, key }) =>
          outcome === "other error" && !/^(hidden_size|num_attention_heads|n_embd|n_head|dim|n_heads|d_model|patch_size)$/.test(key),
      ),
      [],
    );
  });

  for (const one of firsts)
    test(`${one.name}: what it does not compute is named`, async () => {
      const { config, tensors } = read(one.name) as Theirs;
      for (const { key, value } of tried.filter((other) => other.case === one.name && other.outcome === "named")) {
        const said = await inFolder({ config: { ...config, [key]: value }, tensors }, (folder) =>
          compiled(folder, pipelineOf(one, "= tune() into model.**"), "plan").then(
            () => "nothing",
            (error) => String(error),
          ),
        );
        assert.ok(names(key, said), `${key}: ${JSON.stringify(value)}: ${said}`);
      }
    });
});
