// Which device runs the job, and why. `auto` takes a real GPU if there is one, else the CPU; software Vulkan only when asked for.

import type { Diagnostic } from "../spec/diagnostic.ts";
import { diagnostics } from "../spec/diagnostics.generated.ts";
import type { Job, Train } from "../spec/job.ts";
import type { Device } from "./devices/device.ts";
import { type Found, hasHalves } from "./devices/webgpu-adapter.ts";
import { DiagnosticError } from "./diagnostic-error.ts";

export type Wanted = "auto" | "cpu" | "webgpu";

export interface Choice {
  readonly device: Device;
  readonly why: string;
}

/**
 * Native modules are loaded only here, and only the one that is used. A job whose weights come through a ring is the cpu's; one
 * that computes in f16 takes a GPU that can. Throws a DiagnosticError.
 */
export const chooseDevice = async (wanted: Wanted, { ring, train = [] }: Partial<Pick<Job, "ring" | "train">> = {}): Promise<Choice> => {
  if (ring && wanted === "webgpu")
    throw new DiagnosticError([
      diagnostics.ring_needs_cpu(
        undefined,
        { layers: ring.length },
        { help: "run it with --device cpu, or raise the bound of `memory(train …)` until `plan` says that no layer is read anew" },
      ),
    ]);
  if (ring && wanted === "auto") return { device: await cpu(), why: "the base is read layer by layer, to keep the budget" };
  if (wanted === "cpu") return { device: await cpu(), why: "asked for" };
  const { findAdapter, webgpuDevice } = await import("./devices/webgpu.ts");
  const found = await findAdapter();
  if (wanted === "webgpu") {
    if (!found)
      throw new DiagnosticError([
        diagnostics.no_adapter(undefined, { help: "install a Vulkan, Metal or Direct3D 12 driver, or run with --device cpu" }),
      ]);
    const problem = lacksHalves(found, train);
    if (problem) throw new DiagnosticError([problem]);
    return { device: await webgpuDevice(found), why: found.software ? "asked for; this driver is software, and slow" : "asked for" };
  }
  if (found && !found.software && lacksHalves(found, train))
    return { device: await cpu(), why: "the GPU has no shader-f16, which `compute: f16` needs" };
  if (found && !found.software) return { device: await webgpuDevice(found), why: "a GPU was found" };
  return { device: await cpu(), why: found ? "the only GPU driver here is software" : "no GPU was found" };
};

/** Why a GPU cannot run these trainings, if it cannot. */
export const lacksHalves = (
  found: Pick<Found, "adapter" | "description">,
  train: readonly Pick<Train, "compute">[],
): Diagnostic | undefined =>
  train.some(({ compute }) => compute === "f16") && !hasHalves(found)
    ? diagnostics.no_half(
        undefined,
        { gpu: found.description },
        { help: "leave `compute: f16` out, or run with --device cpu, which rounds the same and is no faster for it" },
      )
    : undefined;

const cpu = async (): Promise<Device> => (await import("./devices/cpu.ts")).cpuDevice();
