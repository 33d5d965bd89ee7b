// Mistakes planted into a method's text, each of which the comparison with PEFT must see.

export interface Fault {
  readonly name: string;
  /** The case that must turn red. */
  readonly of: string;
  /** In stdlib/methods. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

export const faults: readonly Fault[] = [
  { name: "a gradient through the norm", of: "dora", file: "dora", from: "stop_gradient(norm(v, axis: 1))", to: "norm(v, axis: 1)" },
  { name: "one term of a series less", of: "oft", file: "oft", from: " + q2 @ q2", to: "" },
  { name: "a sum for a product", of: "loha", file: "loha", from: "* (w2a @ w2b)", to: "+ (w2a @ w2b)" },
  { name: "a half turn the other way", of: "road", file: "road", from: "< 0.5 then 1 else", to: "< 0.5 then -1 else" },
  {
    name: "the base's weight taken for its double",
    of: "hira",
    file: "hira",
    from: "branch(base.weight *",
    to: "branch(2 * base.weight *",
  },
  { name: "the second best taken for the best", of: "vblora", file: "vblora", from: "if la < second_a then", to: "if second_a < la then" },
  { name: "a scale one off", of: "lora", file: "lora", from: "else alpha / r", to: "else alpha / (r + 1)" },
  { name: "a sign", of: "lora on transposed, fused weights", file: "lora", from: "base.weight +", to: "base.weight -" },
  { name: "a factor that is frozen", of: "lora", file: "lora", from: "param b:", to: "frozen param b:" },
  { name: "positions that are not moved", of: "prefix", file: "prefix", from: "base.positions + tokens", to: "base.positions + 0" },
  {
    name: "keys for values",
    of: "prefix",
    file: "prefix",
    from: "(split(k, kv_heads), split(v, kv_heads))",
    to: "(split(v, kv_heads), split(k, kv_heads))",
  },
  { name: "rows turned around", of: "prompt", file: "prompt", from: "base.embedded, rows", to: "base.embedded, -rows" },
  {
    name: "a gate that is squared",
    of: "gated prompt in the upper layer",
    file: "gated_prompt",
    from: "gate * recall",
    to: "gate * gate * recall",
  },
  { name: "a delta off by a thousandth", of: "lora", file: "lora", from: "@ a,", to: "@ (2 * a - a + 0.001 * a)," },
];
