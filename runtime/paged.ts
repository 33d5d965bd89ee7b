// Optimizer state that lies outside the device's memory: in a file that is read and written by position (cpu), or in the host's memory
// (a GPU). The update walks the parameters page by page; a page of each array of the state is brought in, moved by its program, and put
// back. The equation is the same for each element, so the parameters have the same bits as with the state in memory.

import type { Job, Train } from "../spec/job.ts";
import type { Data, Session } from "./devices/device.ts";
import { arrayTypes, bytesPer, elements, shapeAt } from "./devices/sizes.ts";
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
  const lengthOf = (name: string): number => elements(shapeAt(job.values[name]!.shape, {}));
  const widthOf = (name: string): number => bytesPer[job.values[name]!.dtype];
  const stores = new Map<string, PageFile>();
  const path = folder === undefined ? undefined : `${folder}.pages`;
  if (path !== undefined && host.pages) await host.makeFolder(path);
  for (const { value } of train.state) {
    const size = widthOf(value) * lengthOf(value);
    stores.set(value, path !== undefined && host.pages ? await host.pages(joinPath(path, value), size) : inMemory(size));
  }
  const bytesOf = ({ buffer, byteOffset, byteLength }: Data): Uint8Array => new Uint8Array(buffer, byteOffset, byteLength);
  // Every page passes through the same memory.
  const largest = Math.max(...pages.flatMap(({ state }) => state.map(({ page }) => widthOf(page) * lengthOf(page))));
  const between = new ArrayBuffer(largest);
  const roomFor = (page: string): Data => new arrayTypes[job.values[page]!.dtype](between, 0, lengthOf(page));
  return {
    session: {
      ...session,
      write: async (name, data, program) => {
        const store = stores.get(name);
        if (!store) return session.write(name, data, program);
        await store.write(0, bytesOf(data));
      },
      writePart: (name, from, data) => {
        const store = stores.get(name);
        return store ? store.write(widthOf(name) * from, bytesOf(data)) : session.writePart(name, from, data);
      },
      readPart: (name, from, into) => {
        const store = stores.get(name);
        return store ? store.read(widthOf(name) * from, bytesOf(into)) : session.readPart(name, from, into);
      },
      read: async (name, program) => {
        const store = stores.get(name);
        if (!store) return session.read(name, program);
        const data = new arrayTypes[job.values[name]!.dtype](lengthOf(name));
        await store.read(0, bytesOf(data));
        return data;
      },
    },
    update: async () => {
      for (const { program, state } of pages) {
        for (const { of, from, page } of state) {
          const data = roomFor(page);
          await stores.get(of)!.read(widthOf(of) * from, bytesOf(data));
          await session.write(page, data);
        }
        await session.run(program, {});
        for (const { of, from, page } of state) {
          const data = roomFor(page);
          await session.readPart(page, 0, data);
          await stores.get(of)!.write(widthOf(of) * from, bytesOf(data));
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
