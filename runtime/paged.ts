// Optimizer state that lies outside the device's memory: in a file that is read and written by position (cpu), or in the host's memory
// (a GPU). The update walks the parameters page by page; a page of each state is brought in, moved by its program, and put back. The
// equation is the same for each element, so the parameters have the same bits as with the state in memory.

import type { Job, Train } from "../spec/job.ts";
import type { Session } from "./devices/device.ts";
import { type Host, joinPath, type PageFile } from "./host.ts";

export interface Paged {
  /** The session, in which a paged state is read and written as if it were a value. */
  readonly session: Session;
  /** Runs the update of one step. */
  readonly update: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/** `folder` is where a file of pages may lie; without one, pages lie in memory. */
export const openPaged = async (job: Job, train: Train, session: Session, host: Host, folder: string | undefined): Promise<Paged> => {
  const { pages } = train;
  if (!pages) return { session, update: () => session.run(train.update, {}), close: async () => {} };
  const elements = Number(job.values[train.state[0]?.value ?? ""]?.shape[0] ?? 0);
  const stores = new Map<string, PageFile>();
  const path = folder === undefined ? undefined : `${folder}.pages`;
  if (path !== undefined && host.pages) await host.makeFolder(path);
  for (const { value } of train.state)
    stores.set(value, path !== undefined && host.pages ? await host.pages(joinPath(path, value), 4 * elements) : inMemory(4 * elements));
  const bytesOf = (data: Float32Array): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const countOf = (page: number): number => Math.min(pages.elements, elements - page * pages.elements);
  const between = new Float32Array(countOf(0));
  const placeOf = (state: string, page: number): string => `${state}[${countOf(page) === pages.elements ? "page" : "rest"}]`;
  return {
    session: {
      ...session,
      write: async (name, data, program) => {
        const store = stores.get(name);
        if (!store) return session.write(name, data, program);
        await store.write(0, bytesOf(data as Float32Array));
      },
      writePart: (name, from, data) => {
        const store = stores.get(name);
        return store ? store.write(4 * from, bytesOf(data as Float32Array)) : session.writePart(name, from, data);
      },
      readPart: (name, from, into) => {
        const store = stores.get(name);
        return store ? store.read(4 * from, bytesOf(into as Float32Array)) : session.readPart(name, from, into);
      },
      read: async (name, program) => {
        const store = stores.get(name);
        if (!store) return session.read(name, program);
        const data = new Float32Array(elements);
        await store.read(0, bytesOf(data));
        return data;
      },
    },
    update: async () => {
      for (const [page, program] of pages.programs.entries()) {
        const data = between.subarray(0, countOf(page));
        const position = 4 * page * pages.elements;
        for (const { value } of train.state) {
          await stores.get(value)!.read(position, bytesOf(data));
          await session.write(placeOf(value, page), data);
        }
        await session.run(program, {});
        for (const { value } of train.state) {
          await session.readPart(placeOf(value, page), 0, data);
          await stores.get(value)!.write(position, bytesOf(data));
        }
      }
    },
    close: async () => {
      for (const store of stores.values()) await store.close();
      if (path !== undefined) await host.remove(path);
    },
  };
};

const inMemory = (size: number): PageFile => {
  const bytes = new Uint8Array(size);
  return {
    read: async (position, into) => into.set(bytes.subarray(position, position + into.length)),
    write: async (position, from) => bytes.set(from, position),
    close: async () => {},
  };
};
