// Checkpoints in shards with something wrong with them, on the disk and by the command line: whatever the verb, the base's place is marked,
// the code says what is wrong, and there is a next step. Nothing is read as zeros, and nothing is written.

import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { assert, group } from "../harness.ts";
import { readCase } from "../mistakes/case.ts";
import { config, makeWorld, type Stored, safetensors, zerosFor } from "../mistakes/world.ts";
import { peftIn } from "./peft-in.ts";

const text = `peft 1

base tiny = checkpoint("base/")
adapter menu = lora(r: 2) into tiny.layers.*.attn.q
data orders { train = jsonl("train.jsonl")  prompt = "{slip}"  answer = "{text}" }
train menu on orders { optimizer: adamw(learning_rate: 2e-4)  steps: 1  sequence_len: 32 }
`;

const one = "model-00001-of-00002.safetensors";
const two = "model-00002-of-00002.safetensors";
const indexFile = "model.safetensors.index.json";

interface Shards {
  readonly first: Map<string, Stored>;
  readonly second: Map<string, Stored>;
  /** Tensor to file: what the index will say. */
  readonly map: Map<string, string>;
}

interface Wrong {
  readonly what: string;
  readonly code: string;
  readonly says: RegExp;
  /** What is done to the shards before they are written. `tensor` is the second shard's last. */
  readonly made?: (shards: Shards, tensor: string) => void;
  /** What is done to the files: `at` gives the path of a file of the base. */
  readonly written?: (at: (name: string) => string) => void;
}

const last = (tensors: ReadonlyMap<string, Stored>): string => [...tensors.keys()].at(-1)!;

const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${"7".repeat(64)}\nsize 9\n`;

const wrong: readonly Wrong[] = [
  {
    what: "a shard is missing",
    code: "PEFT0532",
    says: /there is no model-00002-of-00002\.safetensors$/m,
    written: (at) => rmSync(at(two)),
  },
  {
    what: "a shard is a link to nothing",
    code: "PEFT0532",
    says: /there is no model-00002/,
    written: (at) => {
      rmSync(at(two));
      symlinkSync("../blob", at(two));
    },
  },
  {
    what: "a shard is a folder",
    code: "PEFT0532",
    says: /model-00002-of-00002\.safetensors is a folder/,
    written: (at) => {
      rmSync(at(two));
      mkdirSync(at(two));
    },
  },
  {
    what: "a shard is cut in its tensors",
    code: "PEFT0517",
    says: /the file has 9000\n[\s\S]*fetch it again/,
    written: (at) => truncateSync(at(two), 9000),
  },
  {
    what: "a shard is cut in its header",
    code: "PEFT0511",
    says: /the file has 192 [\s\S]*fetch it again/,
    written: (at) => truncateSync(at(two), 200),
  },
  { what: "a shard is empty", code: "PEFT0510", says: /fetch it again/, written: (at) => truncateSync(at(two), 0) },
  {
    what: "a shard is a pointer of Git LFS",
    code: "PEFT0511",
    says: /git lfs pull/,
    written: (at) => writeFileSync(at(two), pointer),
  },
  {
    what: "the index names a file that is not there",
    code: "PEFT0532",
    says: /there is no model-00003-of-00002\.safetensors/,
    made: ({ map }, tensor) => map.set(tensor, "model-00003-of-00002.safetensors"),
  },
  {
    what: "a tensor is in two shards",
    code: "PEFT0532",
    says: /is in two files/,
    made: ({ first, second }) => second.set(last(first), first.get(last(first))!),
  },
  {
    what: "a tensor is in the index and in no shard",
    code: "PEFT0532",
    says: /is in no shard/,
    made: ({ second }, tensor) => second.delete(tensor),
  },
  {
    what: "a tensor is in another shard than the index says",
    code: "PEFT0532",
    says: /the index says model-00001/,
    made: ({ map }, tensor) => map.set(tensor, one),
  },
  {
    what: "a tensor is neither in the index nor in a shard",
    code: "PEFT0347",
    says: /: missing/,
    made: ({ map, second }, tensor) => {
      map.delete(tensor);
      second.delete(tensor);
    },
  },
  { what: "the index breaks off", code: "PEFT0531", says: /fetch it again/, written: (at) => truncateSync(at(indexFile), 40) },
  { what: "the index is empty", code: "PEFT0531", says: /fetch it again/, written: (at) => truncateSync(at(indexFile), 0) },
  {
    what: "the index is gone",
    code: "PEFT0530",
    says: /fetch model\.safetensors\.index\.json too/,
    written: (at) => rmSync(at(indexFile)),
  },
  {
    what: "the index names pickles",
    code: "PEFT0531",
    says: /name a \.safetensors file/,
    made: ({ map }, tensor) => map.set(tensor, "model.bin"),
  },
  {
    what: "a tensor has 8-bit numbers of another tool",
    code: "PEFT0483",
    says: /F8_E4M3/,
    made: ({ second }, tensor) => {
      const { shape } = second.get(tensor)!;
      second.set(tensor, { dtype: "F8_E4M3", shape, bytes: new Uint8Array(shape.reduce((a, b) => a * b, 1)) });
    },
  },
];

/** What a verb finds in the folder after a change, and the marked text. */
const found = async ({ made, written }: Pick<Wrong, "made" | "written">, verb: string) => {
  const folder = await makeWorld(readCase("shards", `// row: OWN\n// what: shards\n// expect: clean\n${text}`));
  const at = (name: string): string => join(folder, "base", name);
  try {
    const tensors = [...(await zerosFor(JSON.stringify(config)))];
    const half = tensors.length >> 1;
    const [first, second] = [new Map(tensors.slice(0, half)), new Map(tensors.slice(half))];
    const map = new Map([
      ...[...first.keys()].map((name) => [name, one] as const),
      ...[...second.keys()].map((name) => [name, two] as const),
    ]);
    made?.({ first, second, map }, last(second));
    rmSync(at("model.safetensors"));
    writeFileSync(at(one), safetensors(first));
    writeFileSync(at(two), safetensors(second));
    writeFileSync(at(indexFile), JSON.stringify({ metadata: {}, weight_map: Object.fromEntries(map) }));
    written?.(at);
    const shown = await peftIn(folder, `${verb} main.peft --format json`);
    const file = readFileSync(join(folder, "main.peft"), "utf8");
    assert.not(existsSync(join(folder, "out")), "nothing is written");
    const printed = verb === "check" ? shown.out : shown.out + shown.err;
    const { diagnostics } = JSON.parse(printed) as {
      readonly diagnostics: readonly {
        readonly code: string;
        readonly message: string;
        readonly notes: readonly { readonly message: string }[];
        readonly help?: string;
        readonly at?: { readonly start: { readonly offset: number }; readonly end: { readonly offset: number } };
      }[];
    };
    return {
      code: shown.code,
      diagnostics: diagnostics.map(({ code, message, notes, help, at }) => ({
        code,
        help,
        said: [message, ...notes.map((note) => note.message), help].join("\n"),
        marked: at && file.slice(at.start.offset, at.end.offset),
      })),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

group("wrong checkpoints", (test) => {
  test("in shards, with nothing wrong, nothing is found", async () => {
    assert.equal(await found({}, "check"), { code: 0, diagnostics: [] });
  });

  for (const { what, code, says, ...change } of wrong)
    test(`${what}: by check, plan and run`, async () => {
      for (const verb of ["check", "plan", "run"]) {
        const { code: exit, diagnostics } = await found(change, verb);
        assert.is(exit, 1, verb);
        assert.equal(
          diagnostics.map((one) => [one.code, one.marked]),
          [[code, '"base/"']],
          verb,
        );
        assert.match(diagnostics[0]!.said, says);
        assert.ok(diagnostics[0]!.help, `${verb}: no next step`);
      }
    });
});
