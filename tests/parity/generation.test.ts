// Generation beside transformers, token for token, on a real pretrained model: greedy and beams with each of their settings, several
// prompts of different length in one batch here, one by one there. Ids that end an answer are common ones, so that beams do end.

import type { Generation } from "../../spec/job.ts";
import { assert, group } from "../harness.ts";
import { shared, without } from "../runtime/shared.ts";
import { missing as webgpuMissing } from "../webgpu/run-segment.ts";
import { type Opened, withModel } from "./opened.ts";
import { python, pythonMissing } from "./python.ts";

const stories = "models/stories260k";
// Once upon a time; One day; Lily; a name, a full stop, a run of ids: five lengths.
const prompts = [
  [1, 403, 407, 261, 378],
  [1, 385, 328, 432],
  [1, 396, 402, 314, 419, 261, 269, 286, 400],
  [1, 317],
  [1, 261, 335, 268, 266, 432, 261],
];
const length = 24;

const cases: readonly { readonly settings: Generation; readonly stops: readonly number[] }[] = [
  { settings: { kind: "greedy", max_new_tokens: length }, stops: [2] },
  { settings: { kind: "greedy", max_new_tokens: length, repetition_penalty: 1.3, no_repeat_ngram_size: 3 }, stops: [2] },
  { settings: { kind: "beam", width: 4, max_new_tokens: length }, stops: [2] },
  // 426 is the full stop: answers end inside the search, at different lengths.
  { settings: { kind: "beam", width: 4, max_new_tokens: length }, stops: [426] },
  { settings: { kind: "beam", width: 3, max_new_tokens: length, length_penalty: 2 }, stops: [426, 432] },
  { settings: { kind: "beam", width: 4, max_new_tokens: length, length_penalty: 0 }, stops: [426] },
  { settings: { kind: "beam", width: 5, max_new_tokens: length, early_stopping: true, no_repeat_ngram_size: 2 }, stops: [426] },
  { settings: { kind: "beam", width: 2, max_new_tokens: length, early_stopping: "never", repetition_penalty: 1.2 }, stops: [432] },
];

const optionsOf = ({ settings, stops }: (typeof cases)[number]): Record<string, unknown> => {
  const { kind: _, width, ...rest } = settings;
  return { ...rest, do_sample: false, num_beams: width ?? 1, eos_token_id: [...stops] };
};

const onStories = (kind: "cpu" | "webgpu", rows: number, body: (opened: Opened) => Promise<void>): Promise<void> =>
  withModel(stories, `generate: beam(max_new_tokens: ${length}, width: 5)  micro_batch_size: ${rows}  sequence_len: 16`, kind, body);

group("generation", (test) => {
  test(
    "greedy and beams write what transformers writes, alone and in a batch",
    async () => {
      const input = {
        model: shared(stories),
        cases: cases.flatMap((one) => prompts.map((prompt) => ({ prompt, options: optionsOf(one) }))),
      };
      const { answers } = (await python("generate.py", input)) as { answers: number[][] };
      await onStories("cpu", 3, async ({ write }) => {
        for (const [i, { settings, stops }] of cases.entries()) {
          const theirs = answers.slice(i * prompts.length, (i + 1) * prompts.length);
          const ours = await write("model", prompts, settings, stops);
          for (const [k, ids] of theirs.entries())
            assert.equal([...ours[k]!], ids, `${JSON.stringify(settings)} stops ${stops}, prompt ${k}`);
        }
      });
    },
    { skip: pythonMissing ?? without(`${stories}/config.json`) },
  );

  test(
    "a batch writes what each prompt writes by itself, sampled or not; a seed repeats and another differs",
    () =>
      onStories("cpu", 2, async ({ write }) => {
        const settings: Generation = { kind: "sample", max_new_tokens: 12, temperature: 0.9, top_k: 40, top_p: 0.95, min_p: 0.02, seed: 3 };
        const together = await write("model", prompts, settings, [2]);
        assert.equal(await write("model", prompts, settings, [2]), together);
        assert.not.equal(await write("model", prompts, { ...settings, seed: 4 }, [2]), together);
        const beams: Generation = { kind: "beam", width: 3, max_new_tokens: 12 };
        const searched = await write("model", prompts, beams, [426]);
        for (const [i, prompt] of prompts.entries()) assert.equal((await write("model", [prompt], beams, [426]))[0], searched[i]);
      }),
    { skip: without(`${stories}/config.json`) },
  );

  test(
    "webgpu writes what the cpu writes: rows of caches move the same way",
    async () => {
      const settings: Generation = { kind: "beam", width: 3, max_new_tokens: 6 };
      const written: (readonly (readonly number[])[])[] = [];
      for (const kind of ["cpu", "webgpu"] as const)
        await onStories(kind, 1, async ({ write }) => {
          written.push(await write("model", prompts.slice(0, 2), settings, [426]));
        });
      assert.equal(written[1], written[0]);
    },
    { skip: without(`${stories}/config.json`) ?? webgpuMissing },
  );
});
