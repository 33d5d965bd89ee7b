// LLaMA-Factory's keys, of the released versions (flat, `finetuning_type`) and of its rewrite (`peft_config`, `dist_config`), one row
// each. A key that it does not know makes it refuse to start.

import { addSplit, conversation, ownTemplate, wholeText } from "./datasets.ts";
import type { Around, Row, Tool } from "./draft.ts";
import { type Given, isEmpty, numberOf, shown } from "./given.ts";
import { optimizerRow, scheduleRow } from "./optimizers.ts";
import { carried, dropped, lost, type Outcome, outside, settled } from "./outcome.ts";
import {
  always,
  base,
  caching,
  devices,
  each,
  kernels,
  loading,
  logEvery,
  memory,
  onlyOff,
  optimizerNumber,
  peftKey,
  precision,
  share,
  tracking,
  trainNumber,
  trainSwitch,
  warmupRatio,
  warmupSteps,
  workers,
} from "./rows.ts";

const kindOfTuning: Row = (given, { draft }) => {
  const { value } = given;
  if (value === "lora" || value === "oft") {
    draft.mode = "adapter";
    draft.peft.set("peft_type", { value: String(value).toUpperCase(), from: given });
    return carried(`PEFT's type ${String(value).toUpperCase()}`);
  }
  if (value === "full") {
    draft.mode = "full";
    return carried("`tune()` into every parameter");
  }
  draft.mode = "full";
  return lost(`\`${shown(value)}\` trains a number of layers from the end; name them: \`tune() into model.layers.A..B\``);
};

/** `all` and a list with commas. */
const target: Row = (given, { draft }) => {
  const names = String(given.value)
    .split(",")
    .map((name) => name.trim())
    .filter(Boolean);
  draft.peft.set("target_modules", { value: names.includes("all") ? "all-linear" : names, from: given });
  return carried("PEFT's `target_modules`");
};

const additional: Row = (given, { draft }) => {
  draft.peft.set("modules_to_save", {
    value: String(given.value)
      .split(",")
      .map((name) => name.trim()),
    from: given,
  });
  return carried("PEFT's `modules_to_save`");
};

const stage: Row = ({ value }) => {
  if (value === "sft") return settled("the loss falls on the answer");
  if (value === "pt") return settled("the loss falls on all of a text");
  return lost(`\`${shown(value)}\` is another loss; what is written trains on the answers`);
};

const bits: Row = (given, { draft, root }) => {
  const method = root.fields?.get("quantization_method")?.value ?? "bnb";
  const count = numberOf(given.value);
  if (!["bnb", "bitsandbytes"].includes(String(method)) || (count !== 4 && count !== 8))
    return lost(`${shown(given.value)} bits of \`${shown(method)}\` is no format of the library's`);
  draft.store = { bits: count, double: root.fields?.get("double_quantization")?.value !== false, from: given };
  return carried("how the base is stored"); // decided when the file is written
};

// ---- data -----------------------------------------------------------------------------------------------------------

interface Registered {
  readonly file_name?: string;
  readonly hf_hub_url?: string;
  readonly formatting?: string;
  readonly columns?: Readonly<Record<string, string>>;
}

/** What `dataset_info.json` says of a name, where that file is at hand. */
const registered = (name: string, { root, read }: Around): { readonly entry: Registered; readonly folder: string } | undefined => {
  const folder = String(root.fields?.get("dataset_dir")?.value ?? "data");
  const text = read(`${folder}/dataset_info.json`);
  try {
    const entry = text === undefined ? undefined : (JSON.parse(text) as Record<string, Registered>)[name];
    return entry && { entry, folder };
  } catch {
    return undefined;
  }
};

const datasets =
  (split: string): Row =>
  (given, around) => {
    const names = (Array.isArray(given.value) ? given.value.map(String) : String(given.value).split(",")).map((name) => name.trim());
    const outcomes = names.map((name) => oneDataset(name, split, given, around));
    return outcomes.find(({ fate }) => fate === "lost") ?? outcomes[0] ?? lost("no data set is named");
  };

const oneDataset = (name: string, split: string, given: Given, around: Around): Outcome => {
  const { draft, root } = around;
  const known = registered(name, around);
  const limit = numberOf(root.fields?.get("max_samples")?.value);
  const path = known?.entry.file_name ? `${known.folder}/${known.entry.file_name}` : (known?.entry.hf_hub_url ?? `data/${name}.json`);
  const rows = addSplit(split, { path, ...(limit !== undefined && { limits: [`rows: ${limit}`] }) }, draft);
  if (!known) draft.fetch.push({ path, from: `\`${name}\` of LLaMA-Factory's dataset_info.json` });
  if (rows.fate === "lost" || given.name !== "dataset" || draft.data.answer || draft.data.chat) return rows;
  return contents(known?.entry, around);
};

/** What a row becomes: text for pre-training, else a conversation in the template's markers. */
const contents = (entry: Registered | undefined, { draft, root }: Around): Outcome => {
  const columns = entry?.columns ?? {};
  if (root.fields?.get("stage")?.value === "pt") return wholeText(columns.prompt ?? "text", draft);
  if (entry?.formatting === "sharegpt") return conversation(columns.messages ?? "conversations", draft);
  draft.data.prompt ??= `{${columns.prompt ?? "instruction"}}\n`;
  draft.data.answer ??= `{${columns.response ?? "output"}}`;
  return lost("a row is put into the model's chat template; `{instruction}` and `{output}` are written as a start");
};

const template: Row = ({ value }, { draft, root }) => {
  if (!["dataset", "train_dataset", "eval_dataset"].some((key) => !isEmpty(root.fields?.get(key)?.value)))
    return settled("there are no rows to write");
  return draft.data.chat
    ? ownTemplate(String(value), "LLaMA-Factory", draft)
    : lost(`the template \`${shown(value)}\` is not rendered; write its markers into \`prompt\` and \`answer\``);
};

const heldOut: Row = ({ value }, { draft }) => {
  const number = numberOf(value) ?? 0;
  if (number === 0) return settled("nothing is held out");
  if (!draft.data.splits.some((text) => text.startsWith("train ="))) return lost("there are no rows to hold any out of");
  const text = `eval = held_out(${number < 1 ? share(number) : `${number} rows`}, of: train)`;
  draft.data.splits.push(text);
  return carried(`\`${text}\``);
};

const cut: Row = ({ value }, around) => {
  const number = numberOf(value);
  if (number === undefined) return lost(`\`${shown(value)}\` is not a number`);
  return around.draft.data.splits.length ? carried(`\`rows: ${number}\``) : settled("there are no rows");
};

// ---- training -------------------------------------------------------------------------------------------------------

const epochs: Row = (given, around) => {
  const steps = numberOf(around.root.fields?.get("max_steps")?.value) ?? -1;
  if (steps > 0) return settled("`max_steps` decides");
  return trainNumber("epochs", { whole: true, atLeast: 1 })(given, around);
};

const steps: Row = (given, around) =>
  (numberOf(given.value) ?? 0) <= 0 ? settled("the epochs decide") : trainNumber("steps", { whole: true, atLeast: 1 })(given, around);

const saveSteps: Row = ({ value, name }, { draft, root }) => {
  if (root.fields?.get("save_strategy")?.value === "epoch") return settled("`save_strategy` decides");
  const number = numberOf(value);
  if (number === undefined || number < 1) return lost(`\`${shown(value)}\` is not a number of steps`);
  draft.train.set("checkpoint", `every ${number} steps`);
  return carried(`\`checkpoint: every ${number} steps\` for \`${name}\``);
};

/** LLaMA-Factory predicts and measures BLEU-4 and ROUGE. */
const predict: Row = ({ value }, { draft, root }) => {
  if (value !== true) return settled("off here too unless it is said");
  const longest = numberOf(root.fields?.get("max_new_tokens")?.value);
  draft.evaluate = { metrics: ["loss", "bleu", "rouge"], maxNewTokens: longest ?? 512 };
  return carried("`evaluate` with BLEU and ROUGE");
};

const exportTo: Row = ({ value }, { draft }) => {
  draft.merge = String(value);
  return draft.mode === "adapter" || draft.mode === "loaded"
    ? carried(`\`merge … into "${draft.merge}"\``)
    : lost("there is no adapter in this file to merge");
};

/** An adapter that is read in; trained further where the file trains, unless a new one is asked for beside it. */
const trained: Row = ({ value }, { draft, root }) => {
  const folders = (Array.isArray(value) ? (value as unknown[]).map(String) : String(value).split(",")).map((one) => one.trim());
  if (folders.length > 1) return lost("LLaMA-Factory merges all but the last into the base; merge them first, each in a file of its own");
  if (root.fields?.get("create_new_adapter")?.value === true) return lost("the new adapter would stand on it: `into tuned.layers.**`");
  const folder = folders[0]!.endsWith("/") ? folders[0]! : `${folders[0]!}/`;
  draft.mode = "loaded";
  draft.loaded = folder;
  draft.fetch.push({ path: folder, from: "the adapter that LLaMA-Factory saved there" });
  return carried(`\`load("${folder}")\``);
};

/** The rewrite's `peft_config: { name: lora, r: 16, … }`. */
const peftConfig: Row = (given, around) => {
  const { draft, report } = around;
  const name = given.fields?.get("name")?.value;
  for (const [key, field] of given.fields ?? []) {
    if (key === "name") report(field, kindOfTuning({ ...field, name: "peft_config.name" }, around));
    else if (name === "freeze") report(field, lost("layers are named by paths: `tune() into model.layers.A..B`"));
    else {
      const value = key === "target_modules" && field.value === "all" ? "all-linear" : field.value;
      draft.peft.set(key, { value, from: field });
      report(field, carried(`PEFT's \`${key}\``));
    }
  }
  return carried("its keys are listed");
};

const optimConfig: Row = ({ fields }, around) => {
  for (const [key, field] of fields ?? [])
    around.report(field, key === "name" ? optimizerRow(field, around) : lost("a setting of that optimizer"));
  return settled("its keys are listed");
};

export const llamaFactory: Tool = {
  name: "LLaMA-Factory",
  recognises: ({ fields }) =>
    Boolean(
      fields &&
        (fields.has("model_name_or_path") ||
          (fields.has("model") && (fields.has("train_dataset") || fields.has("peft_config") || fields.has("dist_config")))),
    ),
  unknown: (_, near) =>
    dropped(
      `no key of LLaMA-Factory's that is known here; LLaMA-Factory refuses a key that it does not know${near ? `. Did you mean \`${near}\`?` : ""}`,
    ),
  complete: ({ draft, root }) => {
    const has = (key: string): boolean => !isEmpty(root.fields?.get(key)?.value);
    if (draft.mode === "none")
      draft.mode =
        has("adapter_name_or_path") || has("infer_backend") || has("export_dir") ? "none" : has("peft_config") ? "adapter" : "full";
    if (draft.mode === "adapter") {
      // LLaMA-Factory's own defaults: alpha is twice the rank, the rank 8, and every linear layer is a target.
      const from = draft.peft.get("peft_type")?.from ?? root;
      if (!draft.peft.has("peft_type")) draft.peft.set("peft_type", { value: "LORA", from });
      const rank = draft.peft.get("r")?.value ?? 8;
      if (draft.peft.get("peft_type")?.value === "LORA") {
        if (!draft.peft.has("r")) draft.peft.set("r", { value: rank, from });
        if (!draft.peft.has("lora_alpha")) draft.peft.set("lora_alpha", { value: 2 * Number(rank), from });
      }
      if (!draft.peft.has("target_modules")) draft.peft.set("target_modules", { value: "all-linear", from });
    }
    draft.optimizer.name ??= "adamw";
    draft.schedule.name ??= has("lr_scheduler_type") ? "constant" : "linear";
    const defaults = [
      ["epochs", "3"],
      ["micro_batch_size", "8"],
      ["sequence_len", "2048"],
      ["max_grad_norm", "1.0"],
      ["seed", "42"],
    ] as const;
    for (const [key, value] of defaults)
      if (!draft.train.has(key) && !(key === "epochs" && draft.train.has("steps"))) draft.train.set(key, value);
    if (!draft.optimizer.settings.has("learning_rate")) draft.optimizer.settings.set("learning_rate", "5e-5");
    if (!draft.optimizer.settings.has("weight_decay")) draft.optimizer.settings.set("weight_decay", "0");
  },
  rows: {
    model_name_or_path: base,
    model: base,
    finetuning_type: kindOfTuning,
    peft_config: peftConfig,
    stage,
    lora_rank: peftKey("r"),
    lora_alpha: peftKey("lora_alpha"),
    lora_dropout: peftKey("lora_dropout"),
    lora_target: target,
    oft_target: target,
    oft_rank: peftKey("r"),
    oft_block_size: peftKey("oft_block_size"),
    additional_target: additional,
    use_rslora: peftKey("use_rslora"),
    use_dora: peftKey("use_dora"),
    pissa_init: ({ value }, around) =>
      value === true
        ? peftKey("init_lora_weights")({ ...around.root, name: "pissa_init", value: "pissa" }, around)
        : settled("off here too"),
    loraplus_lr_ratio: onlyOff("a rate of its own for one of the two matrices is not carried"),
    quantization_bit: bits,
    quantization_method: always(settled("said by `quantization_bit`")),
    double_quantization: always(settled("said by `quantization_bit`")),
    quantization_type: ({ value }) =>
      value === "nf4" ? settled("it is the format that is written") : lost(`there is no format \`${shown(value)}\``),
    dataset: datasets("train"),
    train_dataset: datasets("train"),
    eval_dataset: datasets("eval"),
    template,
    cutoff_len: trainNumber("sequence_len", { whole: true, atLeast: 2 }),
    max_samples: cut,
    val_size: heldOut,
    packing: trainSwitch("packing", "rows are not packed into one sequence yet: the same loss, with more padding"),
    train_on_prompt: ({ value }, { draft }) => {
      if (value !== true) return settled("the loss falls on the answer");
      draft.data.lossOn = "all";
      return carried("`loss_on = all`");
    },
    per_device_train_batch_size: trainNumber("micro_batch_size", { whole: true, atLeast: 1 }),
    micro_batch_size: trainNumber("micro_batch_size", { whole: true, atLeast: 1 }),
    gradient_accumulation_steps: trainNumber("gradient_accumulation_steps", { whole: true, atLeast: 1 }),
    num_train_epochs: epochs,
    max_steps: steps,
    max_grad_norm: trainNumber("max_grad_norm"),
    seed: trainNumber("seed", { whole: true }),
    learning_rate: optimizerNumber("learning_rate"),
    weight_decay: optimizerNumber("weight_decay"),
    adam_beta1: optimizerNumber("beta1"),
    adam_beta2: optimizerNumber("beta2"),
    adam_epsilon: optimizerNumber("eps"),
    optim: optimizerRow,
    optim_config: optimConfig,
    lr_scheduler_type: scheduleRow,
    warmup_ratio: warmupRatio,
    warmup_steps: warmupSteps,
    save_steps: saveSteps,
    logging_steps: logEvery,
    save_strategy: ({ value }, { draft }) => {
      if (value !== "epoch") return settled("said by the number of steps, or not at all");
      draft.train.set("checkpoint", "every 1 epoch");
      return carried("`checkpoint: every 1 epoch`");
    },
    save_total_limit: always(settled("the two newest checkpoints are kept unless it is said")),
    do_predict: predict,
    predict_with_generate: always(settled("said by `do_predict`")),
    adapter_name_or_path: trained,
    export_dir: exportTo,
    output_dir: always(outside("`-o DIR` of the command line")),
    resume_from_checkpoint: always(settled("a run goes on from its newest checkpoint")),
    ...each(
      "do_train do_eval overwrite_output_dir save_only_model export_size export_device export_legacy_format create_new_adapter",
      always(settled("each command does its own part")),
    ),
    ...each("mixed_precision bf16 fp16 pure_bf16 tf32 fp8 infer_dtype upcast_layernorm upcast_lmhead_output", precision),
    ...each(
      "flash_attn use_v1_kernels kernel_config enable_liger_kernel use_unsloth use_unsloth_gc shift_attn use_kernels disable_gradient_checkpointing use_reentrant_gc",
      kernels,
    ),
    ...each(
      "deepspeed ddp_timeout ddp_find_unused_parameters fsdp fsdp_config dist_config use_ray ray_num_workers ray_run_name resources_per_worker tensor_model_parallel_size pipeline_model_parallel_size context_parallel_size expert_model_parallel_size sequence_parallel use_distributed_optimizer overlap_param_gather overlap_grad_reduce virtual_pipeline_model_parallel_size",
      devices,
    ),
    ...each(
      "use_kt kt_config kt_weight_path kt_non_expert_weight_path kt_cpu_activation low_cpu_mem_usage offload_folder gradient_checkpointing init_config",
      memory,
    ),
    ...each(
      "report_to plot_loss run_name use_swanlab swanlab_project swanlab_mode swanlab_run_name include_num_input_tokens_seen include_effective_tokens_per_second logging_dir",
      tracking,
    ),
    ...each("overwrite_cache tokenized_path cache_dir streaming buffer_size data_shared_file_system", caching),
    ...each(
      "preprocessing_num_workers preprocessing_batch_size dataloader_num_workers dataloader_pin_memory dataset_dir media_dir",
      workers,
    ),
    ...each(
      "trust_remote_code use_fast_tokenizer model_revision hf_hub_token infer_backend sample_backend model_class split_special_tokens print_param_status",
      loading,
    ),
    ...each("batching_strategy group_by_length neat_packing per_device_eval_batch_size", always(settled("it only places rows"))),
    ...each(
      "eval_strategy eval_steps eval_on_start compute_accuracy",
      always(outside("how often held-out rows are looked at does not change what is trained; here it is once, after training")),
    ),
    ...each("early_stopping_steps load_best_model_at_end metric_for_best_model", onlyOff("training is not ended by a metric")),
    ...each("max_new_tokens do_sample temperature top_p top_k repetition_penalty num_beams", ({ name, value }, { draft }) =>
      draft.evaluate && name === "max_new_tokens"
        ? carried(`\`max_new_tokens: ${shown(value)}\``)
        : settled("said when text is generated: `peft generate`"),
    ),
    ...each(
      "image_max_pixels image_min_pixels video_max_pixels video_min_pixels audio_sampling_rate freeze_vision_tower freeze_multi_modal_projector freeze_language_model",
      onlyOff("only text is read"),
    ),
    ...each(
      "pref_beta pref_loss pref_ftx pref_bco_weight kto_chosen_weight kto_rejected_weight simpo_gamma dpo_label_smoothing ref_model reward_model use_dft_loss use_asft_loss asft_alpha ppo_epochs",
      onlyOff("another loss than the answers' is not in the library"),
    ),
    ...each(
      "use_galore galore_layerwise galore_target galore_rank galore_scale galore_update_interval use_badam badam_mode badam_switch_mode badam_switch_interval badam_verbose use_adam_mini use_apollo use_muon use_llama_pro",
      onlyOff("the library has no such optimizer; adamw is written in its place"),
    ),
    ...each(
      "mixture_of_depths freeze_trainable_layers freeze_trainable_modules freeze_extra_modules neftune_noise_alpha moe_aux_loss_coef rope_scaling resize_vocab add_tokens add_special_tokens new_special_tokens_config init_special_tokens",
      onlyOff("nothing here does what it does"),
    ),
    ...each(
      "quant_config export_quantization_bit export_quantization_dataset export_hf_on_finish use_packed_sequences mask_history default_system enable_thinking tool_format oft_block_share",
      onlyOff("nothing here does what it does"),
    ),
  },
};
