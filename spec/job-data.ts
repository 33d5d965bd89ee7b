// The part of a job that says where rows are, and what is made of them.

export interface Split {
  readonly name: string;
  readonly reader: "jsonl" | "json" | "csv" | "parquet" | "text";
  /** As written; relative paths start at the folder of the `.peft` file. */
  readonly path: string;
  /** Of a csv file whose first row names none. */
  readonly columns?: readonly string[];
  readonly rows?: number;
  readonly skip?: number;
  /** The same as shares of the file's rows, from 0 to 1. */
  readonly rows_share?: number;
  readonly skip_share?: number;
  /** Which of these rows, where some are held out. */
  readonly part?: Part;
}

/** One of the parts that a file's rows are divided into, by what is in them. */
export interface Part {
  readonly seed: number;
  /** How much each part takes of all rows, one after the other; what is left is the last part. */
  readonly held: readonly { readonly share?: number; readonly rows?: number }[];
  /** Which of them this is; `held.length`: what is left. */
  readonly index: number;
}

/** What becomes of rows longer than a block's limit. Absent: they are cut. */
export type Overlong = "drop" | "error";

/** Where a row's conversation is, and what its messages call things. */
export interface Chat {
  readonly column: string;
  /** Keys of a message; absent: `role` or `from`, `content` or `value`. */
  readonly role?: string;
  readonly content?: string;
  /** Further roles of the rows, by what the template calls them. */
  readonly roles: Readonly<Record<string, string>>;
  /** File of the template, as written; absent: the tokenizer's own. */
  readonly template?: string;
}

export interface Data {
  readonly name: string;
  readonly splits: readonly Split[];
  /** Rows are conversations; then there is no prompt, and `answer` is empty. */
  readonly chat?: Chat;
  /** A template: see template.ts. */
  readonly prompt?: string;
  readonly answer: string;
  /** The answers there are: the answer of a row is one of these, and is told and not written. */
  readonly classes?: readonly string[];
  /** Which share of the answer's tokens is hidden, from 0 to 1; these are to be told, and nothing is written. */
  readonly masked?: number;
  /** Names the adapter of a row, for what is a mix of adapters. */
  readonly adapter?: string;
  /** `last`: of a conversation, the last message alone. */
  readonly loss_on: "answer" | "last" | "all";
}
