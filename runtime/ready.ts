// Which adapters' tensors are in memory, and how the others get there: read from the folder that a run saved them in, or that the
// file names. What a subject needs is the job's to say (`Adapter.with`). Switching subjects is then binding other values.

import type { Adapter, Job } from "../spec/job.ts";
import { loadAdapter } from "./adapter-files.ts";
import { emptyBank, fillBank } from "./bank.ts";
import { holdBase } from "./base-print.ts";
import type { Session } from "./devices/device.ts";
import type { Listener } from "./events.ts";
import type { Headers } from "./headers.ts";
import { type Host, joinPath } from "./host.ts";
import { initAdapter } from "./init.ts";
import type { Tokenizer } from "./tokenizer.ts";

export interface ReadyOptions {
  readonly host: Host;
  readonly session: Session;
  /** Folder of the `.peft` file, where paths of adapters that it names start. */
  readonly folder: string;
  /** Folder of the run: its adapters are in adapters/NAME. */
  readonly out: string;
  readonly listen: Listener;
  /** The base's tensors, where it is a checkpoint: an adapter made for others is refused. */
  readonly base?: Headers | undefined;
  /** Opens the base's tokenizer. */
  readonly tokens?: (() => Promise<Tokenizer>) | undefined;
}

export interface Ready {
  /** Makes sure that everything the subject needs is in memory. Throws a DiagnosticError. */
  readonly need: (subject: string) => Promise<void>;
  /** Training of the adapter begins: what it stands on is in memory, and of itself what it begins with. Throws a DiagnosticError. */
  readonly begin: (adapter: string) => Promise<void>;
  /** The adapter has just been trained here: what is in memory is the newest. */
  readonly trained: (adapter: string) => Promise<void>;
}

const storesAll = ({ parameters, files }: Adapter): boolean => {
  const stored = new Set(files.tensors.flatMap(({ parameter, joined }) => joined?.parts.map((part) => part.parameter) ?? [parameter]));
  return parameters.every((name) => stored.has(name));
};

export const readyAdapters = (job: Job, options: ReadyOptions): Ready => {
  const { host, session, folder, out, listen } = options;
  const present = new Set<string>();
  /** What a run saved is newer than the folder that training began from. */
  const load = async (adapter: Adapter, first = adapter.trainedBy.length === 0): Promise<void> => {
    const given = first ? adapter.from : undefined;
    const from = given === undefined ? joinPath(joinPath(out, "adapters"), adapter.name) : await host.resolve(folder, given);
    listen({ kind: "phase", title: `load adapter ${adapter.name}` });
    if (options.base && !adapter.anyBase) await holdBase(host, from, options.base);
    // What follows from settings alone is computed and not stored.
    if (!storesAll(adapter)) await initAdapter(job, adapter, session, options);
    await loadAdapter(host, from, adapter, job.parameters, (parameter, values) => session.write(parameter, values));
  };
  const find = (name: string): Adapter => job.adapters.find((candidate) => candidate.name === name)!;
  const one = async (name: string): Promise<void> => {
    if (present.has(name)) return;
    present.add(name);
    const adapter = find(name);
    for (const part of adapter.of ?? []) for (const below of find(part).with) await one(below);
    if (adapter.bank) {
      for (const member of adapter.bank) await one(member);
      await fillBank(job, adapter, session);
    }
    // An adapter that the file neither trains nor reads is as it was at first.
    else if (adapter.trainedBy.length > 0 || adapter.from !== undefined) await load(adapter);
    else await initAdapter(job, adapter, session, options);
  };
  return {
    begin: async (name) => {
      const adapter = find(name);
      for (const below of adapter.with) if (below !== name) await one(below);
      present.add(name);
      if (!adapter.bank) {
        if (adapter.from !== undefined) await load(adapter, true);
        return;
      }
      for (const member of adapter.bank) {
        if (find(member).trainedBy.includes(member) || find(member).from !== undefined) await one(member);
        else await initAdapter(job, find(member), session, options);
        present.add(member);
      }
      await fillBank(job, adapter, session);
    },
    need: async (subject) => {
      const wanted = job.adapters.find(({ name }) => name === subject)?.with ?? [];
      for (const name of wanted) await one(name);
    },
    trained: async (name) => {
      const adapter = find(name);
      present.add(name);
      if (adapter.bank) {
        await emptyBank(job, adapter, session);
        for (const member of adapter.bank) present.add(member);
      }
      // What holds a copy of its tensors is filled again when it is needed.
      for (const other of job.adapters)
        if (other !== adapter && (other.bank?.includes(name) || other.of?.includes(name))) present.delete(other.name);
    },
  };
};
