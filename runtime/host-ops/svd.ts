// svd(x [m, n], count) -> u [m, count], s [count], v [n, count]: x ≈ u · diag(s) · vᵀ with the largest values. The largest element of
// each left vector is positive, which fixes the signs.

import { jacobi } from "./jacobi.ts";
import { lanczos } from "./lanczos.ts";
import { columnsOf, fromColumns, type HostOp, type HostTensor } from "./matrix.ts";

export const svd: HostOp = ([x], attrs) => {
  const [m, n] = x!.shape as [number, number];
  const count = attrs.count as number;
  const columns = columnsOf(x!);
  const least = Math.min(m, n);
  const turned = (): Float64Array[] => columnsOf(transposed(x!));
  const found =
    least > 96 && 3 * count < least
      ? lanczos(columns, turned(), count)
      : m >= n
        ? jacobi(columns)
        : (({ u, s, v }) => ({ u: v, s, v: u }))(jacobi(turned()));
  const kept = Array.from({ length: count }, (_, k) => {
    const [u, v] = [found.u[k]!, found.v[k]!];
    const top = u.reduce((best, value) => (Math.abs(value) > Math.abs(best) ? value : best), 0);
    return top < 0 ? { u: u.map((value) => -value), v: v.map((value) => -value) } : { u, v };
  });
  return [fromColumns(kept.map(({ u }) => u)), Float32Array.from(found.s.slice(0, count)), fromColumns(kept.map(({ v }) => v))];
};

const transposed = ({ shape: [m = 0, n = 0], data }: HostTensor): HostTensor => {
  const out = new Float32Array(m * n);
  for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) out[j * m + i] = data[i * n + j]!;
  return { shape: [n, m], data: out };
};
