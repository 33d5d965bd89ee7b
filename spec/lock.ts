// What a pipeline was planned from, written down beside it: FILE.lock, checked against lock.schema.json. With it a machine that has
// neither the model nor the data checks the same pipeline, and a machine that has them sees when they are other ones.

export interface Lock {
  readonly format: "peft-lock/1";
  readonly base: LockedBase;
  /** By `data.split`. */
  readonly data: Readonly<Record<string, LockedSplit>>;
  /** What tokenizing told, by block: `train menu`. */
  readonly rows: Readonly<Record<string, LockedRows>>;
  /** Digests of the chat templates that the file names, by the path as written. */
  readonly templates?: Readonly<Record<string, string>>;
}

export interface LockedBase {
  /** As written in the file, after its inputs. */
  readonly path: string;
  /** The commit that the base was read at, where it is a place of the hub. */
  readonly revision?: string;
  /** The lines of config.json. */
  readonly config: readonly string[];
  readonly config_sha256: string;
  /** Absent where the weights are drawn. */
  readonly header_sha256?: string;
  /**
   * Tensors of the checkpoint, as `F32 [64, 64]`. A name stands for many: `layers.{0..79}.q` for one of each number, `{0,2}` for
   * those.
   */
  readonly tensors?: Readonly<Record<string, string>>;
  /** Of tokenizer.json; absent where there is none. */
  readonly tokenizer_sha256?: string;
  /** Digests of what else decides how text becomes tokens, by the file's name: the tokenizer's settings, and how it writes a conversation. */
  readonly tokenizer_files?: Readonly<Record<string, string>>;
}

export interface LockedSplit {
  readonly path: string;
  readonly bytes: number;
  /** Of the file's first 64 KiB. */
  readonly sample_sha256: string;
  /** Columns of the first rows. */
  readonly columns: readonly string[];
}

export interface LockedRows {
  /** sha256 of what these counts follow from: the templates, the split and the length. */
  readonly of: string;
  readonly rows: number;
  readonly tokens: number;
  readonly labels: number;
  readonly truncated: number;
}
