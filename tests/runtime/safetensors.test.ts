import fc from "fast-check";
import { bitsOf, type StoredDType, storedDTypes } from "../../runtime/dtype.ts";
import { memoryHost } from "../../runtime/memory-host.ts";
import { checkHeader, layOut, readHeader, type TensorPlan, writeSafetensors } from "../../runtime/safetensors.ts";
import { assert, group } from "../harness.ts";
import { caught, codes } from "./caught.ts";

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A file with any header text over `data` bytes. */
const fileOf = (header: string | Uint8Array, data = 0, length?: bigint): Uint8Array => {
  const raw = typeof header === "string" ? encode(header) : header;
  const bytes = new Uint8Array(8 + raw.length + data);
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(raw.length), true);
  bytes.set(raw, 8);
  return bytes;
};

const open = async (bytes: Uint8Array) => {
  const host = memoryHost();
  host.files.set("/x.safetensors", bytes);
  const file = await host.open("/x.safetensors");
  return readHeader(file, "x.safetensors");
};

const one = (entry: string): string => `{"w":${entry}}`;

const plans = fc.uniqueArray(
  fc.record({
    name: fc.string({ unit: "grapheme", maxLength: 12 }).filter((name) => name !== "__metadata__"),
    dtype: fc.constantFrom(...storedDTypes.filter((dtype) => bitsOf(dtype) >= 8)),
    shape: fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 3 }),
  }),
  { selector: (plan) => plan.name, maxLength: 8 },
);

const content = (plan: TensorPlan, bytes: number): Uint8Array => Uint8Array.from({ length: bytes }, (_, i) => plan.name.length * 31 + i);

const write = async (list: readonly TensorPlan[]) => {
  const host = memoryHost();
  const sizes = new Map(layOut(list).tensors.map((t) => [t.name, t.bytes]));
  await writeSafetensors(host, "/x.safetensors", list, (plan) => content(plan, sizes.get(plan.name)!));
  return host.files.get("/x.safetensors")!;
};

group("safetensors", (test) => {
  test("what is written is read back: names, formats, shapes, bytes", async () => {
    await fc.assert(
      fc.asyncProperty(plans, async (list) => {
        const bytes = await write(list);
        const header = await open(bytes);
        assert.is(header.tensors.length, list.length);
        for (const tensor of header.tensors) {
          const plan = list.find((p) => p.name === tensor.name)!;
          assert.is(tensor.dtype, plan.dtype);
          assert.equal([...tensor.shape], plan.shape);
          assert.equal(bytes.slice(tensor.start, tensor.start + tensor.bytes), content(plan, tensor.bytes));
        }
        assert.equal(header.metadata, { format: "pt" });
        assert.is((8 + header.raw.length) % 8, 0);
      }),
      { numRuns: 100 },
    );
  });

  test("the file is byte for byte what Hugging Face's writer makes", async () => {
    // safetensors 0.8.0: save({z: f16 [2], b: f32 [3], a: bf16 [1], i: i64 [1], 'é"q': u8 [1], …}, {"format": "pt"})
    const wanted =
      '{"__metadata__":{"format":"pt"},"i":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},"d":{"dtype":"F64","shape":[1],"data_offsets":[8,16]},"b":{"dtype":"F32","shape":[3],"data_offsets":[16,28]},"j":{"dtype":"I32","shape":[1],"data_offsets":[28,32]},"a":{"dtype":"BF16","shape":[1],"data_offsets":[32,34]},"z":{"dtype":"F16","shape":[2],"data_offsets":[34,38]},"l":{"dtype":"I16","shape":[1],"data_offsets":[38,40]},"k":{"dtype":"I8","shape":[1],"data_offsets":[40,41]},"é\\"q":{"dtype":"U8","shape":[1],"data_offsets":[41,42]},"o":{"dtype":"BOOL","shape":[1],"data_offsets":[42,43]}} ';
    const of = (name: string, dtype: StoredDType, size = 1) => ({ name, dtype, shape: [size] });
    const bytes = await write([
      of("z", "F16", 2),
      of("b", "F32", 3),
      of("a", "BF16"),
      of("i", "I64"),
      of('é"q', "U8"),
      of("d", "F64"),
      of("o", "BOOL"),
      of("j", "I32"),
      of("k", "I8"),
      of("l", "I16"),
    ]);
    assert.is(new TextDecoder().decode(bytes.subarray(8, 8 + 0x248)), wanted);
    assert.is(bytes.length, 8 + 0x248 + 43);
  });

  test("names like numbers and like __proto__ keep their place", async () => {
    const list: TensorPlan[] = ["b", "1", "0", "__proto__", "constructor"].map((name) => ({ name, dtype: "U8", shape: [2] }));
    const header = await open(await write(list));
    assert.equal(
      header.tensors.map((t) => t.name),
      ["0", "1", "__proto__", "b", "constructor"],
    );
  });

  const lies: readonly (readonly [what: string, bytes: Uint8Array, code: string])[] = [
    ["an empty file", new Uint8Array(0), "PEFT0510"],
    ["seven bytes", new Uint8Array(7), "PEFT0510"],
    ["a header longer than the file", fileOf("{}", 0, 3n), "PEFT0511"],
    ["a header longer than 100 MB", fileOf("{}", 0, 100_000_001n), "PEFT0511"],
    ["a length of 2^53 + 2", fileOf("{}", 0, 2n ** 53n + 2n), "PEFT0511"],
    ["a length of 2^64 - 1", fileOf("{}", 0, 2n ** 64n - 1n), "PEFT0511"],
    ["a length of zero", fileOf("", 0), "PEFT0511"],
    ["no JSON", fileOf('{"w":'), "PEFT0512"],
    ["an array", fileOf("[]"), "PEFT0512"],
    ["a space before the header", fileOf(" {}"), "PEFT0512"],
    ["a byte order mark", fileOf(new Uint8Array([0xef, 0xbb, 0xbf, 0x7b, 0x7d])), "PEFT0512"],
    ["invalid UTF-8", fileOf(new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])), "PEFT0512"],
    [
      "a name twice",
      fileOf('{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', 1),
      "PEFT0513",
    ],
    [
      "a name twice, spelled two ways",
      fileOf('{"\\u0077":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"w":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}'),
      "PEFT0513",
    ],
    ["a field twice", fileOf(one('{"dtype":"U8","shape":[1],"shape":[1],"data_offsets":[0,1]}'), 1), "PEFT0513"],
    ["metadata that is not text", fileOf('{"__metadata__":{"a":1}}'), "PEFT0514"],
    ["an entry that is a number", fileOf(one("3")), "PEFT0514"],
    ["no dtype", fileOf(one('{"shape":[1],"data_offsets":[0,1]}'), 1), "PEFT0514"],
    ["no shape", fileOf(one('{"dtype":"U8","data_offsets":[0,1]}'), 1), "PEFT0514"],
    ["one offset", fileOf(one('{"dtype":"U8","shape":[1],"data_offsets":[1]}'), 1), "PEFT0514"],
    ["a negative size", fileOf(one('{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}'), 1), "PEFT0514"],
    ["a broken size", fileOf(one('{"dtype":"U8","shape":[1.5],"data_offsets":[0,1]}'), 1), "PEFT0514"],
    ["a size of 2^53", fileOf(one('{"dtype":"U8","shape":[9007199254740992,0],"data_offsets":[0,0]}')), "PEFT0514"],
    ["a product beyond 2^53", fileOf(one('{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]}')), "PEFT0514"],
    ["an end before the start", fileOf(one('{"dtype":"U8","shape":[1],"data_offsets":[1,0]}'), 1), "PEFT0514"],
    ["an unknown field", fileOf(one('{"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":1}'), 1), "PEFT0514"],
    ["an unknown dtype", fileOf(one('{"dtype":"float32","shape":[1],"data_offsets":[0,4]}'), 4), "PEFT0515"],
    ["a dtype named like a method", fileOf(one('{"dtype":"toString","shape":[1],"data_offsets":[0,4]}'), 4), "PEFT0515"],
    ["too few bytes for the shape", fileOf(one('{"dtype":"F32","shape":[2],"data_offsets":[0,4]}'), 4), "PEFT0516"],
    ["half a byte", fileOf(one('{"dtype":"F4","shape":[3],"data_offsets":[0,1]}'), 1), "PEFT0516"],
    ["a file cut short", fileOf(one('{"dtype":"F32","shape":[2],"data_offsets":[0,8]}'), 7), "PEFT0517"],
    ["bytes after the end", fileOf(one('{"dtype":"F32","shape":[2],"data_offsets":[0,8]}'), 9), "PEFT0517"],
    ["a hole at the start", fileOf(one('{"dtype":"U8","shape":[1],"data_offsets":[1,2]}'), 2), "PEFT0517"],
    [
      "an overlap",
      fileOf('{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}}', 6),
      "PEFT0517",
    ],
    [
      "two tensors on the same bytes",
      fileOf('{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}', 4),
      "PEFT0517",
    ],
    [
      "a hole between tensors",
      fileOf('{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[3,5]}}', 5),
      "PEFT0517",
    ],
  ];
  for (const [what, bytes, code] of lies)
    test(`refuses ${what}`, async () => {
      assert.ok((await codes(() => open(bytes))).includes(code), `${await codes(() => open(bytes))}`);
    });

  test("metadata of null counts as none, as in the reference implementation", async () => {
    assert.equal((await open(fileOf('{"__metadata__":null}'))).metadata, {});
  });

  test("several mistakes are reported at once, and a flood is summed up", async () => {
    const entry = '{"dtype":"nope","shape":[1],"data_offsets":[0,1]}';
    const header = `{${Array.from({ length: 100 }, (_, i) => `"w${i}":${entry}`).join(",")}}`;
    const found = await caught(() => open(fileOf(header, 1)));
    assert.is(found.length, 20);
    assert.match(found[19]!.notes.at(-1)!.message, "80 more");
  });

  test("a random change to the offsets or the shape of a good file is caught", async () => {
    await fc.assert(
      fc.asyncProperty(plans, fc.nat(), fc.nat(), fc.integer({ min: -9, max: 9 }), async (list, which, what, by) => {
        fc.pre(list.length > 0 && by !== 0);
        const bytes = await write(list);
        const { raw, tensors } = await open(bytes);
        const json = JSON.parse(new TextDecoder().decode(raw)) as Record<string, { shape: number[]; data_offsets: number[] }>;
        const target = tensors[which % tensors.length]!;
        const entry = json[target.name]!;
        const numbers = what % 2 === 0 || entry.shape.length === 0 ? entry.data_offsets : entry.shape;
        const index = what % numbers.length;
        // A size may change freely where another one is zero: the tensor stays empty.
        fc.pre(numbers === entry.data_offsets || target.bytes > 0);
        numbers[index]! += by;
        const changed = JSON.stringify(json);
        const found = await codes(() => checkHeader(encode(changed), 8 + encode(changed).length + bytes.length - 8 - raw.length, "x"));
        assert.ok(found.length > 0);
      }),
      { numRuns: 200 },
    );
  });

  test("a failed writer leaves nothing behind", async () => {
    const host = memoryHost({ quota: 100 });
    const list: TensorPlan[] = [{ name: "a", dtype: "F32", shape: [1000] }];
    assert.equal(await codes(() => writeSafetensors(host, "/x.safetensors", list, () => new Uint8Array(4000))), ["PEFT0503"]);
    assert.is(host.files.size, 0);
  });
});
