// The largest singular values and vectors of a large matrix: Golub and Kahan's bidiagonalisation (1965) with full
// reorthogonalisation, grown until the wanted values have converged. At its full length it is exact, so it always ends.

import { stream } from "../draw.ts";
import { type Decomposed, jacobi } from "./jacobi.ts";
import { addTo, type Columns, dot, length, orthogonalise } from "./matrix.ts";

/** Relative to the largest value: well below the rounding of what is stored. */
const tolerance = 1e-11;

/** The `count` largest, of a matrix given as columns and as rows. */
export const lanczos = (columns: Columns, rows: Columns, count: number): Decomposed => {
  const [m, n] = [rows.length, columns.length];
  const most = Math.min(m, n);
  const random = starts();
  const U: Float64Array[] = [];
  const V: Float64Array[] = [];
  const alpha: number[] = [];
  const beta: number[] = [];
  const times = (by: Columns, x: Float64Array): Float64Array => Float64Array.from(by, (row) => dot(row, x));
  let scale = 0;
  // A vector that vanishes has reached an invariant subspace: go on from a fresh one, with 0 between.
  const unit = (x: Float64Array, others: Columns): number => {
    orthogonalise(x, others);
    const size = length(x);
    if (size > 1e-14 * (scale || 1) && size > 0) {
      for (let i = 0; i < x.length; i++) x[i]! /= size;
      return size;
    }
    x.set(random(x.length));
    orthogonalise(x, others);
    const again = length(x);
    for (let i = 0; i < x.length; i++) x[i]! /= again;
    return 0;
  };
  let next = random(n);
  unit(next, []);
  for (let checkAt = Math.min(most, 2 * count + 8); ; ) {
    V.push(next);
    const u = times(rows, next);
    if (U.length > 0) addTo(u, -beta.at(-1)!, U.at(-1)!);
    alpha.push(unit(u, U));
    U.push(u);
    scale = Math.max(scale, alpha.at(-1)!, beta.at(-1) ?? 0);
    const v = times(columns, u);
    addTo(v, -alpha.at(-1)!, next);
    if (V.length < n) beta.push(unit(v, V));
    else beta.push(0);
    next = v;
    if (V.length < checkAt) continue;
    const small = jacobi(bidiagonal(alpha, beta));
    const left = beta.at(-1)!;
    const settled = small.u.slice(0, count).every((column) => left * Math.abs(column.at(-1)!) <= tolerance * small.s[0]!);
    if (settled || V.length >= most)
      return {
        u: small.u.slice(0, count).map((column) => combine(U, column, m)),
        s: small.s.slice(0, count),
        v: small.v.slice(0, count).map((column) => combine(V, column, n)),
      };
    checkAt = Math.min(most, Math.ceil(1.4 * checkAt) + 4);
  }
};

/** Columns of the square matrix with alpha on its diagonal and beta above it. */
const bidiagonal = (alpha: readonly number[], beta: readonly number[]): Float64Array[] =>
  alpha.map((value, j) => {
    const column = new Float64Array(alpha.length);
    column[j] = value;
    if (j > 0) column[j - 1] = beta[j - 1]!;
    return column;
  });

const combine = (basis: Columns, weights: Float64Array, size: number): Float64Array => {
  const out = new Float64Array(size);
  for (const [i, vector] of basis.entries()) addTo(out, weights[i]!, vector);
  return out;
};

/** Fresh vectors, the same ones on every machine. */
const starts = (): ((size: number) => Float64Array) => {
  const block = stream(0, "lanczos");
  const words = new Uint32Array(4);
  let at = 0;
  return (size) =>
    Float64Array.from({ length: size }, (_, i) => {
      if (i % 4 === 0) block(at++, words);
      return words[i % 4]! / 2 ** 32 - 0.5;
    });
};
