// What a prompt begins as, beside PEFT: the words of a text (cut, and repeated) are its PromptTuningInit.TEXT, bit for bit; words drawn from
// the vocabulary are each a row of the embedding, other ones for another seed.

import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { compileHost } from "../../../cli/compile-host.ts";
import { compile } from "../../../compiler/compile.ts";
import { cpuDevice } from "../../../runtime/devices/cpu.ts";
import { DiagnosticError } from "../../../runtime/diagnostic-error.ts";
import { hostOps } from "../../../runtime/host-ops/index.ts";
import { initAdapter } from "../../../runtime/init.ts";
import { nodeHost } from "../../../runtime/node-host.ts";
import { openTokenizer, type Tokenizer } from "../../../runtime/tokenizer.ts";
import { assert, group } from "../../harness.ts";
import { open } from "../opened.ts";
import { openPython, pythonMissing } from "../python.ts";
import { bases, writeBase } from "./case.ts";
import { readTensors } from "./tensors.ts";

const shape = fileURLToPath(new URL("../../../examples/base/shape/", import.meta.url));
const config = { ...bases.llama, vocab_size: 384 };
const texts = { cut: "Ada the potter sells bowls", repeated: "Tea" };
const tokens = 7;

interface Begun {
  readonly folder: string;
  /** [rows, 16] */
  readonly embedding: Float32Array;
  /** Rows [7, 16] of the adapter of that name. */
  readonly rows: (adapter: string) => Promise<Float32Array>;
  readonly tokenizer: Tokenizer;
}

const begun = async (adapters: string, body: (begun: Begun) => Promise<void>, names: readonly string[]): Promise<void> => {
  const folder = mkdtempSync(`${tmpdir()}/peft-prompt-`);
  try {
    mkdirSync(`${folder}/shape`);
    writeFileSync(`${folder}/shape/config.json`, JSON.stringify(config));
    writeFileSync(`${folder}/rows.txt`, "a row\n");
    const file = `${folder}/it.peft`;
    const plain = `peft 1\nbase model = blank("shape/")\nadapter it = tune() into model.**\n`;
    await writeBase(
      `${folder}/base`,
      config,
      (await compile({ file, goal: "plan" }, compileHost(new Map([[file, plain]])))).job!.parameters,
    );
    for (const name of ["tokenizer.json", "tokenizer_config.json"]) copyFileSync(`${shape}${name}`, `${folder}/base/${name}`);
    const text = `peft 1
base model = checkpoint("base/")
${adapters}
data rows { train = text("rows.txt")  answer = "{text}" }
evaluate ${names.join(", ")} on rows.train { metrics: [loss]  micro_batch_size: 1  sequence_len: 16 }
`;
    const opened = await open(text, file, await cpuDevice({ threads: 1 }));
    try {
      const tokenizer = await openTokenizer(nodeHost, `${folder}/base`);
      for (const adapter of opened.job.adapters) await initAdapter(opened.job, adapter, opened.session, { tokens: async () => tokenizer });
      const read = async (name: string): Promise<Float32Array> => (await opened.session.read(name)) as Float32Array;
      await body({ folder, embedding: await read("embed.weight"), rows: (adapter) => read(`${adapter}:rows`), tokenizer });
    } finally {
      await opened.close();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

const width = config.hidden_size;
const rowsOf = (flat: Float32Array): string[] =>
  Array.from({ length: flat.length / width }, (_, i) => flat.subarray(i * width, (i + 1) * width).join());

group("the start of a prompt", (test) => {
  test("from a text it is the embedding of the text's tokens, cut or repeated", async () => {
    const adapters = Object.entries(texts).map(([name, text]) => `adapter ${name} = prompt(tokens: ${tokens}, text: "${text}") into model`);
    await begun(
      adapters.join("\n"),
      async ({ embedding, rows, tokenizer }) => {
        const known = rowsOf(embedding);
        for (const [name, text] of Object.entries(texts)) {
          const ids = tokenizer.encode(text, { special: true });
          assert.ok(name === "cut" ? ids.length > tokens : ids.length < tokens, `${text}: ${ids.length} tokens`);
          assert.equal(
            rowsOf(await rows(name)),
            Array.from({ length: tokens }, (_, i) => known[ids[i % ids.length]!]!),
          );
        }
      },
      Object.keys(texts),
    );
  });

  test("sampled, each row is a word's; the words are drawn, and another place draws others", async () => {
    const adapters = ["a", "b"].map((name) => `adapter ${name} = prompt(tokens: ${tokens}, sampled: true) into model`).join("\n");
    await begun(
      adapters,
      async ({ embedding, rows }) => {
        const known = new Set(rowsOf(embedding));
        const [a, b] = [rowsOf(await rows("a")), rowsOf(await rows("b"))];
        assert.ok([...a, ...b].every((row) => known.has(row)));
        assert.ok(new Set(a).size > 3, "not one word again and again");
        assert.not.equal(a, b);
      },
      ["a", "b"],
    );
  });

  test("a text without tokens is told (PEFT0372)", () => {
    const tokenizer = { encode: () => [] } as unknown as Tokenizer;
    const begin = () => hostOps.tokenize!([], { text: " ", count: 2 }, { seed: 0, place: "rows", tokenizer });
    assert.throws(begin, (error: unknown) => error instanceof DiagnosticError && error.diagnostics[0]!.code === "PEFT0372");
  });

  test(
    "PEFT begins with the same rows",
    async () => {
      const python = openPython("methods/methods.py");
      const adapters = Object.entries(texts).map(
        ([name, text]) => `adapter ${name} = prompt(tokens: ${tokens}, text: "${text}") into model`,
      );
      try {
        await begun(
          adapters.join("\n"),
          async ({ folder, rows }) => {
            for (const [name, text] of Object.entries(texts)) {
              const settings = { num_virtual_tokens: tokens, prompt_tuning_init: "TEXT", prompt_tuning_init_text: text };
              const base = `${folder}/base`;
              const out = `${folder}/${name}`;
              await python.ask({
                ...{ do: "first", base, out, seed: 1 },
                config: { peft_type: "PROMPT_TUNING", ...settings, tokenizer_name_or_path: base },
              });
              const theirs = (await readTensors(`${out}/adapter_model.safetensors`)).get("prompt_embeddings")!;
              assert.equal([...(await rows(name))], [...theirs.values]);
            }
          },
          Object.keys(texts),
        );
      } finally {
        python.close();
      }
    },
    { skip: pythonMissing },
  );
});
