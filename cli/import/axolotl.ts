// Axolotl's keys, one row each. Keys that its schema does not have it drops without a word (its models set no policy for extra
// keys, so pydantic's default applies); a key that is in no row here is reported as one of those. Read from its schema of 2025 and 2026.

import { trainTable } from "../../compiler/blocks/pipeline.ts";
import { axolotlDataset, ownTemplate } from "./datasets.ts";
import type { Around, Row, Tool } from "./draft.ts";
import { isEmpty, numberOf, shown } from "./given.ts";
import { optimizerRow, scheduleRow } from "./optimizers.ts";
import { carried, dropped, lost, outside, settled } from "./outcome.ts";
import {
  always,
  base,
  caching,
  devices,
  each,
  hub,
  kernels,
  loading,
  logEvery,
  memory,
  numberText,
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
import { regexPatterns } from "./targets.ts";

const adapter: Row = ({ value }, { draft, root }) => {
  if (value === "lora" || value === "qlora") {
    draft.mode = "adapter";
    return carried("PEFT's type LORA");
  }
  draft.mode = root.fields?.has("unfrozen_parameters") ? "selective" : "full";
  return lost(`there is no adapter \`${shown(value)}\`; every parameter is trained in the file that is written`);
};

const bits =
  (count: 4 | 8): Row =>
  (given, { draft }) => {
    if (given.value !== true) return settled("off here too unless it is said");
    draft.store = { bits: count, double: true, from: given };
    return carried("how the base is stored"); // decided when the file is written
  };

const bitsAndBytes: Row = ({ fields }, { draft, report }) => {
  for (const [key, field] of fields ?? [])
    if (key === "bnb_4bit_use_double_quant") {
      if (draft.store) draft.store.double = field.value === true;
      report(field, carried(`\`double: ${String(field.value === true)}\``));
    } else report(field, lost(`the storage format has no \`${key}\``));
  return settled("its keys are listed");
};

const unfrozen: Row = ({ value, items }, { draft, report }) => {
  if (!Array.isArray(value)) return lost("not a list of patterns");
  if (draft.mode === "none") draft.mode = "selective";
  for (const item of items ?? []) {
    // Axolotl searches for the pattern in a parameter's name, from its start.
    const source = String(item.value);
    const found = /\[\d*:\d*\]$/.test(source)
      ? undefined
      : regexPatterns(`${source.replace(/\$$/, "")}${source.endsWith("$") || source.endsWith("*") ? "" : ".*"}`);
    if (found) {
      draft.selected.push(...found);
      report(item, carried(`\`${found.join(", ")}\``));
    } else report(item, lost("it selects a part of a tensor, or by a pattern that paths do not have"));
  }
  return carried("`tune()` into what it names");
};

const targets: Row = (given, around) => {
  if (around.root.fields?.get("lora_target_linear")?.value === true) return settled("`lora_target_linear` covers them");
  return peftKey("target_modules")(given, around);
};

const allLinear: Row = (given, { draft }) => {
  if (given.value !== true) return settled("off here too unless it is said");
  draft.peft.set("target_modules", { value: "all-linear", from: given });
  return carried("every linear layer but the head");
};

const batchSize: Row = ({ value }, { draft, root }) => {
  const [total, micro] = [numberOf(value), numberOf(root.fields?.get("micro_batch_size")?.value)];
  if (root.fields?.has("gradient_accumulation_steps")) return lost("it contradicts `gradient_accumulation_steps`: Axolotl refuses both");
  if (!total || !micro || total % micro !== 0) return lost("it is no multiple of `micro_batch_size`");
  draft.train.set("gradient_accumulation_steps", String(total / micro));
  return carried(`\`gradient_accumulation_steps: ${total / micro}\``);
};

const epochs: Row = (given, around) => {
  if (!isEmpty(around.root.fields?.get("max_steps")?.value)) return settled("`max_steps` decides");
  return trainNumber("epochs", { whole: true, atLeast: 1 })(given, around);
};

const datasets =
  (split: string): Row =>
  ({ items }, around) => {
    for (const item of items ?? []) around.report(item, axolotlDataset(item, split, around));
    return items?.length ? carried("the entries are listed") : lost("not a list of data sets");
  };

const validation: Row = ({ value }, { draft, root }) => {
  const number = numberOf(value) ?? 0;
  if (number === 0) return settled("nothing is held out");
  if (root.fields?.has("test_datasets")) return lost("it contradicts `test_datasets`: Axolotl refuses both");
  if (!draft.data.splits.some((text) => text.startsWith("train ="))) return lost("there are no rows to hold any out of");
  const amount = number < 1 ? share(number) : `${number} rows`;
  const text = `eval = held_out(${amount}, of: train)`;
  draft.data.splits.push(text);
  draft.notes.push("As many rows are held out as in Axolotl, and not the same ones: here they follow from what is in them.");
  return carried(`\`${text}\``);
};

const talksIn = ({ root }: Around): boolean =>
  (root.fields?.get("datasets")?.items ?? []).some(({ fields }) => String(fields?.get("type")?.value).startsWith("chat_template"));

const chatTemplate: Row = ({ value }, around) => {
  if (!talksIn(around)) return settled("no row is a conversation");
  if (value === "tokenizer_default") return settled("the tokenizer's template is used");
  if (value === "jinja") return settled("said by `chat_template_jinja`");
  const own = /^tokenizer_default_fallback_(\w+)$/.exec(String(value))?.[1];
  return own
    ? lost(`which of two templates is used depends on the tokenizer; name one`)
    : ownTemplate(String(value), "Axolotl", around.draft);
};

const jinja: Row = ({ value }, { draft }) => {
  if (!/\.(jinja2?|j2|txt)$/.test(String(value))) return lost('put the template into a file, and name it: `template: "chat.jinja"`');
  draft.data.template = String(value);
  return carried(`\`template: "${String(value)}"\``);
};

const endTokens: Row = (_, around) =>
  talksIn(around)
    ? settled("a turn is learnt with the token that its template ends it with; `check --data` says where generation does not stop at it")
    : lost("an answer ends in the tokenizer's end token");

const longRows: Row = ({ value }, { draft }) => {
  const how = { drop: "drop", truncate: "cut", raise: "error" }[String(value)];
  if (how === undefined) return lost(`\`${shown(value)}\` is not known`);
  draft.train.set("overlong", how);
  return carried(`\`overlong: ${how}\``);
};

const evaluations: Row = ({ value }, { root }) => {
  const share = numberOf(root.fields?.get("val_set_size")?.value) ?? 0;
  if (isEmpty(value) || value === 0 || (share === 0 && !root.fields?.has("test_datasets")))
    return settled("there is nothing to evaluate on");
  return outside("how often held-out rows are looked at does not change what is trained; here it is once, after training");
};

const saveSteps: Row = ({ value }, { draft }) => {
  const steps = numberOf(value);
  if (steps === undefined || steps < 1 || !Number.isInteger(steps)) return lost(`\`${shown(value)}\` is not a number of steps`);
  draft.train.set("checkpoint", `every ${steps} steps`);
  return carried(`\`checkpoint: every ${steps} steps\``);
};

const savesPerEpoch: Row = ({ value }, { draft }) => {
  if (value === 0) return settled("the adapter is saved at the end");
  if (value !== 1) return lost(`${shown(value)} saves an epoch need the number of rows: say \`checkpoint: every … steps\``);
  draft.train.set("checkpoint", "every 1 epoch");
  return carried("`checkpoint: every 1 epoch`");
};

const saveStrategy: Row = ({ value }, { draft }) => {
  if (value === "no" || value === "steps" || value === false) return settled("said by the number of steps, or not at all");
  if (value !== "epoch") return lost("which checkpoint is best is not followed during training");
  draft.train.set("checkpoint", "every 1 epoch");
  return carried("`checkpoint: every 1 epoch`");
};

const kept: Row = ({ value }, { draft }) => {
  const count = numberOf(value);
  const interval = draft.train.get("checkpoint");
  if (count === undefined || count < 1) return lost(`\`${shown(value)}\` is not a number`);
  if (interval === undefined) return settled("nothing is saved before the end");
  draft.train.set("checkpoint", `${interval.replace(/ keep \d+$/, "")} keep ${count}`);
  return carried(`\`keep ${count}\``);
};

const onInputs: Row = ({ value }, { draft }) => {
  if (value !== true) return settled("the loss falls on the answer");
  draft.data.lossOn = "all";
  return carried("`loss_on = all`");
};

const floor: Row = ({ value }, { draft }) => {
  const number = numberOf(value);
  if (number === undefined || number < 0 || number > 1) return lost(`\`${shown(value)}\` is not a share from 0 to 1`);
  draft.schedule.settings.set("floor", numberText(number));
  return carried(`\`floor: ${numberText(number)}\` of the schedule`);
};

const initialWeights: Row = (given, around) => peftKey("init_lora_weights")(given, around);

export const axolotl: Tool = {
  name: "Axolotl",
  recognises: ({ fields }) =>
    Boolean(fields?.has("base_model") && (fields.has("sequence_len") || fields.has("micro_batch_size") || fields.has("datasets"))),
  unknown: (_, near) =>
    dropped(
      `no key of Axolotl's that is known here; Axolotl drops what it does not know without a word${near ? `. Did you mean \`${near}\`?` : ""}`,
    ),
  complete: ({ draft, root }) => {
    const has = (key: string): boolean => !isEmpty(root.fields?.get(key)?.value);
    if (draft.mode === "none") draft.mode = draft.selected.length ? "selective" : "full";
    draft.optimizer.name ??= "adamw";
    draft.schedule.name ??= has("lr_scheduler") ? "constant" : "cosine";
    if (!draft.schedule.settings.has("warmup") && draft.schedule.name !== "constant") {
      draft.schedule.settings.set("warmup", "3%");
      draft.notes.push("Axolotl warms up for 3 % of the steps, but never for more than 100, where a file does not say it.");
    }
    for (const [key, value] of [
      ["epochs", "1"],
      ["max_grad_norm", "1.0"],
      ["seed", "42"],
    ] as const)
      if (!draft.train.has(key) && !(key === "epochs" && draft.train.has("steps"))) draft.train.set(key, value);
    if (!draft.optimizer.settings.has("weight_decay")) draft.optimizer.settings.set("weight_decay", "0");
    if (!draft.train.has("overlong")) draft.train.set("overlong", "drop"); // Axolotl leaves them out unless it is said
  },
  rows: {
    base_model: base,
    adapter,
    lora_r: peftKey("r"),
    lora_alpha: peftKey("lora_alpha"),
    lora_dropout: peftKey("lora_dropout"),
    lora_target_modules: targets,
    lora_target_linear: allLinear,
    lora_modules_to_save: peftKey("modules_to_save"),
    lora_fan_in_fan_out: always(settled("it follows from the architecture")),
    lora_target_parameters: peftKey("target_parameters"),
    peft_use_dora: peftKey("use_dora"),
    peft_use_rslora: peftKey("use_rslora"),
    peft_layers_to_transform: peftKey("layers_to_transform"),
    peft_layers_pattern: peftKey("layers_pattern"),
    peft_layer_replication: peftKey("layer_replication"),
    peft_init_lora_weights: initialWeights,
    peft_trainable_token_indices: peftKey("trainable_token_indices"),
    loraplus_lr_ratio: onlyOff("a rate of its own for one of the two matrices is not carried"),
    load_in_4bit: bits(4),
    load_in_8bit: bits(8),
    bnb_config_kwargs: bitsAndBytes,
    quantize_moe_experts: ({ value }, { draft }) =>
      value !== true
        ? settled("off here too unless the base is stored so")
        : draft.store
          ? settled("every matrix below `layers` is stored so, those of experts too")
          : lost("nothing says how they are stored"),
    unfrozen_parameters: unfrozen,
    sequence_len: trainNumber("sequence_len", { whole: true, atLeast: 2 }),
    sample_packing: trainSwitch("packing", "rows are not packed into one sequence yet: the same loss, with more padding"),
    micro_batch_size: trainNumber("micro_batch_size", { whole: true, atLeast: 1 }),
    gradient_accumulation_steps: trainNumber("gradient_accumulation_steps", { whole: true, atLeast: 1 }),
    batch_size: batchSize,
    num_epochs: epochs,
    max_steps: trainNumber("steps", { whole: true, atLeast: 1 }),
    max_grad_norm: trainNumber("max_grad_norm"),
    seed: trainNumber("seed", { whole: true }),
    optimizer: optimizerRow,
    learning_rate: optimizerNumber("learning_rate"),
    weight_decay: optimizerNumber("weight_decay"),
    adam_beta1: optimizerNumber("beta1"),
    adam_beta2: optimizerNumber("beta2"),
    adam_epsilon: optimizerNumber("eps"),
    lr_scheduler: scheduleRow,
    warmup_steps: warmupSteps,
    warmup_ratio: warmupRatio,
    cosine_min_lr_ratio: floor,
    cosine_constant_lr_ratio: onlyOff("a schedule with a constant part after the cosine is not in the library"),
    lr_quadratic_warmup: onlyOff("the warmup is a straight line"),
    save_steps: saveSteps,
    saves_per_epoch: savesPerEpoch,
    save_strategy: saveStrategy,
    save_total_limit: kept,
    logging_steps: logEvery,
    datasets: datasets("train"),
    test_datasets: datasets("eval"),
    pretraining_dataset: datasets("train"),
    val_set_size: validation,
    train_on_inputs: onInputs,
    special_tokens: always(settled("the tokenizer's own are used; check that they are the ones this file names")),
    tokens: onlyOff("new tokens need rows of their own in the embedding"),
    added_tokens_overrides: onlyOff("new tokens need rows of their own in the embedding"),
    chat_template: chatTemplate,
    chat_template_jinja: jinja,
    processor_type: always(lost("only text is read, no image and no sound")),
    eot_tokens: endTokens,
    excess_length_strategy: longRows,
    output_dir: always(outside("`-o DIR` of the command line")),
    resume_from_checkpoint: always(settled("a run goes on from its newest checkpoint")),
    gradient_checkpointing: memory,
    gradient_checkpointing_kwargs: memory,
    group_by_length: always(settled("rows of like length share a batch")),
    pad_to_sequence_len: always(settled("shapes are planned, so padding is not needed for speed")),
    lora_model_dir: ({ value }, { draft }) => {
      const folder = String(value).endsWith("/") ? String(value) : `${String(value)}/`;
      draft.mode = "loaded";
      draft.loaded = folder;
      return carried(`\`load("${folder}")\`, trained further`);
    },
    rl: ({ value }) => lost(`\`${shown(value)}\` is another loss; what is written trains on the answers`),
    ...each(
      "bf16 fp16 tf32 float16 bfloat16 float32 fp8 torch_dtype fp8_enable_fsdp_float8_all_gather peft_autocast_adapter_dtype",
      precision,
    ),
    ...each(
      `flash_attention attn_implementation xformers_attention sdp_attention flex_attention eager_attention s2_attention flash_attn_cross_entropy flash_attn_rms_norm
       flash_attn_fuse_mlp flash_attn_fuse_qkv flash_optimum flex_attn_compile_kwargs torch_compile torch_compile_mode torch_compile_backend
       lora_mlp_kernel lora_qkv_kernel lora_o_kernel liger_rope liger_rms_norm liger_glu_activation liger_layer_norm liger_fused_linear_cross_entropy
       liger_rms_norm_gated liger_cross_entropy cut_cross_entropy use_kernels use_scattermoe use_sonicmoe experts_implementation unsloth_cross_entropy_loss
       unsloth_lora_mlp unsloth_lora_qkv unsloth_lora_o unsloth_rms_norm unsloth_rope fused_attn_kernel gemma4_hybrid_attn_impl use_glm_dsa_kernels
       dsv4_fp4_grouped_mode tiled_mlp chunked_cross_entropy`,
      kernels,
    ),
    ...each(
      `fsdp fsdp_config fsdp_version fsdp_final_state_dict_type deepspeed ddp ddp_timeout ddp_bucket_cap_mb ddp_broadcast_buffers ddp_find_unused_parameters
       context_parallel_size tensor_parallel_size expert_parallel_size dp_shard_size dp_replicate_size sequence_parallel_degree world_size local_rank
       accelerator_config expert_parallel_num_nvl_bytes expert_parallel_token_capacity use_ray ray_num_workers`,
      devices,
    ),
    ...each(
      "activation_offloading low_cpu_mem_usage max_memory gpu_memory_limit gc_steps experimental_skip_move_to_device llama4_linearized_experts lora_on_cpu torchdistx_path",
      memory,
    ),
    ...each(
      `wandb_project wandb_entity wandb_watch wandb_name wandb_log_model wandb_run_id wandb_mode use_wandb use_mlflow mlflow_tracking_uri mlflow_experiment_name mlflow_run_name
       hf_mlflow_log_artifacts use_comet comet_workspace comet_project_name comet_experiment_key comet_mode use_tensorboard trackio_project_name trackio_run_name
       trackio_space_id use_trackio use_swanlab swanlab_project swanlab_experiment_name swanlab_description swanlab_mode swanlab_workspace swanlab_log_model
       swanlab_log_completions swanlab_completion_log_interval swanlab_completion_max_buffer profiler_steps include_tokens_per_second`,
      tracking,
    ),
    ...each(
      "dataset_prepared_path dataset_keep_in_memory skip_prepare_dataset dataset_shard_num dataset_shard_idx streaming streaming_multipack_buffer_size",
      caching,
    ),
    ...each(
      "dataset_processes dataset_num_proc dataloader_num_workers dataloader_prefetch_factor dataloader_pin_memory remove_unused_columns device device_map",
      workers,
    ),
    ...each(
      "model_type tokenizer_type tokenizer_config tokenizer_use_fast tokenizer_legacy tokenizer_use_mistral_common is_llama_derived_model is_falcon_derived_model is_mistral_derived_model is_qwen_derived_model base_model_config base_model_ignore_patterns cls_model_config",
      loading,
    ),
    ...each(
      "trust_remote_code hf_use_auth_token revision_of_model model_revision save_safetensors save_only_model strict debug",
      always(outside("no code and no file is fetched; an adapter is stored as safetensors")),
    ),
    ...each("hub_model_id hub_strategy hub_revision push_dataset_to_hub", hub),
    ...each(
      "evals_per_epoch eval_steps eval_strategy evaluation_strategy eval_table_size eval_max_new_tokens do_causal_lm_eval eval_causal_lm_metrics do_bench_eval",
      evaluations,
    ),
    ...each(
      "early_stopping_patience metric_for_best_model load_best_model_at_end greater_is_better",
      onlyOff("training is not ended by a metric"),
    ),
    ...each("loss_watchdog_threshold loss_watchdog_patience", always(settled("a loss that is no number stops the run"))),
    ...each(
      "eval_sample_packing eval_batch_size sample_packing_eff_est sample_packing_group_size sample_packing_bin_size sample_packing_sequentially total_num_tokens sample_packing_seq_len_multiplier multipack_real_batches",
      always(settled("it only places rows")),
    ),
    ...each("plugins", always(settled("plugins add kernels and keys; the keys are listed"))),
    ...each("shuffle_merged_datasets", ({ value }, { draft }) => {
      if (value !== false || !trainTable.shuffle) return settled("rows are shuffled each epoch");
      draft.train.set("shuffle", "false");
      return carried("`shuffle: false`");
    }),
    ...each("max_packed_sequence_len noisy_embedding_alpha", onlyOff("Axolotl itself no longer reads it")),
    ...each(
      "neftune_noise_alpha embedding_lr embedding_lr_scale lr_groups optim_args optim_target_modules lr_div_factor lr_scheduler_kwargs auto_find_batch_size curriculum_sampling batch_flattening",
      onlyOff("nothing here does what it does"),
    ),
    ...each(
      "relora relora_steps relora_prune_ratio relora_cpu_offload relora_warmup_steps jagged_restart_steps jagged_restart_warmup_steps jagged_restart_anneal_steps lisa_n_layers lisa_step_interval",
      onlyOff("an adapter is not restarted during training"),
    ),
    ...each(
      "gptq gptq_groupsize gptq_model_v1 gptq_disable_exllama model_quantization_config model_quantization_config_kwargs quantization qat nvfp4_merge_aware llmcompressor use_onebitllms reinit_weights peft",
      onlyOff("the base is stored in a format of the library's"),
    ),
    ...each(
      "resize_token_embeddings_to_32x mean_resizing_embeddings shrink_embeddings fix_untrained_tokens default_system_message",
      onlyOff("tokens and templates are the checkpoint's"),
    ),
    ...each(
      "model_config overrides_of_model_config rope_scaling overrides_of_model_kwargs",
      onlyOff("config.json says what the model is; change it there"),
    ),
    ...each("min_sample_len dataset_exact_deduplication", onlyOff("rows are taken as they are")),
    ...each(
      "trl vllm ebft diffusion orpo_alpha rpo_alpha simpo_gamma cpo_alpha kto_desirable_weight kto_undesirable_weight rl_beta dpo_beta dpo_use_weighting reward_model process_reward_model num_labels max_prompt_len",
      onlyOff("another loss than the answers' is not in the library"),
    ),
    ...each(
      "use_pose pose_split_on_token_ids pose_max_context_len pose_num_chunks pretraining_sample_concatenation pretrain_multipack_attn pretrain_multipack_buffer_size",
      onlyOff("rows are taken as they are"),
    ),
  },
};
