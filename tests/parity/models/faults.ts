// Mistakes that could be made in an architecture's text, each planted in the library to see whether its comparison notices.

export interface Fault {
  readonly title: string;
  readonly case: string;
  /** File of the standard library, and what is changed in it. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** Mistakes in a method or in a name, planted likewise, and what is then said of the step of LoRA. */
export const loraFaults: readonly (Fault & { readonly says: string })[] = [
  {
    title: "a scale that is one too small",
    case: "llama",
    file: "methods/lora.peft",
    from: "else alpha / r",
    to: "else (alpha - 1) / r",
    says: "the loss is",
  },
  {
    title: "factors of experts side by side where they follow each other",
    case: "mixtral",
    file: "methods/lora.peft",
    from: "woven(b)",
    to: "stacked(b)",
    says: "other names or shapes",
  },
  {
    title: "the checkpoint's name for the running model's",
    case: "vit",
    file: "architectures/vit.peft",
    from: ' named "q_proj"',
    to: "",
    says: "other names or shapes",
  },
  {
    title: "a query that is not turned",
    case: "qwen2",
    file: "modules/attention.peft",
    from: "if rotates then rotate(asking, cos, sin)",
    to: "if not rotates then rotate(asking, cos, sin)",
    says: "the loss is",
  },
];

const attention = "modules/attention.peft";
const rotary = "modules/rotary.peft";
const blocks = "modules/blocks.peft";

const encoders = "modules/encoder.peft";
const t5 = "architectures/t5.peft";

export const faults: readonly Fault[] = [
  {
    title: "a class that is read off the second token",
    case: "bert-classes",
    file: "architectures/bert.peft",
    from: "pool(x[:, 0])",
    to: "pool(x[:, 1])",
  },
  {
    title: "a feed-forward without its activation",
    case: "distilbert-masked",
    file: "architectures/distilbert.peft",
    from: "down(activate(up(x)))",
    to: "down(up(x))",
  },
  {
    title: "a feed-forward that waits for attention",
    case: "falcon",
    file: "architectures/falcon.peft",
    from: "else if parallel then attn_in else",
    to: "else if parallel then attn_norm(residual) else",
  },
  {
    title: "a feed-forward that does not wait for attention",
    case: "gpt-neox-serial",
    file: "architectures/gpt_neox.peft",
    from: "if parallel then x else residual",
    to: "if parallel then residual else x",
  },
  {
    title: "frequencies that are divided where they are kept",
    case: "llama-yarn",
    file: rotary,
    from: "frequency * (1 - divided + divided * (1 / factor))",
    to: "frequency * (divided + (1 - divided) * (1 / factor))",
  },
  {
    title: "scores that do not grow with the context",
    case: "qwen3-yarn",
    file: "architectures/qwen3.peft",
    from: "max(0.1 * log(rope_factor) + 1, 1)",
    to: "1.0",
  },
  { title: "scores that are scaled", case: "t5", file: t5, from: ", scale: 1.0, bias", to: ", bias" },
  {
    title: "distances that end too early",
    case: "t5",
    file: t5,
    from: "(side - exact) / log(reach / exact)",
    to: "(side - exact - 1) / log(reach / exact)",
  },
  { title: "the wrong side of a distance", case: "t5", file: t5, from: "side * less(0, far)", to: "side * less(far, 0)" },
  {
    title: "source padding that is heard",
    case: "t5-gated",
    file: t5,
    from: "positions * 0 + ends[:, 0][:, none]",
    to: "positions * 0 + 11",
  },
  { title: "a gate without its function", case: "t5-gated", file: t5, from: "activate(gate(x)) * up(x)", to: "gate(x) * up(x)" },
  { title: "an output that is not scaled", case: "t5", file: t5, from: "written * (1 / sqrt(d_model))", to: "written" },
  { title: "padding that is seen", case: "bert-masked", file: encoders, from: "value, ends,", to: "value, ends * 0 + 11," },
  {
    title: "padding that is seen",
    case: "distilbert-classes",
    file: "architectures/distilbert.peft",
    from: "value, ends,",
    to: "value, ends * 0 + 11,",
  },
  {
    title: "padding in the mean",
    case: "modernbert-classes",
    file: "architectures/modernbert.peft",
    from: "1 - less(ends, positions)",
    to: "1 - less(ends * 0 + 11, positions)",
  },
  {
    title: "a window one too narrow",
    case: "modernbert-masked",
    file: "architectures/modernbert.peft",
    from: "(positions - reach)",
    to: "(positions - reach + 1)",
  },
  {
    title: "positions from the wrong row",
    case: "roberta-masked",
    file: "architectures/roberta.peft",
    from: "position(positions + first)",
    to: "position(positions + first - 1)",
  },
  {
    title: "a head without its function",
    case: "roberta-classes",
    file: "architectures/roberta.peft",
    from: "out(tanh(pool(",
    to: "out((pool(",
  },
  {
    title: "no rotary embedding",
    case: "llama",
    file: attention,
    from: "if rotates then rotate(asking",
    to: "if not rotates then rotate(asking",
  },
  {
    title: "a wrong epsilon",
    case: "llama",
    file: blocks,
    from: "attn_norm = RMSNorm(hidden, eps: eps)",
    to: "attn_norm = RMSNorm(hidden)",
  },
  {
    title: "gate and up swapped",
    case: "qwen2",
    file: "modules/mlp.peft",
    from: "activate(gate(x)) * up(x)",
    to: "gate(x) * activate(up(x))",
  },
  { title: "frequencies that are not stretched", case: "llama-3", file: rotary, from: 'kind == "llama3"', to: 'kind == "none"' },
  { title: "frequencies stretched the wrong way", case: "llama-linear", file: rotary, from: "plain * (1 / factor)", to: "plain * factor" },
  { title: "a window one too wide", case: "mistral", file: "modules/Sight.peft", from: "slots - (size - 1)", to: "slots - size" },
  { title: "a window in the wrong layer", case: "qwen2", file: "architectures/qwen2.peft", from: '== "sliding', to: '!= "sliding' },
  {
    title: "a query that is not normalised",
    case: "qwen3",
    file: attention,
    from: "if qk_norm then q_norm(asked)",
    to: "if qk_norm then asked",
  },
  {
    title: "the layers that rotate",
    case: "smollm3",
    file: "architectures/smollm3.peft",
    from: "no_rope_layers[i] == 1",
    to: "no_rope_layers[i] == 0",
  },
  {
    title: "patches read across instead of down",
    case: "vit",
    file: "architectures/vit.peft",
    from: "order: [0, 4, 2, 1, 5, 3]",
    to: "order: [0, 2, 4, 1, 5, 3]",
  },
  {
    title: "pixels of a patch in the other order",
    case: "vit",
    file: "architectures/vit.peft",
    from: "order: [0, 4, 2, 1, 5, 3]",
    to: "order: [0, 4, 2, 1, 3, 5]",
  },
  { title: "one expert too many", case: "mixtral", file: "modules/gates.peft", from: "count: chosen", to: "count: chosen + 1" },
  {
    title: "gates that do not add up to 1",
    case: "mixtral",
    file: "modules/gates.peft",
    from: "kept / sum(kept, axes: [-1], keep: true)",
    to: "kept",
  },
  {
    title: "parts in the other order",
    case: "mixtral",
    file: "architectures/mixtral.peft",
    from: '"w1" ++ "w3"',
    to: '"w3" ++ "w1"',
  },
  {
    title: "a stream that is not scaled",
    case: "granitemoe",
    file: "architectures/granitemoe.peft",
    from: "mlp(mlp_in) * residual_scale",
    to: "mlp(mlp_in)",
  },
  {
    title: "logits that are not scaled",
    case: "granitemoe",
    file: "architectures/granitemoe.peft",
    from: "head(written) * (1 / logits_scaling)",
    to: "head(written)",
  },
  { title: "scores without their bound", case: "gemma-2", file: attention, from: ", softcap: softcap, sink", to: ", sink" },
  { title: "logits without their bound", case: "gemma-2", file: "modules/mlp.peft", from: "cap * tanh(x * (1 / cap))", to: "x" },
  { title: "a scale taken for itself", case: "gemma-2", file: "modules/norms.peft", from: "else weight + shift", to: "else weight" },
  {
    title: "the other layers' rotation",
    case: "gemma-3",
    file: blocks,
    from: "attn(attn_in, near_cos, near_sin, near)",
    to: "attn(attn_in, cos, sin, near)",
  },
  {
    title: "gate and up in the other order",
    case: "phi-3",
    file: "architectures/phi3.peft",
    from: "silu(gate(x)) * up(x)",
    to: "gate(x) * silu(up(x))",
  },
  {
    title: "residuals in series",
    case: "gpt-neox",
    file: "architectures/gpt_neox.peft",
    from: "if parallel then x else residual",
    to: "residual",
  },
  {
    title: "key and value swapped",
    case: "gpt-neox",
    file: attention,
    from: "let value = split(v(x), kv_heads)\n    let memory = []\n    let heard = attention(query, key, value, sees, memory: memory, bias",
    to: "let value = split(k(x), kv_heads)\n    let memory = []\n    let heard = attention(query, key, value, sees, memory: memory, bias",
  },
  {
    title: "the first sublayer's norm",
    case: "falcon-new",
    file: "architectures/falcon.peft",
    from: "if two_norms then mlp_norm(x)",
    to: "if two_norms then attn_norm(x)",
  },
  { title: "slopes of other heads", case: "bloom", file: rotary, from: "(-4 / near)", to: "(-8 / near)" },
  {
    title: "slopes that are not scaled",
    case: "falcon-slopes",
    file: "architectures/falcon.peft",
    from: "slopes(1 / sqrt(head_dim))",
    to: "slopes(1)",
  },
  {
    title: "positions from the wrong row",
    case: "opt",
    file: "architectures/opt.peft",
    from: "position(positions + 2)",
    to: "position(positions + 1)",
  },
  {
    title: "a norm before instead of after",
    case: "opt-narrow",
    file: "architectures/opt.peft",
    from: "if before then both else mlp_norm(both)",
    to: "both",
  },
  { title: "no sinks", case: "gpt-oss", file: attention, from: ", sink: sinks)", to: ")" },
  {
    title: "the window in the other layers",
    case: "gpt-oss",
    file: "architectures/gpt_oss.peft",
    from: 'layer_types[i] == "sliding_attention"',
    to: 'layer_types[i] == "full_attention"',
  },
  {
    title: "gate and up swapped",
    case: "gpt-oss",
    file: "architectures/gpt_oss.peft",
    from: "down((bounded + 1) * opened * sigmoid(opened * alpha))",
    to: "down((opened + 1) * bounded * sigmoid(bounded * alpha))",
  },
  {
    title: "a gate without a bound",
    case: "gpt-oss",
    file: "architectures/gpt_oss.peft",
    from: "min(gate(x), limit)",
    to: "gate(x)",
  },
  {
    title: "gate and up one behind the other",
    case: "gpt-oss-full",
    file: "architectures/gpt_oss.peft",
    from: "join(slice(split(gate_up.weight.T, inner), 0, 1)).T",
    to: "slice(gate_up.weight, 0, inner, axis: 0)",
  },
  { title: "the exact gelu", case: "gpt-2", file: "architectures/gpt2.peft", from: "gelu_tanh(up(x))", to: "gelu(up(x))" },
];
