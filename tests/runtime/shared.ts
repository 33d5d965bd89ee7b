// Real data that lies beside the repository and is not part of it. A test that uses it skips, and says so, when it is absent.

import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("../../../shared/data/", import.meta.url));

export const shared = (path: string): string => folder + path;

/** A reason to skip, or undefined when the path is there. */
export const without = (path: string): string | undefined => (existsSync(shared(path)) ? undefined : `no ../shared/data/${path}`);
