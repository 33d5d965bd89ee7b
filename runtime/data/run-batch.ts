// A program over one planned batch: the batch whole, or its shares side by side where the device has lanes.

import type { Data, Session, Share } from "../devices/device.ts";
import { type Batch, fillBatch, type PlannedBatch } from "./batches.ts";
import type { Examples } from "./examples.ts";
import { shareOut } from "./shares.ts";
import { writeBatch } from "./write-batch.ts";

export interface BatchOptions {
  readonly examples: Examples;
  /** `sequence_len`, and the slots that stand in front of each row. */
  readonly limit: number;
  readonly virtual?: number | undefined;
  /** Whether the program reads where rows end. */
  readonly ends: boolean;
  /** For a bank of adapters: the place of each example's. */
  readonly places?: Int32Array | undefined;
  /** Values that each share has of its own, by its number. */
  readonly own?: (share: number) => readonly (readonly [name: string, data: Data])[];
  /** What the program gives that adds up over rows: numbers and gradients. */
  readonly sums: readonly string[];
}

/** Gives the number of tokens that are not padding. What does not depend on the rows is in the session's memory already. */
export const runBatch = async (session: Session, program: string, planned: PlannedBatch, options: BatchOptions): Promise<number> => {
  const { examples, limit, virtual, ends, places, own, sums } = options;
  const { lanes } = session;
  let tokens = 0;
  const shares: Share[] = [];
  for (const [i, share] of (lanes ? shareOut(examples, planned, lanes.count) : [planned]).entries()) {
    const filled: Batch = fillBatch(examples, share, limit, virtual);
    const values: (readonly [string, Data])[] = [...(own?.(i) ?? [])];
    const write = (name: string, data: Data): void => void values.push([name, data]);
    const dims = await writeBatch({ write }, filled, ends);
    if (places)
      write(
        "which",
        share.examples.map((example) => places[example]!),
      );
    shares.push({ dims, values });
    tokens += filled.tokens;
  }
  if (lanes) await lanes.run(program, shares, sums);
  else
    for (const { dims, values } of shares) {
      for (const [name, data] of values) await session.write(name, data);
      await session.run(program, dims);
    }
  return tokens;
};
