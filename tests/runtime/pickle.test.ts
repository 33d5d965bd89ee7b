// The pickle reader against hand-written programs: what a file of tensors needs is read, everything else is refused, and no bytes make it throw.

import { random } from "../../examples/base/world.ts";
import { readPickle } from "../../runtime/pickle.ts";
import { assert, group } from "../harness.ts";

const bytesOf = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));

const unicode = (text: string): string => `X${String.fromCharCode(text.length, 0, 0, 0)}${text}`;

/** torch.save of {"w": a tensor [2, 3] from element 1 of storage "0"}. */
const good = `\x80\x02}q\x00(${unicode("w")}q\x01ctorch._utils\n_rebuild_tensor_v2\nq\x02((${unicode("storage")}ctorch\nFloatStorage\n${unicode("0")}${unicode("cpu")}K\x07tQK\x01K\x02K\x03\x86K\x03K\x01\x86\x89ccollections\nOrderedDict\n)RtRq\x03u.`;

const problemOf = (text: string): string => {
  const found = readPickle(bytesOf(text));
  return "problem" in found ? String(found.problem) : "read";
};

group("pickle", (test) => {
  test("a tensor is read as where it lies", () => {
    const found = readPickle(bytesOf(good)) as ReadonlyMap<string, unknown>;
    assert.equal([...found], [["w", { storage: "0", type: "FloatStorage", offset: 1, shape: [2, 3], strides: [3, 1] }]]);
  });

  test("no name but those of tensors is looked up", () => {
    for (const name of ["posix\nsystem", "builtins\neval", "torch._utils\n_rebuild_tensor_v3", "torch\nload", "torch.hub\nFloatStorage"])
      assert.match(problemOf(`\x80\x02c${name}\n.`), /asks for/, name);
    assert.match(problemOf(`\x80\x04${unicode("os")}${unicode("system")}\x93.`), /asks for `os\.system`/);
  });

  test("instructions that could call or import are not there", () => {
    for (const code of ["i", "o", "\x81", "\x92", "\x82", "\x83", "\x84", "P"])
      assert.match(problemOf(`\x80\x02(${code}a\nb\n.`), /instruction/, code);
    assert.match(problemOf("\x80\x02ctorch\nFloatStorage\n)R."), /calls/);
    assert.match(problemOf("\x80\x02K\x01K\x02b."), /attributes/);
  });

  test("no file makes it throw: cut at every byte, and every byte another", () => {
    const bytes = bytesOf(good);
    for (let length = 0; length < bytes.length; length++) assert.ok("problem" in readPickle(bytes.subarray(0, length)), `cut at ${length}`);
    const next = random(11);
    for (let i = 0; i < bytes.length; i++)
      for (let k = 0; k < 8; k++) {
        const changed = bytes.slice();
        changed[i] = Math.floor(256 * next());
        readPickle(changed);
      }
  });
});
