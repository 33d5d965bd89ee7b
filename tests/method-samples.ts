// One use of every method of the library that rebinds a weight: what the laws of all methods run on. The base is the small llama of
// tests/compiler/support.ts: 16 wide, inner width 24, key and value 8.

import type { MethodDef } from "../grammar/tree.ts";

const rebinding = new Set(["Linear", "Embedding", "RMSNorm", "LayerNorm"]);

/** Whether a method trains or rebinds parameters; any other rebinds what is computed. */
export const changesParameters = ({ amends, members }: MethodDef): boolean =>
  !amends || (rebinding.has(amends.text) && members.some((member) => member.kind === "bind" && member.target[0]!.text !== "out"));

export interface MethodSample {
  /** The method's call and where it goes. */
  readonly use: string;
  /** The adapted model starts as the base. Default true. */
  readonly starts?: boolean;
  /** It observes its data before its first values. */
  readonly observes?: true;
  /** In words, where merging is refused. */
  readonly unmergeable?: RegExp;
  /** Parameters whose loss has kinks (a choice of the largest), where a finite difference may see the other side. */
  readonly kinks?: (parameter: string) => boolean;
  /** At real sizes no matrix of the weight's shape is formed in training: the change stays in factors. */
  readonly thin?: string;
  /** Relative error allowed between f32 on the device and double precision in the reference. */
  readonly loose?: number;
}

const linear = "tiny.layers.*.attn.{q, v}, tiny.layers.1..2.mlp.down";

export const methodSamples: Readonly<Record<string, MethodSample>> = {
  lora: { use: `lora(r: 2, alpha: 3, rslora: true) into ${linear}`, thin: "lora(r: 8)" },
  loraplus: { use: `loraplus(r: 2, alpha: 3, ratio: 4) into ${linear}` },
  lorafa: { use: `lorafa(r: 2, alpha: 3) into ${linear}` },
  adalora: { use: `adalora(r: 3, target: 2, alpha: 3, finish: 4) into ${linear}`, thin: "adalora(r: 8, target: 4)" },
  dora: { use: `dora(r: 2, alpha: 3) into ${linear}` },
  pissa: { use: `pissa(r: 2, alpha: 3) into ${linear}`, thin: "pissa(r: 8)" },
  olora: { use: `olora(r: 2, alpha: 3) into ${linear}` },
  eva: { use: `eva(r: 2, alpha: 3) into ${linear}`, thin: "eva(r: 8)", observes: true },
  corda: { use: `corda(r: 2, alpha: 3) into ${linear}`, thin: "corda(r: 8)", observes: true },
  loha: { use: `loha(r: 2, alpha: 3) into ${linear}` },
  lokr: { use: `lokr(r: 1, alpha: 3) into ${linear}`, thin: "lokr(r: 4)" },
  ia3: { use: "{ ia3() into tiny.layers.*.attn.{k, v}  ia3(feedforward: true) into tiny.layers.*.mlp.down }", thin: "ia3()" },
  vera: { use: `vera(r: 5) into ${linear}`, thin: "vera(r: 16)" },
  hira: { use: `hira(r: 2) into ${linear}` },
  delora: { use: `delora(r: 2, bound: 3) into ${linear}`, thin: "delora(r: 8)" },
  miss: { use: `miss(r: 5) into ${linear}`, thin: "miss(r: 32)" },
  hra: { use: `hra(r: 4) into ${linear}`, thin: "hra(r: 8)" },
  oft: { use: `oft(block: 4) into ${linear}`, thin: "oft(block: 16)" },
  boft: { use: `boft(block: 4) into ${linear}`, thin: "boft(block: 4)" },
  c3a: { use: `c3a(block: 8) into ${linear}` },
  road: { use: `road(group: 4) into ${linear}`, thin: "road(group: 32)" },
  gralora: { use: `gralora(r: 4, alpha: 3, k: 2) into ${linear}`, thin: "gralora(r: 16, k: 2)" },
  fourierft: { use: `fourierft(n: 20, scaling: 30) into ${linear}`, thin: "fourierft(n: 32)" },
  randlora: { use: `randlora(r: 3, alpha: 6) into ${linear}` },
  vblora: {
    use: `vblora(r: 2, vectors: 6, length: 8) into ${linear}`,
    thin: "vblora(r: 4, vectors: 16, length: 64)",
    starts: false,
    kinks: () => true,
  },
  shira: { use: "{ shira(r: 2) into tiny.layers.*.attn.q  shira(r: 3, largest: true) into tiny.layers.*.mlp.down }" },
  tokens: { use: "tokens(ids: [3, 5, 11], tied: true) into tiny.embed" },
  tune: { use: "tune() into tiny.layers.2.**, tiny.**.attn_norm" },
};
