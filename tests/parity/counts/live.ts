// `npm run parity:counts`: PEFT counts what each setting of its benchmark trains and stores, on the meta device; its answers are the
// fixture of counts.test.ts.

import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { python } from "../python.ts";
import { base, type Counts, fixture, settings, type TheirCount } from "./settings.ts";

interface Answer {
  readonly version: string;
  readonly counts: Readonly<
    Record<string, (Omit<TheirCount, "tensors"> & { tensors: Readonly<Record<string, readonly number[]>> }) | { refused: string }>
  >;
}

const { version, counts } = (await python("counts/counts.py", { base, configs: Object.fromEntries(settings()) }, 900)) as Answer;
const digest = (tensors: Readonly<Record<string, readonly number[]>>): string =>
  createHash("sha256")
    .update(
      Object.entries(tensors)
        .map(([name, shape]) => `${name} [${shape.join(", ")}]`)
        .sort()
        .join("\n"),
    )
    .digest("hex")
    .slice(0, 16);
const written: Counts = {
  version,
  counts: Object.fromEntries(
    Object.entries(counts).map(([name, one]) => [name, "refused" in one ? one : { ...one, tensors: digest(one.tensors) }]),
  ),
};
writeFileSync(fixture, `${JSON.stringify(written, undefined, 1)}\n`);
const refused = Object.values(written.counts).filter((one) => "refused" in one).length;
console.log(`PEFT ${version}: ${Object.keys(counts).length - refused} counted, ${refused} that need numbers`);
