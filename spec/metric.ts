// What the language knows of a metric: its name, its settings, its scores. The code behind it is the runtime's, one file per metric; the
// command line hands these signatures to the compiler, which so checks a `metrics` list without knowing how anything is counted.

export interface MetricParameter {
  readonly name: string;
  readonly type: "int" | "float" | "bool" | { readonly oneOf: readonly string[] };
  readonly default: number | boolean | string;
}

export interface MetricSignature {
  readonly name: string;
  /** One line: what it measures, its unit, its source. */
  readonly says: string;
  /** `text` is scored on what was generated; `tokens` on the model's prediction of the reference's tokens. */
  readonly of: "text" | "tokens";
  readonly parameters: readonly MetricParameter[];
  /** Names of its scores: the first is the one that tables show. */
  readonly scores: readonly string[];
  /** Less is better. */
  readonly falling?: boolean;
}
