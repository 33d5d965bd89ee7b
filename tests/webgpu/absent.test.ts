// A machine without a driver: asked for by name the device is an error, and otherwise the CPU computes. Drivers are found once per
// process, so a process of its own is told of none.

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { assert, group } from "../harness.ts";

const chosen = (wanted: string): string => {
  const script = `
    import { chooseDevice } from "./runtime/choose-device.ts";
    const said = await chooseDevice("${wanted}").then(({ device }) => device.name, ({ diagnostics }) => diagnostics[0].code);
    console.log(said);
    process.exit(0);`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script], {
    cwd: fileURLToPath(new URL("../../", import.meta.url)),
    env: { ...process.env, VK_DRIVER_FILES: "/nowhere.json", VK_ICD_FILENAMES: "/nowhere.json" },
    encoding: "utf8",
  });
  return stdout.trim() || stderr;
};

group("no GPU", (test) => {
  test("the device asked for is said to be absent", () => assert.is(chosen("webgpu"), "PEFT0701"));

  test("nothing asked for, the CPU computes", () => assert.is(chosen("auto"), "cpu"));
});
