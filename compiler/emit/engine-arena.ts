// Requests for memory in the order they come -> what an arena of ONNX Runtime holds after them: the pages it has touched. It is a
// best-fit allocator (BFC) over regions, each twice as large as the one before, from 1 MiB on; a free chunk is split only when it is at least
// twice what is asked for, and chunks that are free again join their free neighbours. It never gives a region back.
// Source: onnxruntime/core/framework/bfc_arena.cc.

interface Chunk {
  readonly start: number;
  size: number;
  free: boolean;
}

export interface Arena {
  /** Takes memory of so many bytes; what is given back frees it. */
  readonly take: (bytes: number) => () => void;
  /** Bytes of all regions that were ever in use. */
  readonly touched: () => number;
}

const grain = 256;

export const createArena = (): Arena => {
  /** In order of their place. */
  const regions: { readonly chunks: Chunk[]; end: number }[] = [];
  let next = 2 ** 20;

  const extend = (bytes: number): { readonly region: (typeof regions)[number]; readonly chunk: Chunk } => {
    const grown = bytes > next;
    while (bytes > next) next *= 2;
    const chunk = { start: 0, size: next, free: true };
    const region = { chunks: [chunk], end: 0 };
    regions.push(region);
    if (!grown) next *= 2;
    return { region, chunk };
  };

  const fitting = (bytes: number): { readonly region: (typeof regions)[number]; readonly chunk: Chunk } | undefined => {
    let best: { region: (typeof regions)[number]; chunk: Chunk } | undefined;
    for (const region of regions)
      for (const chunk of region.chunks)
        if (chunk.free && chunk.size >= bytes && (!best || chunk.size < best.chunk.size)) best = { region, chunk };
    return best;
  };

  return {
    take: (wanted) => {
      const bytes = grain * Math.ceil(wanted / grain);
      if (bytes === 0) return () => {};
      const { region, chunk } = fitting(bytes) ?? extend(bytes);
      const at = region.chunks.indexOf(chunk);
      if (chunk.size >= 2 * bytes) {
        region.chunks.splice(at + 1, 0, { start: chunk.start + bytes, size: chunk.size - bytes, free: true });
        chunk.size = bytes;
      }
      chunk.free = false;
      region.end = Math.max(region.end, chunk.start + bytes);
      return () => {
        chunk.free = true;
        const here = region.chunks.indexOf(chunk);
        const [before, after] = [region.chunks[here - 1], region.chunks[here + 1]];
        if (after?.free) {
          chunk.size += after.size;
          region.chunks.splice(here + 1, 1);
        }
        if (before?.free) {
          before.size += chunk.size;
          region.chunks.splice(here, 1);
        }
      };
    },
    touched: () => regions.reduce((sum, { end }) => sum + end, 0),
  };
};
