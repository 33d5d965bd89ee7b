// `peft run FILE -o OUT --device cpu`, in this process.

import { main } from "../../cli/main.ts";
import { assert } from "../harness.ts";

export const runFile = async (file: string, out: string): Promise<void> => {
  const said: string[] = [];
  const stream = { write: (text: string) => void said.push(text), terminal: false, columns: () => undefined, colour: false };
  const io = { cwd: "/", out: stream, err: stream, stdin: () => "", now: () => 0 };
  assert.is(await main(["run", file, "-o", out, "--device", "cpu"], io), 0, said.join(""));
};
