// What a run tells -> a bar, and the lines worth keeping above it.

import type { Listener, RunEvent } from "../../runtime/events.ts";
import type { Diagnostic } from "../../spec/diagnostic.ts";
import type { Stream } from "../io.ts";
import { safe } from "./columns.ts";
import { type Paint, paintFor } from "./paint.ts";
import { progressOn } from "./progress.ts";
import { bytes } from "./table.ts";
import { renderText } from "./text.ts";

export interface Listening {
  readonly listen: Listener;
  readonly say: (line: string) => void;
  readonly end: () => void;
}

/** Where the source is known: what a warning of the run is about, in it. */
export interface Located {
  readonly placed: (diagnostic: Diagnostic) => Diagnostic;
  readonly text: (file: string) => string | undefined;
}

export const nowhere: Located = { placed: (diagnostic) => diagnostic, text: () => undefined };

export const listenOn = (
  stream: Stream,
  now: () => number,
  shown: (path: string) => string,
  { placed, text }: Located = nowhere,
): Listening => {
  const paint = paintFor(stream.colour);
  const bar = progressOn(stream, now);
  const listen: Listener = (event) => {
    if (event.kind === "step") {
      const { adapter, step, total, loss, tokensPerSecond, secondsLeft } = event;
      bar.update({ what: `train ${adapter}`, done: step, total, loss, tokensPerSecond, secondsLeft });
    } else if (event.kind === "progress") bar.update({ what: event.title, done: event.done, total: event.total });
    else if (event.kind === "phase") bar.status(event.title);
    else if (event.kind === "warning") {
      bar.end();
      stream.write(`${renderText([placed(event.diagnostic)], { text, colour: stream.colour, columns: stream.columns() })}\n`);
    } else {
      bar.end();
      for (const line of linesOf(event, shown, paint)) stream.write(`${line}\n`);
    }
  };
  return { listen, say: bar.say, end: bar.end };
};

type Told = Exclude<RunEvent, { kind: "step" | "progress" | "phase" | "warning" }>;

const linesOf = (event: Told, shown: (path: string) => string, paint: Paint): readonly string[] => {
  switch (event.kind) {
    case "device":
      return [`${paint.strong("device")} ${event.name} (${event.why})`];
    case "saved":
      return [`${paint.strong("saved")} ${event.what}: ${shown(event.path)}, ${bytes(event.bytes)}`];
    case "metrics":
      return [`${paint.strong("evaluate")} ${event.subject} on ${event.split}: ${metricsText(event.metrics)}`];
    case "merged":
      return [
        `${paint.strong("merged")} ${event.adapter} into ${shown(event.path)}; ${rounded(event.rounding)}`,
        ...(event.check
          ? [`  loss on ${event.check.split}: unmerged ${event.check.unmerged.toPrecision(6)}, merged ${event.check.merged.toPrecision(6)}`]
          : []),
      ];
    case "sample":
      return sampleLines(event, paint);
  }
};

const rounded = (most: number): string =>
  most === 0 ? "storing it rounded no weight" : `storing it rounded no weight by more than ${most.toExponential(1)}`;

const metricsText = (metrics: Readonly<Record<string, number>>): string =>
  Object.entries(metrics)
    .map(([name, value]) => `${name} ${value.toPrecision(4)}`)
    .join(", ");

const sampleLines = ({ subject, prompt, answer, expected }: Extract<RunEvent, { kind: "sample" }>, paint: Paint): readonly string[] => {
  const rows = [["prompt", prompt], [subject, answer], ...(expected === undefined ? [] : [["expected", expected]])] as const;
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(
    ([name, text]) => `  ${paint.faint(name.padEnd(width))}  ${safe(text.trim()).replaceAll("\n", `\n  ${" ".repeat(width)}  `)}`,
  );
};
