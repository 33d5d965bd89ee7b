// The part of the tree that names places in a model: paths, as they stand after `into`, `on` and `store`.

import type { Name, Span } from "./tree.ts";

/** `tiny.layers.*.attn.{q, v}`, `tiny.**.bias`, `tiny."model.layers.*.self_attn.q_proj"`. */
export interface Path {
  readonly kind: "path";
  readonly at: Span;
  readonly segments: readonly PathSegment[];
}

export type PathSegment =
  | { readonly kind: "name"; readonly text: string; readonly at: Span }
  | { readonly kind: "index"; readonly from: number; readonly to?: number; readonly at: Span } // layers.3, layers.3..7 (last included)
  | { readonly kind: "star"; readonly at: Span }
  | { readonly kind: "deep"; readonly at: Span }
  | { readonly kind: "choice"; readonly options: readonly Name[]; readonly at: Span }
  | { readonly kind: "checkpoint"; readonly pattern: string; readonly at: Span };
