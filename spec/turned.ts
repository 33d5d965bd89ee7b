// How a tensor lies that a checkpoint stores transposed: its last two axes in the other order.

/** The shape of what is stored, or back from it: [.., rows, columns] as [.., columns, rows]. */
export const turnedShape = <T>(shape: readonly T[]): readonly T[] => [...shape.slice(0, -2), ...shape.slice(-2).reverse()];
