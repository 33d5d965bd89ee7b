// Spellings of other tools, known only to offer the right one. Never accepted.

const spellings: Readonly<Record<string, readonly string[]>> = {
  alpha: ["lora_alpha", "network_alpha"],
  r: ["rank", "lora_r", "lora_rank", "network_dim"],
  dropout: ["lora_dropout"],
  learning_rate: ["lr"],
  beta1: ["adam_beta1"],
  beta2: ["adam_beta2"],
  eps: ["adam_epsilon", "epsilon"],
  warmup: ["warmup_ratio", "warmup_steps", "num_warmup_steps"],
  sequence_len: ["max_seq_length", "max_seq_len", "cutoff_len", "max_length", "model_max_length", "seq_length"],
  epochs: ["num_epochs", "num_train_epochs"],
  steps: ["max_steps", "num_steps", "train_steps"],
  micro_batch_size: ["batch_size", "per_device_train_batch_size", "train_batch_size"],
  gradient_accumulation_steps: ["grad_accum", "accumulation_steps"],
  max_grad_norm: ["gradient_clipping", "clip_grad_norm", "grad_clip", "max_norm"],
  schedule: ["lr_scheduler", "lr_scheduler_type"],
  optimizer: ["optim"],
  checkpoint: ["save_steps", "save_strategy"],
  packing: ["sample_packing", "pack"],
  loss_on: ["train_on_inputs", "train_on_prompt"],
  prompt: ["input", "instruction"],
  answer: ["output", "completion", "response"],
  train: ["train_file", "train_dataset"],
  eval: ["validation", "valid", "val", "eval_dataset", "validation_file"],
  max_new_tokens: ["max_tokens", "max_gen_len"],
};

/** The name here for what another tool calls `name`, if it is among `known`. */
export const translation = (name: string, known: readonly string[]): string | undefined =>
  known.find((ours) => spellings[ours]?.includes(name));
