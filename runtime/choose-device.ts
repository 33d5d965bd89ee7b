// Which device runs the job, and why. `auto` takes a real GPU if there is one, else the CPU; software Vulkan only when asked for.

import { diagnostics } from "../spec/diagnostics.generated.ts";
import type { Device } from "./devices/device.ts";
import { DiagnosticError } from "./diagnostic-error.ts";

export type Wanted = "auto" | "cpu" | "webgpu";

export interface Choice {
  readonly device: Device;
  readonly why: string;
}

/** Native modules are loaded only here, and only the one that is used. Throws a DiagnosticError. */
export const chooseDevice = async (wanted: Wanted): Promise<Choice> => {
  if (wanted === "cpu") return { device: await cpu(), why: "asked for" };
  const { webgpuDevice } = await import("./devices/webgpu.ts");
  const gpu = await webgpuDevice();
  if (wanted === "webgpu") {
    if ("missing" in gpu)
      throw new DiagnosticError([
        diagnostics.no_adapter(undefined, { notes: [{ message: gpu.missing }], help: "install a Vulkan, Metal or Direct3D 12 driver, or run with --device cpu" }),
      ]);
    return { device: gpu, why: gpu.software ? "asked for; this driver is software, and slow" : "asked for" };
  }
  if (!("missing" in gpu) && !gpu.software) return { device: gpu, why: "a GPU was found" };
  return { device: await cpu(), why: "missing" in gpu ? "no GPU was found" : "the only GPU driver here is software" };
};

const cpu = async (): Promise<Device> => (await import("./devices/cpu.ts")).cpuDevice();
