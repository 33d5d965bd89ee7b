// Memory that is used again: arrays that are needed one after the other take the same place, so that working through a model leaves
// nothing behind for a garbage collector, which does not know that a machine's memory is full.

export interface Room {
  /** An array of so many numbers, whatever was in it. Valid until the same place is asked for again. */
  (count: number, place?: string): Float32Array<ArrayBuffer>;
  /** Gives back all of it at once: what was sent to a closed port is free. Nothing may read it any more. */
  readonly close: () => void;
}

export const makeRoom = (): Room => {
  const held = new Map<string, Float32Array<ArrayBuffer>>();
  const room = (count: number, place = ""): Float32Array<ArrayBuffer> => {
    const known = held.get(place);
    if (known && known.length >= count) return known.subarray(0, count);
    const made = new Float32Array(count);
    held.set(place, made);
    return made;
  };
  const close = (): void => {
    const { port1 } = new MessageChannel();
    port1.close();
    port1.postMessage(
      null,
      [...held.values()].map(({ buffer }) => buffer),
    );
    held.clear();
  };
  return Object.assign(room, { close });
};
