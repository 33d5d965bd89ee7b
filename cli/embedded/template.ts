// The pipeline that `peft init` writes; the bundler puts its text here (build.ts).

import { readFileSync } from "node:fs";

export const template: string = readFileSync(new URL("../template.peft", import.meta.url), "utf8");
