// Other tools' files: what is written of them, key by key, and what is said of the rest. The values that arrive are read back from the
// compiled pipeline, not from its text.

import fc from "fast-check";
import { adapterFiles } from "../../compiler/adapters/adapter-files.ts";
import { format } from "../../grammar/format.ts";
import { parse } from "../../grammar/parse.ts";
import { fillTemplate, parseTemplate } from "../../runtime/data/template.ts";
import { assert, group } from "../harness.ts";
import { compiled, fateOf, importText, libraryWith } from "./support.ts";

const axolotl = `base_model: models/tiny
datasets:
  - path: rows.jsonl
    type: completion
    field: story
adapter: lora
lora_r: 16
lora_alpha: 32
lora_dropout: 0.05
lora_target_modules: [q_proj, v_proj]
sequence_len: 128
micro_batch_size: 2
gradient_accumulation_steps: 4
num_epochs: 3
optimizer: adamw_bnb_8bit
learning_rate: 2e-4
weight_decay: 0.1
lr_scheduler: cosine
warmup_steps: 10
save_steps: 50
save_total_limit: 3
logging_steps: 5
bf16: auto
flash_attention: true
wandb_project: stories
lora_model_dir:
`;

const written = `peft 1

base model = checkpoint("models/tiny/")

adapter tuned = lora(r: 16, alpha: 32, dropout: 0.05) into model."**.q_proj", model."**.v_proj"

data rows {
  train = jsonl("rows.jsonl")
  answer = "{story}"
}

train tuned on rows {
  optimizer: adamw(learning_rate: 0.0002, weight_decay: 0.1) store m as signed8() store v as unsigned8()
  schedule: cosine(warmup: 10 steps)
  epochs: 3
  micro_batch_size: 2
  gradient_accumulation_steps: 4
  sequence_len: 128
  overlong: drop
  max_grad_norm: 1.0
  seed: 42
  checkpoint: every 50 steps keep 3
  log: every 5 steps
}
`;

const pipelineOf = (text: string): string => text.slice(text.indexOf("peft 1"));

group("import", (test) => {
  test("an Axolotl file, whole", () => {
    const imported = importText(axolotl);
    assert.is(pipelineOf(imported.text), written);
    assert.equal(
      imported.outcomes.filter(({ fate }) => fate === "lost" || fate === "dropped"),
      [],
    );
    assert.is(fateOf(imported, "wandb_project"), "outside");
    assert.is(fateOf(imported, "flash_attention"), "settled");
    assert.is(fateOf(imported, "lora_model_dir"), "unset");
    assert.is(fateOf(imported, "datasets.0.type"), "carried");
  });

  test("its values arrive in the compiled pipeline", async () => {
    const { diagnostics, checked } = await compiled(importText(axolotl).text, "models/tiny");
    // What it trains of a model this small keeps its state in f32, there as here.
    assert.equal(
      diagnostics.map(({ code }) => code),
      ["PEFT0662"],
    );
    const [train] = checked!.trains;
    assert.is(train!.micro_batch_size, 2);
    assert.is(train!.gradient_accumulation_steps, 4);
    assert.equal(train!.checkpoint, { every: 50, unit: "steps", keep: 3 });
    const [adapter] = [...checked!.adapters.values()];
    assert.equal(
      adapter!.coverage.map(({ matches }) => matches.length),
      [3, 3],
    );
  });

  test("numbers that a tool reads are the numbers that are trained with", async () => {
    const numbers = fc.record({
      rate: fc.double({ min: 1e-7, max: 1, noNaN: true }),
      decay: fc.double({ min: 0, max: 1, noNaN: true }),
      r: fc.integer({ min: 1, max: 8 }),
      alpha: fc.integer({ min: 1, max: 64 }),
      micro: fc.integer({ min: 1, max: 8 }),
      warmup: fc.integer({ min: 1, max: 99 }),
    });
    await fc.assert(
      fc.asyncProperty(numbers, async ({ rate, decay, r, alpha, micro, warmup }) => {
        const text = axolotl
          .replace("2e-4", String(rate))
          .replace("weight_decay: 0.1", `weight_decay: ${decay}`)
          .replace("lora_r: 16", `lora_r: ${r}`)
          .replace("lora_alpha: 32", `lora_alpha: ${alpha}`)
          .replace("micro_batch_size: 2", `micro_batch_size: ${micro}`)
          .replace("warmup_steps: 10", `warmup_ratio: ${warmup / 100}`);
        const { diagnostics, checked } = await compiled(importText(text).text, "models/tiny");
        assert.equal(
          diagnostics.map(({ code }) => code),
          ["PEFT0662"],
        );
        const [train] = checked!.trains;
        const argument = (call: { args: readonly { name?: { text: string }; value: object }[] } | undefined, name: string): unknown => {
          const value = call?.args.find((one) => one.name?.text === name)?.value as { value: number; unit?: { text: string } } | undefined;
          return value?.unit?.text === "%" ? value.value / 100 : value?.value;
        };
        assert.is(argument(train!.optimizer, "learning_rate"), rate);
        assert.is(argument(train!.optimizer, "weight_decay"), decay);
        assert.ok(Math.abs((argument(train!.schedule, "warmup") as number) - warmup / 100) < 1e-12);
        assert.is(train!.micro_batch_size, micro);
        const { config } = adapterFiles([...checked!.adapters.values()][0]!, checked!.base.root, { report: () => {}, through: [] });
        assert.is(config.r, r);
        assert.is(config.lora_alpha, alpha);
      }),
      { numRuns: 12 },
    );
  });

  test("what changes training and cannot be carried is said in the file, with its line", () => {
    const imported = importText(`${axolotl}neftune_noise_alpha: 5\nlr_schedular: linear\nval_set_size: 0.1\n`);
    assert.is(fateOf(imported, "neftune_noise_alpha"), "lost");
    assert.is(fateOf(imported, "lr_schedular"), "dropped");
    assert.match(imported.text, "// Not carried:");
    assert.match(imported.text, `line ${axolotl.split("\n").length}, neftune_noise_alpha (5): nothing here does what it does`);
    assert.match(imported.text, "// Ignored by Axolotl itself:");
    assert.match(imported.text, /lr_schedular \(linear\):[\s\S]*?Did you mean[\s/]+`lr_scheduler`\?/);
  });

  test("a key that is given twice, and what Axolotl does where a file says nothing", () => {
    const imported = importText(axolotl.replace("warmup_steps: 10\n", "").replace("lora_r: 16", "lora_r: 4\nlora_r: 16"));
    assert.equal(
      imported.outcomes.filter(({ given }) => given.name === "lora_r").map(({ fate }) => fate),
      ["dropped", "carried"],
    );
    assert.match(imported.text, "schedule: cosine(warmup: 3%)");
    assert.match(imported.text, "never for more than 100");
  });

  test("full and selective training", () => {
    const without = axolotl.replace(/^(adapter|lora_\w+):.*\n/gm, "");
    assert.match(importText(without).text, "adapter tuned = tune() into model.**\n");
    const selected = importText(
      `${without}unfrozen_parameters:\n  - ^lm_head.weight$\n  - model.layers.[0-9]+.mlp.*\n  - model.embed_tokens.weight[:100]\n`,
    );
    assert.match(selected.text, 'adapter tuned = tune() into model."lm_head.weight", model."model.layers.*.mlp**"\n');
    assert.is(fateOf(selected, "unfrozen_parameters.2"), "lost");
  });

  test("names of the Hub become folders to fetch into", () => {
    const { fetch, text } = importText(axolotl.replace("models/tiny", "org/Tiny-1B").replace("rows.jsonl", "org/stories"));
    assert.equal(
      fetch.map(({ path }) => path),
      ["models/Tiny-1B/", "data/stories.jsonl"],
    );
    assert.match(text, "//   models/Tiny-1B/ is the model org/Tiny-1B of the Hub\n");
  });

  test("a data set with a format of its own", () => {
    const custom = axolotl.replace(
      "    type: completion\n    field: story\n",
      '    type:\n      field_instruction: slip\n      field_output: text\n      format: "{instruction} => {x} "\n',
    );
    assert.match(importText(custom).text, '  prompt = "{slip} => {{x}} "\n  answer = "{text}"\n');
    const odd = importText(axolotl.replace("type: completion", "type: alpaca_w_system.load_open_orca"));
    assert.is(fateOf(odd, "datasets.0.type"), "lost");
  });

  test("Alpaca's prompt, for rows with an input and without", () => {
    const { text } = importText(axolotl.replace("type: completion\n    field: story", "type: alpaca"));
    const written = JSON.parse(/prompt = (".*")/.exec(text)![1]!) as string;
    const row = { instruction: "Add.", output: "3" };
    const with_ = "Below is an instruction that describes a task, paired with an input that provides further context. ";
    const ask = "Write a response that appropriately completes the request.\n\n### Instruction:\nAdd.\n\n";
    assert.is(fillTemplate(parseTemplate(written), { ...row, input: "1 2" }), `${with_}${ask}### Input:\n1 2\n\n### Response:\n`);
    for (const input of ["", undefined])
      assert.is(
        fillTemplate(parseTemplate(written), { ...row, input }),
        `Below is an instruction that describes a task. ${ask}### Response:\n`,
      );
  });

  test("conversations: the column, keys and roles that differ, a template of the tool's own, rows held out, shares", () => {
    const talk = axolotl
      .replace("type: completion\n    field: story", "type: chat_template\n    field_messages: talk\n    split: train[10%:30%]")
      .replace("datasets:", "chat_template: llama3\nval_set_size: 0.05\neot_tokens: ['<|eot_id|>']\ndatasets:");
    const plain = importText(talk);
    assert.match(plain.text, 'train = jsonl("rows.jsonl", rows: 20%, skip: 10%)\n  eval = held_out(5%, of: train)');
    assert.match(plain.text, 'chat = messages("talk", template: "templates/llama3.jinja")');
    assert.match(plain.text, "overlong: drop");
    assert.equal(
      plain.fetch.map(({ path }) => path),
      ["models/tiny/", "templates/llama3.jinja"],
    );
    const named = talk.replace(
      "field_messages: talk",
      "field_messages: talk\n    message_property_mappings:\n      role: speaker\n      content: value\n    roles:\n      user: [human]\n      assistant: [gpt, model]",
    );
    const own = importText(named.replace("chat_template: llama3", "chat_template: tokenizer_default"));
    assert.match(own.text, 'chat = messages("talk", role: "speaker", assistant: ["gpt", "model"])');
    for (const imported of [plain, own])
      assert.equal(
        imported.outcomes.filter(({ fate }) => fate === "lost" || fate === "dropped").map(({ given }) => given.name),
        [],
      );
    assert.is(
      fateOf(importText(talk.replace("field_messages", "roles_to_train: [user]\n    field_messages")), "datasets.0.roles_to_train"),
      "lost",
    );
  });

  test("an adapter that is there already is loaded", () => {
    const { text } = importText(
      "model_name_or_path: models/tiny\nadapter_name_or_path: saves/menu\nfinetuning_type: lora\ntemplate: x\nexport_dir: merged\n",
    );
    assert.match(text, 'adapter tuned = load("saves/menu/")\n\nmerge tuned into "merged"');
  });

  test("a LLaMA-Factory file: its own defaults, lists with commas, its registry of data", () => {
    const text = `model_name_or_path: models/tiny
stage: pt
finetuning_type: lora
lora_rank: 4
lora_target: q_proj, v_proj
dataset: stories
cutoff_len: 64
learning_rate: 1.0e-4
num_train_epochs: 3.0
lr_scheduler_type: cosine
warmup_ratio: 0.1
logging_steps: 10
quantization_bit: 3
`;
    const beside = { "data/dataset_info.json": '{"stories": {"file_name": "s.jsonl", "columns": {"prompt": "story"}}}' };
    const imported = importText(text, libraryWith(), beside);
    assert.is(imported.tool, "LLaMA-Factory");
    assert.is(fateOf(imported, "quantization_bit"), "lost");
    assert.match(imported.text, 'lora(r: 4, alpha: 8) into model."**.q_proj", model."**.v_proj"');
    assert.match(imported.text, '  train = jsonl("data/s.jsonl")\n  answer = "{story}"\n');
    assert.match(
      imported.text,
      "optimizer: adamw(learning_rate: 0.0001, weight_decay: 0)\n  schedule: cosine(warmup: 10%)\n  epochs: 3\n  micro_batch_size: 8\n",
    );
    assert.match(importText(text.replace("q_proj, v_proj", "all")).text, "into model.layers.**");
  });

  test("LLaMA-Factory's rewrite", () => {
    const imported = importText(
      "model: models/tiny\nmodel_class: llm\npeft_config:\n  name: lora\n  r: 16\n  lora_alpha: 32\n  target_modules: all\ntrain_dataset: data/x.yaml\ndist_config:\n  name: fsdp2\n",
    );
    assert.match(imported.text, "lora(r: 16, alpha: 32) into model.layers.**");
    assert.is(fateOf(imported, "dist_config"), "outside");
  });

  test("a PEFT configuration, there and back", async () => {
    const config = {
      peft_type: "LORA",
      base_model_name_or_path: "models/tiny",
      task_type: "CAUSAL_LM",
      r: 4,
      lora_alpha: 12,
      lora_dropout: 0.1,
      target_modules: ["v_proj", "q_proj"],
      bias: "none",
      use_dora: false,
    };
    const imported = importText(JSON.stringify(config));
    assert.equal(
      imported.outcomes.filter(({ fate }) => fate === "lost" || fate === "dropped"),
      [],
    );
    const { diagnostics, checked } = await compiled(imported.text, "models/tiny");
    assert.equal(diagnostics, []);
    const files = adapterFiles(checked!.adapters.get("tuned")!, checked!.base.root, { report: () => {}, through: [] });
    for (const key of ["peft_type", "task_type", "r", "lora_alpha", "lora_dropout", "bias"] as const)
      assert.equal(files.config[key], config[key], key);
    assert.equal([...(files.config.target_modules as string[])].sort(), ["q_proj", "v_proj"]);
  });

  test("a PEFT configuration: ranks by name, whole modules, layers, what PEFT itself leaves out", () => {
    const config = {
      peft_type: "LORA",
      r: 4,
      lora_alpha: 8,
      target_modules: ["q_proj", "v_proj"],
      rank_pattern: { q_proj: 16 },
      modules_to_save: ["lm_head"],
      enable_lora: [true],
      init_lora_weights: "pissa",
    };
    const imported = importText(JSON.stringify(config));
    assert.match(
      imported.text,
      'adapter tuned {\n  lora(r: 4, alpha: 8) into model."**.v_proj"\n  lora(r: 16, alpha: 8) into model."**.q_proj"\n  tune() into model."lm_head"\n}\n',
    );
    assert.is(fateOf(imported, "enable_lora"), "dropped");
    const layers = importText(
      JSON.stringify({
        ...config,
        target_modules: "all-linear",
        layers_to_transform: [0, 1, 2, 5],
        rank_pattern: {},
        modules_to_save: null,
      }),
    );
    assert.match(layers.text, "into model.layers.0..2.**, model.layers.5.**");
  });

  test("PEFT's own defaults hold where a configuration says nothing: alpha is 8, whatever the rank", () => {
    assert.match(importText('{"peft_type": "LORA", "r": 32, "target_modules": ["q_proj"]}').text, "lora(r: 32, alpha: 8)");
  });

  test("the method is found by what its interop block says, not by its name", () => {
    const own = libraryWith(`
method plain(rank: int = 8) amends Linear {
  param a: [rank, in] ~ zeros
  weight = base.weight + a.T @ a
  interop peft "GLORA" { r: rank, "x.weight": a }
}
method special(rank: int = 8, gain: float = 2) amends Linear {
  param a: [rank, in] ~ zeros
  weight = base.weight + a.T @ a
  interop peft "GLORA" { r: rank, alpha: gain * rank, config_C: "none", "x.weight": a }
}
`);
    const config = (more: string): string => `{"peft_type": "GLORA", "r": 4, "target_modules": ["q_proj"]${more}}`;
    assert.match(importText(config(""), own).text, "adapter tuned = plain(rank: 4)");
    const special = importText(config(', "config_C": "none", "alpha": 8'), own);
    assert.match(special.text, "adapter tuned = special(rank: 4)");
    assert.is(fateOf(special, "alpha"), "carried", "2 * 4 is what the block computes");
    assert.is(fateOf(importText(config(', "config_C": "none", "alpha": 9'), own), "alpha"), "lost");
    assert.is(fateOf(importText(config(', "config_A_B": "vector"'), own), "config_A_B"), "lost");
    const none = importText('{"peft_type": "NOSUCH", "r": 4}', own);
    assert.is(fateOf(none, "peft_type"), "lost");
    assert.match(none.text, "Nothing is trained in it");
  });

  test("a switch for some targets, and a setting that is said the other way round", () => {
    const own = libraryWith(`
method turned(wide: bool = false, exact: bool = true) amends Linear {
  param l: [out, 1] ~ ones
  weight = base.weight * l
  interop peft "GLORA" { config_A_B: targets(wide), config_C: not exact, "x.weight": l }
}
`);
    const { text } = importText(
      '{"peft_type": "GLORA", "target_modules": ["q_proj", "up_proj"], "config_A_B": ["up_proj"], "config_C": true}',
      own,
    );
    assert.match(
      text,
      'adapter tuned {\n  turned(exact: false) into model."**.q_proj"\n  turned(exact: false, wide: true) into model."**.up_proj"\n}\n',
    );
  });

  test("regular expressions that people write become paths", () => {
    const into = (pattern: string): string => {
      const { text } = importText(JSON.stringify({ peft_type: "LORA", target_modules: pattern }));
      return /into ([\s\S]*?)\n\n|into ([\s\S]*)\n$/.exec(pipelineOf(text))?.slice(1).find(Boolean)?.trim().replace(/\s+/g, " ") ?? "";
    };
    assert.is(
      into("model\\.layers\\.\\d+\\.self_attn\\.(q|v)_proj"),
      'model."model.layers.*.self_attn.q_proj", model."model.layers.*.self_attn.v_proj"',
    );
    assert.is(into("^.*\\.(?:up|down)_proj$"), 'model."**.up_proj", model."**.down_proj"');
    assert.is(into("model.layers.[\\d]+.(_checkpoint_wrapped_module.)?mlp.up_proj"), 'model."model.layers.*.mlp.up_proj"');
    const hard = importText(JSON.stringify({ peft_type: "LORA", target_modules: "(?<!x)q_proj" }));
    assert.is(fateOf(hard, "target_modules"), "lost");
  });

  test("whatever is imported parses and is formatted", () => {
    const value = fc.oneof(
      fc.constant(null),
      fc.boolean(),
      fc.double({ noNaN: true }),
      fc.string(),
      fc.constantFrom("auto", "all", "1e-5", "cosine"),
      fc.array(fc.string(), { maxLength: 3 }),
    );
    const keys = [...new Set([...axolotl.matchAll(/^(\w+):/gm)].map(([, key]) => key!))];
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom(...keys, "unfrozen_parameters", "val_set_size", "lora_target_linear", "max_steps", "made_up"), value),
        (record) => {
          const { text } = importText(JSON.stringify({ base_model: "a", datasets: [], ...record }));
          const { file, diagnostics } = parse(text, "x");
          assert.equal(diagnostics, []);
          assert.is(format(file, text), text);
        },
      ),
      { numRuns: 300 },
    );
  });
});
