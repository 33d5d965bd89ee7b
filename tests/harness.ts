// The tests' one door. uvu counts a file without `.run()` as fine and a throwing hook as success, so nothing here uses hooks:
// every test is collected here, run by run.ts, and the totals are checked there.

export * as assert from "uvu/assert";

type Body = () => void | Promise<void>;

export interface Collected {
  readonly group: string;
  readonly name: string;
  readonly body: Body;
  /** Why it cannot run here; reported, never silent. */
  readonly skip?: string | undefined;
}

export const collected: Collected[] = [];

/** Declares tests: `group("dims", (test) => { test("adds", () => …) })`. `test(name, body, { skip })` reports a reason. */
export const group = (
  name: string,
  declare: (test: (name: string, body: Body, options?: { skip?: string | undefined }) => void) => void,
): void => {
  declare((title, body, options) => collected.push({ group: name, name: title, body, skip: options?.skip }));
};

/** Runs what was collected. Returns counts; prints a line per failure and per skip. */
export const runCollected = async (only?: string): Promise<{ passed: number; failed: number; skipped: number }> => {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const { group: groupName, name, body, skip } of collected) {
    const title = `${groupName} > ${name}`;
    if (only && !title.includes(only)) continue;
    if (skip) {
      counts.skipped++;
      console.log(`SKIP ${title}: ${skip}`);
      continue;
    }
    try {
      await body();
      counts.passed++;
    } catch (error) {
      counts.failed++;
      const details = (error as { details?: string }).details ?? "";
      console.log(`FAIL ${title}\n${details}${error instanceof Error ? (error.stack ?? error.message) : `threw ${String(error)}`}\n`);
    }
  }
  return counts;
};
