// qr(x [m, n], count) -> q [m, count], r [count, n]: the first columns of Q and the first rows of R, by Householder's reflections
// with LAPACK's signs.

import { addTo, columnsOf, dot, fromColumns, type HostOp, length } from "./matrix.ts";

export const qr: HostOp = ([x], attrs) => {
  const [m, n] = x!.shape as [number, number];
  const count = attrs.count as number;
  const a = columnsOf(x!);
  const reflectors: Float64Array[] = [];
  for (let k = 0; k < count; k++) {
    const w = new Float64Array(m);
    for (let i = k; i < m; i++) w[i] = a[k]![i]!;
    w[k]! += (w[k]! < 0 ? -1 : 1) * length(w);
    const size = length(w);
    if (size > 0) for (let i = k; i < m; i++) w[i]! /= size;
    reflectors.push(w);
    for (let j = k; j < n; j++) addTo(a[j]!, -2 * dot(w, a[j]!), w);
  }
  const q = Array.from({ length: count }, (_, k) => {
    const column = new Float64Array(m);
    column[k] = 1;
    for (const w of [...reflectors].reverse()) addTo(column, -2 * dot(w, column), w);
    return column;
  });
  const r = new Float32Array(count * n);
  for (let i = 0; i < count; i++) for (let j = i; j < n; j++) r[i * n + j] = a[j]![i]!;
  return [fromColumns(q), r];
};
