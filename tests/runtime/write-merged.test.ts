import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openCheckpoint } from "../../runtime/checkpoint.ts";
import { fromBytes, toBytes } from "../../runtime/dtype.ts";
import { writeWhole } from "../../runtime/host.ts";
import { type MemoryHost, memoryHost } from "../../runtime/memory-host.ts";
import { nodeHost } from "../../runtime/node-host.ts";
import { type TensorPlan, writeSafetensors } from "../../runtime/safetensors.ts";
import { checkpointBase, drawnBase, writeMerged } from "../../runtime/write-merged.ts";
import type { MergedTensor } from "../../spec/job.ts";
import { assert, group } from "../harness.ts";
import { caught, codes } from "./caught.ts";
import { emptyJob } from "./job.ts";
import { shared, without } from "./shared.ts";

const plans: TensorPlan[] = [
  { name: "q", dtype: "BF16", shape: [2, 3] },
  { name: "other", dtype: "F32", shape: [3] },
  { name: "packed", dtype: "I64", shape: [1] },
];

const write = (host: MemoryHost, path: string, list: readonly TensorPlan[]) =>
  writeSafetensors(host, path, list, ({ dtype, shape }) =>
    dtype === "I64"
      ? Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)
      : toBytes(new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(1), dtype as "F32"),
  );

const single = async (quota?: number) => {
  const host = memoryHost(quota === undefined ? {} : { quota });
  await host.makeFolder("/base");
  await write(host, "/base/model.safetensors", plans);
  for (const name of ["config.json", "generation_config.json", "tokenizer.json", "merges.txt", "LICENSE"])
    await writeWhole(host, `/base/${name}`, `{"is":"${name}"}`);
  for (const name of ["README.md", "optimizer.pt", "pytorch_model.bin"]) await writeWhole(host, `/base/${name}`, "x");
  return host;
};

const target = (part: Partial<MergedTensor> = {}): MergedTensor => ({
  tensor: "q",
  transposed: false,
  shape: [2, 3],
  output: "merged",
  ...part,
});
const numbers = Float32Array.of(1, 2, 3, 4, 5, 6.01);

const merge = async (host: MemoryHost, into = "/merged", tensors = [target()], values = numbers, as?: "f16" | "f32") =>
  writeMerged(host, checkpointBase(await openCheckpoint(host, "/base")), into, tensors, () => values, as);

const names = (host: MemoryHost, folder: string) =>
  [...host.files.keys()]
    .filter((path) => path.startsWith(`${folder}/`))
    .map((path) => path.slice(folder.length + 1))
    .sort();

group("merged model", (test) => {
  test("merged tensors are rounded once, all others are the same bytes, and the model's files come along", async () => {
    const host = await single();
    const before = new Map(host.files);
    const report = await merge(host);
    assert.equal(names(host, "/merged"), [
      "LICENSE",
      "config.json",
      "generation_config.json",
      "merges.txt",
      "model.safetensors",
      "tokenizer.json",
    ]);
    const merged = await openCheckpoint(host, "/merged");
    assert.equal([...(await merged.read("q"))], [1, 2, 3, 4, 5, 6]);
    assert.is(merged.tensors.get("q")!.dtype, "BF16");
    assert.equal([...(await merged.read("other"))], [1, 1, 1]);
    for await (const bytes of merged.bytes("packed")) assert.equal([...bytes], [1, 2, 3, 4, 5, 6, 7, 8]);
    assert.equal(
      { ...report, rounding: { ...report.rounding, most: Math.round(report.rounding.most * 1e6) / 1e6 } },
      {
        folder: "/merged",
        bytes: host.files.get("/merged/model.safetensors")!.length,
        merged: 1,
        copied: 2,
        rounding: { most: 0.01, tensor: "q" },
      },
    );
    for (const [path, bytes] of before) assert.is(host.files.get(path), bytes, path);
  });

  test("a tensor stored turned is turned back", async () => {
    const host = await single();
    await merge(host, "/merged", [target({ transposed: true, shape: [3, 2] })]);
    assert.equal([...(await (await openCheckpoint(host, "/merged")).read("q"))], [1, 3, 5, 2, 4, 6]);
  });

  test("another stored format; f32 rounds nothing", async () => {
    const host = await single();
    const report = await merge(host, "/merged", [target()], numbers, "f32");
    const merged = await openCheckpoint(host, "/merged");
    assert.is(merged.tensors.get("q")!.dtype, "F32");
    assert.equal(await merged.read("q"), numbers);
    assert.is(report.rounding.most, 0);
  });

  test("values the format cannot hold, and values that are none, are diagnostics and leave nothing", async () => {
    const host = await single();
    const with_ = (x: number) => numbers.map((value, i) => (i === 3 ? x : value));
    const [over] = await caught(() => merge(host, "/merged", [target()], with_(70_000), "f16"));
    assert.is(over!.code, "PEFT0600");
    assert.match(over!.message, "70000");
    for (const x of [Number.NaN, Number.POSITIVE_INFINITY])
      assert.equal(await codes(() => merge(host, "/merged", [target()], with_(x))), ["PEFT0601"]);
    assert.equal([...new Set([...host.files.keys()].map((path) => path.split("/")[1]))], ["base"]);
    assert.is(await host.kind("/merged.partial"), undefined);
  });

  test("a tensor the base does not have, or has in another shape, stops everything first", async () => {
    const host = await single();
    const [found] = await caught(() =>
      merge(host, "/merged", [target({ tensor: "k" }), target({ shape: [3, 2] }), target({ tensor: "packed", shape: [1] })]),
    );
    assert.is(found!.code, "PEFT0533");
    assert.equal(
      found!.notes.map((n) => n.message),
      ["k: expected [2, 3], it is not there", "q: expected [3, 2], found [2, 3]", "packed: expected numbers to compute with, found I64"],
    );
  });

  test("an output with files in it, the base itself under any name, and a file are refused", async () => {
    const host = await single();
    await host.makeFolder("/old");
    host.files.set("/old/notes.txt", new Uint8Array(1));
    const [found] = await caught(() => merge(host, "/old"));
    assert.is(found!.code, "PEFT0505");
    assert.match(found!.notes[0]!.message, "notes.txt");
    for (const name of ["/base", "/base/", "/x/../base"]) assert.equal(await codes(() => merge(host, name)), ["PEFT0506"], name);
    assert.equal(await codes(() => merge(host, "/old/notes.txt")), ["PEFT0502"]);
    assert.equal(names(host, "/old"), ["notes.txt"]);
  });

  test("an empty folder, and one whose parents are absent, are fine; what a killed run left is replaced", async () => {
    const host = await single();
    await host.makeFolder("/empty");
    await merge(host, "/empty");
    await host.makeFolder("/a/b/c.partial");
    host.files.set("/a/b/c.partial/junk", new Uint8Array(1));
    await merge(host, "/a/b/c/");
    assert.equal(names(host, "/a/b/c"), names(host, "/empty"));
  });

  test("a disk that fills at any byte leaves the base and nothing else", async () => {
    const probe = await single();
    let size = 0;
    for (const bytes of probe.files.values()) size += bytes.length;
    const before = probe.files.size;
    for (const spare of [0, 1, 60, 300, 350]) {
      const host = await single(size + spare);
      assert.equal(await codes(() => merge(host)), ["PEFT0503"], `${spare}`);
      assert.is(host.files.size, before);
      assert.is(await host.kind("/merged"), undefined);
      assert.is(await host.kind("/merged.partial"), undefined);
    }
  });

  test("a sharded base stays sharded; its index is copied, or gets the new total", async () => {
    const sharded = async () => {
      const host = memoryHost();
      await host.makeFolder("/base");
      await write(host, "/base/model-00001-of-00002.safetensors", [plans[0]!]);
      await write(host, "/base/model-00002-of-00002.safetensors", [plans[1]!, plans[2]!]);
      const weight_map = {
        q: "model-00001-of-00002.safetensors",
        other: "model-00002-of-00002.safetensors",
        packed: "model-00002-of-00002.safetensors",
      };
      await writeWhole(host, "/base/model.safetensors.index.json", JSON.stringify({ metadata: { total_size: 32 }, weight_map }));
      await writeWhole(host, "/base/config.json", "{}");
      return host;
    };
    const host = await sharded();
    await merge(host);
    assert.equal(names(host, "/merged"), names(host, "/base"));
    assert.equal(host.files.get("/merged/model.safetensors.index.json"), host.files.get("/base/model.safetensors.index.json"));
    assert.equal([...(await (await openCheckpoint(host, "/merged")).read("q"))], [1, 2, 3, 4, 5, 6]);
    const wider = await sharded();
    await merge(wider, "/merged", [target()], numbers, "f32");
    const index = JSON.parse(new TextDecoder().decode(wider.files.get("/merged/model.safetensors.index.json"))) as {
      metadata: { total_size: number };
    };
    assert.is(index.metadata.total_size, 44);
  });

  test("a drawn base is written under its checkpoint names, in their orientation", async () => {
    const host = memoryHost();
    await host.makeFolder("/base");
    await writeWhole(host, "/base/config.json", "{}");
    const source = (tensor: string, transposed: boolean) =>
      ({ kind: "draw", distribution: "normal", args: [1], tensor, transposed }) as const;
    const job = emptyJob({
      parameters: [
        { name: "q.weight", shape: [2, 3], dtype: "f32", trained: false, source: source("h.q", true) },
        { name: "k.weight", shape: [2, 3], dtype: "f32", trained: false, source: source("h.k", false) },
      ],
    });
    const merged = target({ tensor: "h.k" });
    const report = await writeMerged(host, drawnBase(job, "/base"), "/merged", [merged], () => numbers);
    assert.equal([report.merged, report.copied], [1, 1]);
    const written = await openCheckpoint(host, "/merged");
    assert.equal(await written.read("h.k"), numbers);
    const { loadParameters } = await import("../../runtime/checkpoint.ts");
    await loadParameters(job, undefined, async (parameter, values) => {
      if (parameter.name === "q.weight") assert.equal(await written.read("h.q", { transposed: true }), values);
    });
  });

  test(
    "real: stories260k merged with its own values is the same file, byte for byte",
    async () => {
      const folder = mkdtempSync(join(tmpdir(), "peft-test-"));
      try {
        const base = await openCheckpoint(nodeHost, shared("models/stories260k"));
        const tensor = "model.layers.0.self_attn.k_proj.weight";
        const { shape } = base.tensors.get(tensor)!;
        const report = await writeMerged(nodeHost, checkpointBase(base), join(folder, "merged"), [target({ tensor, shape })], () =>
          base.read(tensor),
        );
        assert.equal([report.merged, report.rounding.most], [1, 0]);
        const [a, b] = [shared("models/stories260k/model.safetensors"), join(folder, "merged/model.safetensors")].map((path) =>
          readFileSync(path),
        );
        assert.ok(a!.equals(b!));
        const halves = await writeMerged(
          nodeHost,
          checkpointBase(base),
          join(folder, "halves"),
          [target({ tensor, shape })],
          () => base.read(tensor),
          "bf16",
        );
        assert.ok(halves.rounding.most > 0 && halves.rounding.most < 0.01);
        const bytes = toBytes(await base.read(tensor), "BF16");
        const written = await openCheckpoint(nodeHost, join(folder, "halves"));
        assert.equal(await written.read(tensor), fromBytes(bytes, "BF16"));
        await written.close();
        await base.close();
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
    { skip: without("models") },
  );
});
