import { toBytes } from "../../runtime/dtype.ts";
import { memoryHost } from "../../runtime/memory-host.ts";
import { restoreState, type StateArray, saveState } from "../../runtime/training-state.ts";
import { assert, group } from "../harness.ts";
import { caught, codes } from "./caught.ts";

const arrays: StateArray[] = [
  { name: "menu.parameters", dtype: "f32", shape: [3] },
  { name: "codes", dtype: "u8", shape: [2, 2] },
];
const identity = { seed: 7, job: "abc" };
const content = (step: number) => (name: string) =>
  name === "codes" ? Uint8Array.of(step, 2, 3, 4) : toBytes(Float32Array.of(step, Number.NaN, -0), "F32");

/** As saving asks for it: bytes from a place on. */
const reader = (step: number) => (name: string, from: number, into: Uint8Array) =>
  into.set(content(step)(name).subarray(from, from + into.length));

const save = (host: ReturnType<typeof memoryHost>, step: number, keep = 2) =>
  saveState(host, "/run", { step, epoch: 1, batch: step % 10 }, identity, arrays, reader(step), keep);

const restore = async (host: ReturnType<typeof memoryHost>, as = identity, expected = arrays) => {
  const got = new Map<string, number[]>();
  const { restored, warnings } = await restoreState(host, "/run", as, expected, (name, from, bytes) => {
    assert.is(got.get(name)?.length ?? 0, from);
    got.set(name, [...(got.get(name) ?? []), ...bytes]);
  });
  return { restored, warnings: warnings.map((w) => `${w.code} ${w.severity} ${w.message}`), got };
};

const folders = async (host: ReturnType<typeof memoryHost>) => (await host.list("/run")).map((e) => e.name);

group("training state", (test) => {
  test("comes back bit for bit, with its place in the data", async () => {
    const host = memoryHost();
    await save(host, 200);
    const { restored, got, warnings } = await restore(host);
    assert.equal(restored, { folder: "/run/checkpoint-000200", position: { step: 200, epoch: 1, batch: 0 } });
    for (const { name } of arrays) assert.equal(got.get(name), [...content(200)(name)]);
    assert.equal(warnings, []);
  });

  test("an array goes through memory in parts", async () => {
    const host = memoryHost();
    const large = Float32Array.from({ length: (1 << 19) + 3 }, (_, i) => i);
    const whole: StateArray[] = [{ name: "large", dtype: "f32", shape: [large.length] }];
    const parts: number[] = [];
    await saveState(
      host,
      "/run",
      { step: 1, epoch: 0, batch: 0 },
      identity,
      whole,
      (_, from, into) => {
        parts.push(into.length);
        into.set(new Uint8Array(large.buffer, from, into.length));
      },
      1,
    );
    assert.equal(parts, [1 << 20, 1 << 20, 12]);
    const back = new Uint8Array(large.byteLength);
    await restoreState(host, "/run", identity, whole, (_, from, bytes) => back.set(bytes, from));
    assert.equal(new Float32Array(back.buffer), large);
  });

  test("the newest is taken and the newest few are kept; numbers order as numbers", async () => {
    const host = memoryHost();
    for (const step of [999_900, 999_950, 1_000_000, 1_000_050]) await save(host, step);
    assert.equal(await folders(host), ["checkpoint-1000000", "checkpoint-1000050"]);
    assert.is((await restore(host)).restored!.position.step, 1_000_050);
    await save(host, 1_000_060, 1);
    assert.equal(await folders(host), ["checkpoint-1000060"]);
  });

  test("nothing there is no error", async () => {
    const host = memoryHost();
    assert.equal((await restore(host)).restored, undefined);
    await host.makeFolder("/run");
    assert.equal((await restore(host)).restored, undefined);
  });

  test("what is not whole is passed over, and said", async () => {
    const whole = memoryHost();
    await save(whole, 100);
    await save(whole, 200);
    const broken: readonly (readonly [what: string, break_: (host: ReturnType<typeof memoryHost>) => unknown, words: string])[] = [
      ["no position", (h) => h.remove("/run/checkpoint-000200/state.json"), "has no state.json"],
      ["no arrays", (h) => h.remove("/run/checkpoint-000200/state.safetensors"), "has no state.safetensors"],
      [
        "arrays cut short",
        (h) =>
          h.files.set("/run/checkpoint-000200/state.safetensors", h.files.get("/run/checkpoint-000200/state.safetensors")!.slice(0, -1)),
        "bytes of",
      ],
      ["a position that is no JSON", (h) => h.files.set("/run/checkpoint-000200/state.json", new Uint8Array([0x7b])), "damaged"],
      [
        "a position of another kind",
        (h) => h.files.set("/run/checkpoint-000200/state.json", new TextEncoder().encode('{"step":1}')),
        "damaged",
      ],
      [
        "a header that lies",
        (h) => {
          const bytes = h.files.get("/run/checkpoint-000200/state.safetensors")!.slice();
          bytes[8] = 0x20;
          h.files.set("/run/checkpoint-000200/state.safetensors", bytes);
        },
        "header",
      ],
      ["a name without its end", (h) => h.rename("/run/checkpoint-000200", "/run/checkpoint-000200.partial"), "not written to its end"],
    ];
    for (const [what, break_, words] of broken) {
      const host = memoryHost();
      await host.makeFolder("/run");
      for (const [path, bytes] of whole.files) {
        await host.makeFolder(path.slice(0, path.lastIndexOf("/")));
        host.files.set(path, bytes);
      }
      await break_(host);
      const { restored, warnings, got } = await restore(host);
      assert.is(restored?.position.step, 100, what);
      assert.equal(got.get("codes"), [100, 2, 3, 4]);
      assert.is(warnings.length, 1, what);
      assert.match(warnings[0]!, /^PEFT0590 warning /);
      assert.match(warnings[0]!, words);
    }
  });

  test("another seed, job or array is another run", async () => {
    const host = memoryHost();
    await save(host, 200);
    const refused = async (as: typeof identity, expected = arrays) => {
      const [found] = await caught(() => restore(host, as, expected));
      assert.is(found!.code, "PEFT0591");
      return found!.message;
    };
    assert.match(await refused({ ...identity, seed: 8 }), "seed is 7, the job's is 8");
    assert.match(await refused({ ...identity, job: "x" }), "has changed");
    assert.match(await refused(identity, [{ ...arrays[0]!, shape: [4] }, arrays[1]!]), "expected F32 [4], found F32 [3]");
    assert.match(await refused(identity, [arrays[0]!]), "codes is not part");
    assert.match(await refused(identity, [...arrays, { name: "m", dtype: "f32", shape: [1] }]), "m: expected F32 [1], it is not there");
  });

  test("a full disk, and a reader that fails, leave the older checkpoint and nothing else", async () => {
    const probe = memoryHost();
    await save(probe, 100);
    let size = 0;
    for (const bytes of probe.files.values()) size += bytes.length;
    const host = memoryHost({ quota: 2 * size - 1 });
    await save(host, 100);
    assert.equal(await codes(() => save(host, 200)), ["PEFT0503"]);
    assert.equal(await folders(host), ["checkpoint-000100"]);
    const stopped = saveState(
      host,
      "/run",
      { step: 300, epoch: 0, batch: 0 },
      identity,
      arrays,
      () => {
        throw new Error("device lost");
      },
      2,
    );
    await stopped.then(
      () => assert.unreachable(),
      (error: Error) => assert.is(error.message, "device lost"),
    );
    assert.equal(await folders(host), ["checkpoint-000100"]);
  });

  test("a checkpoint of the same step is replaced", async () => {
    const host = memoryHost();
    await save(host, 200);
    await saveState(host, "/run", { step: 200, epoch: 5, batch: 5 }, identity, arrays, reader(1), 2);
    const { restored, got } = await restore(host);
    assert.is(restored!.position.epoch, 5);
    assert.equal(got.get("codes"), [1, 2, 3, 4]);
  });
});
