// Ids as they are written -> text as it can be shown. What may still change is held back: bytes that are no whole character yet, and what
// may be the beginning of a text that ends the answer. What was shown is always the beginning of the answer.

export interface Flow {
  /** Text beyond what was given before. */
  readonly more: (ids: readonly number[]) => string;
  /** The same once nothing follows: nothing is held back. */
  readonly rest: (ids: readonly number[]) => string;
}

export const flowOf = (decode: (ids: readonly number[]) => string, stop: readonly string[]): Flow => {
  let given = 0;
  const beyond = (text: string): string => {
    const more = text.slice(given);
    given = Math.max(given, text.length);
    return more;
  };
  return {
    more: (ids) => {
      const whole = cutAt(decode(ids), stop).replace(/\ufffd+$/, "");
      const held = Math.max(0, ...stop.map((end) => overlap(whole, end)));
      return beyond(whole.slice(0, whole.length - held));
    },
    rest: (ids) => beyond(cutAt(decode(ids), stop)),
  };
};

/** Characters at the end of a text that another begins with. */
const overlap = (text: string, other: string): number => {
  for (let length = Math.min(text.length, other.length - 1); length > 0; length--) if (text.endsWith(other.slice(0, length))) return length;
  return 0;
};

/** A text up to the first of these in it. */
export const cutAt = (text: string, stop: readonly string[]): string => {
  const places = stop.map((end) => text.indexOf(end)).filter((place) => place >= 0);
  return places.length ? text.slice(0, Math.min(...places)) : text;
};
