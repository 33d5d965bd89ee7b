// Examples -> rows of a fixed number of tokens, several examples in each, so that little of a batch is padding. Which example goes
// where is a function of the lengths in the order they come.
//
// Shuffled examples are packed best-fit decreasing: the longest first, each into the fullest row that still has room (Johnson
// 1973: at most 11/9 of the fewest rows, plus four). In the order of the file a row takes what follows as long as it fits.

/** No length may be above `capacity`. */
export const packBest = (order: Int32Array, length: (example: number) => number, capacity: number): readonly number[][] => {
  const sorted = Array.from(order).sort((a, b) => length(b) - length(a));
  // Rows by the room they have left.
  const open: number[][][] = Array.from({ length: capacity + 1 }, () => []);
  const rows: number[][] = [];
  for (const example of sorted) {
    let room = length(example);
    while (room <= capacity && open[room]!.length === 0) room++;
    const row = room <= capacity ? open[room]!.pop()! : [];
    if (row.length === 0) rows.push(row);
    row.push(example);
    const left = (row.length === 1 ? capacity : room) - length(example);
    open[left]!.push(row);
  }
  return rows;
};

/** Rows in the order given. */
export const packNext = (order: Int32Array, length: (example: number) => number, capacity: number): readonly number[][] => {
  const rows: number[][] = [];
  let room = -1;
  for (const example of order) {
    if (length(example) > room) {
      rows.push([]);
      room = capacity;
    }
    rows.at(-1)!.push(example);
    room -= length(example);
  }
  return rows;
};
