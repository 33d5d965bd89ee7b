// Every op of the tensor levels. To add one: its file, and a line here.

import type { Op } from "../graph/op.ts";
import { abs } from "./abs.ts";
import { add } from "./add.ts";
import { among_largest } from "./among_largest.ts";
import { ascending } from "./ascending.ts";
import { attention } from "./attention.ts";
import { attention_gradient } from "./attention_gradient.ts";
import { attention_with_sink } from "./attention_with_sink.ts";
import { block_diagonal } from "./block_diagonal.ts";
import { branch } from "./branch.ts";
import { broadcast } from "./broadcast.ts";
import { cache_write } from "./cache_write.ts";
import { cast } from "./cast.ts";
import { clamp } from "./clamp.ts";
import { concat } from "./concat.ts";
import { constant } from "./constant.ts";
import { contract } from "./contract.ts";
import { cos } from "./cos.ts";
import { cross_entropy } from "./cross_entropy.ts";
import { cross_entropy_gradient } from "./cross_entropy_gradient.ts";
import { decode } from "./decode.ts";
import { decode_rows } from "./decode_rows.ts";
import { diagonal } from "./diagonal.ts";
import { div } from "./div.ts";
import { dropout } from "./dropout.ts";
import { erf } from "./erf.ts";
import { everywhere } from "./everywhere.ts";
import { exp } from "./exp.ts";
import { eye } from "./eye.ts";
import { floor } from "./floor.ts";
import { gather } from "./gather.ts";
import { gather_gradient } from "./gather_gradient.ts";
import { gelu } from "./gelu.ts";
import { gelu_tanh } from "./gelu_tanh.ts";
import { here } from "./here.ts";
import { input } from "./input.ts";
import { inverse } from "./inverse.ts";
import { iota } from "./iota.ts";
import { join } from "./join.ts";
import { kron } from "./kron.ts";
import { largest } from "./largest.ts";
import { largest_positions } from "./largest_positions.ts";
import { layer_norm } from "./layer_norm.ts";
import { layer_norm_gradient } from "./layer_norm_gradient.ts";
import { less } from "./less.ts";
import { likeliest } from "./likeliest.ts";
import { log } from "./log.ts";
import { lookup } from "./lookup.ts";
import { matmul } from "./matmul.ts";
import { max } from "./max.ts";
import { mean } from "./mean.ts";
import { min } from "./min.ts";
import { mod } from "./mod.ts";
import { mul } from "./mul.ts";
import { nearest } from "./nearest.ts";
import { neg } from "./neg.ts";
import { norm } from "./norm.ts";
import { one_hot } from "./one_hot.ts";
import { pad } from "./pad.ts";
import { permutation } from "./permutation.ts";
import { permute } from "./permute.ts";
import { pick } from "./pick.ts";
import { pow } from "./pow.ts";
import { prepend } from "./prepend.ts";
import { put_rows } from "./put_rows.ts";
import { qr } from "./qr.ts";
import { quotient } from "./quotient.ts";
import { relu } from "./relu.ts";
import { remember } from "./remember.ts";
import { reshape } from "./reshape.ts";
import { rms_norm } from "./rms_norm.ts";
import { rms_norm_gradient } from "./rms_norm_gradient.ts";
import { roll_rows } from "./roll_rows.ts";
import { rotate } from "./rotate.ts";
import { round } from "./round.ts";
import { select } from "./select.ts";
import { sigmoid } from "./sigmoid.ts";
import { silu } from "./silu.ts";
import { sin } from "./sin.ts";
import { size } from "./size.ts";
import { skew, skew_gradient } from "./skew.ts";
import { slice } from "./slice.ts";
import { softmax } from "./softmax.ts";
import { softmax_gradient } from "./softmax_gradient.ts";
import { split } from "./split.ts";
import { sqrt } from "./sqrt.ts";
import { stop_gradient } from "./stop_gradient.ts";
import { sub } from "./sub.ts";
import { sum } from "./sum.ts";
import { sum_to } from "./sum_to.ts";
import { svd } from "./svd.ts";
import { take_rows } from "./take_rows.ts";
import { tanh } from "./tanh.ts";
import { tile } from "./tile.ts";
import { tokenize } from "./tokenize.ts";
import { uniform } from "./uniform.ts";

const all: readonly Op[] = [
  // Structure
  input,
  constant,
  pick,
  size,
  iota,
  cast,
  branch,
  stop_gradient,
  eye,
  // One element at a time
  neg,
  abs,
  floor,
  exp,
  log,
  sqrt,
  cos,
  sin,
  tanh,
  sigmoid,
  erf,
  relu,
  silu,
  gelu,
  gelu_tanh,
  add,
  sub,
  mul,
  div,
  pow,
  mod,
  quotient,
  max,
  min,
  less,
  likeliest,
  select,
  round,
  clamp,
  dropout,
  // Shapes
  reshape,
  split,
  join,
  permute,
  slice,
  pad,
  concat,
  broadcast,
  tile,
  diagonal,
  block_diagonal,
  kron,
  skew,
  skew_gradient,
  roll_rows,
  // Reductions and products
  sum,
  mean,
  sum_to,
  largest,
  among_largest,
  norm,
  inverse,
  matmul,
  contract,
  // Rows by number
  gather,
  gather_gradient,
  take_rows,
  put_rows,
  one_hot,
  prepend,
  // Codes
  nearest,
  lookup,
  decode,
  decode_rows,
  // Layers
  softmax,
  softmax_gradient,
  rms_norm,
  rms_norm_gradient,
  layer_norm,
  layer_norm_gradient,
  cross_entropy,
  cross_entropy_gradient,
  rotate,
  attention,
  attention_gradient,
  attention_with_sink,
  remember,
  cache_write,
  // First values, on the host alone
  svd,
  qr,
  largest_positions,
  tokenize,
  uniform,
  permutation,
  ascending,
  everywhere,
  here,
];

export const ops: ReadonlyMap<string, Op> = new Map(all.map((op) => [op.name, op]));
