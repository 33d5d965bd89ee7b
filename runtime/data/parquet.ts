// Parquet: a row group at a time, so that a large file is never whole in memory. Rows are numbered by their place, from 1. The
// format is hyparquet's; 64-bit whole numbers become plain ones, or text where a double cannot hold them.

import type { AsyncBuffer, FileMetaData } from "hyparquet";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import type { ReadableFile, ReadingHost } from "../host.ts";
import type { Reader, Row } from "./row.ts";

export const readParquet: Reader = async function* (host, path, problems) {
  const [{ parquetMetadataAsync, parquetReadObjects }, { compressors }] = await Promise.all([
    import("hyparquet"),
    import("hyparquet-compressors"),
  ]);
  const source = await host.open(path);
  try {
    const file = bufferOf(source);
    let metadata: FileMetaData;
    try {
      metadata = await parquetMetadataAsync(file);
    } catch (error) {
      return problems.add(diagnostics.data_parquet(undefined, { path, reason: reasonOf(error) }));
    }
    let start = 0;
    for (const group of metadata.row_groups) {
      const end = start + Number(group.num_rows);
      let rows: readonly Record<string, unknown>[];
      try {
        rows = await parquetReadObjects({ file, metadata, compressors, rowStart: start, rowEnd: end });
      } catch (error) {
        return problems.add(diagnostics.data_parquet(undefined, { path, reason: reasonOf(error) }));
      }
      const first = start;
      yield rows.map((values, i): Row => ({ number: first + i + 1, values: plain(values) }));
      start = end;
    }
  } finally {
    await source.close();
  }
};

const bufferOf = (source: ReadableFile): AsyncBuffer => ({
  byteLength: source.size,
  slice: async (start, end = source.size) => {
    const bytes = new Uint8Array(end - start);
    await source.read(start, bytes);
    return bytes.buffer;
  },
});

/** Bytes of the first row group, by the file's footer; 0 where that cannot be read. */
export const firstGroupBytes = async (host: ReadingHost, path: string): Promise<number> => {
  const { parquetMetadataAsync } = await import("hyparquet");
  const source = await host.open(path);
  try {
    const { row_groups } = await parquetMetadataAsync(bufferOf(source));
    return (row_groups[0]?.columns ?? []).reduce((sum, { meta_data }) => sum + Number(meta_data?.total_compressed_size ?? 0), 0);
  } catch {
    return 0;
  } finally {
    await source.close();
  }
};

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).split("\n")[0]!;

const plain = (values: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      typeof value === "bigint" ? (Number.isSafeInteger(Number(value)) ? Number(value) : String(value)) : value,
    ]),
  );
