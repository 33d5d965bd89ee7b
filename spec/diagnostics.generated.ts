// Generated from spec/diagnostics by spec/generate.ts. Do not edit.

import type { Span } from "../grammar/tree.ts";
import type { Details, Diagnostic } from "./diagnostic.ts";

const make = (code: string, severity: "error" | "warning", message: string, at: Span | undefined, details: Details): Diagnostic => ({
  code,
  severity,
  message,
  ...(at && { at }),
  ...(details.about && { about: details.about }),
  ...(details.label !== undefined && { label: details.label }),
  notes: details.notes ?? [],
  ...(details.help !== undefined && { help: details.help }),
  fixes: details.fixes ?? [],
});

export const diagnostics = {
  /** expected {expected}, found {found} */
  unexpected: (at: Span | undefined, { expected, found }: { readonly expected: string | number; readonly found: string | number }, details: Details = {}): Diagnostic => make("PEFT0100", "error", `expected ${expected}, found ${found}`, at, details),
  /** `{text}` is no part of the language */
  unexpected_character: (at: Span | undefined, { text }: { readonly text: string | number }, details: Details = {}): Diagnostic => make("PEFT0101", "error", `\`${text}\` is no part of the language`, at, details),
  /** this string is never closed */
  unterminated_string: (at?: Span, details: Details = {}): Diagnostic => make("PEFT0102", "error", `this string is never closed`, at, details),
  /** `{escape}` is not an escape */
  unknown_escape: (at: Span | undefined, { escape }: { readonly escape: string | number }, details: Details = {}): Diagnostic => make("PEFT0103", "error", `\`${escape}\` is not an escape`, at, details),
  /** `{text}` is not a number */
  not_a_number: (at: Span | undefined, { text }: { readonly text: string | number }, details: Details = {}): Diagnostic => make("PEFT0104", "error", `\`${text}\` is not a number`, at, details),
  /** `{unit}` is not a unit */
  unknown_unit: (at: Span | undefined, { unit }: { readonly unit: string | number }, details: Details = {}): Diagnostic => make("PEFT0105", "error", `\`${unit}\` is not a unit`, at, details),
  /** `{open}` is never closed */
  unclosed_bracket: (at: Span | undefined, { open }: { readonly open: string | number }, details: Details = {}): Diagnostic => make("PEFT0106", "error", `\`${open}\` is never closed`, at, details),
  /** `{close}` closes nothing */
  stray_bracket: (at: Span | undefined, { close }: { readonly close: string | number }, details: Details = {}): Diagnostic => make("PEFT0107", "error", `\`${close}\` closes nothing`, at, details),
  /** `{word}` begins nothing a file can hold */
  unknown_item: (at: Span | undefined, { word }: { readonly word: string | number }, details: Details = {}): Diagnostic => make("PEFT0108", "error", `\`${word}\` begins nothing a file can hold`, at, details),
  /** this is nested more than {limit} levels deep */
  too_deep: (at: Span | undefined, { limit }: { readonly limit: string | number }, details: Details = {}): Diagnostic => make("PEFT0109", "error", `this is nested more than ${limit} levels deep`, at, details),
  /** {what} takes `{expected}`, not `{found}` */
  wrong_sign: (at: Span | undefined, { what, expected, found }: { readonly what: string | number; readonly expected: string | number; readonly found: string | number }, details: Details = {}): Diagnostic => make("PEFT0110", "error", `${what} takes \`${expected}\`, not \`${found}\``, at, details),
  /** comparisons do not chain */
  chained_comparison: (at?: Span, details: Details = {}): Diagnostic => make("PEFT0111", "error", `comparisons do not chain`, at, details),
  /** `peft {version}` belongs at the start of the file */
  misplaced_version: (at: Span | undefined, { version }: { readonly version: string | number }, details: Details = {}): Diagnostic => make("PEFT0112", "error", `\`peft ${version}\` belongs at the start of the file`, at, details),
  /** `{found}` is written `{expected}` here */
  other_spelling: (at: Span | undefined, { found, expected }: { readonly found: string | number; readonly expected: string | number }, details: Details = {}): Diagnostic => make("PEFT0113", "error", `\`${found}\` is written \`${expected}\` here`, at, details),
  /** {member} does not belong in {place} */
  member_not_here: (at: Span | undefined, { member, place }: { readonly member: string | number; readonly place: string | number }, details: Details = {}): Diagnostic => make("PEFT0114", "error", `${member} does not belong in ${place}`, at, details),
  /** this file has {size} characters; a `.peft` file holds at most {limit} */
  file_too_large: (at: Span | undefined, { size, limit }: { readonly size: string | number; readonly limit: string | number }, details: Details = {}): Diagnostic => make("PEFT0115", "error", `this file has ${size} characters; a \`.peft\` file holds at most ${limit}`, at, details),
  /** more than {limit} mistakes; the rest are not shown */
  too_many_mistakes: (at: Span | undefined, { limit }: { readonly limit: string | number }, details: Details = {}): Diagnostic => make("PEFT0116", "error", `more than ${limit} mistakes; the rest are not shown`, at, details),
  /** there is no file `{path}` */
  missing_source: (at: Span | undefined, { path }: { readonly path: string | number }, details: Details = {}): Diagnostic => make("PEFT0200", "error", `there is no file \`${path}\``, at, details),
  /** there is no file `{path}` to import */
  missing_import: (at: Span | undefined, { path }: { readonly path: string | number }, details: Details = {}): Diagnostic => make("PEFT0201", "error", `there is no file \`${path}\` to import`, at, details),
  /** these files import each other: {cycle} */
  import_cycle: (at: Span | undefined, { cycle }: { readonly cycle: string | number }, details: Details = {}): Diagnostic => make("PEFT0202", "error", `these files import each other: ${cycle}`, at, details),
  /** the file does not say its language version */
  missing_version: (at?: Span, details: Details = {}): Diagnostic => make("PEFT0203", "error", `the file does not say its language version`, at, details),
  /** language version {version} is not one this compiler reads */
  unknown_version: (at: Span | undefined, { version }: { readonly version: string | number }, details: Details = {}): Diagnostic => make("PEFT0204", "error", `language version ${version} is not one this compiler reads`, at, details),
  /** `{name}` is declared twice */
  duplicate_name: (at: Span | undefined, { name }: { readonly name: string | number }, details: Details = {}): Diagnostic => make("PEFT0205", "error", `\`${name}\` is declared twice`, at, details),
  /** {kind} `{name}` hides the standard library's */
  shadows_std: (at: Span | undefined, { kind, name }: { readonly kind: string | number; readonly name: string | number }, details: Details = {}): Diagnostic => make("PEFT0206", "warning", `${kind} \`${name}\` hides the standard library's`, at, details),
  /** the standard library has no `{name}` */
  unknown_std_name: (at: Span | undefined, { name }: { readonly name: string | number }, details: Details = {}): Diagnostic => make("PEFT0207", "error", `the standard library has no \`${name}\``, at, details),
  /** there is no input `{name}` */
  unknown_input: (at: Span | undefined, { name }: { readonly name: string | number }, details: Details = {}): Diagnostic => make("PEFT0208", "error", `there is no input \`${name}\``, at, details),
  /** input `{name}` cannot take `{value}`: it is a {type} */
  bad_input: (at: Span | undefined, { name, value, type }: { readonly name: string | number; readonly value: string | number; readonly type: string | number }, details: Details = {}): Diagnostic => make("PEFT0209", "error", `input \`${name}\` cannot take \`${value}\`: it is a ${type}`, at, details),
  /** input `{name}` has no value */
  missing_input: (at: Span | undefined, { name }: { readonly name: string | number }, details: Details = {}): Diagnostic => make("PEFT0210", "error", `input \`${name}\` has no value`, at, details),
  /** {block} has no setting `{name}` */
  unknown_setting: (at: Span | undefined, { block, name }: { readonly block: string | number; readonly name: string | number }, details: Details = {}): Diagnostic => make("PEFT0300", "error", `${block} has no setting \`${name}\``, at, details),
  /** {block} needs `{name}` */
  missing_setting: (at: Span | undefined, { block, name }: { readonly block: string | number; readonly name: string | number }, details: Details = {}): Diagnostic => make("PEFT0301", "error", `${block} needs \`${name}\``, at, details),
  /** `{first}` and `{second}` say the same thing twice */
  conflicting_settings: (at: Span | undefined, { first, second }: { readonly first: string | number; readonly second: string | number }, details: Details = {}): Diagnostic => make("PEFT0302", "error", `\`${first}\` and \`${second}\` say the same thing twice`, at, details),
  /** `{name}` is written with `{sign}` here */
  setting_sign: (at: Span | undefined, { name, sign }: { readonly name: string | number; readonly sign: string | number }, details: Details = {}): Diagnostic => make("PEFT0303", "error", `\`${name}\` is written with \`${sign}\` here`, at, details),
  /** `{name}` must be {wanted}, not {found} */
  wrong_type: (at: Span | undefined, { name, wanted, found }: { readonly name: string | number; readonly wanted: string | number; readonly found: string | number }, details: Details = {}): Diagnostic => make("PEFT0304", "error", `\`${name}\` must be ${wanted}, not ${found}`, at, details),
  /** `{name}` is {value}; it must be at least {least} */
  out_of_range: (at: Span | undefined, { name, value, least }: { readonly name: string | number; readonly value: string | number; readonly least: string | number }, details: Details = {}): Diagnostic => make("PEFT0305", "error", `\`${name}\` is ${value}; it must be at least ${least}`, at, details),
  /** {callee} takes no `{name}` */
  unknown_argument: (at: Span | undefined, { callee, name }: { readonly callee: string | number; readonly name: string | number }, details: Details = {}): Diagnostic => make("PEFT0306", "error", `${callee} takes no \`${name}\``, at, details),
  /** {callee} needs `{name}` */
  missing_argument: (at: Span | undefined, { callee, name }: { readonly callee: string | number; readonly name: string | number }, details: Details = {}): Diagnostic => make("PEFT0307", "error", `${callee} needs \`${name}\``, at, details),
  /** there is no method `{name}` */
  unknown_method: (at: Span | undefined, { name }: { readonly name: string | number }, details: Details = {}): Diagnostic => make("PEFT0308", "error", `there is no method \`${name}\``, at, details),
  /** an adapter is a method with its settings */
  not_a_method: (at?: Span, details: Details = {}): Diagnostic => make("PEFT0309", "error", `an adapter is a method with its settings`, at, details),
  /** adapter `{adapter}` goes nowhere */
  missing_target: (at: Span | undefined, { adapter }: { readonly adapter: string | number }, details: Details = {}): Diagnostic => make("PEFT0310", "error", `adapter \`${adapter}\` goes nowhere`, at, details),
  /** there is no base `{name}` */
  unknown_base: (at: Span | undefined, { name }: { readonly name: string | number }, details: Details = {}): Diagnostic => make("PEFT0311", "error", `there is no base \`${name}\``, at, details),
  /** `into` matches no module: `{pattern}` */
  unmatched_target: (at: Span | undefined, { pattern }: { readonly pattern: string | number }, details: Details = {}): Diagnostic => make("PEFT0312", "error", `\`into\` matches no module: \`${pattern}\``, at, details),
  /** `{method}` amends a {wanted}, and `{pattern}` is none */
  method_does_not_fit: (at: Span | undefined, { method, wanted, pattern }: { readonly method: string | number; readonly wanted: string | number; readonly pattern: string | number }, details: Details = {}): Diagnostic => make("PEFT0313", "error", `\`${method}\` amends a ${wanted}, and \`${pattern}\` is none`, at, details),
  /** `{pattern}` covers no parameter of its own */
  no_parameters: (at: Span | undefined, { pattern }: { readonly pattern: string | number }, details: Details = {}): Diagnostic => make("PEFT0314", "error", `\`${pattern}\` covers no parameter of its own`, at, details),
  /** patterns of `{adapter}` cover {count} places twice */
  overlapping_patterns: (at: Span | undefined, { adapter, count }: { readonly adapter: string | number; readonly count: string | number }, details: Details = {}): Diagnostic => make("PEFT0315", "warning", `patterns of \`${adapter}\` cover ${count} places twice`, at, details),
  /** adapter `{adapter}` trains nothing */
  nothing_to_train: (at: Span | undefined, { adapter }: { readonly adapter: string | number }, details: Details = {}): Diagnostic => make("PEFT0316", "error", `adapter \`${adapter}\` trains nothing`, at, details),
  /** there is no data `{name}` */
  unknown_data: (at: Span | undefined, { name }: { readonly name: string | number }, details: Details = {}): Diagnostic => make("PEFT0317", "error", `there is no data \`${name}\``, at, details),
  /** data `{data}` has no `{split}` */
  unknown_split: (at: Span | undefined, { data, split }: { readonly data: string | number; readonly split: string | number }, details: Details = {}): Diagnostic => make("PEFT0318", "error", `data \`${data}\` has no \`${split}\``, at, details),
  /** data `{name}` reads no file */
  no_splits: (at: Span | undefined, { name }: { readonly name: string | number }, details: Details = {}): Diagnostic => make("PEFT0319", "error", `data \`${name}\` reads no file`, at, details),
  /** there is no adapter `{name}` */
  unknown_adapter: (at: Span | undefined, { name }: { readonly name: string | number }, details: Details = {}): Diagnostic => make("PEFT0320", "error", `there is no adapter \`${name}\``, at, details),
  /** there is no metric `{name}` */
  unknown_metric: (at: Span | undefined, { name }: { readonly name: string | number }, details: Details = {}): Diagnostic => make("PEFT0321", "error", `there is no metric \`${name}\``, at, details),
  /** there is no {kind} `{name}` */
  unknown_definition: (at: Span | undefined, { kind, name }: { readonly kind: string | number; readonly name: string | number }, details: Details = {}): Diagnostic => make("PEFT0322", "error", `there is no ${kind} \`${name}\``, at, details),
  /** `{adapter}` cannot be merged: {reason} */
  cannot_merge: (at: Span | undefined, { adapter, reason }: { readonly adapter: string | number; readonly reason: string | number }, details: Details = {}): Diagnostic => make("PEFT0323", "error", `\`${adapter}\` cannot be merged: ${reason}`, at, details),
  /** {fact} is {found}, and the file requires {compare} {bound} */
  require_failed: (at: Span | undefined, { fact, found, compare, bound }: { readonly fact: string | number; readonly found: string | number; readonly compare: string | number; readonly bound: string | number }, details: Details = {}): Diagnostic => make("PEFT0324", "error", `${fact} is ${found}, and the file requires ${compare} ${bound}`, at, details),
  /** there is no fact `{name}` to require */
  unknown_fact: (at: Span | undefined, { name }: { readonly name: string | number }, details: Details = {}): Diagnostic => make("PEFT0325", "error", `there is no fact \`${name}\` to require`, at, details),
  /** `{fact}` cannot be compared with {found} */
  bad_bound: (at: Span | undefined, { fact, found }: { readonly fact: string | number; readonly found: string | number }, details: Details = {}): Diagnostic => make("PEFT0326", "error", `\`${fact}\` cannot be compared with ${found}`, at, details),
  /** `sequence_len` is {wanted}, and the model has positions for {limit} */
  sequence_too_long: (at: Span | undefined, { wanted, limit }: { readonly wanted: string | number; readonly limit: string | number }, details: Details = {}): Diagnostic => make("PEFT0327", "error", `\`sequence_len\` is ${wanted}, and the model has positions for ${limit}`, at, details),
  /** `{what}` is not part of this version of the compiler */
  unsupported_block: (at: Span | undefined, { what }: { readonly what: string | number }, details: Details = {}): Diagnostic => make("PEFT0328", "error", `\`${what}\` is not part of this version of the compiler`, at, details),
  /** a file has one base in this version, and this is the second */
  several_bases: (at?: Span, details: Details = {}): Diagnostic => make("PEFT0329", "error", `a file has one base in this version, and this is the second`, at, details),
  /** there is no folder `{folder}` */
  missing_folder: (at: Span | undefined, { folder }: { readonly folder: string | number }, details: Details = {}): Diagnostic => make("PEFT0340", "error", `there is no folder \`${folder}\``, at, details),
  /** `{folder}` has no config.json */
  missing_config: (at: Span | undefined, { folder }: { readonly folder: string | number }, details: Details = {}): Diagnostic => make("PEFT0341", "error", `\`${folder}\` has no config.json`, at, details),
  /** the config.json of `{folder}` cannot be read: {problem} */
  bad_config: (at: Span | undefined, { folder, problem }: { readonly folder: string | number; readonly problem: string | number }, details: Details = {}): Diagnostic => make("PEFT0342", "error", `the config.json of \`${folder}\` cannot be read: ${problem}`, at, details),
  /** no architecture reads `{name}` */
  unknown_architecture: (at: Span | undefined, { name }: { readonly name: string | number }, details: Details = {}): Diagnostic => make("PEFT0343", "error", `no architecture reads \`${name}\``, at, details),
  /** config.json has no `{key}`, which {architecture} needs */
  missing_config_key: (at: Span | undefined, { key, architecture }: { readonly key: string | number; readonly architecture: string | number }, details: Details = {}): Diagnostic => make("PEFT0344", "error", `config.json has no \`${key}\`, which ${architecture} needs`, at, details),
  /** config.json asks for `{key}: {found}`; only {wanted} is known */
  unsupported_config: (at: Span | undefined, { key, found, wanted }: { readonly key: string | number; readonly found: string | number; readonly wanted: string | number }, details: Details = {}): Diagnostic => make("PEFT0345", "error", `config.json asks for \`${key}: ${found}\`; only ${wanted} is known`, at, details),
  /** the checkpoint `{folder}` does not fit its config.json: {count} tensors differ */
  config_mismatch: (at: Span | undefined, { folder, count }: { readonly folder: string | number; readonly count: string | number }, details: Details = {}): Diagnostic => make("PEFT0347", "error", `the checkpoint \`${folder}\` does not fit its config.json: ${count} tensors differ`, at, details),
  /** {count} tensors of `{folder}` have no place in the model */
  unused_tensors: (at: Span | undefined, { count, folder }: { readonly count: string | number; readonly folder: string | number }, details: Details = {}): Diagnostic => make("PEFT0348", "warning", `${count} tensors of \`${folder}\` have no place in the model`, at, details),
  /** rows of {adapter} cannot be packed: it puts virtual tokens in front of each row */
  packing_with_virtual_tokens: (at: Span | undefined, { adapter }: { readonly adapter: string | number }, details: Details = {}): Diagnostic => make("PEFT0360", "error", `rows of ${adapter} cannot be packed: it puts virtual tokens in front of each row`, at, details),
  /** `{op}` would mix the examples of a packed row */
  examples_not_apart: (at: Span | undefined, { op }: { readonly op: string | number }, details: Details = {}): Diagnostic => make("PEFT0361", "error", `\`${op}\` would mix the examples of a packed row`, at, details),
  /** nothing is bound by `{what}` */
  unknown_binding: (at: Span | undefined, { what }: { readonly what: string | number }, details: Details = {}): Diagnostic => make("PEFT0362", "error", `nothing is bound by \`${what}\``, at, details),
  /** `loss +=` adds a number, and this is {found} */
  loss_not_a_number: (at: Span | undefined, { found }: { readonly found: string | number }, details: Details = {}): Diagnostic => make("PEFT0363", "error", `\`loss +=\` adds a number, and this is ${found}`, at, details),
  /** `{name}` is one tensor for all targets, and each of them would bind {what} */
  shared_binding: (at: Span | undefined, { name, what }: { readonly name: string | number; readonly what: string | number }, details: Details = {}): Diagnostic => make("PEFT0364", "error", `\`${name}\` is one tensor for all targets, and each of them would bind ${what}`, at, details),
  /** `{name}` is trained, and no gradient reaches it */
  no_gradient: (at: Span | undefined, { name }: { readonly name: string | number }, details: Details = {}): Diagnostic => make("PEFT0365", "error", `\`${name}\` is trained, and no gradient reaches it`, at, details),
  /** `{adapter}` changes its gradients or its loss, which `{mix}` cannot do for each row */
  mixed_rules: (at: Span | undefined, { adapter, mix }: { readonly adapter: string | number; readonly mix: string | number }, details: Details = {}): Diagnostic => make("PEFT0366", "error", `\`${adapter}\` changes its gradients or its loss, which \`${mix}\` cannot do for each row`, at, details),
  /** the state `{name}` {problem} */
  bad_state: (at: Span | undefined, { name, problem }: { readonly name: string | number; readonly problem: string | number }, details: Details = {}): Diagnostic => make("PEFT0367", "error", `the state \`${name}\` ${problem}`, at, details),
  /** `everywhere` {problem} */
  bad_everywhere: (at: Span | undefined, { problem }: { readonly problem: string | number }, details: Details = {}): Diagnostic => make("PEFT0368", "error", `\`everywhere\` ${problem}`, at, details),
  /** `{what}` cannot be observed: {problem} */
  cannot_observe: (at: Span | undefined, { what, problem }: { readonly what: string | number; readonly problem: string | number }, details: Details = {}): Diagnostic => make("PEFT0369", "error", `\`${what}\` cannot be observed: ${problem}`, at, details),
  /** `{name}` is observed before training: only first values can read it */
  observed_too_late: (at: Span | undefined, { name }: { readonly name: string | number }, details: Details = {}): Diagnostic => make("PEFT0370", "error", `\`${name}\` is observed before training: only first values can read it`, at, details),
  /** {problem} */
  nothing_observed: (at: Span | undefined, { problem }: { readonly problem: string | number }, details: Details = {}): Diagnostic => make("PEFT0371", "error", `${problem}`, at, details),
  /** the tokenizer makes no token of `{text}` */
  text_without_tokens: (at: Span | undefined, { text }: { readonly text: string | number }, details: Details = {}): Diagnostic => make("PEFT0372", "error", `the tokenizer makes no token of \`${text}\``, at, details),
  /** {adapter} cannot be trained further from its folder: that holds `{name}` and not what makes it */
  kept_alone: (at: Span | undefined, { adapter, name }: { readonly adapter: string | number; readonly name: string | number }, details: Details = {}): Diagnostic => make("PEFT0373", "error", `${adapter} cannot be trained further from its folder: that holds \`${name}\` and not what makes it`, at, details),
  /** `{name}` {problem} */
  bad_kept: (at: Span | undefined, { name, problem }: { readonly name: string | number; readonly problem: string | number }, details: Details = {}): Diagnostic => make("PEFT0374", "error", `\`${name}\` ${problem}`, at, details),
  /** `{sizes}` of `{adapter}` is not measured yet: what is said of it here is the most it may be */
  not_measured: (at: Span | undefined, { sizes, adapter }: { readonly sizes: string | number; readonly adapter: string | number }, details: Details = {}): Diagnostic => make("PEFT0375", "warning", `\`${sizes}\` of \`${adapter}\` is not measured yet: what is said of it here is the most it may be`, at, details),
  /** `{name}` cannot be measured: {problem} */
  bad_measure: (at: Span | undefined, { name, problem }: { readonly name: string | number; readonly problem: string | number }, details: Details = {}): Diagnostic => make("PEFT0376", "error", `\`${name}\` cannot be measured: ${problem}`, at, details),
  /** `{file}` was not measured from this {what} (`{adapter}`) */
  stale_measure: (at: Span | undefined, { file, what, adapter }: { readonly file: string | number; readonly what: string | number; readonly adapter: string | number }, details: Details = {}): Diagnostic => make("PEFT0377", "error", `\`${file}\` was not measured from this ${what} (\`${adapter}\`)`, at, details),
  /** `{adapter}` has no shapes yet: `{sizes}` is not measured */
  needs_measuring: (at: Span | undefined, { adapter, sizes }: { readonly adapter: string | number; readonly sizes: string | number }, details: Details = {}): Diagnostic => make("PEFT0378", "error", `\`${adapter}\` has no shapes yet: \`${sizes}\` is not measured`, at, details),
  /** `{name}` is observed and nothing reads it */
  observed_by_none: (at: Span | undefined, { name }: { readonly name: string | number }, details: Details = {}): Diagnostic => make("PEFT0379", "error", `\`${name}\` is observed and nothing reads it`, at, details),
  /** `{name}` is not known here */
  unknown_name: (at: Span | undefined, { name }: { readonly name: string | number }, details: Details = {}): Diagnostic => make("PEFT0400", "error", `\`${name}\` is not known here`, at, details),
  /** there is no op or module `{name}` */
  unknown_function: (at: Span | undefined, { name }: { readonly name: string | number }, details: Details = {}): Diagnostic => make("PEFT0401", "error", `there is no op or module \`${name}\``, at, details),
  /** {of} has no `{name}` */
  unknown_member: (at: Span | undefined, { of, name }: { readonly of: string | number; readonly name: string | number }, details: Details = {}): Diagnostic => make("PEFT0402", "error", `${of} has no \`${name}\``, at, details),
  /** shapes do not fit: {problem} */
  shapes_do_not_fit: (at: Span | undefined, { problem }: { readonly problem: string | number }, details: Details = {}): Diagnostic => make("PEFT0403", "error", `shapes do not fit: ${problem}`, at, details),
  /** `{op}` cannot take {what} */
  wrong_operand: (at: Span | undefined, { op, what }: { readonly op: string | number; readonly what: string | number }, details: Details = {}): Diagnostic => make("PEFT0404", "error", `\`${op}\` cannot take ${what}`, at, details),
  /** `{what}` has no meaning here */
  misplaced_expression: (at: Span | undefined, { what }: { readonly what: string | number }, details: Details = {}): Diagnostic => make("PEFT0405", "error", `\`${what}\` has no meaning here`, at, details),
  /** `branch` takes a weight's delta and a gate */
  bad_branch: (at?: Span, details: Details = {}): Diagnostic => make("PEFT0406", "error", `\`branch\` takes a weight's delta and a gate`, at, details),
  /** module {module} has no `forward` */
  no_forward: (at: Span | undefined, { module }: { readonly module: string | number }, details: Details = {}): Diagnostic => make("PEFT0407", "error", `module ${module} has no \`forward\``, at, details),
  /** {module} takes {wanted} arguments and is given {given} */
  wrong_argument_count: (at: Span | undefined, { module, wanted, given }: { readonly module: string | number; readonly wanted: string | number; readonly given: string | number }, details: Details = {}): Diagnostic => make("PEFT0408", "error", `${module} takes ${wanted} arguments and is given ${given}`, at, details),
  /** a size cannot be {found} */
  bad_size: (at: Span | undefined, { found }: { readonly found: string | number }, details: Details = {}): Diagnostic => make("PEFT0409", "error", `a size cannot be ${found}`, at, details),
  /** `{name}` is no distribution to draw from */
  unknown_distribution: (at: Span | undefined, { name }: { readonly name: string | number }, details: Details = {}): Diagnostic => make("PEFT0410", "error", `\`${name}\` is no distribution to draw from`, at, details),
  /** there is no module `{name}` */
  unknown_module: (at: Span | undefined, { name }: { readonly name: string | number }, details: Details = {}): Diagnostic => make("PEFT0411", "error", `there is no module \`${name}\``, at, details),
  /** `{name}` cannot be tied to that */
  bad_tie: (at: Span | undefined, { name }: { readonly name: string | number }, details: Details = {}): Diagnostic => make("PEFT0412", "error", `\`${name}\` cannot be tied to that`, at, details),
  /** `{method}` rebinds `{name}`, and {module} has no such value */
  unused_rebinding: (at: Span | undefined, { method, name, module }: { readonly method: string | number; readonly name: string | number; readonly module: string | number }, details: Details = {}): Diagnostic => make("PEFT0413", "error", `\`${method}\` rebinds \`${name}\`, and ${module} has no such value`, at, details),
  /** two lines of `{adapter}` put a parameter on `{parameter}` */
  injected_twice: (at: Span | undefined, { adapter, parameter }: { readonly adapter: string | number; readonly parameter: string | number }, details: Details = {}): Diagnostic => make("PEFT0420", "error", `two lines of \`${adapter}\` put a parameter on \`${parameter}\``, at, details),
  /** `{name}` is not the same for every target */
  sizes_differ: (at: Span | undefined, { name }: { readonly name: string | number }, details: Details = {}): Diagnostic => make("PEFT0421", "error", `\`${name}\` is not the same for every target`, at, details),
  /** a parameter cannot be declared `{type}` here */
  bad_param_type: (at: Span | undefined, { type }: { readonly type: string | number }, details: Details = {}): Diagnostic => make("PEFT0422", "error", `a parameter cannot be declared \`${type}\` here`, at, details),
  /** `{module}` does not have what `{method}` needs */
  method_needs: (at: Span | undefined, { module, method }: { readonly module: string | number; readonly method: string | number }, details: Details = {}): Diagnostic => make("PEFT0423", "error", `\`${module}\` does not have what \`${method}\` needs`, at, details),
  /** the tensor "{key}" is no parameter that could be read back */
  bad_interop: (at: Span | undefined, { key }: { readonly key: string | number }, details: Details = {}): Diagnostic => make("PEFT0424", "error", `the tensor "${key}" is no parameter that could be read back`, at, details),
  /** `{name}` learns at no multiple of the rate */
  bad_rate: (at: Span | undefined, { name }: { readonly name: string | number }, details: Details = {}): Diagnostic => make("PEFT0425", "error", `\`${name}\` learns at no multiple of the rate`, at, details),
  /** `{library}` is no library whose adapters' files are known */
  unknown_layout: (at: Span | undefined, { library }: { readonly library: string | number }, details: Details = {}): Diagnostic => make("PEFT0426", "error", `\`${library}\` is no library whose adapters' files are known`, at, details),
  /** what an architecture is called in another library is a text */
  bad_place_word: (at?: Span, details: Details = {}): Diagnostic => make("PEFT0427", "error", `what an architecture is called in another library is a text`, at, details),
  /** no architecture has a word for `{word}` in "{key}" */
  unknown_place_word: (at: Span | undefined, { word, key }: { readonly word: string | number; readonly key: string | number }, details: Details = {}): Diagnostic => make("PEFT0428", "error", `no architecture has a word for \`${word}\` in "${key}"`, at, details),
  /** `{file}` in `{folder}` is no part of an adapter and is not read */
  left_beside: (at: Span | undefined, { file, folder }: { readonly file: string | number; readonly folder: string | number }, details: Details = {}): Diagnostic => make("PEFT0429", "warning", `\`${file}\` in \`${folder}\` is no part of an adapter and is not read`, at, details),
  /** the adapter in `{folder}` was made for another base: {count} of {total} tensors differ */
  other_base: (at: Span | undefined, { folder, count, total }: { readonly folder: string | number; readonly count: string | number; readonly total: string | number }, details: Details = {}): Diagnostic => make("PEFT0430", "error", `the adapter in \`${folder}\` was made for another base: ${count} of ${total} tensors differ`, at, details),
  /** `{file}` does not say which base the adapter beside it was made for */
  base_print_unreadable: (at: Span | undefined, { file }: { readonly file: string | number }, details: Details = {}): Diagnostic => make("PEFT0431", "error", `\`${file}\` does not say which base the adapter beside it was made for`, at, details),
  /** `{adapter}` cannot write text: `{method}` computes `{op}` over the tokens of a row */
  no_token_by_token: (at: Span | undefined, { adapter, method, op }: { readonly adapter: string | number; readonly method: string | number; readonly op: string | number }, details: Details = {}): Diagnostic => make("PEFT0432", "error", `\`${adapter}\` cannot write text: \`${method}\` computes \`${op}\` over the tokens of a row`, at, details),
  /** `{op}` over the tokens of a row would count padding */
  counts_padding: (at: Span | undefined, { op }: { readonly op: string | number }, details: Details = {}): Diagnostic => make("PEFT0433", "error", `\`${op}\` over the tokens of a row would count padding`, at, details),
  /** `{adapter}` goes into both `{first}` and `{second}` */
  two_models: (at: Span | undefined, { adapter, first, second }: { readonly adapter: string | number; readonly first: string | number; readonly second: string | number }, details: Details = {}): Diagnostic => make("PEFT0450", "error", `\`${adapter}\` goes into both \`${first}\` and \`${second}\``, at, details),
  /** `{maker}` {problem} */
  made_of: (at: Span | undefined, { maker, problem }: { readonly maker: string | number; readonly problem: string | number }, details: Details = {}): Diagnostic => make("PEFT0451", "error", `\`${maker}\` ${problem}`, at, details),
  /** adapters stand on each other in a circle: {names} */
  adapter_circle: (at: Span | undefined, { names }: { readonly names: string | number }, details: Details = {}): Diagnostic => make("PEFT0452", "error", `adapters stand on each other in a circle: ${names}`, at, details),
  /** `{adapter}` has nothing of its own to train: it is a `{made}` of other adapters */
  nothing_of_its_own: (at: Span | undefined, { adapter, made }: { readonly adapter: string | number; readonly made: string | number }, details: Details = {}): Diagnostic => make("PEFT0453", "error", `\`${adapter}\` has nothing of its own to train: it is a \`${made}\` of other adapters`, at, details),
  /** `{first}` and `{second}` cannot share a batch: {problem} */
  members_differ: (at: Span | undefined, { first, second, problem }: { readonly first: string | number; readonly second: string | number; readonly problem: string | number }, details: Details = {}): Diagnostic => make("PEFT0454", "error", `\`${first}\` and \`${second}\` cannot share a batch: ${problem}`, at, details),
  /** `{adapter}` cannot be computed row by row: `{op}` takes one parameter for all rows */
  not_per_row: (at: Span | undefined, { adapter, op }: { readonly adapter: string | number; readonly op: string | number }, details: Details = {}): Diagnostic => make("PEFT0455", "error", `\`${adapter}\` cannot be computed row by row: \`${op}\` takes one parameter for all rows`, at, details),
  /** the adapter in `{folder}` cannot be loaded: {problem} */
  cannot_load: (at: Span | undefined, { folder, problem }: { readonly folder: string | number; readonly problem: string | number }, details: Details = {}): Diagnostic => make("PEFT0456", "error", `the adapter in \`${folder}\` cannot be loaded: ${problem}`, at, details),
  /** {place} asks for the adapter `{name}`, which `{mix}` does not hold */
  unknown_row_adapter: (at: Span | undefined, { place, name, mix }: { readonly place: string | number; readonly name: string | number; readonly mix: string | number }, details: Details = {}): Diagnostic => make("PEFT0460", "error", `${place} asks for the adapter \`${name}\`, which \`${mix}\` does not hold`, at, details),
  /** `{mix}` takes the adapter of each row from the data, and `{data}` does not name one */
  rows_without_adapter: (at: Span | undefined, { mix, data }: { readonly mix: string | number; readonly data: string | number }, details: Details = {}): Diagnostic => make("PEFT0461", "error", `\`${mix}\` takes the adapter of each row from the data, and \`${data}\` does not name one`, at, details),
  /** data `{data}` {hides}; {base} */
  masks_do_not_fit: (at: Span | undefined, { data, hides, base }: { readonly data: string | number; readonly hides: string | number; readonly base: string | number }, details: Details = {}): Diagnostic => make("PEFT0462", "error", `data \`${data}\` ${hides}; ${base}`, at, details),
  /** `{subject}` tells hidden tokens and writes no text */
  masked_write_nothing: (at: Span | undefined, { subject }: { readonly subject: string | number }, details: Details = {}): Diagnostic => make("PEFT0463", "error", `\`${subject}\` tells hidden tokens and writes no text`, at, details),
  /** the tokenizer names no token that stands for a hidden one */
  tokenizer_hides_nothing: (at?: Span, details: Details = {}): Diagnostic => make("PEFT0464", "error", `the tokenizer names no token that stands for a hidden one`, at, details),
  /** no interface is called `{name}` */
  unknown_interface: (at: Span | undefined, { name }: { readonly name: string | number }, details: Details = {}): Diagnostic => make("PEFT0470", "error", `no interface is called \`${name}\``, at, details),
  /** {module} says it is {face}, and has no {what} `{name}` */
  missing_point: (at: Span | undefined, { module, face, what, name }: { readonly module: string | number; readonly face: string | number; readonly what: string | number; readonly name: string | number }, details: Details = {}): Diagnostic => make("PEFT0471", "error", `${module} says it is ${face}, and has no ${what} \`${name}\``, at, details),
  /** {what} of {module} {problem}, as {face} says */
  point_does_not_fit: (at: Span | undefined, { what, module, problem, face }: { readonly what: string | number; readonly module: string | number; readonly problem: string | number; readonly face: string | number }, details: Details = {}): Diagnostic => make("PEFT0472", "error", `${what} of ${module} ${problem}, as ${face} says`, at, details),
  /** `base.{name}` is computed after `{rebound}`, which is rebound from it */
  not_computed_yet: (at: Span | undefined, { name, rebound }: { readonly name: string | number; readonly rebound: string | number }, details: Details = {}): Diagnostic => make("PEFT0473", "error", `\`base.${name}\` is computed after \`${rebound}\`, which is rebound from it`, at, details),
  /** `each {wanted}` finds nothing: no module below {module} is one */
  nothing_below: (at: Span | undefined, { wanted, module }: { readonly wanted: string | number; readonly module: string | number }, details: Details = {}): Diagnostic => make("PEFT0474", "error", `\`each ${wanted}\` finds nothing: no module below ${module} is one`, at, details),
  /** `prepend` takes a sequence and rows */
  bad_prepend: (at?: Span, details: Details = {}): Diagnostic => make("PEFT0475", "error", `\`prepend\` takes a sequence and rows`, at, details),
  /** positions can only be moved by a whole number that is known */
  positions_not_moved: (at?: Span, details: Details = {}): Diagnostic => make("PEFT0476", "error", `positions can only be moved by a whole number that is known`, at, details),
  /** {virtual} virtual tokens leave no room for real ones: the base reads {limit} */
  no_room_for_tokens: (at: Span | undefined, { virtual, limit }: { readonly virtual: string | number; readonly limit: string | number }, details: Details = {}): Diagnostic => make("PEFT0477", "error", `${virtual} virtual tokens leave no room for real ones: the base reads ${limit}`, at, details),
  /** `combine` adds up changes of numbers, and `{name}` holds none */
  cannot_be_weighed: (at: Span | undefined, { name }: { readonly name: string | number }, details: Details = {}): Diagnostic => make("PEFT0478", "error", `\`combine\` adds up changes of numbers, and \`${name}\` holds none`, at, details),
  /** `recall` takes queries, and keys and values of slots */
  bad_recall: (at?: Span, details: Details = {}): Diagnostic => make("PEFT0479", "error", `\`recall\` takes queries, and keys and values of slots`, at, details),
  /** what `{method}` does to `{module}` has no effect */
  no_effect: (at: Span | undefined, { method, module }: { readonly method: string | number; readonly module: string | number }, details: Details = {}): Diagnostic => make("PEFT0480", "error", `what \`${method}\` does to \`${module}\` has no effect`, at, details),
  /** `{adapter}` trains {count} tensors that the model never reads */
  idle_parameters: (at: Span | undefined, { adapter, count }: { readonly adapter: string | number; readonly count: string | number }, details: Details = {}): Diagnostic => make("PEFT0481", "warning", `\`${adapter}\` trains ${count} tensors that the model never reads`, at, details),
  /** `{file}` is not read: {problem} */
  torch_file: (at: Span | undefined, { file, problem }: { readonly file: string | number; readonly problem: string | number }, details: Details = {}): Diagnostic => make("PEFT0482", "error", `\`${file}\` is not read: ${problem}`, at, details),
  /** {count} tensors of `{folder}` are stored as {dtype}, which is nothing to compute with */
  unread_dtype: (at: Span | undefined, { count, folder, dtype }: { readonly count: string | number; readonly folder: string | number; readonly dtype: string | number }, details: Details = {}): Diagnostic => make("PEFT0483", "error", `${count} tensors of \`${folder}\` are stored as ${dtype}, which is nothing to compute with`, at, details),
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
  /** the metric `{name}` is scored on generated text, and this block generates none */
  metric_needs_text: (at: Span | undefined, { name }: { readonly name: string | number }, details: Details = {}): Diagnostic => make("PEFT0518", "error", `the metric \`${name}\` is scored on generated text, and this block generates none`, at, details),
  /** `{name}` is nothing that a sweep over `{adapter}` can vary */
  unknown_sweep_key: (at: Span | undefined, { name, adapter }: { readonly name: string | number; readonly adapter: string | number }, details: Details = {}): Diagnostic => make("PEFT0519", "error", `\`${name}\` is nothing that a sweep over \`${adapter}\` can vary`, at, details),
  /** `{name}` is not trained by this file */
  point_untrained: (at: Span | undefined, { name }: { readonly name: string | number }, details: Details = {}): Diagnostic => make("PEFT0520", "error", `\`${name}\` is not trained by this file`, at, details),
  /** `{name}` has no points */
  no_points: (at: Span | undefined, { name }: { readonly name: string | number }, details: Details = {}): Diagnostic => make("PEFT0521", "error", `\`${name}\` has no points`, at, details),
  /** `{name}` has {count} points; {most} is the limit */
  many_points: (at: Span | undefined, { name, count, most }: { readonly name: string | number; readonly count: string | number; readonly most: string | number }, details: Details = {}): Diagnostic => make("PEFT0522", "error", `\`${name}\` has ${count} points; ${most} is the limit`, at, details),
  /** `{name}` compares nothing: the file has no `evaluate` block */
  compare_unmeasured: (at: Span | undefined, { name }: { readonly name: string | number }, details: Details = {}): Diagnostic => make("PEFT0523", "error", `\`${name}\` compares nothing: the file has no \`evaluate\` block`, at, details),
  /** `{name}` is neither an adapter nor a method with places */
  compare_candidate: (at: Span | undefined, { name }: { readonly name: string | number }, details: Details = {}): Diagnostic => make("PEFT0524", "error", `\`${name}\` is neither an adapter nor a method with places`, at, details),
  /** `{data}` has no split `eval` to evaluate on */
  train_unevaluated: (at: Span | undefined, { data }: { readonly data: string | number }, details: Details = {}): Diagnostic => make("PEFT0525", "error", `\`${data}\` has no split \`eval\` to evaluate on`, at, details),
  /** `{name}` needs `evaluate: every …` */
  needs_evaluation: (at: Span | undefined, { name }: { readonly name: string | number }, details: Details = {}): Diagnostic => make("PEFT0526", "error", `\`${name}\` needs \`evaluate: every …\``, at, details),
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
  /** `{fact}` is asked as {form} */
  require_verb: (at: Span | undefined, { fact, form }: { readonly fact: string | number; readonly form: string | number }, details: Details = {}): Diagnostic => make("PEFT0536", "error", `\`${fact}\` is asked as ${form}`, at, details),
  /** `{fact}` is not checked: it needs the tokens of the data */
  require_unchecked: (at: Span | undefined, { fact }: { readonly fact: string | number }, details: Details = {}): Diagnostic => make("PEFT0537", "warning", `\`${fact}\` is not checked: it needs the tokens of the data`, at, details),
  /** `{fact}` is not there to be held */
  require_no_block: (at: Span | undefined, { fact }: { readonly fact: string | number }, details: Details = {}): Diagnostic => make("PEFT0538", "error", `\`${fact}\` is not there to be held`, at, details),
  /** the learning rate of {adapter} never gets above {share} of what is given, in {steps} steps */
  rate_never_reached: (at: Span | undefined, { adapter, share, steps }: { readonly adapter: string | number; readonly share: string | number; readonly steps: string | number }, details: Details = {}): Diagnostic => make("PEFT0539", "warning", `the learning rate of ${adapter} never gets above ${share} of what is given, in ${steps} steps`, at, details),
  /** the schedule is {factor} at step {step} */
  rate_out_of_range: (at: Span | undefined, { factor, step }: { readonly factor: string | number; readonly step: string | number }, details: Details = {}): Diagnostic => make("PEFT0540", "error", `the schedule is ${factor} at step ${step}`, at, details),
  /** the state is saved every {every} steps, and there are only {steps} */
  checkpoint_never: (at: Span | undefined, { every, steps }: { readonly every: string | number; readonly steps: string | number }, details: Details = {}): Diagnostic => make("PEFT0541", "warning", `the state is saved every ${every} steps, and there are only ${steps}`, at, details),
  /** a module contains itself: {cycle} */
  recursive_module: (at: Span | undefined, { cycle }: { readonly cycle: string | number }, details: Details = {}): Diagnostic => make("PEFT0542", "error", `a module contains itself: ${cycle}`, at, details),
  /** a module is repeated {count} times; {limit} is the limit */
  too_many_repeats: (at: Span | undefined, { count, limit }: { readonly count: string | number; readonly limit: string | number }, details: Details = {}): Diagnostic => make("PEFT0543", "error", `a module is repeated ${count} times; ${limit} is the limit`, at, details),
  /** `{file}` is not a tokenizer that can be run: {reason} */
  tokenizer_invalid: (at: Span | undefined, { file, reason }: { readonly file: string | number; readonly reason: string | number }, details: Details = {}): Diagnostic => make("PEFT0550", "error", `\`${file}\` is not a tokenizer that can be run: ${reason}`, at, details),
  /** the tokenizer makes the id {id} (`{token}`), but the base model has only {size} rows of embedding */
  token_out_of_range: (at: Span | undefined, { id, token, size }: { readonly id: string | number; readonly token: string | number; readonly size: string | number }, details: Details = {}): Diagnostic => make("PEFT0552", "error", `the tokenizer makes the id ${id} (\`${token}\`), but the base model has only ${size} rows of embedding`, at, details),
  /** {place} is not JSON: {reason} */
  data_row_json: (at: Span | undefined, { place, reason }: { readonly place: string | number; readonly reason: string | number }, details: Details = {}): Diagnostic => make("PEFT0560", "error", `${place} is not JSON: ${reason}`, at, details),
  /** {place} is {kind}, not an object with columns */
  data_row_kind: (at: Span | undefined, { place, kind }: { readonly place: string | number; readonly kind: string | number }, details: Details = {}): Diagnostic => make("PEFT0561", "error", `${place} is ${kind}, not an object with columns`, at, details),
  /** {place} has no column `{column}`, which a template uses */
  data_column_missing: (at: Span | undefined, { place, column }: { readonly place: string | number; readonly column: string | number }, details: Details = {}): Diagnostic => make("PEFT0562", "error", `${place} has no column \`${column}\`, which a template uses`, at, details),
  /** {place} has {kind} in the column `{column}`, not text or a number */
  data_value: (at: Span | undefined, { place, kind, column }: { readonly place: string | number; readonly kind: string | number; readonly column: string | number }, details: Details = {}): Diagnostic => make("PEFT0563", "error", `${place} has ${kind} in the column \`${column}\`, not text or a number`, at, details),
  /** `{path}` has no rows{because} */
  data_empty: (at: Span | undefined, { path, because }: { readonly path: string | number; readonly because: string | number }, details: Details = {}): Diagnostic => make("PEFT0564", "error", `\`${path}\` has no rows${because}`, at, details),
  /** {place} is not valid UTF-8 */
  data_encoding: (at: Span | undefined, { place }: { readonly place: string | number }, details: Details = {}): Diagnostic => make("PEFT0565", "error", `${place} is not valid UTF-8`, at, details),
  /** {place}: {problem} */
  data_csv: (at: Span | undefined, { place, problem }: { readonly place: string | number; readonly problem: string | number }, details: Details = {}): Diagnostic => make("PEFT0566", "error", `${place}: ${problem}`, at, details),
  /** no row of `{path}` has the column `{column}` */
  template_column: (at: Span | undefined, { path, column }: { readonly path: string | number; readonly column: string | number }, details: Details = {}): Diagnostic => make("PEFT0567", "error", `no row of \`${path}\` has the column \`${column}\``, at, details),
  /** the template `{template}` {problem} */
  template_syntax: (at: Span | undefined, { template, problem }: { readonly template: string | number; readonly problem: string | number }, details: Details = {}): Diagnostic => make("PEFT0568", "error", `the template \`${template}\` ${problem}`, at, details),
  /** nothing in `{path}` is learnt: {why} */
  data_no_labels: (at: Span | undefined, { path, why }: { readonly path: string | number; readonly why: string | number }, details: Details = {}): Diagnostic => make("PEFT0569", "error", `nothing in \`${path}\` is learnt: ${why}`, at, details),
  /** {count} of {total} rows of `{path}` are longer than {limit} and lose their end */
  data_truncated: (at: Span | undefined, { count, total, path, limit }: { readonly count: string | number; readonly total: string | number; readonly path: string | number; readonly limit: string | number }, details: Details = {}): Diagnostic => make("PEFT0570", "warning", `${count} of ${total} rows of \`${path}\` are longer than ${limit} and lose their end`, at, details),
  /** {count} of {total} rows of `{path}` have no room for an answer: their prompts fill sequence_len {limit} */
  data_no_room: (at: Span | undefined, { count, total, path, limit }: { readonly count: string | number; readonly total: string | number; readonly path: string | number; readonly limit: string | number }, details: Details = {}): Diagnostic => make("PEFT0571", "error", `${count} of ${total} rows of \`${path}\` have no room for an answer: their prompts fill sequence_len ${limit}`, at, details),
  /** {count} of {total} rows of `{path}` have {what} */
  data_answers_empty: (at: Span | undefined, { count, total, path, what }: { readonly count: string | number; readonly total: string | number; readonly path: string | number; readonly what: string | number }, details: Details = {}): Diagnostic => make("PEFT0572", "warning", `${count} of ${total} rows of \`${path}\` have ${what}`, at, details),
  /** `{file}` cannot be read as YAML or JSON: {problem} */
  import_unreadable: (at: Span | undefined, { file, problem }: { readonly file: string | number; readonly problem: string | number }, details: Details = {}): Diagnostic => make("PEFT0573", "error", `\`${file}\` cannot be read as YAML or JSON: ${problem}`, at, details),
  /** `{file}` is {what} */
  import_unknown: (at: Span | undefined, { file, what }: { readonly file: string | number; readonly what: string | number }, details: Details = {}): Diagnostic => make("PEFT0574", "error", `\`${file}\` is ${what}`, at, details),
  /** {tool}'s `{key}` is not carried: {why} */
  import_not_carried: (at: Span | undefined, { tool, key, why }: { readonly tool: string | number; readonly key: string | number; readonly why: string | number }, details: Details = {}): Diagnostic => make("PEFT0575", "warning", `${tool}'s \`${key}\` is not carried: ${why}`, at, details),
  /** {tool} itself ignores `{key}`: {why} */
  import_ignored: (at: Span | undefined, { tool, key, why }: { readonly tool: string | number; readonly key: string | number; readonly why: string | number }, details: Details = {}): Diagnostic => make("PEFT0576", "warning", `${tool} itself ignores \`${key}\`: ${why}`, at, details),
  /** the adapter in `{folder}` does not fit `{adapter}`: {count} of {total} tensors differ */
  adapter_mismatch: (at: Span | undefined, { folder, adapter, count, total }: { readonly folder: string | number; readonly adapter: string | number; readonly count: string | number; readonly total: string | number }, details: Details = {}): Diagnostic => make("PEFT0580", "error", `the adapter in \`${folder}\` does not fit \`${adapter}\`: ${count} of ${total} tensors differ`, at, details),
  /** `{file}` is not the configuration of the adapter `{adapter}`: {problem} */
  adapter_config: (at: Span | undefined, { file, adapter, problem }: { readonly file: string | number; readonly adapter: string | number; readonly problem: string | number }, details: Details = {}): Diagnostic => make("PEFT0581", "error", `\`${file}\` is not the configuration of the adapter \`${adapter}\`: ${problem}`, at, details),
  /** the folder `{folder}` has no adapter */
  adapter_absent: (at: Span | undefined, { folder }: { readonly folder: string | number }, details: Details = {}): Diagnostic => make("PEFT0582", "error", `the folder \`${folder}\` has no adapter`, at, details),
  /** this cannot be done for a stack of modules: {problem} */
  cannot_stack: (at: Span | undefined, { problem }: { readonly problem: string | number }, details: Details = {}): Diagnostic => make("PEFT0583", "error", `this cannot be done for a stack of modules: ${problem}`, at, details),
  /** `{adapter}` amends {module}, a stack of modules, and is saved in this project's own layout: {problem} */
  stack_stays_here: (at: Span | undefined, { adapter, module, problem }: { readonly adapter: string | number; readonly module: string | number; readonly problem: string | number }, details: Details = {}): Diagnostic => make("PEFT0584", "warning", `\`${adapter}\` amends ${module}, a stack of modules, and is saved in this project's own layout: ${problem}`, at, details),
  /** `{key}` in {file} is {found}: {problem} */
  picture_config: (at: Span | undefined, { key, file, found, problem }: { readonly key: string | number; readonly file: string | number; readonly found: string | number; readonly problem: string | number }, details: Details = {}): Diagnostic => make("PEFT0585", "error", `\`${key}\` in ${file} is ${found}: ${problem}`, at, details),
  /** {count} of {total} rows of {path} name no picture */
  no_picture: (at: Span | undefined, { count, total, path }: { readonly count: string | number; readonly total: string | number; readonly path: string | number }, details: Details = {}): Diagnostic => make("PEFT0586", "error", `${count} of ${total} rows of ${path} name no picture`, at, details),
  /** `{place}` is not in this machine's cache */
  hub_absent: (at: Span | undefined, { place }: { readonly place: string | number }, details: Details = {}): Diagnostic => make("PEFT0587", "error", `\`${place}\` is not in this machine's cache`, at, details),
  /** `{place}` names no model of the hub: {problem} */
  hub_name: (at: Span | undefined, { place, problem }: { readonly place: string | number; readonly problem: string | number }, details: Details = {}): Diagnostic => make("PEFT0588", "error", `\`${place}\` names no model of the hub: ${problem}`, at, details),
  /** {endpoint} does not answer: {reason} */
  hub_unreachable: (at: Span | undefined, { endpoint, reason }: { readonly endpoint: string | number; readonly reason: string | number }, details: Details = {}): Diagnostic => make("PEFT0589", "error", `${endpoint} does not answer: ${reason}`, at, details),
  /** the training checkpoint `{folder}` is passed over: {problem} */
  state_incomplete: (at: Span | undefined, { folder, problem }: { readonly folder: string | number; readonly problem: string | number }, details: Details = {}): Diagnostic => make("PEFT0590", "warning", `the training checkpoint \`${folder}\` is passed over: ${problem}`, at, details),
  /** the training checkpoint `{folder}` belongs to another run: {problem} */
  state_mismatch: (at: Span | undefined, { folder, problem }: { readonly folder: string | number; readonly problem: string | number }, details: Details = {}): Diagnostic => make("PEFT0591", "error", `the training checkpoint \`${folder}\` belongs to another run: ${problem}`, at, details),
  /** HF_HUB_OFFLINE is set, and `{place}` is not whole in the cache */
  hub_offline: (at: Span | undefined, { place }: { readonly place: string | number }, details: Details = {}): Diagnostic => make("PEFT0592", "error", `HF_HUB_OFFLINE is set, and \`${place}\` is not whole in the cache`, at, details),
  /** on the hub, {what} */
  hub_not_found: (at: Span | undefined, { what }: { readonly what: string | number }, details: Details = {}): Diagnostic => make("PEFT0593", "error", `on the hub, ${what}`, at, details),
  /** `{place}` is gated: it is given to accounts that accepted its terms */
  hub_gated: (at: Span | undefined, { place }: { readonly place: string | number }, details: Details = {}): Diagnostic => make("PEFT0594", "error", `\`${place}\` is gated: it is given to accounts that accepted its terms`, at, details),
  /** {file} did not arrive as the hub has it: its checksum is another */
  hub_damaged: (at: Span | undefined, { file }: { readonly file: string | number }, details: Details = {}): Diagnostic => make("PEFT0595", "error", `${file} did not arrive as the hub has it: its checksum is another`, at, details),
  /** {endpoint} answered with status {status} */
  hub_refused: (at: Span | undefined, { endpoint, status }: { readonly endpoint: string | number; readonly status: string | number }, details: Details = {}): Diagnostic => make("PEFT0596", "error", `${endpoint} answered with status ${status}`, at, details),
  /** the token for the hub is none of the hub's: they begin with `hf_` */
  hub_token: (at?: Span, details: Details = {}): Diagnostic => make("PEFT0597", "error", `the token for the hub is none of the hub's: they begin with \`hf_\``, at, details),
  /** weights of {layers} layers are read from the checkpoint as they are needed, which the cpu does and webgpu does not */
  ring_needs_cpu: (at: Span | undefined, { layers }: { readonly layers: string | number }, details: Details = {}): Diagnostic => make("PEFT0598", "error", `weights of ${layers} layers are read from the checkpoint as they are needed, which the cpu does and webgpu does not`, at, details),
  /** merging makes values that {dtype} cannot hold: the largest of `{tensor}` is {value} */
  merged_overflow: (at: Span | undefined, { dtype, tensor, value }: { readonly dtype: string | number; readonly tensor: string | number; readonly value: string | number }, details: Details = {}): Diagnostic => make("PEFT0600", "error", `merging makes values that ${dtype} cannot hold: the largest of \`${tensor}\` is ${value}`, at, details),
  /** merging makes values that are not numbers in `{tensor}` */
  merged_not_finite: (at: Span | undefined, { tensor }: { readonly tensor: string | number }, details: Details = {}): Diagnostic => make("PEFT0601", "error", `merging makes values that are not numbers in \`${tensor}\``, at, details),
  /** every answer of {data} is the same text: its template names no column */
  answer_constant: (at: Span | undefined, { data }: { readonly data: string | number }, details: Details = {}): Diagnostic => make("PEFT0602", "warning", `every answer of ${data} is the same text: its template names no column`, at, details),
  /** the prompt holds `{column}`, which is the answer */
  answer_in_prompt: (at: Span | undefined, { column }: { readonly column: string | number }, details: Details = {}): Diagnostic => make("PEFT0603", "warning", `the prompt holds \`${column}\`, which is the answer`, at, details),
  /** {evaluated} and {trained} share rows of one file */
  split_overlap: (at: Span | undefined, { evaluated, trained }: { readonly evaluated: string | number; readonly trained: string | number }, details: Details = {}): Diagnostic => make("PEFT0604", "warning", `${evaluated} and ${trained} share rows of one file`, at, details),
  /** `{reader}` reads a .{extension} file */
  reader_mismatch: (at: Span | undefined, { reader, extension }: { readonly reader: string | number; readonly extension: string | number }, details: Details = {}): Diagnostic => make("PEFT0605", "warning", `\`${reader}\` reads a .${extension} file`, at, details),
  /** nothing uses the {kind} `{name}` */
  unused_block: (at: Span | undefined, { kind, name }: { readonly kind: string | number; readonly name: string | number }, details: Details = {}): Diagnostic => make("PEFT0606", "warning", `nothing uses the ${kind} \`${name}\``, at, details),
  /** `{path}` is not a Parquet file that can be read: {reason} */
  data_parquet: (at: Span | undefined, { path, reason }: { readonly path: string | number; readonly reason: string | number }, details: Details = {}): Diagnostic => make("PEFT0607", "error", `\`${path}\` is not a Parquet file that can be read: ${reason}`, at, details),
  /** the tokenizer in `{folder}` names no end token */
  end_token_absent: (at: Span | undefined, { folder }: { readonly folder: string | number }, details: Details = {}): Diagnostic => make("PEFT0608", "warning", `the tokenizer in \`${folder}\` names no end token`, at, details),
  /** `{file}` names the end token `{token}`, which the tokenizer does not have */
  end_token_unknown: (at: Span | undefined, { file, token }: { readonly file: string | number; readonly token: string | number }, details: Details = {}): Diagnostic => make("PEFT0609", "error", `\`${file}\` names the end token \`${token}\`, which the tokenizer does not have`, at, details),
  /** {count} of {total} answers of `{path}` hold the end token before their end */
  end_token_doubled: (at: Span | undefined, { count, total, path }: { readonly count: string | number; readonly total: string | number; readonly path: string | number }, details: Details = {}): Diagnostic => make("PEFT0610", "warning", `${count} of ${total} answers of \`${path}\` hold the end token before their end`, at, details),
  /** {count} of {total} texts do not come back from their tokens; the first is at {place} */
  text_changed: (at: Span | undefined, { count, total, place }: { readonly count: string | number; readonly total: string | number; readonly place: string | number }, details: Details = {}): Diagnostic => make("PEFT0611", "warning", `${count} of ${total} texts do not come back from their tokens; the first is at ${place}`, at, details),
  /** {count} of {total} rows of {evaluated} are rows of {trained} too */
  duplicate_rows: (at: Span | undefined, { count, total, evaluated, trained }: { readonly count: string | number; readonly total: string | number; readonly evaluated: string | number; readonly trained: string | number }, details: Details = {}): Diagnostic => make("PEFT0612", "warning", `${count} of ${total} rows of ${evaluated} are rows of ${trained} too`, at, details),
  /** {what} is not what `{lock}` was written from */
  lock_drift: (at: Span | undefined, { what, lock }: { readonly what: string | number; readonly lock: string | number }, details: Details = {}): Diagnostic => make("PEFT0613", "error", `${what} is not what \`${lock}\` was written from`, at, details),
  /** `{lock}` is not a lock file that this version reads: {problem} */
  lock_unreadable: (at: Span | undefined, { lock, problem }: { readonly lock: string | number; readonly problem: string | number }, details: Details = {}): Diagnostic => make("PEFT0614", "error", `\`${lock}\` is not a lock file that this version reads: ${problem}`, at, details),
  /** this file is not UTF-8 text */
  not_text: (at?: Span, details: Details = {}): Diagnostic => make("PEFT0615", "error", `this file is not UTF-8 text`, at, details),
  /** what is held out of `{split}` has two seeds */
  held_out_seeds: (at: Span | undefined, { split }: { readonly split: string | number }, details: Details = {}): Diagnostic => make("PEFT0616", "error", `what is held out of \`${split}\` has two seeds`, at, details),
  /** {share} of `{split}` is held out, which leaves no row of it */
  held_out_all: (at: Span | undefined, { share, split }: { readonly share: string | number; readonly split: string | number }, details: Details = {}): Diagnostic => make("PEFT0617", "error", `${share} of \`${split}\` is held out, which leaves no row of it`, at, details),
  /** {count} of {total} rows of `{path}` are longer than {limit} and are left out */
  data_dropped: (at: Span | undefined, { count, total, path, limit }: { readonly count: string | number; readonly total: string | number; readonly path: string | number; readonly limit: string | number }, details: Details = {}): Diagnostic => make("PEFT0618", "warning", `${count} of ${total} rows of \`${path}\` are longer than ${limit} and are left out`, at, details),
  /** {count} of {total} rows of `{path}` are longer than {limit} */
  data_overlong: (at: Span | undefined, { count, total, path, limit }: { readonly count: string | number; readonly total: string | number; readonly path: string | number; readonly limit: string | number }, details: Details = {}): Diagnostic => make("PEFT0619", "error", `${count} of ${total} rows of \`${path}\` are longer than ${limit}`, at, details),
  /** the tokenizer in {base} has no chat template */
  chat_template_absent: (at: Span | undefined, { base }: { readonly base: string | number }, details: Details = {}): Diagnostic => make("PEFT0620", "error", `the tokenizer in ${base} has no chat template`, at, details),
  /** {template} cannot write a conversation{where}: {problem} */
  chat_template_failed: (at: Span | undefined, { template, where, problem }: { readonly template: string | number; readonly where: string | number; readonly problem: string | number }, details: Details = {}): Diagnostic => make("PEFT0621", "error", `${template} cannot write a conversation${where}: ${problem}`, at, details),
  /** {template} cannot tell which turns are an assistant's{where}: it {problem} */
  chat_turns_unmarked: (at: Span | undefined, { template, where, problem }: { readonly template: string | number; readonly where: string | number; readonly problem: string | number }, details: Details = {}): Diagnostic => make("PEFT0622", "error", `${template} cannot tell which turns are an assistant's${where}: it ${problem}`, at, details),
  /** {place}: the conversation in `{column}` {problem} */
  chat_message: (at: Span | undefined, { place, column, problem }: { readonly place: string | number; readonly column: string | number; readonly problem: string | number }, details: Details = {}): Diagnostic => make("PEFT0623", "error", `${place}: the conversation in \`${column}\` ${problem}`, at, details),
  /** `{base}` reads a prompt and writes an answer to it, and `{data}` holds conversations */
  chat_with_encoder: (at: Span | undefined, { base, data }: { readonly base: string | number; readonly data: string | number }, details: Details = {}): Diagnostic => make("PEFT0624", "error", `\`${base}\` reads a prompt and writes an answer to it, and \`${data}\` holds conversations`, at, details),
  /** {count} of {total} turns that are learnt of `{path}` end in `{token}`, at which generation does not stop */
  chat_turn_unended: (at: Span | undefined, { count, total, path, token }: { readonly count: string | number; readonly total: string | number; readonly path: string | number; readonly token: string | number }, details: Details = {}): Diagnostic => make("PEFT0625", "warning", `${count} of ${total} turns that are learnt of \`${path}\` end in \`${token}\`, at which generation does not stop`, at, details),
  /** format `{format}` cannot be stored: {problem} */
  bad_format: (at: Span | undefined, { format, problem }: { readonly format: string | number; readonly problem: string | number }, details: Details = {}): Diagnostic => make("PEFT0640", "error", `format \`${format}\` cannot be stored: ${problem}`, at, details),
  /** `{parameter}` is stored in two ways */
  stored_twice: (at: Span | undefined, { parameter }: { readonly parameter: string | number }, details: Details = {}): Diagnostic => make("PEFT0641", "error", `\`${parameter}\` is stored in two ways`, at, details),
  /** `{pattern}` covers no matrix */
  nothing_to_store: (at: Span | undefined, { pattern }: { readonly pattern: string | number }, details: Details = {}): Diagnostic => make("PEFT0642", "error", `\`${pattern}\` covers no matrix`, at, details),
  /** merging `{adapter}` changes {count} tensors that are stored as {format}: say how the merged ones are written */
  merge_needs_as: (at: Span | undefined, { adapter, count, format }: { readonly adapter: string | number; readonly count: string | number; readonly format: string | number }, details: Details = {}): Diagnostic => make("PEFT0643", "error", `merging \`${adapter}\` changes ${count} tensors that are stored as ${format}: say how the merged ones are written`, at, details),
  /** `{parameter}` holds {value} at element {element}, which {format} cannot store */
  weight_not_finite: (at: Span | undefined, { parameter, value, element, format }: { readonly parameter: string | number; readonly value: string | number; readonly element: string | number; readonly format: string | number }, details: Details = {}): Diagnostic => make("PEFT0644", "error", `\`${parameter}\` holds ${value} at element ${element}, which ${format} cannot store`, at, details),
  /** {tensor} does not lie in the checkpoint as {format}: {problem} */
  packed_mismatch: (at: Span | undefined, { tensor, format, problem }: { readonly tensor: string | number; readonly format: string | number; readonly problem: string | number }, details: Details = {}): Diagnostic => make("PEFT0645", "error", `${tensor} does not lie in the checkpoint as ${format}: ${problem}`, at, details),
  /** {format} cannot be written: no other library reads it */
  format_not_written: (at: Span | undefined, { format }: { readonly format: string | number }, details: Details = {}): Diagnostic => make("PEFT0646", "error", `${format} cannot be written: no other library reads it`, at, details),
  /** {what} ran out of memory{limit} */
  memory_exhausted: (at: Span | undefined, { what, limit }: { readonly what: string | number; readonly limit: string | number }, details: Details = {}): Diagnostic => make("PEFT0660", "error", `${what} ran out of memory${limit}`, at, details),
  /** the state of `{optimizer}` cannot be stored so: {problem} */
  state_not_stored: (at: Span | undefined, { optimizer, problem }: { readonly optimizer: string | number; readonly problem: string | number }, details: Details = {}): Diagnostic => make("PEFT0661", "error", `the state of \`${optimizer}\` cannot be stored so: ${problem}`, at, details),
  /** every tensor that `{adapter}` trains keeps `{states}` in f32: the largest has {largest} elements, and sixteen blocks have {least} */
  state_too_small: (at: Span | undefined, { adapter, states, largest, least }: { readonly adapter: string | number; readonly states: string | number; readonly largest: string | number; readonly least: string | number }, details: Details = {}): Diagnostic => make("PEFT0662", "warning", `every tensor that \`${adapter}\` trains keeps \`${states}\` in f32: the largest has ${largest} elements, and sixteen blocks have ${least}`, at, details),
  /** this run is not held to the budget of `{adapter}`: {why} */
  budget_not_held: (at: Span | undefined, { adapter, why }: { readonly adapter: string | number; readonly why: string | number }, details: Details = {}): Diagnostic => make("PEFT0663", "warning", `this run is not held to the budget of \`${adapter}\`: ${why}`, at, details),
  /** `{key}` has nothing to store */
  store_misplaced: (at: Span | undefined, { key }: { readonly key: string | number }, details: Details = {}): Diagnostic => make("PEFT0664", "error", `\`${key}\` has nothing to store`, at, details),
  /** this GPU computes in no f16: {gpu} */
  no_half: (at: Span | undefined, { gpu }: { readonly gpu: string | number }, details: Details = {}): Diagnostic => make("PEFT0665", "error", `this GPU computes in no f16: ${gpu}`, at, details),
  /** adapter `{adapter}` amends `{module}`, a part of a fused projection: only this tool will load it */
  parts_stay_here: (at: Span | undefined, { adapter, module }: { readonly adapter: string | number; readonly module: string | number }, details: Details = {}): Diagnostic => make("PEFT0670", "warning", `adapter \`${adapter}\` amends \`${module}\`, a part of a fused projection: only this tool will load it`, at, details),
  /** data `{data}` names {named}; the base tells {told} apart */
  classes_do_not_fit: (at: Span | undefined, { data, named, told }: { readonly data: string | number; readonly named: string | number; readonly told: string | number }, details: Details = {}): Diagnostic => make("PEFT0671", "error", `data \`${data}\` names ${named}; the base tells ${told} apart`, at, details),
  /** `{subject}` tells classes apart and writes no text */
  classes_write_nothing: (at: Span | undefined, { subject }: { readonly subject: string | number }, details: Details = {}): Diagnostic => make("PEFT0672", "error", `\`${subject}\` tells classes apart and writes no text`, at, details),
  /** {count} of {total} rows of `{path}` have an answer that is no class */
  data_no_class: (at: Span | undefined, { count, total, path }: { readonly count: string | number; readonly total: string | number; readonly path: string | number }, details: Details = {}): Diagnostic => make("PEFT0673", "error", `${count} of ${total} rows of \`${path}\` have an answer that is no class`, at, details),
  /** the {what} is {value} at step {step} of training {adapter} */
  not_finite: (at: Span | undefined, { what, value, step, adapter }: { readonly what: string | number; readonly value: string | number; readonly step: string | number; readonly adapter: string | number }, details: Details = {}): Diagnostic => make("PEFT0700", "error", `the ${what} is ${value} at step ${step} of training ${adapter}`, at, details),
  /** no WebGPU adapter was found */
  no_adapter: (at?: Span, details: Details = {}): Diagnostic => make("PEFT0701", "error", `no WebGPU adapter was found`, at, details),
  /** `beside` {problem} */
  figures_form: (at: Span | undefined, { problem }: { readonly problem: string | number }, details: Details = {}): Diagnostic => make("PEFT0702", "error", `\`beside\` ${problem}`, at, details),
  /** there is no file `{path}`, so the table shows nothing of `{title}` */
  figures_absent: (at: Span | undefined, { path, title }: { readonly path: string | number; readonly title: string | number }, details: Details = {}): Diagnostic => make("PEFT0703", "warning", `there is no file \`${path}\`, so the table shows nothing of \`${title}\``, at, details),
  /** a prompt has {tokens} tokens, and {most} of them are read */
  prompt_cut: (at: Span | undefined, { tokens, most }: { readonly tokens: string | number; readonly most: string | number }, details: Details = {}): Diagnostic => make("PEFT0704", "warning", `a prompt has ${tokens} tokens, and ${most} of them are read`, at, details),
  /** `{command}` {problem} */
  chat_command: (at: Span | undefined, { command, problem }: { readonly command: string | number; readonly problem: string | number }, details: Details = {}): Diagnostic => make("PEFT0705", "error", `\`${command}\` ${problem}`, at, details),
  /** {server} gets no numbers of this training: {problem} */
  tracking_failed: (at: Span | undefined, { server, problem }: { readonly server: string | number; readonly problem: string | number }, details: Details = {}): Diagnostic => make("PEFT0706", "warning", `${server} gets no numbers of this training: ${problem}`, at, details),
  /** no evaluation of {subject} gives `{score}` */
  score_not_measured: (at: Span | undefined, { subject, score }: { readonly subject: string | number; readonly score: string | number }, details: Details = {}): Diagnostic => make("PEFT0707", "error", `no evaluation of ${subject} gives \`${score}\``, at, details),
  /** something went wrong inside peft: {message} */
  internal_error: (at: Span | undefined, { message }: { readonly message: string | number }, details: Details = {}): Diagnostic => make("PEFT0900", "error", `something went wrong inside peft: ${message}`, at, details),
  /** there is no command `{command}` */
  unknown_command: (at: Span | undefined, { command }: { readonly command: string | number }, details: Details = {}): Diagnostic => make("PEFT0901", "error", `there is no command \`${command}\``, at, details),
  /** `peft {command}` has no option `{option}` */
  unknown_option: (at: Span | undefined, { command, option }: { readonly command: string | number; readonly option: string | number }, details: Details = {}): Diagnostic => make("PEFT0902", "error", `\`peft ${command}\` has no option \`${option}\``, at, details),
  /** `{option}` {problem} */
  option_value: (at: Span | undefined, { option, problem }: { readonly option: string | number; readonly problem: string | number }, details: Details = {}): Diagnostic => make("PEFT0903", "error", `\`${option}\` ${problem}`, at, details),
  /** something is missing: `{usage}` */
  usage_incomplete: (at: Span | undefined, { usage }: { readonly usage: string | number }, details: Details = {}): Diagnostic => make("PEFT0904", "error", `something is missing: \`${usage}\``, at, details),
  /** `{argument}` is one argument too many: `{usage}` */
  usage_excess: (at: Span | undefined, { argument, usage }: { readonly argument: string | number; readonly usage: string | number }, details: Details = {}): Diagnostic => make("PEFT0905", "error", `\`${argument}\` is one argument too many: \`${usage}\``, at, details),
  /** `{pattern}` holds no `.peft` file */
  no_sources: (at: Span | undefined, { pattern }: { readonly pattern: string | number }, details: Details = {}): Diagnostic => make("PEFT0907", "error", `\`${pattern}\` holds no \`.peft\` file`, at, details),
  /** `{file}` is there already */
  would_overwrite: (at: Span | undefined, { file }: { readonly file: string | number }, details: Details = {}): Diagnostic => make("PEFT0908", "error", `\`${file}\` is there already`, at, details),
  /** there is no page for `{code}` */
  unknown_code: (at: Span | undefined, { code }: { readonly code: string | number }, details: Details = {}): Diagnostic => make("PEFT0909", "error", `there is no page for \`${code}\``, at, details),
  /** this file is not formatted */
  not_formatted: (at?: Span, details: Details = {}): Diagnostic => make("PEFT0910", "error", `this file is not formatted`, at, details),
  /** there is no level `{level}` */
  unknown_level: (at: Span | undefined, { level }: { readonly level: string | number }, details: Details = {}): Diagnostic => make("PEFT0912", "error", `there is no level \`${level}\``, at, details),
  /** {what} */
  nothing_to_do: (at: Span | undefined, { what }: { readonly what: string | number }, details: Details = {}): Diagnostic => make("PEFT0913", "error", `${what}`, at, details),
  /** `{file}` is not a job that this version runs: {problem} */
  damaged_bundle: (at: Span | undefined, { file, problem }: { readonly file: string | number; readonly problem: string | number }, details: Details = {}): Diagnostic => make("PEFT0914", "error", `\`${file}\` is not a job that this version runs: ${problem}`, at, details),
};
