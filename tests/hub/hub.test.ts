// Bases named on the hub, against a hub on this machine: what is fetched and where it lies, what is not asked twice, what a broken line, a
// wrong checksum, a wrong name or no network says. The cache is written as Hugging Face's own tools write it.

import { existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Lock } from "../../spec/lock.ts";
import { peftIn } from "../checker/peft-in.ts";
import { assert, group } from "../harness.ts";
import { readCase } from "../mistakes/case.ts";
import { makeWorld } from "../mistakes/world.ts";
import { python, pythonMissing } from "../parity/python.ts";
import { etagOf, type FakeHub, type HubFile, openFakeHub, type Repository } from "./server.ts";

const pipeline = `// row: OWN
// what: a base of the hub
// expect: clean

peft 1
base tiny = checkpoint("hf://some/tiny")
adapter menu = lora(r: 4) into tiny.layers.*.attn.{q, v}
data orders { train = jsonl("train.jsonl")  prompt = "{slip}\\n"  answer = "{text}" }
train menu on orders { optimizer: adamw(learning_rate: 2e-4)  steps: 2  micro_batch_size: 2  sequence_len: 32 }
`;

const first = "1".repeat(40);
const second = "2".repeat(40);

interface World {
  readonly folder: string;
  readonly cache: string;
  readonly hub: FakeHub;
  readonly repository: Repository;
  readonly peft: (command: string) => ReturnType<typeof peftIn>;
  readonly codes: (command: string) => Promise<readonly string[]>;
  /** The pipeline with something replaced. */
  readonly edit: (from: string, to: string) => void;
}

const variables = [
  "HF_HOME",
  "HF_HUB_CACHE",
  "HUGGINGFACE_HUB_CACHE",
  "HF_ENDPOINT",
  "HF_HUB_OFFLINE",
  "HF_TOKEN",
  "HUGGING_FACE_HUB_TOKEN",
  "HF_TOKEN_PATH",
];

/** A folder with the pipeline and its rows, an empty cache, and a hub that has `some/tiny`. */
const inWorld = async (body: (world: World) => Promise<void>): Promise<void> => {
  const folder = await makeWorld(readCase("hub", pipeline));
  const home = mkdtempSync(join(tmpdir(), "peft-hub-"));
  const file = (name: string, apart = false): HubFile => ({ bytes: readFileSync(join(folder, "base", name)), apart });
  const repository: Repository = {
    refs: { main: first },
    files: {
      "config.json": file("config.json"),
      "tokenizer.json": file("tokenizer.json"),
      "tokenizer_config.json": file("tokenizer_config.json"),
      "model.safetensors": file("model.safetensors", true),
      "pytorch_model.bin": { bytes: Buffer.from("not wanted"), apart: true },
    },
  };
  rmSync(join(folder, "base"), { recursive: true });
  const hub = await openFakeHub({ "some/tiny": repository });
  const before = variables.map((name) => [name, process.env[name]] as const);
  for (const name of variables) delete process.env[name];
  Object.assign(process.env, { HF_HOME: home, HF_ENDPOINT: hub.endpoint });
  const peft = (command: string) => peftIn(folder, command);
  try {
    await body({
      folder,
      cache: join(home, "hub", "models--some--tiny"),
      hub,
      repository,
      peft,
      codes: async (command) =>
        [...(({ out, err }) => `${out}${err}`)(await peft(command)).matchAll(/\[(PEFT\d{4})\]/g)].map(([, code]) => code!),
      edit: (from, to) => {
        const text = readFileSync(join(folder, "main.peft"), "utf8");
        assert.ok(text.includes(from), from);
        writeFileSync(join(folder, "main.peft"), text.replace(from, to));
      },
    });
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
    await hub.close();
    for (const path of [folder, home]) rmSync(path, { recursive: true, force: true });
  }
};

group("hub", (test) => {
  test("check, plan and build never ask the hub; fetch brings it whole, and then they know everything", () =>
    inWorld(async ({ cache, hub, repository, peft, codes }) => {
      for (const command of ["check main.peft", "plan main.peft", "build main.peft -o out"])
        assert.equal(await codes(command), ["PEFT0587"], command);
      assert.equal(hub.asked, []);
      const { code, err } = await peft("fetch main.peft");
      assert.is(code, 0, err);
      assert.match(err, `hf://some/tiny@main, commit ${first}`);
      assert.is(readFileSync(join(cache, "refs/main"), "utf8"), first);
      for (const name of ["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"]) {
        const link = join(cache, "snapshots", first, name);
        assert.ok(lstatSync(link).isSymbolicLink(), name);
        assert.is(readlinkSync(link), `../../blobs/${etagOf(repository.files[name]!)}`);
        assert.ok(readFileSync(link).equals(repository.files[name]!.bytes), name);
      }
      assert.ok(!existsSync(join(cache, "snapshots", first, "pytorch_model.bin")));
      const before = hub.asked.length;
      const checked = await peft("check main.peft");
      assert.is(checked.code, 0, checked.out);
      assert.match(checked.out, `hf://some/tiny was read from the cache, where it is @${first}`);
      assert.match((await peft("plan main.peft")).out, `from hf://some/tiny@${first}`);
      assert.is(hub.asked.length, before);
    }));

  test("a run fetches what it lacks once, and its adapter says which commit it is for", () =>
    inWorld(async ({ folder, hub, peft }) => {
      const { code, err } = await peft("run main.peft -o out --device cpu");
      assert.is(code, 0, err);
      const config = JSON.parse(readFileSync(join(folder, "out/adapters/menu/adapter_config.json"), "utf8")) as Record<string, unknown>;
      assert.is(config.base_model_name_or_path, "some/tiny");
      assert.is(config.revision, first);
      const result = JSON.parse(readFileSync(join(folder, "out/result.json"), "utf8")) as { base: { path: string } };
      assert.is(result.base.path, `hf://some/tiny@${first}`);
      const before = hub.asked.length;
      assert.is((await peft("run main.peft -o again --device cpu")).code, 0);
      assert.is(hub.asked.length, before, "what is cached is used as it is");
      process.env.HF_HUB_OFFLINE = "1";
      assert.is((await peft("run main.peft -o third --device cpu")).code, 0);
    }));

  test("a lock pins the commit: a branch that moved changes nothing until it is asked to", () =>
    inWorld(async ({ folder, cache, hub, repository, peft, codes }) => {
      assert.is((await peft("fetch main.peft")).code, 0);
      assert.is((await peft("plan main.peft --lock")).code, 0);
      const lock = (): Lock => JSON.parse(readFileSync(join(folder, "main.peft.lock"), "utf8")) as Lock;
      assert.is(lock().base.path, "hf://some/tiny");
      assert.is(lock().base.revision, first);
      // With the lock no copy is needed.
      rmSync(cache, { recursive: true });
      const before = hub.asked.length;
      assert.equal(await codes("check main.peft"), []);
      assert.match((await peft("plan main.peft")).out, `from hf://some/tiny@${first}`);
      assert.is(hub.asked.length, before);
      // The branch moves.
      repository.refs.main = second;
      repository.refs.older = first;
      assert.is((await peft("fetch main.peft")).code, 0);
      assert.ok(existsSync(join(cache, "snapshots", first)) && !existsSync(join(cache, "snapshots", second)));
      assert.is((await peft("fetch main.peft --update")).code, 0);
      assert.ok(existsSync(join(cache, "snapshots", second)));
      assert.match((await peft("plan main.peft")).out, `@${first}`);
      assert.is((await peft("plan main.peft --lock")).code, 0);
      assert.is(lock().base.revision, second);
    }));

  test("a broken connection is taken up where it broke, within a fetch and by the next", () =>
    inWorld(async ({ cache, hub, repository, codes, peft }) => {
      const file = repository.files["model.safetensors"]!;
      const cut = Math.ceil(file.bytes.length / 3);
      hub.cutAfter.set("model.safetensors", cut);
      assert.is((await peft("fetch main.peft")).code, 0);
      const ranges = hub.asked.flatMap((line) => / bytes=(\d+)-\d{2,}$/.exec(line)?.[1] ?? []).map(Number);
      assert.ok(ranges.length >= 2 && ranges.every((from, i) => from > (ranges[i - 1] ?? 0)), ranges.join());
      assert.ok(readFileSync(join(cache, "snapshots", first, "model.safetensors")).equals(file.bytes));
      // A fetch that died: a part of the file is there, under the name that Hugging Face's tools give it.
      rmSync(cache, { recursive: true });
      mkdirSync(join(cache, "blobs"), { recursive: true });
      const partial = join(cache, "blobs", `${etagOf(file)}.incomplete`);
      writeFileSync(partial, file.bytes.subarray(0, 1000));
      hub.cutAfter.clear();
      hub.asked.length = 0;
      assert.equal(await codes("fetch main.peft"), []);
      assert.ok(
        hub.asked.some((line) => line.endsWith(`bytes=1000-${file.bytes.length - 1}`)),
        hub.asked.join("\n"),
      );
      assert.ok(!existsSync(partial));
      // What was left there belongs to another file: it is found by the checksum, and fetched anew.
      rmSync(cache, { recursive: true });
      mkdirSync(join(cache, "blobs"), { recursive: true });
      writeFileSync(partial, Buffer.alloc(1000, 7));
      assert.equal(await codes("fetch main.peft"), []);
      assert.ok(readFileSync(join(cache, "snapshots", first, "model.safetensors")).equals(file.bytes));
    }));

  test("a line that brings nothing more is said, and what came is kept", () =>
    inWorld(async ({ cache, hub, repository, codes }) => {
      hub.cutAfter.set("model.safetensors", 0);
      assert.equal(await codes("fetch main.peft"), ["PEFT0589"]);
      assert.ok(!existsSync(join(cache, "snapshots", first, "model.safetensors")));
      assert.ok(!existsSync(join(cache, "refs/main")), "a branch names a commit when all of it is there");
      assert.ok(readFileSync(join(cache, "snapshots", first, "config.json")).equals(repository.files["config.json"]!.bytes));
    }));

  test("every file is held to its checksum, those that were there too", () =>
    inWorld(async ({ cache, hub, repository, codes, peft }) => {
      for (const name of ["config.json", "model.safetensors"]) {
        hub.spoiled.add(name);
        assert.equal(await codes("fetch main.peft"), ["PEFT0595"], name);
        assert.ok(!existsSync(join(cache, "snapshots", first, name)), name);
        hub.spoiled.clear();
      }
      assert.equal(await codes("fetch main.peft"), []);
      const blob = join(cache, "blobs", etagOf(repository.files["model.safetensors"]!));
      truncateSync(blob, 4000);
      assert.is((await peft("fetch main.peft")).code, 0);
      assert.ok(readFileSync(blob).equals(repository.files["model.safetensors"]!.bytes), "a damaged file of the cache is fetched anew");
    }));

  test("a cache that other tools filled is read as it is; what it lacks is named, and fetched", () =>
    inWorld(async ({ cache, repository, hub, codes, peft }) => {
      mkdirSync(join(cache, "refs"), { recursive: true });
      writeFileSync(join(cache, "refs/main"), first);
      const snapshot = join(cache, "snapshots", first);
      mkdirSync(snapshot, { recursive: true });
      writeFileSync(join(snapshot, "config.json"), repository.files["config.json"]!.bytes);
      const { out } = await peft("check main.peft");
      assert.match(out, "[PEFT0587]");
      assert.match(out, `of commit ${first} it lacks model.safetensors`);
      writeFileSync(join(snapshot, "model.safetensors"), repository.files["model.safetensors"]!.bytes);
      assert.equal(await codes("check main.peft"), []);
      assert.equal(hub.asked, []);
      assert.is((await peft("run main.peft -o out --device cpu")).code, 0);
      assert.ok(existsSync(join(snapshot, "tokenizer.json")), "a run fetches the tokenizer that was cached by nobody");
      assert.not.ok(hub.asked.some((line) => line.includes("model.safetensors")));
    }));

  test("weights in shards: the index is read first, and only what it names comes", () =>
    inWorld(async ({ cache, repository, codes, edit }) => {
      const whole = repository.files["model.safetensors"]!;
      delete repository.files["model.safetensors"];
      const header = JSON.parse(whole.bytes.subarray(8, 8 + Number(whole.bytes.readBigUInt64LE(0))).toString()) as Record<string, unknown>;
      repository.files["model-00001-of-00001.safetensors"] = whole;
      repository.files["extra.safetensors"] = { bytes: Buffer.from("another"), apart: true };
      const map = Object.fromEntries(Object.keys(header).map((name) => [name, "model-00001-of-00001.safetensors"]));
      repository.files["model.safetensors.index.json"] = { bytes: Buffer.from(JSON.stringify({ weight_map: map })) };
      assert.equal(await codes("fetch main.peft"), []);
      assert.equal(await codes("check main.peft"), []);
      const snapshot = join(cache, "snapshots", first);
      assert.ok(!existsSync(join(snapshot, "extra.safetensors")));
      rmSync(join(snapshot, "model-00001-of-00001.safetensors"));
      assert.equal(await codes("check main.peft"), ["PEFT0587"]);
      // A base that is drawn needs no weights.
      edit("checkpoint(", "blank(");
      assert.equal(await codes("check main.peft"), []);
      delete repository.files["model.safetensors.index.json"];
      repository.refs.bin = second;
      assert.equal(await codes("fetch hf://some/tiny@bin"), ["PEFT0530"]);
    }));

  test(
    "huggingface_hub finds what was fetched here, and what it fetched is found here",
    () =>
      inWorld(async ({ cache, hub, codes, peft }) => {
        const allow = ["*.json", "model.safetensors"];
        const files = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"];
        const given = { name: "some/tiny", cache: dirname(cache), allow };
        assert.is((await peft("fetch main.peft")).code, 0);
        assert.equal(await python("hub_cache.py", given), { folder: join(cache, "snapshots", first), files });
        rmSync(cache, { recursive: true });
        const { folder } = (await python("hub_cache.py", { ...given, endpoint: hub.endpoint })) as { folder: string };
        assert.is(folder, join(cache, "snapshots", first));
        hub.asked.length = 0;
        assert.equal(await codes("check main.peft"), []);
        assert.is((await peft("run main.peft -o out --device cpu")).code, 0);
        assert.equal(hub.asked, []);
        assert.is((await peft("fetch main.peft")).code, 0);
        assert.not.ok(
          hub.asked.some((line) => line.includes("/resolve/")),
          "its files have the checksums' names",
        );
      }),
    { skip: pythonMissing },
  );

  test("every way in which there is nothing to fetch has its own words", () =>
    inWorld(async ({ hub, repository, codes, edit, peft }) => {
      assert.equal(await codes("fetch hf://some/tny"), ["PEFT0593"]);
      assert.match((await peft("fetch hf://some/tiny@nope")).err, "some/tiny has no revision `nope`");
      for (const place of ["hf://a/b/c", "hf://", "hf://a/b@x@y", "hf://../b", "hf://a/b@../x"])
        assert.equal(await codes(`fetch ${place}`), ["PEFT0588"], place);
      edit("hf://some/tiny", "hf://a/b/c");
      assert.equal(await codes("check main.peft"), ["PEFT0588"]);
      edit("hf://a/b/c", "hf://some/gated");
      hub.repositories["some/gated"] = { ...repository, gated: true };
      assert.equal(await codes("run main.peft -o out"), ["PEFT0594"]);
      process.env.HF_TOKEN = "sk-another";
      assert.equal(await codes("fetch main.peft"), ["PEFT0597"]);
      process.env.HF_TOKEN = "hf_unknown";
      assert.match((await peft("fetch main.peft")).err, "the token is not enough");
      process.env.HF_TOKEN = "hf_known";
      assert.equal(await codes("fetch main.peft"), []);
      hub.repositories["some/busy"] = { ...repository, refused: 429 };
      assert.equal(await codes("fetch hf://some/busy"), ["PEFT0596"]);
      process.env.HF_HUB_OFFLINE = "1";
      assert.equal(await codes("fetch hf://some/tiny"), ["PEFT0592"]);
      delete process.env.HF_HUB_OFFLINE;
      const gone = await openFakeHub({});
      await gone.close();
      process.env.HF_ENDPOINT = gone.endpoint;
      const { err } = await peft("fetch hf://some/tiny");
      assert.match(err, "[PEFT0589]");
      assert.match(err, "nothing listens there");
    }));
});
