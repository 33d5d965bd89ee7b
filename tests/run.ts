// Runs every tests/**/*.test.ts in one process and ends with `N passed, N failed`. `npm test -- TEXT` keeps tests whose name holds TEXT.

import { readdirSync } from "node:fs";
import { collected, runCollected } from "./harness.ts";

const here = new URL("./", import.meta.url);
const files = readdirSync(here, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".test.ts"))
  .sort();
for (const file of files) {
  const before = collected.length;
  await import(new URL(file, here).href);
  if (collected.length === before) throw new Error(`${file} declares no test`);
}
// A test that waits for what never comes empties the event loop, and Node would end as if all were well.
process.on("exit", (code) => {
  if (code === 0 && !done) {
    console.log("the suite ended before its last test was done");
    process.exitCode = 1;
  }
});
let done = false;
const { passed, failed, skipped } = await runCollected(process.argv[2]);
done = true;
if (passed + failed === 0) throw new Error("no test ran");
console.log(`${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ""}`);
process.exit(failed ? 1 : 0);
