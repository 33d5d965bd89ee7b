// The syntax tree: what the parser returns and the formatter prints. Plain data; every node carries the span it came from.
// Nothing here is resolved: names are text, numbers keep their unit, paths keep their patterns.

import type {
  BindMember,
  ChildMember,
  EachMember,
  ForwardMember,
  InteropMember,
  LetMember,
  MeasureMember,
  Member,
  NeedsMember,
  ObserveMember,
  ParamMember,
  PointMember,
  StateMember,
  StoredName,
  Tie,
} from "./tree-members.ts";
import type { Path, PathSegment } from "./tree-paths.ts";

export type {
  BindMember,
  ChildMember,
  EachMember,
  ForwardMember,
  InteropMember,
  LetMember,
  MeasureMember,
  Member,
  NeedsMember,
  ObserveMember,
  ParamMember,
  Path,
  PathSegment,
  PointMember,
  StateMember,
  StoredName,
  Tie,
};

/** A half-open range of UTF-16 offsets in one file. */
export interface Span {
  readonly file: string;
  readonly start: number;
  readonly end: number;
}

export interface Name {
  readonly text: string;
  readonly at: Span;
}

export interface File {
  readonly kind: "file";
  readonly at: Span;
  /** `peft 1`; absent in a fragment, which the checker reports. */
  readonly version?: { readonly value: number; readonly at: Span };
  readonly items: readonly Item[];
  /** Every comment of the file in order; the formatter puts them back. `///` comments also hang on their item as `doc`. */
  readonly comments: readonly { readonly text: string; readonly at: Span }[];
}

export type Item =
  | Import
  | Input
  | Base
  | Adapter
  | Data
  | Train
  | Evaluate
  | Sweep
  | Compare
  | Merge
  | Require
  | ModuleDef
  | InterfaceDef
  | ArchitectureDef
  | MethodDef
  | OptimizerDef
  | ScheduleDef
  | FormatDef;

// ---- pipeline items -------------------------------------------------------------------------------------------------

/** `import "./shared.peft"` or `import { lora, dora } from std.methods` / `from "./mine.peft"`. */
export interface Import {
  readonly kind: "import";
  readonly at: Span;
  readonly names?: readonly Name[];
  readonly from: { readonly kind: "file" | "std"; readonly path: string; readonly at: Span };
}

/** `input rank: int = 8`. */
export interface Input {
  readonly kind: "input";
  readonly at: Span;
  readonly doc?: string;
  readonly name: Name;
  readonly type: Name;
  readonly value?: Expr;
}

/** `store layers.** as nf4(block: 64)`. */
export interface Storage {
  readonly paths: readonly Path[];
  readonly format: Expr;
  readonly at: Span;
}

/** `base tiny = checkpoint("dir/") { store layers.** as nf4(block: 64) }`. */
export interface Base {
  readonly kind: "base";
  readonly at: Span;
  readonly doc?: string;
  readonly name: Name;
  readonly source: Expr;
  readonly store: readonly Storage[];
}

/** `adapter menu = lora(r: 8) into tiny.layers.*.attn.{q, v}, tiny.head`, or a block of such injections under one name. */
export interface Adapter {
  readonly kind: "adapter";
  readonly at: Span;
  readonly doc?: string;
  readonly name: Name;
  readonly injections: readonly Injection[];
  /** Written `{ … }`, whatever the number of injections. */
  readonly block: boolean;
}

/** `lora(r: 8) into tiny.layers.*.attn.{q, v}`. `into` is empty for `load("dir/")`. */
export interface Injection {
  readonly at: Span;
  readonly method: Expr;
  readonly into: readonly Path[];
}

/** `data orders { train = jsonl("train.jsonl")  prompt = "{slots}\n" }`. */
export interface Data {
  readonly kind: "data";
  readonly at: Span;
  readonly doc?: string;
  readonly name: Name;
  readonly entries: readonly Entry[];
}

/** `train menu on orders { epochs: 3 }`. */
export interface Train {
  readonly kind: "train";
  readonly at: Span;
  readonly subject: Name;
  readonly on: Path;
  readonly entries: readonly TrainEntry[];
}

/** `optimizer: adamw(learning_rate: 1e-3) store m as signed8()`: how it keeps its states. */
export interface TrainEntry extends Entry {
  readonly store?: readonly Storage[];
}

/** `evaluate menu, tiny on orders.eval { metrics: [loss] }`. */
export interface Evaluate {
  readonly kind: "evaluate";
  readonly at: Span;
  readonly subjects: readonly Name[];
  readonly on: Path;
  readonly entries: readonly Entry[];
}

/** `sweep ranks over menu { r: [1, 2, 4] }`. */
export interface Sweep {
  readonly kind: "sweep";
  readonly at: Span;
  readonly name: Name;
  readonly over: Name;
  readonly entries: readonly Entry[];
}

/** `compare families on orders { full: tune() into tiny.**, lora: menu }`. */
export interface Compare {
  readonly kind: "compare";
  readonly at: Span;
  readonly name: Name;
  readonly on: Path;
  readonly entries: readonly Candidate[];
}

/** `qlora: menu store layers.** as nf4()`: the base as this candidate has it. */
export interface Candidate extends Entry {
  readonly into?: readonly Path[];
  readonly store?: readonly Storage[];
}

/** `merge menu into "merged/" as f16`. */
export interface Merge {
  readonly kind: "merge";
  readonly at: Span;
  readonly subject: Name;
  readonly into: Expr;
  readonly as?: Expr;
}

/** `require { trainable(menu) <= 1% }`. A constraint is a comparison; a subject may be written `train menu`. */
export interface Require {
  readonly kind: "require";
  readonly at: Span;
  readonly constraints: readonly Constraint[];
}

export interface Constraint {
  readonly at: Span;
  /** `trainable`, `memory`, `file`, … */
  readonly fact: Name;
  /** `train` in `memory(train menu)`. */
  readonly verb?: Name;
  readonly subject: Name;
  readonly compare: "<" | "<=" | ">" | ">=" | "==";
  readonly bound: Expr;
}

/** One `key: value` or `key = value` of a block. */
export interface Entry {
  readonly at: Span;
  readonly key: Name;
  readonly sign: ":" | "=";
  readonly value: Expr;
}

// ---- definitions ----------------------------------------------------------------------------------------------------

/** `in: int`, `alpha: float = r`, `warmup = 0`. */
export interface Parameter {
  readonly at: Span;
  readonly name: Name;
  readonly type?: Name;
  readonly value?: Expr;
}

/** What definitions have in common; `doc` is the comment above them. */
interface Defined {
  readonly at: Span;
  readonly doc?: string;
  readonly name: Name;
  readonly parameters: readonly Parameter[];
}

/** `module Linear(in: int, out: int, bias: bool = false) { … }`. */
export interface ModuleDef extends Defined {
  readonly kind: "module";
  /** The interfaces it implements: `is Attention`, `is Attention(kv_heads: heads)`. */
  readonly is?: readonly Claim[];
  readonly members: readonly Member[];
}

/** One interface that a module claims to implement, with the sizes that it does not have under the interface's own names. */
export interface Claim {
  readonly at: Span;
  readonly name: Name;
  readonly args: readonly Argument[];
}

/** `interface Attention(hidden: int, …) { point query: [.., heads, head_dim] … }`: what a method may rely on. */
export interface InterfaceDef extends Defined {
  readonly kind: "interface";
  readonly members: readonly Member[];
}

/** `architecture llama for "LlamaForCausalLM" { config { … } embed = … forward(…) … }`. */
export interface ArchitectureDef {
  readonly kind: "architecture";
  readonly at: Span;
  readonly doc?: string;
  readonly name: Name;
  /** Values of `architectures` in config.json. */
  readonly classes: readonly { readonly text: string; readonly at: Span }[];
  /** The interfaces it implements. */
  readonly is?: readonly Claim[];
  readonly config: readonly ConfigKey[];
  readonly members: readonly Member[];
}

/** A key of config.json: `rms_norm_eps: float = 1e-6`, `hidden_act: "silu"` (must equal), `n_inner?: int` (null or absent allowed). */
export interface ConfigKey {
  readonly at: Span;
  readonly name: Name;
  readonly optional: boolean;
  /** `int`, `float`, `bool`, `string`, `list`, or literals any of which the key may hold: `"silu" | "gelu"`. */
  readonly type: Name | { readonly oneOf: readonly Expr[]; readonly at: Span };
  /** Where it stands in config.json, points for objects inside objects, tried in order: `@ "rope_parameters.rope_theta" or "rope_theta"`. */
  readonly paths: readonly { readonly text: string; readonly at: Span }[];
  readonly value?: Expr;
}

/** `method lora(r: int = 8) amends Linear { … }`; `trains` instead of `amends …` for a selective method. */
export interface MethodDef extends Defined {
  readonly kind: "method";
  /** The module it fits, absent when `trains`. */
  readonly amends?: Name;
  readonly members: readonly Member[];
}

/** `optimizer adamw(…) { state m = 0  m = …  p = … }`. */
export interface OptimizerDef extends Defined {
  readonly kind: "optimizer";
  readonly members: readonly Member[];
}

/** `schedule cosine(warmup: span = 0 steps) = expr in step, total`. */
export interface ScheduleDef extends Defined {
  readonly kind: "schedule";
  readonly value: Expr;
}

/** `format nf4(block: int = 64) { codebook = [...]  … }`. */
export interface FormatDef extends Defined {
  readonly kind: "format";
  readonly members: readonly Member[];
}

// ---- expressions ----------------------------------------------------------------------------------------------------

export type Expr = NumberLit | StringLit | Ref | Ellipsis | List | Unary | Binary | If | Call | MemberOf | Index | Every | PathExpr;

/** `3`, `2e-4`, `3%`, `2 GiB`, `500 steps`. The unit is the text after the number, `%` included. */
export interface NumberLit {
  readonly kind: "number";
  readonly at: Span;
  /** As written, without the unit. */
  readonly text: string;
  readonly value: number;
  readonly unit?: Name;
}

export interface StringLit {
  readonly kind: "string";
  readonly at: Span;
  /** With escapes resolved. */
  readonly value: string;
}

/** A bare name, `true`, `false` and `none` included. */
export interface Ref {
  readonly kind: "ref";
  readonly at: Span;
  readonly name: string;
}

/** `..` in a shape: any leading axes. */
export interface Ellipsis {
  readonly kind: "ellipsis";
  readonly at: Span;
}

export interface List {
  readonly kind: "list";
  readonly at: Span;
  readonly items: readonly Expr[];
}

export interface Unary {
  readonly kind: "unary";
  readonly at: Span;
  readonly op: "-" | "not";
  readonly value: Expr;
}

export type BinaryOp = "+" | "-" | "*" | "/" | "@" | "^" | "++" | "<" | "<=" | ">" | ">=" | "==" | "!=" | "and" | "or";

export interface Binary {
  readonly kind: "binary";
  readonly at: Span;
  readonly op: BinaryOp;
  readonly left: Expr;
  readonly right: Expr;
}

/** `if step < warmup then a else b`. */
export interface If {
  readonly kind: "if";
  readonly at: Span;
  readonly condition: Expr;
  readonly then: Expr;
  readonly otherwise: Expr;
}

/** `lora(r: 8)`, `softmax(x, axis: -1)`; a positional argument has no name. */
export interface Call {
  readonly kind: "call";
  readonly at: Span;
  readonly callee: Expr;
  readonly args: readonly Argument[];
}

export interface Argument {
  readonly at: Span;
  readonly name?: Name;
  readonly value: Expr;
}

/** `base.weight`, `weight.T`. */
export interface MemberOf {
  readonly kind: "member";
  readonly at: Span;
  readonly of: Expr;
  readonly name: Name;
}

/** `m[:, none]`, `x[0]`, `x[1:3]`. */
export interface Index {
  readonly kind: "index";
  readonly at: Span;
  readonly of: Expr;
  readonly items: readonly (Expr | { readonly kind: "slice"; readonly at: Span; readonly from?: Expr; readonly to?: Expr })[];
}

/** `every 200 steps keep 2`. */
export interface Every {
  readonly kind: "every";
  readonly at: Span;
  readonly interval: NumberLit;
  readonly keep?: NumberLit;
}

/** A path pattern where an expression stands, e.g. in `compare`. */
export interface PathExpr {
  readonly kind: "path";
  readonly at: Span;
  readonly path: Path;
}
