// Which adapters' tensors are in memory, and how the others get there: read from the folder that a run saved them in, or that the
// file names. What a subject needs is the job's to say (`Adapter.with`). Switching subjects is then binding other values.

import type { Adapter, Job } from "../spec/job.ts";
import { loadAdapter } from "./adapter-files.ts";
import type { Session } from "./devices/device.ts";
import type { Listener } from "./events.ts";
import { type Host, joinPath } from "./host.ts";

export interface ReadyOptions {
  readonly host: Host;
  readonly session: Session;
  /** Folder of the `.peft` file, where paths of adapters that it names start. */
  readonly folder: string;
  /** Folder of the run: its adapters are in adapters/NAME. */
  readonly out: string;
  readonly listen: Listener;
}

export interface Ready {
  /** Makes sure that everything the subject needs is in memory. Throws a DiagnosticError. */
  readonly need: (subject: string) => Promise<void>;
  /** The adapter has just been trained here: what is in memory is the newest. */
  readonly trained: (adapter: string) => void;
}

export const readyAdapters = (job: Job, options: ReadyOptions): Ready => {
  const { host, session, folder, out, listen } = options;
  const present = new Set<string>();
  const load = async (adapter: Adapter): Promise<void> => {
    const from = adapter.from !== undefined ? await host.resolve(folder, adapter.from) : joinPath(joinPath(out, "adapters"), adapter.name);
    listen({ kind: "phase", title: `load adapter ${adapter.name}` });
    await loadAdapter(host, from, adapter, job.parameters, (parameter, values) => session.write(parameter, values));
  };
  return {
    need: async (subject) => {
      const wanted = job.adapters.find(({ name }) => name === subject)?.with ?? [];
      for (const name of wanted) {
        if (present.has(name)) continue;
        present.add(name);
        const adapter = job.adapters.find((candidate) => candidate.name === name)!;
        // An adapter that the file neither trains nor reads is as it was drawn.
        if (adapter.trained || adapter.from !== undefined) await load(adapter);
      }
    },
    trained: (adapter) => present.add(adapter),
  };
};
