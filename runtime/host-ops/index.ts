// Every operation that lives on the host alone. To add one: its file, its type rule in compiler/ops, and a line here.

import { ascending } from "./ascending.ts";
import { everywhere } from "./everywhere.ts";
import { here } from "./here.ts";
import { largest_positions } from "./largest_positions.ts";
import type { HostOp } from "./matrix.ts";
import { permutation } from "./permutation.ts";
import { qr } from "./qr.ts";
import { svd } from "./svd.ts";
import { tokenize } from "./tokenize.ts";
import { uniform } from "./uniform.ts";

export const hostOps: Readonly<Record<string, HostOp>> = {
  svd,
  qr,
  largest_positions,
  uniform,
  permutation,
  ascending,
  tokenize,
  everywhere,
  here,
};
