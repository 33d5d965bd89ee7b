// Real pretrained models, against numbers that another implementation wrote down: logits to 1e-4, greedy text token for token.
// Software Vulkan takes half a second per token, so on webgpu fewer rows and tokens are looked at.

import { readFileSync } from "node:fs";
import { assert, group } from "../harness.ts";
import { shared, without } from "../runtime/shared.ts";
import { missing as webgpuMissing } from "../webgpu/run-segment.ts";
import { apart, type Opened, withModel } from "./opened.ts";

const toWrite = (model: string, length: number, kind: "cpu" | "webgpu", body: (opened: Opened) => Promise<void>): Promise<void> =>
  withModel(
    model,
    `metrics: [loss]  generate: greedy(max_new_tokens: ${length})  micro_batch_size: 1  sequence_len: ${length}`,
    kind,
    body,
  );

const expected = (model: string): Record<string, never> =>
  JSON.parse(readFileSync(shared(`${model}/expected.json`), "utf8")) as Record<string, never>;

const stories = "models/stories260k";
const sort = "models/gpt-nano-sort";

group("pretrained", (test) => {
  for (const kind of ["cpu", "webgpu"] as const) {
    const skip = (model: string): string | undefined =>
      without(`${model}/expected.json`) ?? (kind === "webgpu" ? webgpuMissing : undefined);

    test(
      `stories260k on ${kind}: logits to 1e-4, greedy text token for token`,
      () =>
        toWrite(stories, 128, kind, async ({ logits, greedy }) => {
          const { input_ids, logits_last, logits_first_8_columns, greedy_from_bos } = expected(stories) as unknown as {
            input_ids: number[];
            logits_last: number[];
            logits_first_8_columns: number[][];
            greedy_from_bos: number[];
          };
          const at = input_ids.map((_, i) => i).filter((i) => kind === "cpu" || i % 8 === 7);
          const ours = await logits("model", input_ids, at);
          assert.ok(apart(ours.at(-1), logits_last) < 1e-4, `last row ${apart(ours.at(-1), logits_last)}`);
          const columns = ours.map((row) => row.slice(0, 8));
          const theirs = at.map((i) => logits_first_8_columns[i]);
          assert.ok(apart(columns, theirs) < 1e-4, `first columns ${apart(columns, theirs)}`);
          const written = kind === "cpu" ? greedy_from_bos : greedy_from_bos.slice(0, 41);
          assert.equal([1, ...(await greedy("model", [1], written.length - 1))], written);
        }),
      { skip: skip(stories) },
    );

    test(
      `gpt-nano-sort on ${kind}: logits to 1e-4`,
      () =>
        toWrite(sort, 11, kind, async ({ logits }) => {
          const { input_ids, logits: rows } = expected(sort) as unknown as { input_ids: number[][]; logits: number[][][] };
          for (const [i, ids] of input_ids.entries()) {
            const ours = await logits("model", ids);
            assert.ok(apart(ours, rows[i]) < 1e-4, `row ${i}: ${apart(ours, rows[i])}`);
          }
        }),
      { skip: skip(sort) },
    );
  }
});
