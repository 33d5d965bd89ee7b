// The part of the tree that definitions are made of: parameters, children, bindings, forward passes.

import type { Call, Entry, Expr, Name, Span } from "./tree.ts";

export type Member =
  | ParamMember
  | ChildMember
  | LetMember
  | BindMember
  | StateMember
  | ObserveMember
  | MeasureMember
  | NeedsMember
  | ForwardMember
  | InteropMember
  | PointMember
  | EachMember;

/** `param weight: [out, in] ~ normal(0.02)`, `frozen param`, `shared param`, `param bias?: [out]`, `param m: [out] = norm(...)`. */
export interface ParamMember {
  readonly kind: "param";
  readonly at: Span;
  readonly modifiers: readonly ("frozen" | "shared" | "kept")[];
  /** Several names share one shape: `param pk, pv: [tokens, d]`. */
  readonly names: readonly Name[];
  readonly optional: boolean;
  /** `int` before the shape: whole numbers. */
  readonly type?: Name;
  readonly shape: readonly Expr[];
  /** `~ distribution`. */
  readonly draw?: Expr;
  /** `= expression`, from the init graph. */
  readonly value?: Expr;
  /** `when condition`: the parameter exists only then. */
  readonly when?: Expr;
}

/** `point key, value: [.., kv_heads, head_dim]` in an interface: values that methods may read and rebind. */
export interface PointMember {
  readonly kind: "point";
  readonly at: Span;
  readonly names: readonly Name[];
  /** Absent: anything, such as a list. */
  readonly shape?: readonly Expr[];
}

/** `each Attention { … }` in a method: what it does to every such module below its target. */
export interface EachMember {
  readonly kind: "each";
  readonly at: Span;
  readonly module: Name;
  readonly members: readonly Member[];
}

/** `q = Linear(hidden, hidden) @ "q_proj" transposed` and `layers = repeat n as i: Block(…) @ "h.{i}"`. */
export interface ChildMember {
  readonly kind: "child";
  readonly at: Span;
  readonly name: Name;
  /** `k? = Linear(…)` in an interface: a child that not every module has. */
  readonly optional?: true;
  /** `stacked`: what the modules have lies in one tensor each. */
  readonly repeat?: { readonly count: Expr; readonly index: Name; readonly stacked: boolean };
  readonly module: Call;
  /** The checkpoint's name for it; `{i}` is replaced by the repeat's index. Default: its own name. Several: its parameters lie in as many parts. */
  readonly checkpoint?: readonly StoredName[];
  /** What the running model calls it where the checkpoint has another name: a module, or a parameter by itself. */
  readonly named?: StoredName & { readonly kind: "module" | "parameter" };
  /** Two-dimensional parameters are stored [in, out] in the checkpoint. */
  readonly transposed: boolean;
  /** `when qk_norm`: the child is there only then. */
  readonly when?: Expr;
  /** `tied weight = embed.weight when tie_word_embeddings`, and views: `tied weight = slice(qkv.weight, 0, hidden, axis: 0)`. */
  readonly ties: readonly Tie[];
}

export interface StoredName {
  readonly text: string;
  readonly at: Span;
}

/** A parameter that is another's, or computed from it. */
export interface Tie {
  readonly at: Span;
  readonly param: Name;
  readonly to: Expr;
  readonly when?: Expr;
}

/** `let h = hidden / reduction`, in a method, module or forward body. */
export interface LetMember {
  readonly kind: "let";
  readonly at: Span;
  readonly name: Name;
  readonly value: Expr;
}

/** `weight = base.weight + …`, `b.grad = …`, `m = beta1 * m + …`, `loss += …`. */
export interface BindMember {
  readonly kind: "bind";
  readonly at: Span;
  readonly target: readonly Name[];
  readonly sign: "=" | "+=";
  readonly value: Expr;
}

/** `observe c: [in, in] = x.T @ x`: summed over the data before first values are computed. */
export interface ObserveMember {
  readonly kind: "observe";
  readonly at: Span;
  readonly name: Name;
  readonly shape: readonly Expr[];
  readonly value: Expr;
}

/** `measure rank: 0..most = sum(here(chosen)) when rho > 1`: a size that the data decides at each target, before shapes are known. */
export interface MeasureMember {
  readonly kind: "measure";
  readonly at: Span;
  readonly name: Name;
  readonly least: Expr;
  readonly most: Expr;
  readonly value: Expr;
  /** Where it does not hold nothing is measured, and the size is the largest. */
  readonly when?: Expr;
}

/** `needs r <= min(in, out)`: what must hold of every target. */
export interface NeedsMember {
  readonly kind: "needs";
  readonly at: Span;
  readonly condition: Expr;
}

/** `state m = 0`; in a method `state s: [r] = 0`. */
export interface StateMember {
  readonly kind: "state";
  readonly at: Span;
  readonly name: Name;
  readonly shape?: readonly Expr[];
  readonly value: Expr;
}

/** `forward(x: [.., in], ids: int [..]) -> [.., out] = expr` or `{ let …  expr }`. */
export interface ForwardMember {
  readonly kind: "forward";
  readonly at: Span;
  readonly inputs: readonly { readonly name: Name; readonly type?: Name; readonly shape?: readonly Expr[]; readonly at: Span }[];
  readonly output?: readonly Expr[];
  readonly lets: readonly LetMember[];
  readonly value: Expr;
}

/** `interop peft "LORA" { r: r  "lora_A.weight": a }`: keys that are names go to the config, strings name tensors. */
export interface InteropMember {
  readonly kind: "interop";
  readonly at: Span;
  readonly library: Name;
  readonly type: { readonly text: string; readonly at: Span };
  readonly config: readonly Entry[];
  readonly tensors: readonly { readonly key: string; readonly at: Span; readonly value: Expr }[];
}
