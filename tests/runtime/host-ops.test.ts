// Operations of the host: what they must satisfy whatever the matrix, the two ways to singular values against each other, and NumPy.

import { execFileSync } from "node:child_process";
import { drawWhole } from "../../runtime/draw.ts";
import { hostOps } from "../../runtime/host-ops/index.ts";
import { jacobi } from "../../runtime/host-ops/jacobi.ts";
import { lanczos } from "../../runtime/host-ops/lanczos.ts";
import { columnsOf, type HostTensor } from "../../runtime/host-ops/matrix.ts";
import { assert, group } from "../harness.ts";
import { random } from "../op-samples.ts";
import { pythonMissing } from "../parity/python.ts";

const matrix = (m: number, n: number, seed: number, rank = Math.min(m, n)): HostTensor => {
  const next = random(seed);
  const [a, b] = [m * rank, rank * n].map((count) => Array.from({ length: count }, () => next() - 0.5));
  const data = new Float32Array(m * n);
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) for (let k = 0; k < rank; k++) data[i * n + j]! += (a![i * rank + k]! * b![k * n + j]!) / (1 + k);
  return { shape: [m, n], data };
};

const context = { seed: 1, place: "x" };
const svd = (x: HostTensor, count: number) => hostOps.svd!([x], { count }, context) as readonly Float32Array[];

/** Largest |AᵀA − I| of a row-major matrix with these columns. */
const notOrthonormal = (a: Float32Array, rows: number, columns: number): number => {
  let worst = 0;
  for (let i = 0; i < columns; i++)
    for (let j = 0; j < columns; j++) {
      let sum = i === j ? -1 : 0;
      for (let k = 0; k < rows; k++) sum += a[k * columns + i]! * a[k * columns + j]!;
      worst = Math.max(worst, Math.abs(sum));
    }
  return worst;
};

group("host ops", (test) => {
  for (const [m, n, rank] of [
    [7, 5, 5],
    [5, 7, 5],
    [12, 12, 3],
    [130, 110, 110],
  ] as const)
    test(`svd of ${m} by ${n} with rank ${rank}: u·s·vᵀ is the matrix, vectors are orthonormal, values descend`, () => {
      const x = matrix(m, n, m + n, rank);
      const count = Math.min(m, n);
      const [u, s, v] = svd(x, count) as [Float32Array, Float32Array, Float32Array];
      for (let i = 0; i < m; i++)
        for (let j = 0; j < n; j++) {
          let sum = 0;
          for (let k = 0; k < count; k++) sum += u[i * count + k]! * s[k]! * v[j * count + k]!;
          assert.ok(Math.abs(sum - x.data[i * n + j]!) < 2e-6 * s[0]!, `[${i}, ${j}]: ${sum}`);
        }
      assert.ok(notOrthonormal(u, m, count) < 2e-6, `u ${notOrthonormal(u, m, count)}`);
      assert.ok(notOrthonormal(v, n, count) < 2e-6, `v ${notOrthonormal(v, n, count)}`);
      for (let k = 1; k < count; k++) assert.ok(s[k]! <= s[k - 1]!);
    });

  test("the largest values of a large matrix are those of all values, found without them", () => {
    const x = matrix(140, 120, 9);
    const columns = columnsOf(x);
    const rows = Array.from({ length: 140 }, (_, i) => Float64Array.from(x.data.subarray(i * 120, (i + 1) * 120)));
    const all = jacobi(columns);
    const few = lanczos(columns, rows, 6);
    for (let k = 0; k < 6; k++) {
      assert.ok(Math.abs(few.s[k]! - all.s[k]!) < 1e-10 * all.s[0]!, `value ${k}: ${few.s[k]} and ${all.s[k]}`);
      const along = few.u[k]!.reduce((sum, value, i) => sum + value * all.u[k]![i]!, 0);
      assert.ok(Math.abs(Math.abs(along) - 1) < 1e-8, `vector ${k}`);
    }
    // Equal values one after the other: an invariant subspace is left and others are found.
    const ones = Array.from({ length: 100 }, (_, i) => Float64Array.from({ length: 100 }, (_, j) => (i === j ? 2 : 0)));
    assert.ok(lanczos(ones, ones, 5).s.every((value) => Math.abs(value - 2) < 1e-12));
  });

  test("qr: q·r gives the first columns back, q is orthonormal, r is triangular", () => {
    const [m, n, count] = [9, 12, 4];
    const x = matrix(m, n, 3);
    const [q, r] = hostOps.qr!([x], { count }, context) as [Float32Array, Float32Array];
    assert.ok(notOrthonormal(q, m, count) < 1e-6);
    for (let i = 0; i < m; i++)
      for (let j = 0; j < count; j++) {
        let sum = 0;
        for (let k = 0; k < count; k++) sum += q[i * count + k]! * r[k * n + j]!;
        assert.ok(Math.abs(sum - x.data[i * n + j]!) < 1e-6);
      }
    for (let i = 0; i < count; i++) for (let j = 0; j < i; j++) assert.is(r[i * n + j], 0);
  });

  test("largest positions ascend; of equal elements the first count", () => {
    const data = Float32Array.of(1, 5, 3, 5, 3, 3, 0);
    const at = (count: number) => [...hostOps.largest_positions!([{ shape: [7], data }], { count }, context)[0]!];
    assert.equal([at(1), at(2), at(4)], [[1], [1, 3], [1, 2, 3, 4]]);
  });

  test("distinct numbers are distinct, ascend, and come again", () => {
    const source = { kind: "draw", distribution: "distinct", args: [50] } as const;
    for (const count of [1, 20, 40, 50]) {
      const drawn = drawWhole(source, 3, "p", count);
      assert.is(new Set(drawn).size, count);
      assert.ok(drawn.every((value, i) => value >= 0 && value < 50 && (i === 0 || value > drawn[i - 1]!)));
      assert.equal(drawn, drawWhole(source, 3, "p", count));
    }
    assert.not.equal(drawWhole(source, 3, "p", 20), drawWhole(source, 4, "p", 20));
  });

  test("a permutation holds each number once, its start does not depend on how much is asked for, and ascending orders it", () => {
    const of = (below: number, count: number, seed = 3) => hostOps.permutation!([], { below, count, seed }, context)[0] as Int32Array;
    const whole = of(700, 700);
    assert.equal(
      [...hostOps.ascending!([{ shape: [700], data: whole }], {}, context)[0]!],
      Array.from({ length: 700 }, (_, i) => i),
    );
    assert.equal([...of(700, 50)], [...whole.subarray(0, 50)]);
    assert.not.equal([...of(700, 50, 4)], [...whole.subarray(0, 50)]);
    assert.equal([...of(1, 1)], [0]);
  });

  // torch.randperm(n, generator=torch.Generator().manual_seed(777))[:6] of torch 2.13, for n of 10, 100, 1000 and 70000.
  test("a permutation is PyTorch's", () => {
    const of = (below: number) => [...(hostOps.permutation!([], { below, count: 6, seed: 777 }, context)[0] as Int32Array)];
    assert.equal(of(10), [5, 9, 0, 3, 1, 7]);
    assert.equal(of(100), [35, 18, 53, 58, 27, 42]);
    assert.equal(of(1000), [735, 819, 201, 799, 435, 497]);
    assert.equal(of(70000), [65735, 40224, 8877, 29629, 39603, 16587]);
  });

  test("the same numbers twice", () => {
    for (const [m, n] of [
      [30, 20],
      [150, 120],
    ] as const)
      assert.equal(svd(matrix(m, n, 5), 4), svd(matrix(m, n, 5), 4));
  });

  test(
    "values and subspaces are NumPy's",
    () => {
      const cases = [matrix(20, 14, 8), matrix(150, 130, 6)];
      const text = JSON.stringify(cases.map(({ shape, data }) => ({ shape, data: [...data] })));
      const program = `
import json, sys, numpy as np
out = []
for one in json.load(sys.stdin):
    x = np.array(one["data"]).reshape(one["shape"])
    u, s, v = np.linalg.svd(x, full_matrices=False)
    q, r = np.linalg.qr(x)
    out.append({"s": s[:4].tolist(), "low": (u[:, :4] * s[:4] @ v[:4]).ravel().tolist(), "q": q[:, :4].ravel().tolist()})
print(json.dumps(out))`;
      const answers = JSON.parse(execFileSync("python3", ["-c", program], { input: text, encoding: "utf8" }));
      for (const [k, x] of cases.entries()) {
        const [m, n] = x.shape as [number, number];
        const [u, s, v] = svd(x, 4) as [Float32Array, Float32Array, Float32Array];
        for (let i = 0; i < 4; i++) assert.ok(Math.abs(s[i]! - answers[k].s[i]) < 1e-6 * answers[k].s[0]);
        for (let i = 0; i < m; i++)
          for (let j = 0; j < n; j++) {
            let low = 0;
            for (let c = 0; c < 4; c++) low += u[i * 4 + c]! * s[c]! * v[j * 4 + c]!;
            assert.ok(Math.abs(low - answers[k].low[i * n + j]) < 1e-5 * answers[k].s[0], `${k} [${i}, ${j}]`);
          }
        const [q] = hostOps.qr!([x], { count: 4 }, context) as [Float32Array];
        for (const [i, value] of q.entries()) assert.ok(Math.abs(value - answers[k].q[i]) < 1e-5, `q ${i}: ${value}`);
      }
    },
    { skip: pythonMissing },
  );
});
