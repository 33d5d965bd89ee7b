// A filled batch to a device: the values of it that a program reads, and the sizes that it runs at.

import type { Session } from "../devices/device.ts";
import type { Batch } from "./batches.ts";
import { writeSource } from "./sources.ts";

/** `ends` where the program reads it. What stands for pictures has no tokens. */
export const writeBatch = async (
  session: Pick<Session, "write">,
  filled: Batch,
  ends: boolean,
): Promise<Readonly<Record<string, number>>> => {
  const { b, t, n, source, pixels } = filled;
  if (pixels) await session.write("pixels", pixels);
  else {
    await session.write("ids", filled.ids);
    await session.write("positions", filled.positions);
  }
  if (filled.slots && filled.starts) {
    await session.write("slots", filled.slots);
    await session.write("starts", filled.starts);
  }
  if (ends) await session.write("ends", filled.ends);
  if (source) await writeSource(session, source.ids, source.u);
  await session.write("rows", filled.rows);
  await session.write("targets", filled.targets);
  return { b, t, n, ...(source && { u: source.u }) };
};
