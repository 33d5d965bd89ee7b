// What the standard library declares, found when the command is built, so that no run looks through all its texts.

import { declaredIn } from "../../compiler/blocks/declared.ts";
import { std } from "./std.ts";

export const { definitions, classes } = declaredIn(std);
