// A bank of adapters: their tensors side by side, each row of a batch taking its own. The adapters' tensors go in before the bank is
// used and come back after it was trained, so that each is saved, read and used by itself like any other.

import { nearest } from "../spec/diagnostic.ts";
import { diagnostics } from "../spec/diagnostics.generated.ts";
import type { Adapter, Job } from "../spec/job.ts";
import type { Examples } from "./data/examples.ts";
import type { Session } from "./devices/device.ts";
import { DiagnosticError } from "./diagnostic-error.ts";

const stacks = (job: Job, bank: Adapter): { readonly name: string; readonly of: readonly string[] }[] =>
  job.parameters.flatMap(({ name, source }) =>
    source.kind === "stack" && bank.parameters.includes(name) ? [{ name, of: source.of }] : [],
  );

/** The members' tensors into the bank. */
export const fillBank = async (job: Job, bank: Adapter, session: Session): Promise<void> => {
  for (const { name, of } of stacks(job, bank)) {
    if (!job.values[name]) continue;
    const parts: Float32Array[] = [];
    for (const member of of) parts.push((await session.read(member)) as Float32Array);
    const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      all.set(part, at);
      at += part.length;
    }
    await session.write(name, all);
  }
};

/** The bank's tensors back to its members. */
export const emptyBank = async (job: Job, bank: Adapter, session: Session): Promise<void> => {
  for (const { name, of } of stacks(job, bank)) {
    const all = (await session.read(name)) as Float32Array;
    const size = all.length / of.length;
    for (const [i, member] of of.entries()) await session.write(member, all.slice(i * size, (i + 1) * size));
  }
};

/** The place of each example's adapter in the bank. Throws a DiagnosticError that names the first row that asks for another. */
export const placesIn = (bank: Pick<Adapter, "name" | "bank">, examples: Examples, data: string): Int32Array => {
  const members = bank.bank ?? [];
  return Int32Array.from({ length: examples.count }, (_, i) =>
    placeOf(bank.name, members, examples.adapters?.[i] ?? "", `row ${examples.rows[i]} of ${data}`),
  );
};

/** The place of an adapter in a bank's members. Throws a DiagnosticError. */
export const placeOf = (mix: string, members: readonly string[], name: string, place: string): number => {
  const found = members.indexOf(name);
  if (found >= 0) return found;
  const near = nearest(name, members);
  throw new DiagnosticError([
    diagnostics.unknown_row_adapter(
      undefined,
      { place, name, mix },
      { notes: [{ message: `it holds: ${members.join(", ")}` }], ...(near && { help: `did you mean \`${near}\`?` }) },
    ),
  ]);
};
