// What the compiler may ask of the world. Everything else it does is pure, so it runs in a browser as it runs in Node.

import type { File } from "../grammar/tree.ts";
import type { Diagnostic } from "../spec/diagnostic.ts";
import type { DType } from "../spec/job.ts";
import type { Split } from "../spec/job-data.ts";
import type { MetricSignature } from "../spec/metric.ts";
import type { RowColumns } from "../spec/row-columns.ts";
import type { Declared } from "./blocks/declared.ts";

export interface StoredTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** The dtype by the file's own name, which may be none that a job computes with. */
  readonly raw?: string;
}

/** What lies on this machine of a base that is named elsewhere. */
export interface HubCopy {
  /** Its name with the exact version that the copy is of. */
  readonly exact?: string;
  /** Why there is nothing to read. */
  readonly problem?: Diagnostic;
}

export interface CompileHost {
  /** The standard library: path inside stdlib/ → text. */
  readonly std: ReadonlyMap<string, string>;
  /** Its files as trees, or JSON of them (spans say `std/PATH`), where they were read ahead of time; what is not there is parsed. */
  readonly stdTrees?: { readonly get: (path: string) => string | File | undefined };
  /** What its files declare, where that was found ahead of time. */
  readonly stdDeclares?: Declared;
  /** What `metrics` may list, by name. */
  readonly metrics: ReadonlyMap<string, MetricSignature>;
  /** Text of a file, undefined when there is none. */
  readonly read: (path: string) => string | undefined;
  /** Names in a folder, undefined when there is none. */
  readonly list: (folder: string) => readonly string[] | undefined;
  /** Tensors of a checkpoint folder from its headers alone; what is wrong with it otherwise. */
  readonly headers: (folder: string) => Promise<
    | {
        readonly tensors: ReadonlyMap<string, StoredTensor>;
        /** Of the header texts. */
        readonly sha256: () => string;
      }
    | { readonly diagnostics: readonly Diagnostic[] }
  >;
  /** An adapter's folder: its configuration, and its tensors from the header alone; what is wrong with it otherwise. A host without it loads none. */
  readonly adapter?: (folder: string) => Promise<
    | {
        readonly config: Readonly<Record<string, unknown>>;
        readonly tensors: ReadonlyMap<string, StoredTensor>;
        /** Files of parts that are no adapter, and are not read. */
        readonly beside?: readonly string[];
      }
    | { readonly diagnostics: readonly Diagnostic[] }
  >;
  /** In which tensors a base is another than the one an adapter's folder was made for. A host without it compares none. */
  readonly otherBase?: (
    folder: string,
    base: string,
  ) => Promise<{ readonly lines: readonly string[]; readonly total: number } | { readonly diagnostics: readonly Diagnostic[] }>;
  /** A digest of the first 4 KiB of each tensor of a checkpoint's folder; undefined where its weights are not there. */
  readonly weightsPrint?: (folder: string) => Promise<string | undefined>;
  /** What is wrong with the first rows of a data file that must have these columns. A host without it leaves data to the run. */
  readonly rows?: (path: string, split: Split, columns: RowColumns) => Promise<readonly Diagnostic[]>;
  /** What is wrong with the chat template of a tokenizer's folder, or with a file that holds one. A host without it leaves that to the run. */
  readonly chat?: (folder: string, template: string | undefined) => Promise<readonly Diagnostic[]>;
  /** Size and digest of the beginning of a data file; undefined when there is none. */
  readonly sample?: (path: string) => Promise<{ readonly bytes: number; readonly sample_sha256: string } | undefined>;
  /** The cached copy of a place of the hub (`hf://…`), with its weights or without. A host without it knows folders alone. */
  readonly hub?: (place: string, weights: boolean) => HubCopy;
  /** `relative` as seen from the folder of `from`; of a place of the hub, the folder of its copy. */
  readonly resolve: (from: string, relative: string) => string;
  /** A path given on the command line, as seen from the working folder. */
  readonly here: (path: string) => string;
  readonly sha256: (text: string | Uint8Array) => string;
}
