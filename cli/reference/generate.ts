// Writes docs/ from the reference. Run by `npm run docs`; the tests check that running it changes nothing.

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { referencePages } from "./pages.ts";

const folder = fileURLToPath(new URL("../../docs/", import.meta.url));
const made = "<!-- Made from ";

const write = (): void => {
  mkdirSync(folder, { recursive: true });
  const pages = referencePages();
  // A page of a chapter that is gone goes with it; pages written by hand stay.
  for (const file of readdirSync(folder))
    if (file.endsWith(".md") && !pages.has(file) && readFileSync(folder + file, "utf8").startsWith(made)) rmSync(folder + file);
  for (const [file, text] of pages) writeFileSync(folder + file, text);
};

if (process.argv[1] === fileURLToPath(import.meta.url)) write();
