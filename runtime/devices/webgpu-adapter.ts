// Finds a GPU. In a browser WebGPU is there; in Node the `webgpu` package (Dawn) brings it, loaded when first asked for. Tells
// a real GPU from a software one (Mesa's llvmpipe, SwiftShader), so that `--device auto` does not choose the latter.

export interface Found {
  readonly adapter: GPUAdapter;
  readonly software: boolean;
  /** One line: the device, its maker, its driver. */
  readonly description: string;
}

/** Held here for good: the devices die when the object from `create()` is collected. */
let provider: Promise<GPU | undefined> | undefined;

const load = async (): Promise<GPU | undefined> => {
  const gpu = (globalThis as { navigator?: { gpu?: GPU } }).navigator?.gpu;
  if (gpu) return gpu;
  // No package for this platform is no GPU, not a fault.
  return import("webgpu").then(({ create }) => create(["enable-dawn-features=vulkan_enable_f16_on_nvidia"])).catch(() => undefined);
};

/** Whether its kernels may compute in f16. */
export const hasHalves = ({ adapter }: Pick<Found, "adapter">): boolean => adapter.features.has("shader-f16");

/** An adapter, if there is one. It gives one device. */
export const findAdapter = async (): Promise<Found | undefined> => {
  provider ??= load();
  const adapter = await (await provider)?.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) return undefined;
  const { description, vendor, architecture, device, isFallbackAdapter } = adapter.info;
  const text = [device, description, architecture, vendor].filter((part) => part).join(", ");
  return { adapter, software: isFallbackAdapter || /llvmpipe|swiftshader|software/i.test(text), description: text || "an unnamed GPU" };
};
