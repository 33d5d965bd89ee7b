import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Host } from "../../runtime/host.ts";
import { writeWhole } from "../../runtime/host.ts";
import { memoryHost } from "../../runtime/memory-host.ts";
import { fromNode } from "../../runtime/node-error.ts";
import { nodeHost } from "../../runtime/node-host.ts";
import { assert, group } from "../harness.ts";
import { caught, codes } from "./caught.ts";

const inFolder = async (body: (folder: string) => Promise<void>) => {
  const folder = mkdtempSync(join(tmpdir(), "peft-test-"));
  try {
    await body(folder);
  } finally {
    chmodSync(folder, 0o700);
    rmSync(folder, { recursive: true });
  }
};

/** The same promises, kept by both hosts. */
const promises = async (host: Host, at: string) => {
  const path = (name: string) => `${at}/${name}`;
  assert.is(await host.kind(path("a")), undefined);
  await host.makeFolder(path("f/g"));
  await host.makeFolder(path("f/g"));
  assert.is(await host.kind(path("f")), "folder");

  const file = await host.create(path("f/a"));
  await file.write(Uint8Array.of(1, 2, 3));
  assert.is(await host.kind(path("f/a")), undefined, "no name before it is whole");
  await file.write(Uint8Array.of(4));
  await file.commit();
  await file.abort();
  assert.equal([...(await host.read(path("f/a")))], [1, 2, 3, 4]);

  const given_up = await host.create(path("f/a"));
  await given_up.write(Uint8Array.of(9));
  await given_up.abort();
  assert.equal([...(await host.read(path("f/a")))], [1, 2, 3, 4], "the old one stays");
  assert.equal(await host.list(path("f")), [
    { name: "a", kind: "file" },
    { name: "g", kind: "folder" },
  ]);

  await writeWhole(host, path("f/a"), "new");
  const open = await host.open(path("f/a"));
  assert.is(open.size, 3);
  const part = new Uint8Array(2);
  await open.read(1, part);
  assert.is(new TextDecoder().decode(part), "ew");
  assert.equal(await codes(() => open.read(2, part)), ["PEFT0501"]);
  await open.close();

  await host.rename(path("f"), path("moved"));
  assert.is(await host.kind(path("f/a")), undefined);
  assert.is(new TextDecoder().decode(await host.read(path("moved/a"))), "new");
  assert.equal(await codes(() => host.read(path("moved"))), ["PEFT0501"]);
  assert.equal(await codes(() => host.open(path("moved"))), ["PEFT0501"]);
  assert.equal(await codes(() => host.read(path("nothing"))), ["PEFT0500"]);
  assert.equal(await codes(() => host.list(path("nothing"))), ["PEFT0500"]);
  assert.equal(await codes(() => host.create(path("no/such"))), ["PEFT0502"]);
  assert.equal(await codes(() => host.makeFolder(path("moved/a/b"))), ["PEFT0502"]);
  await host.remove(path("moved"));
  await host.remove(path("moved"));
  assert.is(await host.kind(path("moved")), undefined);
  assert.is(await host.resolve(at, "x/../y"), await host.resolve(".", path("y")));
};

group("hosts", (test) => {
  test("the memory host keeps the promises", () => promises(memoryHost(), ""));
  test("the Node host keeps the same promises", () => inFolder((folder) => promises(nodeHost, folder)));

  test("what Node throws becomes a diagnostic with a reason a person can use", async () => {
    const told = (code: string, doing: "read" | "write") => {
      const [d] = fromNode(Object.assign(new Error(`${code}: raw`), { code }), doing, "out/x").diagnostics;
      return `${d!.code} ${d!.message}`;
    };
    assert.is(told("ENOSPC", "write"), "PEFT0503 no space is left on the disk for `out/x`");
    assert.is(told("EROFS", "write"), "PEFT0502 cannot write `out/x`: it is on a read-only file system");
    assert.is(told("EACCES", "write"), "PEFT0502 cannot write `out/x`: permission denied");
    assert.is(told("EACCES", "read"), "PEFT0501 cannot read `out/x`: permission denied");
    assert.is(told("ENOENT", "read"), "PEFT0500 there is no file `out/x`");
    assert.is(told("EIO", "read"), "PEFT0501 cannot read `out/x`: EIO: raw");
  });

  test("a link to a folder counts as a folder, and resolves to the place it names", () =>
    inFolder(async (folder) => {
      mkdirSync(join(folder, "real"));
      symlinkSync(join(folder, "real"), join(folder, "link"));
      assert.equal(await nodeHost.list(folder), [
        { name: "link", kind: "folder" },
        { name: "real", kind: "folder" },
      ]);
      assert.is(await nodeHost.resolve(folder, "link/new"), await nodeHost.resolve(folder, "real/new"));
    }));

  test("a file that shrinks while it is read is a diagnostic", () =>
    inFolder(async (folder) => {
      const path = join(folder, "x");
      writeFileSync(path, new Uint8Array(100));
      const file = await nodeHost.open(path);
      truncateSync(path, 50);
      const [found] = await caught(() => file.read(0, new Uint8Array(100)));
      assert.match(found!.message, "shorter");
      await file.close();
    }));

  test(
    "a folder without write permission",
    () =>
      inFolder(async (folder) => {
        chmodSync(folder, 0o500);
        const [found] = await caught(() => writeWhole(nodeHost, join(folder, "x"), "x"));
        assert.match(`${found!.code} ${found!.message}`, /PEFT0502 .* permission denied/);
      }),
    { skip: process.getuid?.() === 0 ? "root may write anywhere" : undefined },
  );

  test(
    "a disk that is really full: the older file stays whole, no temporary file is left",
    () =>
      withSmallDisk(async (at) => {
        const path = join(at, "x");
        await writeWhole(nodeHost, path, "old");
        assert.equal(await codes(() => writeWhole(nodeHost, path, new Uint8Array(2 << 20))), ["PEFT0503"]);
        assert.is(readFileSync(path, "utf8"), "old");
        assert.equal(readdirSync(at), ["x"]);
      }),
    { skip: noSmallDisk() },
  );
});

/** Runs something on a file system of one megabyte, and takes it away again. */
async function withSmallDisk(body: (at: string) => Promise<void> | void) {
  const at = mkdtempSync(join(tmpdir(), "peft-small-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", at], { stdio: "ignore" });
    try {
      await body(at);
    } finally {
      execFileSync("umount", [at]);
    }
  } finally {
    rmSync(at, { recursive: true });
  }
}

/** Why this machine does not let us mount one. */
function noSmallDisk(): string | undefined {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "mounting a small file system needs root on Linux";
  const at = mkdtempSync(join(tmpdir(), "peft-small-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", at], { stdio: "ignore" });
    execFileSync("umount", [at]);
    return undefined;
  } catch {
    return "this machine does not let us mount a small file system";
  } finally {
    rmSync(at, { recursive: true });
  }
}
