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
  { name: "a scale one off", of: "lora", file: "lora", from: "(alpha / r) *", to: "(alpha / (r + 1)) *" },
  { name: "a sign", of: "lora on transposed, fused weights", file: "lora", from: "base.weight +", to: "base.weight -" },
  { name: "a factor that is frozen", of: "lora", file: "lora", from: "param b:", to: "frozen param b:" },
  { name: "a delta off by a thousandth", of: "lora", file: "lora", from: "@ a,", to: "@ (2 * a - a + 0.001 * a)," },
];
