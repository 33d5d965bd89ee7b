// Files that torch.save writes: their tensors are what torch says, and what is no dictionary of tensors is refused with the reason.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromBytes, isFloat } from "../../runtime/dtype.ts";
import { nodeHost } from "../../runtime/node-host.ts";
import { readTorchHeader } from "../../runtime/torch-file.ts";
import { assert, group } from "../harness.ts";
import { caught } from "../runtime/caught.ts";
import { shared, without } from "../runtime/shared.ts";
import { python, pythonMissing } from "./python.ts";

interface Shown {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly values: readonly number[];
}

const header = async (path: string) => {
  const file = await nodeHost.open(path);
  try {
    return await readTorchHeader(file, path);
  } finally {
    await file.close();
  }
};

const refused: Readonly<Record<string, RegExp>> = {
  "turned.bin": /`w` is not stored row by row/,
  "nested.bin": /`model` in it is no tensor/,
  "list.bin": /no dictionary of tensors/,
  "old.bin": /no zip archive/,
  "evil.bin": /asks for `posix\.system`/,
};

const folder = mkdtempSync(join(tmpdir(), "peft-torch-"));

group("torch files", (test) => {
  test(
    "tensors are read as torch wrote them, and nothing that is no tensor is run",
    async () => {
      const { tensors } = (await python("torch_files.py", { out: folder })) as { tensors: Readonly<Record<string, Shown>> };
      const path = join(folder, "good.bin");
      const found = await header(path);
      assert.equal(
        found.map(({ name, shape }) => [name, shape]),
        Object.entries(tensors).map(([name, { shape }]) => [name, shape]),
      );
      const file = await nodeHost.open(path);
      for (const { name, dtype, start, bytes } of found) {
        const raw = new Uint8Array(bytes);
        await file.read(start, raw);
        const values = isFloat(dtype) ? [...fromBytes(raw, dtype)] : [...new BigInt64Array(raw.buffer)].map(Number);
        assert.equal(values, [...tensors[name]!.values], name);
      }
      await file.close();
      assert.equal(
        (await header(join(folder, "module.bin"))).map(({ name, shape }) => [name, shape]),
        [
          ["weight", [2, 3]],
          ["bias", [2]],
        ],
      );
      assert.equal(
        (await header(join(folder, "parameters.bin"))).map(({ shape }) => shape),
        [[3, 4]],
      );
      for (const [name, problem] of Object.entries(refused)) {
        const [diagnostic, ...more] = await caught(() => header(join(folder, name)));
        assert.equal([diagnostic?.code, more.length], ["PEFT0482", 0], name);
        assert.match(diagnostic!.message, problem);
      }
    },
    { skip: pythonMissing },
  );

  const real = "adapters/microsoft-LoRA-roberta-base-mnli/roberta_base_lora_mnli.bin";
  test(
    "a file of another project, from 2021",
    async () => {
      const found = await header(shared(real));
      assert.is(found.length, 52);
      assert.equal(found.find(({ name }) => name.endsWith("layer.0.attention.self.query.lora_A"))?.shape, [8, 768]);
      assert.ok(found.every(({ dtype }) => dtype === "F32"));
    },
    { skip: without(real) },
  );

  test("the temporary folder is removed", () => rmSync(folder, { recursive: true }));
});
