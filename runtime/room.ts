// Memory that is used again: arrays that are needed one after the other take the same place, so that working through a model leaves
// nothing behind for a garbage collector, which does not know that a machine's memory is full.

/** An array of so many numbers, whatever was in it. Valid until the same place is asked for again. */
export type Room = (count: number, place?: string) => Float32Array<ArrayBuffer>;

export const makeRoom = (): Room => {
  const held = new Map<string, Float32Array<ArrayBuffer>>();
  return (count, place = "") => {
    const known = held.get(place);
    if (known && known.length >= count) return known.subarray(0, count);
    const made = new Float32Array(count);
    held.set(place, made);
    return made;
  };
};
