// Singular values and vectors of a matrix by one-sided rotations (Hestenes 1958): pairs of columns are turned until all are
// orthogonal; their lengths are the singular values. Slow for large matrices, and accurate to the last bits for any.

import { addTo, type Columns, dot, length, orthogonalise } from "./matrix.ts";

export interface Decomposed {
  /** Left vectors, descending by value. */
  readonly u: Columns;
  readonly s: readonly number[];
  /** Right vectors. */
  readonly v: Columns;
}

const sweeps = 60;

/** Of a matrix given as columns, with at least as many rows as columns. */
export const jacobi = (columns: Columns): Decomposed => {
  const n = columns.length;
  const a = columns.map((column) => Float64Array.from(column));
  const v = a.map((_, i) => {
    const unit = new Float64Array(n);
    unit[i] = 1;
    return unit;
  });
  const scale = Math.max(...a.map(length), Number.MIN_VALUE);
  for (let sweep = 0, turned = true; turned && sweep < sweeps; sweep++) {
    turned = false;
    for (let i = 0; i < n - 1; i++)
      for (let j = i + 1; j < n; j++) {
        const [x, y] = [a[i]!, a[j]!];
        const [xx, yy, xy] = [dot(x, x), dot(y, y), dot(x, y)];
        if (Math.abs(xy) <= 1e-15 * Math.sqrt(xx * yy) || Math.abs(xy) < 1e-30 * scale * scale) continue;
        turned = true;
        const zeta = (yy - xx) / (2 * xy);
        const t = Math.sign(zeta || 1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta));
        const c = 1 / Math.sqrt(1 + t * t);
        rotate(x, y, c, c * t);
        rotate(v[i]!, v[j]!, c, c * t);
      }
  }
  const order = a.map((column, i) => ({ i, s: length(column) })).sort((p, q) => q.s - p.s || p.i - q.i);
  const u: Float64Array[] = [];
  for (const { i, s } of order) u.push(s > 1e-14 * scale ? a[i]!.map((x) => x / s) : beside(u, a[i]!.length));
  return { u, s: order.map(({ s }) => s), v: order.map(({ i }) => v[i]!) };
};

const rotate = (x: Float64Array, y: Float64Array, c: number, s: number): void => {
  for (let k = 0; k < x.length; k++) {
    const [p, q] = [x[k]!, y[k]!];
    x[k] = c * p - s * q;
    y[k] = s * p + c * q;
  }
};

/** A unit vector orthogonal to the others: the left vector of a singular value that is 0. */
export const beside = (others: Columns, size: number): Float64Array => {
  for (let k = 0; k < size; k++) {
    const unit = new Float64Array(size);
    unit[k] = 1;
    orthogonalise(unit, others);
    const left = length(unit);
    if (left > 0.5 / Math.sqrt(size)) {
      const out = new Float64Array(size);
      addTo(out, 1 / left, unit);
      return out;
    }
  }
  return new Float64Array(size);
};
