// What a `train` block says about time, found without a budget that asks for the plan.

import { compile } from "../../compiler/compile.ts";
import { llamaConfig, memoryHost } from "../compiler/support.ts";
import { assert, group } from "../harness.ts";

const codes = async (train: string, more = ""): Promise<readonly string[]> => {
  const text = `peft 1
base tiny = blank("base/")
adapter some = lora(r: 4) into tiny.layers.**
data rows { train = text("rows.txt")  answer = "{text}" }
train some on rows { ${train} }
${more}`;
  const { diagnostics } = await compile(
    { file: "main.peft", goal: "check" },
    memoryHost({ "main.peft": text, "base/config.json": JSON.stringify(llamaConfig) }),
  );
  return diagnostics.map(({ code }) => code);
};

const adamw = "optimizer: adamw(learning_rate: 1e-3)";

group("training checks", (test) => {
  test("an optimizer's and a schedule's arguments are checked with nothing that needs the plan", async () => {
    assert.equal(await codes("optimizer: adamw(lr: 1e-3)  steps: 5"), ["PEFT0306"]);
    assert.equal(await codes(`${adamw}  schedule: cosin()  steps: 5`), ["PEFT0322"]);
    assert.equal(await codes(`${adamw}  schedule: cosine(warmup: 0.03)  steps: 5`), ["PEFT0304"]);
    assert.equal(await codes(`${adamw}  schedule: cosine(warmup: 20%)  steps: 50`), []);
  });

  test("the rate is followed over the steps, whatever the schedule is", async () => {
    assert.equal(await codes(`${adamw}  schedule: cosine(warmup: 500 steps)  steps: 100`), ["PEFT0539"]);
    assert.equal(await codes(`${adamw}  schedule: cosine(warmup: 500 steps)  epochs: 3`), []);
    assert.equal(await codes(`${adamw}  schedule: linear(floor: -1)  steps: 100`), ["PEFT0540"]);
    assert.equal(await codes(`${adamw}  schedule: mine()  steps: 100`, "schedule mine() = 0.5 - step / total"), ["PEFT0540"]);
    assert.equal(await codes(`${adamw}  schedule: mine()  steps: 100`, "schedule mine() = 1 / (step - 50)"), ["PEFT0540"]);
    assert.equal(await codes(`${adamw}  schedule: mine()  steps: 100000000`, "schedule mine() = 0.01"), ["PEFT0539"]);
  });

  test("state that would never be saved", async () => {
    assert.equal(await codes(`${adamw}  steps: 100  checkpoint: every 200 steps`), ["PEFT0541"]);
    assert.equal(await codes(`${adamw}  steps: 100  checkpoint: every 100 steps`), []);
    assert.equal(await codes(`${adamw}  steps: 100  checkpoint: every 2 epochs`), []);
  });
});
