// Generated from spec/diagnostics by spec/generate.ts. Do not edit.

import type { Span } from "../grammar/tree.ts";
import type { Details, Diagnostic } from "./diagnostic.ts";

const make = (code: string, severity: "error" | "warning", message: string, at: Span | undefined, details: Details): Diagnostic => ({
  code,
  severity,
  message,
  ...(at && { at }),
  ...(details.label !== undefined && { label: details.label }),
  notes: details.notes ?? [],
  ...(details.help !== undefined && { help: details.help }),
  fixes: details.fixes ?? [],
});

export const diagnostics = {
  /** `into` matches no module: `{pattern}` */
  unmatched_target: (at: Span | undefined, { pattern }: { readonly pattern: string | number }, details: Details = {}): Diagnostic => make("PEFT0312", "error", `\`into\` matches no module: \`${pattern}\``, at, details),
  /** there is no file `{path}` */
  file_missing: (at: Span | undefined, { path }: { readonly path: string | number }, details: Details = {}): Diagnostic => make("PEFT0500", "error", `there is no file \`${path}\``, at, details),
  /** cannot read `{path}`: {reason} */
  read_failed: (at: Span | undefined, { path, reason }: { readonly path: string | number; readonly reason: string | number }, details: Details = {}): Diagnostic => make("PEFT0501", "error", `cannot read \`${path}\`: ${reason}`, at, details),
  /** cannot write `{path}`: {reason} */
  write_failed: (at: Span | undefined, { path, reason }: { readonly path: string | number; readonly reason: string | number }, details: Details = {}): Diagnostic => make("PEFT0502", "error", `cannot write \`${path}\`: ${reason}`, at, details),
  /** no space is left on the disk for `{path}` */
  disk_full: (at: Span | undefined, { path }: { readonly path: string | number }, details: Details = {}): Diagnostic => make("PEFT0503", "error", `no space is left on the disk for \`${path}\``, at, details),
  /** the output folder `{folder}` has files in it */
  output_not_empty: (at: Span | undefined, { folder }: { readonly folder: string | number }, details: Details = {}): Diagnostic => make("PEFT0505", "error", `the output folder \`${folder}\` has files in it`, at, details),
  /** the output folder `{folder}` is the base model's own folder */
  output_is_base: (at: Span | undefined, { folder }: { readonly folder: string | number }, details: Details = {}): Diagnostic => make("PEFT0506", "error", `the output folder \`${folder}\` is the base model's own folder`, at, details),
  /** `{file}` is {size} bytes, too short for a safetensors file */
  safetensors_short: (at: Span | undefined, { file, size }: { readonly file: string | number; readonly size: string | number }, details: Details = {}): Diagnostic => make("PEFT0510", "error", `\`${file}\` is ${size} bytes, too short for a safetensors file`, at, details),
  /** `{file}`: the header is said to be {length} bytes long; {limit} */
  safetensors_header_length: (at: Span | undefined, { file, length, limit }: { readonly file: string | number; readonly length: string | number; readonly limit: string | number }, details: Details = {}): Diagnostic => make("PEFT0511", "error", `\`${file}\`: the header is said to be ${length} bytes long; ${limit}`, at, details),
  /** `{file}`: the header is not a JSON object: {reason} */
  safetensors_header_text: (at: Span | undefined, { file, reason }: { readonly file: string | number; readonly reason: string | number }, details: Details = {}): Diagnostic => make("PEFT0512", "error", `\`${file}\`: the header is not a JSON object: ${reason}`, at, details),
  /** `{file}`: the header has the key `{key}` twice */
  safetensors_duplicate_key: (at: Span | undefined, { file, key }: { readonly file: string | number; readonly key: string | number }, details: Details = {}): Diagnostic => make("PEFT0513", "error", `\`${file}\`: the header has the key \`${key}\` twice`, at, details),
  /** `{file}`: the header's entry `{tensor}` {problem} */
  safetensors_entry: (at: Span | undefined, { file, tensor, problem }: { readonly file: string | number; readonly tensor: string | number; readonly problem: string | number }, details: Details = {}): Diagnostic => make("PEFT0514", "error", `\`${file}\`: the header's entry \`${tensor}\` ${problem}`, at, details),
  /** `{file}`: `{tensor}` has the unknown dtype `{dtype}` */
  safetensors_dtype: (at: Span | undefined, { file, tensor, dtype }: { readonly file: string | number; readonly tensor: string | number; readonly dtype: string | number }, details: Details = {}): Diagnostic => make("PEFT0515", "error", `\`${file}\`: \`${tensor}\` has the unknown dtype \`${dtype}\``, at, details),
  /** `{file}`: `{tensor}` is {dtype} {shape}, which is {expected} bytes, but its offsets span {found} */
  safetensors_size: (at: Span | undefined, { file, tensor, dtype, shape, expected, found }: { readonly file: string | number; readonly tensor: string | number; readonly dtype: string | number; readonly shape: string | number; readonly expected: string | number; readonly found: string | number }, details: Details = {}): Diagnostic => make("PEFT0516", "error", `\`${file}\`: \`${tensor}\` is ${dtype} ${shape}, which is ${expected} bytes, but its offsets span ${found}`, at, details),
  /** `{file}`: {problem} */
  safetensors_offsets: (at: Span | undefined, { file, problem }: { readonly file: string | number; readonly problem: string | number }, details: Details = {}): Diagnostic => make("PEFT0517", "error", `\`${file}\`: ${problem}`, at, details),
  /** the folder `{folder}` has no safetensors weights */
  checkpoint_no_weights: (at: Span | undefined, { folder }: { readonly folder: string | number }, details: Details = {}): Diagnostic => make("PEFT0530", "error", `the folder \`${folder}\` has no safetensors weights`, at, details),
  /** `{file}` is not an index of shards: {problem} */
  checkpoint_index: (at: Span | undefined, { file, problem }: { readonly file: string | number; readonly problem: string | number }, details: Details = {}): Diagnostic => make("PEFT0531", "error", `\`${file}\` is not an index of shards: ${problem}`, at, details),
  /** the shards in `{folder}` do not fit their index */
  checkpoint_shards: (at: Span | undefined, { folder }: { readonly folder: string | number }, details: Details = {}): Diagnostic => make("PEFT0532", "error", `the shards in \`${folder}\` do not fit their index`, at, details),
  /** the checkpoint `{folder}` does not fit the job: {count} of {total} tensors differ */
  checkpoint_mismatch: (at: Span | undefined, { folder, count, total }: { readonly folder: string | number; readonly count: string | number; readonly total: string | number }, details: Details = {}): Diagnostic => make("PEFT0533", "error", `the checkpoint \`${folder}\` does not fit the job: ${count} of ${total} tensors differ`, at, details),
  /** `{file}` is not a JSON object: {reason} */
  checkpoint_config: (at: Span | undefined, { file, reason }: { readonly file: string | number; readonly reason: string | number }, details: Details = {}): Diagnostic => make("PEFT0534", "error", `\`${file}\` is not a JSON object: ${reason}`, at, details),
  /** `{tensor}` is stored as {dtype} and cannot be read as numbers to compute with */
  tensor_dtype: (at: Span | undefined, { tensor, dtype }: { readonly tensor: string | number; readonly dtype: string | number }, details: Details = {}): Diagnostic => make("PEFT0535", "error", `\`${tensor}\` is stored as ${dtype} and cannot be read as numbers to compute with`, at, details),
  /** something went wrong inside peft: {message} */
  internal_error: (at: Span | undefined, { message }: { readonly message: string | number }, details: Details = {}): Diagnostic => make("PEFT0900", "error", `something went wrong inside peft: ${message}`, at, details),
  /** there is no command `{command}` */
  unknown_command: (at: Span | undefined, { command }: { readonly command: string | number }, details: Details = {}): Diagnostic => make("PEFT0901", "error", `there is no command \`${command}\``, at, details),
  /** `peft {command}` has no option `{option}` */
  unknown_option: (at: Span | undefined, { command, option }: { readonly command: string | number; readonly option: string | number }, details: Details = {}): Diagnostic => make("PEFT0902", "error", `\`peft ${command}\` has no option \`${option}\``, at, details),
  /** `{option}` {problem} */
  option_value: (at: Span | undefined, { option, problem }: { readonly option: string | number; readonly problem: string | number }, details: Details = {}): Diagnostic => make("PEFT0903", "error", `\`${option}\` ${problem}`, at, details),
  /** something is missing: `{usage}` */
  missing_argument: (at: Span | undefined, { usage }: { readonly usage: string | number }, details: Details = {}): Diagnostic => make("PEFT0904", "error", `something is missing: \`${usage}\``, at, details),
  /** `{argument}` is one argument too many: `{usage}` */
  extra_argument: (at: Span | undefined, { argument, usage }: { readonly argument: string | number; readonly usage: string | number }, details: Details = {}): Diagnostic => make("PEFT0905", "error", `\`${argument}\` is one argument too many: \`${usage}\``, at, details),
  /** cannot read `{file}`: {reason} */
  source_unreadable: (at: Span | undefined, { file, reason }: { readonly file: string | number; readonly reason: string | number }, details: Details = {}): Diagnostic => make("PEFT0906", "error", `cannot read \`${file}\`: ${reason}`, at, details),
  /** `{pattern}` holds no `.peft` file */
  no_sources: (at: Span | undefined, { pattern }: { readonly pattern: string | number }, details: Details = {}): Diagnostic => make("PEFT0907", "error", `\`${pattern}\` holds no \`.peft\` file`, at, details),
  /** `{file}` is there already */
  would_overwrite: (at: Span | undefined, { file }: { readonly file: string | number }, details: Details = {}): Diagnostic => make("PEFT0908", "error", `\`${file}\` is there already`, at, details),
  /** there is no page for `{code}` */
  unknown_code: (at: Span | undefined, { code }: { readonly code: string | number }, details: Details = {}): Diagnostic => make("PEFT0909", "error", `there is no page for \`${code}\``, at, details),
  /** this file is not formatted */
  not_formatted: (at?: Span, details: Details = {}): Diagnostic => make("PEFT0910", "error", `this file is not formatted`, at, details),
  /** cannot write `{file}`: {reason} */
  output_unwritable: (at: Span | undefined, { file, reason }: { readonly file: string | number; readonly reason: string | number }, details: Details = {}): Diagnostic => make("PEFT0911", "error", `cannot write \`${file}\`: ${reason}`, at, details),
  /** there is no level `{level}` */
  unknown_level: (at: Span | undefined, { level }: { readonly level: string | number }, details: Details = {}): Diagnostic => make("PEFT0912", "error", `there is no level \`${level}\``, at, details),
  /** {what} */
  nothing_to_do: (at: Span | undefined, { what }: { readonly what: string | number }, details: Details = {}): Diagnostic => make("PEFT0913", "error", `${what}`, at, details),
};
