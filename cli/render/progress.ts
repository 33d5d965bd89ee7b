// Progress events -> one line that is redrawn in place on a terminal, and a line now and then elsewhere.
//
//   train menu ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━  240/600  loss 0.912  5.1 k tok/s  0:42 left
//
// A redraw is one write that overwrites what is there before it erases the rest, so nothing flickers; the width is asked for at every
// redraw, and after a terminal became narrower the rows that the old line now wraps over are cleared first.

import type { Stream } from "../io.ts";
import { widthOf } from "./columns.ts";
import { paintFor } from "./paint.ts";
import { metric } from "./table.ts";

export interface Progress {
  readonly update: (state: State) => void;
  /** What goes on where nothing can be counted; shown on a terminal until the next line. */
  readonly status: (what: string) => void;
  /** Prints a line above the bar. */
  readonly say: (line: string) => void;
  /** Ends the bar's line; a later update begins a new one. */
  readonly end: () => void;
}

export interface State {
  /** `train menu`. */
  readonly what: string;
  readonly done: number;
  readonly total: number;
  readonly loss?: number | undefined;
  readonly tokensPerSecond?: number | undefined;
  /** Taken from the elapsed time when it is not told. */
  readonly secondsLeft?: number | undefined;
}

const frame = 100; // milliseconds between redraws
const quiet = 10_000; // milliseconds between lines where there is no terminal

export const progressOn = (stream: Stream, now: () => number): Progress => {
  const paint = paintFor(stream.colour);
  let drawn = 0; // width of the line on the screen
  let last = Number.NEGATIVE_INFINITY;
  let what = "";
  let started = 0;
  let pending: State | undefined;
  let passing = false; // a status stands on the line, to be overwritten

  const draw = (state: State): void => {
    const columns = stream.columns() ?? 80;
    const rows = drawn > columns ? Math.ceil(drawn / columns) - 1 : 0;
    const line = barLine(state, now() - started, columns - 1, paint.good, paint.faint);
    stream.write(`\r${rows ? `\x1b[${rows}A\x1b[J` : ""}${line.text}\x1b[K`);
    drawn = line.width;
  };

  const print = (state: State): void => stream.write(`${[`${state.what}:`, ...facts(state, now() - started)].join("  ")}\n`);

  const end = (): void => {
    if (pending) (stream.terminal ? draw : print)(pending);
    if (stream.terminal && drawn) stream.write("\n");
    else if (passing) stream.write("\r\x1b[K");
    passing = false;
    [drawn, last, what, pending] = [0, Number.NEGATIVE_INFINITY, "", undefined];
  };

  return {
    update: (state) => {
      if (state.what !== what) {
        end();
        [what, started] = [state.what, now()];
      }
      pending = state;
      const finished = state.done >= state.total;
      if (!finished && now() - last < (stream.terminal ? frame : quiet)) return;
      last = now();
      (stream.terminal ? draw : print)(state);
      pending = undefined;
    },
    status: (text) => {
      end();
      if (!stream.terminal) return;
      stream.write(`\r${paint.faint(`${text} …`)}\x1b[K`);
      passing = true;
    },
    say: (line) => {
      stream.write(stream.terminal && drawn ? `\r${line}\x1b[K\n` : `${line}\n`);
      if (pending && drawn) draw(pending);
    },
    end,
  };
};

const facts = ({ done, total, loss, tokensPerSecond, secondsLeft }: State, elapsed: number): string[] => {
  const left = secondsLeft === undefined ? (elapsed / done) * (total - done) : secondsLeft * 1000;
  const time = done > 0 && done < total ? `${clock(left)} left` : clock(elapsed);
  return [
    `${done}/${total}`,
    ...(loss === undefined ? [] : [`loss ${loss.toPrecision(4)}`]),
    ...(tokensPerSecond === undefined ? [] : [`${metric(Math.round(tokensPerSecond))}tok/s`]),
    time,
  ];
};

const barLine = (state: State, elapsed: number, room: number, full: (text: string) => string, empty: (text: string) => string) => {
  const right = facts(state, elapsed);
  const length = (): number => widthOf(state.what) + 2 + right.join("  ").length;
  // What does not fit goes, the least needed first: the bar, then the speed, the loss and the time; the count stays.
  for (const least of [2, 1, 1]) if (length() > room && right.length > least) right.splice(least, 1);
  const tail = right.join("  ");
  const width = Math.min(40, room - length() - 2);
  if (width < 5) {
    const text = `${state.what}  ${tail}`.slice(0, room);
    return { text, width: widthOf(text) };
  }
  const filled = Math.floor((width * Math.min(state.done, state.total)) / Math.max(1, state.total));
  const bar = `${full("━".repeat(filled))}${empty("─".repeat(width - filled))}`;
  return { text: `${state.what}  ${bar}  ${tail}`, width: length() + 2 + width };
};

/** Milliseconds → 0:42, 12:05, 3:01:10. */
export const clock = (milliseconds: number): string => {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return h ? `${h}:${String(m).padStart(2, "0")}:${String(s).padStart(2, "0")}` : `${m}:${String(s).padStart(2, "0")}`;
};
