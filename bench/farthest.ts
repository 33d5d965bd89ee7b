// How far a product is from the same in double precision: what a benchmark holds its forms to before it times them.

/** Of some 500 results of x·Wᵀ, or of x·W with `backward`, the largest difference against the largest of them. W is size x size. */
export const farthest = (y: Float32Array, x: Float32Array, matrix: Float32Array, size: number, backward: boolean): number => {
  // Odd, so that all columns come up.
  const step = Math.max(1, Math.floor(y.length / 500)) | 1;
  let [off, most] = [0, 0];
  for (let i = 0; i < y.length; i += step) {
    const [row, column] = [Math.floor(i / size), i % size];
    let sum = 0;
    for (let k = 0; k < size; k++) sum += x[row * size + k]! * matrix[backward ? k * size + column : column * size + k]!;
    off = Math.max(off, Math.abs(y[i]! - sum));
    most = Math.max(most, Math.abs(sum));
  }
  return off / most;
};
