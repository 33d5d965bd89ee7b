import { loadAdapter, pythonJson, saveAdapter } from "../../runtime/adapter-files.ts";
import { adapterConfigFile, weightsFiles } from "../../runtime/adapter-names.ts";
import { toBytes } from "../../runtime/dtype.ts";
import { writeWhole } from "../../runtime/host.ts";
import { memoryHost } from "../../runtime/memory-host.ts";
import { readHeader, type TensorPlan, writeSafetensors } from "../../runtime/safetensors.ts";
import type { Adapter, Parameter } from "../../spec/job.ts";
import { assert, group } from "../harness.ts";
import { caught, codes } from "./caught.ts";

const draw = { kind: "draw", distribution: "zeros", args: [] } as const;
const parameters: Parameter[] = [
  { name: "menu:q.a", shape: [2, 3], dtype: "f32", trained: true, source: draw },
  { name: "menu:q.b", shape: [4, 2], dtype: "f32", trained: true, source: draw },
];

const adapter = (config: Record<string, unknown> = {}): Adapter => ({
  name: "menu",
  method: "m",
  parameters: ["menu:q.a", "menu:q.b"],
  trainable: 14,
  with: [],
  trainedBy: [],
  mergeable: true,
  files: {
    library: "peft",
    config: { r: 2, peft_type: "X", alpha: 16, x_dropout: 0.1, target_modules: ["q", "v"], ...config },
    tensors: [
      { key: "base.q.B.weight", parameter: "menu:q.b", transposed: true },
      { key: "base.q.A.weight", parameter: "menu:q.a", transposed: false },
    ],
  },
});

const values: Readonly<Record<string, Float32Array>> = {
  "menu:q.a": Float32Array.of(1, 2, 3, 4, 5, 6),
  "menu:q.b": Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8),
};

const saved = async () => {
  const host = memoryHost();
  const bytes = await saveAdapter(host, "/out/menu", adapter(), parameters, (name) => values[name]!, { base_model_name_or_path: "base/" });
  return { host, bytes };
};

const load = async (host: ReturnType<typeof memoryHost>, as = adapter()) => {
  const got: Record<string, number[]> = {};
  await loadAdapter(host, "/out/menu", as, parameters, (name, v) => {
    got[name] = [...v];
  });
  return got;
};

const put = (host: ReturnType<typeof memoryHost>, plans: readonly TensorPlan[]) =>
  writeSafetensors(host, `/out/menu/${weightsFiles.peft}`, plans, ({ shape, dtype }) =>
    dtype === "I32"
      ? new Uint8Array(4 * shape.reduce((a, b) => a * b, 1))
      : toBytes(new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(0.5), dtype as "F32"),
  );

const a: TensorPlan = { name: "base.q.A.weight", dtype: "F32", shape: [2, 3] };
const b: TensorPlan = { name: "base.q.B.weight", dtype: "F32", shape: [2, 4] };

group("adapter files", (test) => {
  test("what is saved is loaded, turned and turned back; nothing else lies in the folder", async () => {
    const { host, bytes } = await saved();
    assert.equal([...host.files.keys()].sort(), ["/out/menu/adapter_config.json", "/out/menu/adapter_model.safetensors"]);
    assert.is(host.files.get("/out/menu/adapter_model.safetensors")!.length, bytes);
    assert.equal(await load(host), { "menu:q.a": [...values["menu:q.a"]!], "menu:q.b": [...values["menu:q.b"]!] });
    const header = await readHeader(await host.open(`/out/menu/${weightsFiles.peft}`), "x");
    assert.equal(
      header.tensors.map((t) => [t.name, [...t.shape]]),
      [
        ["base.q.A.weight", [2, 3]],
        ["base.q.B.weight", [2, 4]],
      ],
    );
  });

  test("the configuration is sorted, indented by two, with what the run adds", async () => {
    const { host } = await saved();
    assert.is(
      new TextDecoder().decode(host.files.get(`/out/menu/${adapterConfigFile}`)),
      '{\n  "alpha": 16,\n  "base_model_name_or_path": "base/",\n  "peft_type": "X",\n  "r": 2,\n  "target_modules": [\n    "q",\n    "v"\n  ],\n  "x_dropout": 0.1\n}',
    );
    // json.dumps({"é": {"b": [], "a": "🦙"}}, indent=2, sort_keys=True)
    assert.is(pythonJson({ é: { b: [], a: "🦙" } }), '{\n  "\\u00e9": {\n    "a": "\\ud83e\\udd99",\n    "b": []\n  }\n}');
  });

  test("half-precision adapters are read", async () => {
    const { host } = await saved();
    await put(host, [
      { ...a, dtype: "F16" },
      { ...b, dtype: "BF16" },
    ]);
    assert.equal(await load(host), { "menu:q.a": new Array(6).fill(0.5), "menu:q.b": new Array(8).fill(0.5) });
  });

  test("missing, left over, misshaped and packed tensors: one diagnostic with every difference, nothing written", async () => {
    const { host } = await saved();
    await put(host, [
      { ...a, shape: [3, 2] },
      { name: "base.k.A.weight", dtype: "F32", shape: [1] },
    ]);
    let written = 0;
    const [found, ...more] = await caught(() => loadAdapter(host, "/out/menu", adapter(), parameters, () => void written++));
    assert.is(more.length, 0);
    assert.is(written, 0);
    assert.is(found!.code, "PEFT0580");
    assert.equal(
      found!.notes.map((n) => n.message),
      [
        "base.q.B.weight: expected [2, 4], it is not there",
        "base.q.A.weight: expected [2, 3], found [3, 2]",
        "base.k.A.weight: [1] is not part of the adapter",
      ],
    );
    await put(host, [{ ...a, dtype: "I32" }, b]);
    assert.equal(await codes(() => load(host)), ["PEFT0580"]);
  });

  test("a configuration that computes something else is refused; one that only trains otherwise is not", async () => {
    const with_ = async (theirs: Record<string, unknown>, ours = {}) => {
      const { host } = await saved();
      await writeWhole(host, `/out/menu/${adapterConfigFile}`, JSON.stringify({ ...adapter().files.config, ...theirs }));
      return load(host, adapter(ours));
    };
    for (const theirs of [{ alpha: 32 }, { peft_type: "Y" }, { use_other: true }, { r_pattern: { q: 4 } }])
      assert.equal(await codes(() => with_(theirs)), ["PEFT0581"], JSON.stringify(theirs));
    for (const theirs of [
      { x_dropout: 0 },
      { inference_mode: true },
      { task_type: null },
      { r_pattern: {} },
      { use_other: false },
      { target_modules: "q|v" },
    ])
      assert.ok(await with_(theirs), JSON.stringify(theirs));
    assert.ok(await with_({ use_other: true }, { use_other: true }));
  });

  test("a folder without an adapter, and no folder", async () => {
    const { host } = await saved();
    await host.remove(`/out/menu/${weightsFiles.peft}`);
    host.files.set("/out/menu/adapter.pt", new Uint8Array(1));
    const [found] = await caught(() => load(host));
    assert.is(found!.code, "PEFT0582");
    assert.match(found!.notes[0]!.message, "adapter.pt");
    host.files.set("/out/menu/adapter_model.bin", new Uint8Array(1));
    assert.equal(await codes(() => load(host)), ["PEFT0482"]);
    await host.remove("/out/menu");
    assert.equal(await codes(() => load(host)), ["PEFT0500"]);
  });

  test("a full disk leaves the older adapter as it was", async () => {
    const host = memoryHost({ quota: 700 });
    await saveAdapter(host, "/out/menu", adapter(), parameters, (name) => values[name]!);
    const before = new Map(host.files);
    assert.equal(await codes(() => saveAdapter(host, "/out/menu", adapter(), parameters, (name) => values[name]!.map((x) => -x))), [
      "PEFT0503",
    ]);
    assert.equal(host.files, before);
  });
});
