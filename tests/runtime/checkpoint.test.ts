import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadParameters, openCheckpoint } from "../../runtime/checkpoint.ts";
import { toBytes } from "../../runtime/dtype.ts";
import { headerText, readHeaders } from "../../runtime/headers.ts";
import type { Host } from "../../runtime/host.ts";
import { writeWhole } from "../../runtime/host.ts";
import { memoryHost } from "../../runtime/memory-host.ts";
import { nodeHost } from "../../runtime/node-host.ts";
import { type TensorPlan, writeSafetensors } from "../../runtime/safetensors.ts";
import type { Parameter } from "../../spec/job.ts";
import { assert, group } from "../harness.ts";
import { caught, codes } from "./caught.ts";
import { emptyJob } from "./job.ts";
import { shared, without } from "./shared.ts";

const values = (plan: TensorPlan): Float32Array => Float32Array.from({ length: plan.shape.reduce((a, b) => a * b, 1) }, (_, i) => i - 3.5);

const weights = (name: string, dtype: "F32" | "F16" | "BF16", shape: number[]): TensorPlan => ({ name, dtype, shape });

const put = (host: Host, path: string, plans: readonly TensorPlan[]) =>
  writeSafetensors(host, path, plans, (plan) => toBytes(values(plan), plan.dtype as "F32"));

const single = async (host: Host) => {
  await host.makeFolder("/base");
  await put(host, "/base/model.safetensors", [weights("a", "F32", [2, 3]), weights("b", "F16", [4]), weights("c", "BF16", [3, 2])]);
  await writeWhole(host, "/base/config.json", '{"model_type":"x"}');
};

const sharded = async (host: Host) => {
  await host.makeFolder("/base");
  await put(host, "/base/model-00001-of-00002.safetensors", [weights("a", "F32", [2, 3])]);
  await put(host, "/base/model-00002-of-00002.safetensors", [weights("b", "F16", [4])]);
  const weight_map = { a: "model-00001-of-00002.safetensors", b: "model-00002-of-00002.safetensors" };
  await writeWhole(host, "/base/model.safetensors.index.json", JSON.stringify({ metadata: { total_size: 32 }, weight_map }));
  await writeWhole(host, "/base/config.json", "{}");
};

const parameter = (name: string, shape: number[], source: Parameter["source"], stored?: "f32"): Parameter => ({
  name,
  shape,
  dtype: "f32",
  trained: false,
  source,
  ...(stored && { stored }),
});

group("checkpoint", (test) => {
  test("reads f32, f16 and bf16, straight and transposed, on both hosts", async () => {
    const folder = mkdtempSync(join(tmpdir(), "peft-test-"));
    const rooted: Host = { ...nodeHost, open: (p) => nodeHost.open(folder + p), create: (p) => nodeHost.create(folder + p) };
    const onDisk: Host = {
      ...rooted,
      kind: (p) => nodeHost.kind(folder + p),
      read: (p) => nodeHost.read(folder + p),
      list: (p) => nodeHost.list(folder + p),
      makeFolder: (p) => nodeHost.makeFolder(folder + p),
    };
    try {
      for (const host of [memoryHost(), onDisk]) {
        await single(host);
        const checkpoint = await openCheckpoint(host, "/base");
        assert.equal(checkpoint.config, { model_type: "x" });
        assert.equal([...(await checkpoint.read("a"))], [-3.5, -2.5, -1.5, -0.5, 0.5, 1.5]);
        assert.equal([...(await checkpoint.read("a", { transposed: true }))], [-3.5, -0.5, -2.5, 0.5, -1.5, 1.5]);
        assert.equal([...(await checkpoint.read("b"))], [-3.5, -2.5, -1.5, -0.5]);
        assert.equal([...(await checkpoint.read("c", { transposed: true }))], [-3.5, -1.5, 0.5, -2.5, -0.5, 1.5]);
        const pieces: number[] = [];
        for await (const piece of checkpoint.bytes("b")) pieces.push(...piece);
        assert.equal(pieces, [...toBytes(values(weights("b", "F16", [4])), "F16")]);
        await checkpoint.close();
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("reads shards by their index; their text covers every header", async () => {
    const host = memoryHost();
    await sharded(host);
    const checkpoint = await openCheckpoint(host, "/base");
    assert.equal([...checkpoint.tensors.keys()].sort(), ["a", "b"]);
    assert.equal([...(await checkpoint.read("b"))], [-3.5, -2.5, -1.5, -0.5]);
    assert.equal(headerText((await readHeaders(host, "/base")).files), headerText(checkpoint.files));
    await put(host, "/base/model-00002-of-00002.safetensors", [weights("b", "BF16", [4])]);
    assert.not.equal(headerText((await readHeaders(host, "/base")).files), headerText(checkpoint.files));
  });

  test("refuses shards that do not fit their index", async () => {
    const index = (map: Record<string, unknown>) => JSON.stringify({ weight_map: map });
    const one = "model-00001-of-00002.safetensors";
    const two = "model-00002-of-00002.safetensors";
    const cases: readonly (readonly [string, string, string])[] = [
      [index({ a: one, b: one }), "PEFT0532", "the index says"],
      [index({ a: one, b: two, c: two }), "PEFT0532", "in no shard"],
      [index({ a: "model-00001-of-0002.safetensors", b: two }), "PEFT0532", `there is ${one}`],
      [index({ a: "../base/" + one }), "PEFT0531", "not in a .safetensors file"],
      [index({ a: 3 }), "PEFT0531", "not in a .safetensors file"],
      [index({}), "PEFT0531", "empty"],
      ["[]", "PEFT0531", "weight_map"],
      ["{", "PEFT0531", ""],
      [`{"weight_map":{"a":"${one}","a":"${two}"}}`, "PEFT0531", "twice"],
    ];
    for (const [text, code, words] of cases) {
      const host = memoryHost();
      await sharded(host);
      await writeWhole(host, "/base/model.safetensors.index.json", text);
      const [found] = await caught(() => readHeaders(host, "/base"));
      assert.is(found!.code, code, text);
      assert.match([found!.message, ...found!.notes.map((n) => n.message)].join("\n"), words);
    }
  });

  test("a tensor in two shards is refused", async () => {
    const host = memoryHost();
    await sharded(host);
    await put(host, "/base/model-00002-of-00002.safetensors", [weights("a", "F32", [2, 3]), weights("b", "F16", [4])]);
    const [found] = await caught(() => readHeaders(host, "/base"));
    assert.is(found!.code, "PEFT0532");
    assert.match(found!.notes[0]!.message, "two files");
  });

  test("says what lies in a folder without weights, and in no folder", async () => {
    const host = memoryHost();
    await host.makeFolder("/base");
    host.files.set("/base/pytorch_model.bin", new Uint8Array(1));
    const [found] = await caught(() => openCheckpoint(host, "/base"));
    assert.is(found!.code, "PEFT0530");
    assert.match(found!.notes[0]!.message, "pytorch_model.bin");
    assert.match(found!.help!, "safe_serialization");
    const [absent] = await caught(() => openCheckpoint(host, "/bass"));
    assert.is(absent!.code, "PEFT0500");
    assert.match(absent!.help!, "base");
  });

  test("config.json must be there and be an object", async () => {
    const host = memoryHost();
    await single(host);
    for (const text of ["[1]", "{", "null"]) {
      await writeWhole(host, "/base/config.json", text);
      assert.equal(await codes(() => openCheckpoint(host, "/base")), ["PEFT0534"]);
    }
    await host.remove("/base/config.json");
    assert.equal(await codes(() => openCheckpoint(host, "/base")), ["PEFT0500"]);
  });

  test("loads a job: read, transposed, drawn, copied; the same bits each time", async () => {
    const host = memoryHost();
    await single(host);
    const job = emptyJob({
      parameters: [
        parameter("w", [3, 2], { kind: "checkpoint", tensor: "a", transposed: true }),
        parameter("copy", [3, 2], { kind: "copy", of: "w" }),
        parameter("menu:x", [2, 2], { kind: "draw", distribution: "normal", args: [1] }),
        parameter("menu:y", [2, 2], { kind: "copy", of: "menu:x" }),
      ],
      adapters: [
        {
          name: "menu",
          method: "m",
          parameters: ["menu:x", "menu:y"],
          trainable: 8,
          with: [],
          trainedBy: [],
          mergeable: true,
          files: { library: "none", config: {}, tensors: [] },
        },
      ],
    });
    const load = async (from: typeof job) => {
      const got = new Map<string, number[]>();
      const checkpoint = await openCheckpoint(host, "/base");
      await loadParameters(from, checkpoint, (p, v) => void got.set(p.name, [...v]));
      return got;
    };
    const first = await load(job);
    assert.equal([...first.keys()], ["w", "copy", "menu:x", "menu:y"]);
    assert.equal(first.get("w"), [-3.5, -0.5, -2.5, 0.5, -1.5, 1.5]);
    assert.equal(first.get("copy"), first.get("w"));
    assert.equal(first.get("menu:y"), first.get("menu:x"));
    assert.equal(await load(job), first);
    const train = { adapter: "menu", seed: 99 } as (typeof job.train)[number];
    assert.not.equal((await load({ ...job, train: [train] })).get("menu:x"), first.get("menu:x"));
  });

  test("a checkpoint that does not fit: every difference, before anything is written", async () => {
    const host = memoryHost();
    await single(host);
    const from = (tensor: string, transposed = false) => ({ kind: "checkpoint", tensor, transposed }) as const;
    const job = emptyJob({
      parameters: [
        parameter("ok", [2, 3], from("a"), "f32"),
        parameter("turned", [2, 3], from("a", true), "f32"),
        parameter("absent", [2], from("z"), "f32"),
        parameter("format", [4], from("b"), "f32"),
      ],
    });
    let written = 0;
    const checkpoint = await openCheckpoint(host, "/base");
    const [found] = await caught(() => loadParameters(job, checkpoint, () => void written++));
    assert.is(written, 0);
    assert.is(found!.code, "PEFT0533");
    assert.match(found!.message, "3 of 4");
    assert.equal(
      found!.notes.map((n) => n.message),
      ["a: expected F32 [3, 2], found F32 [2, 3]", "z: expected F32 [2], it is not there", "b: expected F32 [4], found F16 [4]"],
    );
  });

  test("packed integers are no weights", async () => {
    const host = memoryHost();
    await single(host);
    await writeSafetensors(host, "/base/model.safetensors", [{ name: "q", dtype: "I32", shape: [1] }], () => new Uint8Array(4));
    const checkpoint = await openCheckpoint(host, "/base");
    assert.equal(await codes(() => checkpoint.read("q")), ["PEFT0535"]);
  });

  test(
    "real: stories260k and gpt-nano-sort open, and their tensors are finite",
    async () => {
      for (const model of ["stories260k", "gpt-nano-sort"]) {
        const checkpoint = await openCheckpoint(nodeHost, shared(`models/${model}`));
        let count = 0;
        for (const [name, { shape }] of checkpoint.tensors) {
          const read = await checkpoint.read(name);
          assert.is(
            read.length,
            shape.reduce((a, b) => a * b, 1),
          );
          assert.ok(read.every(Number.isFinite));
          count += read.length;
        }
        assert.is(count, model === "stories260k" ? 260_032 : 85_728);
        await checkpoint.close();
      }
    },
    { skip: without("models") },
  );
});
