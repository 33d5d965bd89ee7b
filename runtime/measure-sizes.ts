// A job with sizes that the data decides -> those sizes: the base into the device's memory, the passes over the data, and what they come to.
// Nothing is trained or written; who asked compiles again with what was found.

import type { Diagnostic } from "../spec/diagnostic.ts";
import { diagnostics } from "../spec/diagnostics.generated.ts";
import type { Adapter, Job, MeasuredSize } from "../spec/job.ts";
import type { Choice } from "./choose-device.ts";
import { blaming, DiagnosticError } from "./diagnostic-error.ts";
import type { Listener } from "./events.ts";
import { type Host, joinPath } from "./host.ts";
import { measureAdapter } from "./init.ts";
import { observerOf } from "./observe.ts";
import { openBase } from "./open-base.ts";
import { readingOf } from "./reading.ts";
import { readyAdapters } from "./ready.ts";

export interface MeasureOptions {
  readonly host: Host;
  readonly choice: Choice;
  /** Gets the files of the bundle by their path in it. */
  readonly read: (path: string) => Promise<Uint8Array>;
  /** Folder of the `.peft` file: relative paths of the job start here. */
  readonly folder: string;
  readonly listen: Listener;
}

export type FoundSize = Pick<MeasuredSize, "line" | "path" | "name"> & { readonly size: number };

/** By adapter. Throws a DiagnosticError for whatever a person can mend. */
export const measureSizes = async (job: Job, options: MeasureOptions): Promise<ReadonlyMap<string, readonly FoundSize[]>> => {
  const { host, choice, folder, listen } = options;
  listen({ kind: "device", name: choice.device.describe(), why: choice.why });
  const baseFolder = await host.resolve(folder, job.base.path);
  const { checkpoint, session, close } = await openBase(job, { host, choice, read: options.read, folder: baseFolder, listen });
  try {
    const reading = readingOf(job, options, baseFolder);
    const ready = readyAdapters(job, {
      host,
      session,
      folder,
      out: joinPath(folder, "."),
      listen,
      base: checkpoint,
      tokens: reading.tokens,
    });
    const found = new Map<string, readonly FoundSize[]>();
    for (const train of job.train) {
      const adapter = job.adapters.find(({ name }) => name === train.adapter)!;
      if (!adapter.measure) continue;
      for (const beneath of adapter.with) if (beneath !== adapter.name) await ready.need(beneath);
      const observe = observerOf(job, train, await reading.examplesOf(train), session, listen);
      const values = await blaming({ block: `train ${train.adapter}` }, () =>
        measureAdapter(job, adapter, session, { observe, tokens: reading.tokens }),
      );
      found.set(
        adapter.name,
        adapter.measure.sizes.map((one) => wholeSize(one, values.get(one.value)![0]!)),
      );
    }
    return found;
  } finally {
    await close();
  }
};

/** An adapter that has no shapes yet. */
export const needsMeasuring = ({ name, measure }: Pick<Adapter, "name" | "measure">): Diagnostic =>
  diagnostics.needs_measuring(
    undefined,
    { adapter: name, sizes: [...new Set(measure?.sizes.map((one) => one.name))].join(", ") },
    { about: { block: `adapter ${name}` }, help: "measure first: `peft measure FILE`" },
  );

const wholeSize = ({ line, path, name }: MeasuredSize, found: number): FoundSize => {
  if (Number.isInteger(found) && found >= 0) return { line, path, name, size: found };
  const problem = `at ${path} it came out as ${found}`;
  throw new DiagnosticError([
    diagnostics.bad_measure(undefined, { name, problem }, { help: "let it count something: a whole number for each target" }),
  ]);
};
