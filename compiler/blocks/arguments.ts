// The arguments of a call against the parameters of a definition -> a value for each parameter. Defaults may use earlier ones.
// Nothing is ignored: unknown, missing, doubled and mistyped arguments are each a diagnostic, other tools' spellings included.

import type * as tree from "../../grammar/tree.ts";
import { nearest } from "../../spec/diagnostic.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import { type Context, evaluate, reportThrough } from "../values/expressions.ts";
import { asDim, describe, number, type Scope, scopeOf, size, unknown, type Value } from "../values/values.ts";
import { literal, oursFor, translate } from "./other-tools.ts";

interface Callee {
  readonly what: string; // "method NAME"
  readonly at: tree.Span;
  readonly parameters: readonly tree.Parameter[];
}

export const bindArguments = (
  callee: Callee,
  args: readonly tree.Argument[],
  scope: Scope,
  context: Context,
): ReadonlyMap<string, Value> => {
  const given = new Map<string, tree.Argument>();
  const names = callee.parameters.map((parameter) => parameter.name.text);
  const meant = new Set<string>(); // by a name that was mistyped: it is not missing too
  for (const [i, argument] of args.entries()) {
    const name = argument.name?.text ?? names[i];
    if (name === undefined || !names.includes(name)) {
      const translated =
        name === undefined
          ? undefined
          : translate(name, names, argument.value, (ours) => {
              const beside = args.find((other, k) =>
                other.name ? [other.name.text, oursFor(other.name.text)].includes(ours) : names[k] === ours,
              );
              return beside && literal(beside.value);
            });
      const near = translated ? translated.name : name === undefined ? undefined : nearest(name, names);
      if (near) meant.add(near);
      const place = argument.name?.at ?? argument.at;
      const value = translated?.value?.includes("…") ? undefined : translated?.value;
      reportThrough(
        context,
        place,
        (at, details) => diagnostics.unknown_argument(at, { callee: callee.what, name: name ?? `number ${i + 1}` }, details),
        {
          label: "not a parameter",
          notes: [{ message: `${callee.what} takes: ${names.join(", ") || "nothing"}` }],
          ...((translated || near) && { help: translated?.help ?? `did you mean \`${near}\`?` }),
          ...(near && {
            fixes: argument.name
              ? [
                  value === undefined
                    ? { at: place, insert: near, title: `change to \`${near}\`` }
                    : { at: argument.at, insert: `${near}: ${value}`, title: `write \`${near}: ${value}\`` },
                ]
              : [],
          }),
        },
      );
    } else if (given.has(name))
      reportThrough(context, argument.at, (at, details) => diagnostics.duplicate_name(at, { name }, details), { help: "give it once" });
    else given.set(name, argument);
  }

  const values = new Map<string, Value>();
  for (const parameter of callee.parameters) {
    const name = parameter.name.text;
    const argument = given.get(name);
    if (argument) values.set(name, typed(evaluate(argument.value, scope, context), parameter, argument.value.at, context));
    else if (parameter.value)
      values.set(name, typed(evaluate(parameter.value, scopeOf(values, scope), context), parameter, parameter.value.at, context));
    else if (meant.has(name)) values.set(name, unknown);
    else {
      reportThrough(context, callee.at, (at, details) => diagnostics.missing_argument(at, { callee: callee.what, name }, details), {
        help: `write \`${name}: …\``,
      });
      values.set(name, unknown);
    }
  }
  return values;
};

/** Checks a value against a parameter's declared type and gives it its final form. */
export const typed = (value: Value, parameter: tree.Parameter, at: tree.Span, context: Context): Value => {
  const type = parameter.type?.text;
  if (type === undefined || value.kind === "unknown") return value;
  if (value.kind === "none" && parameter.value?.kind === "ref" && parameter.value.name === "none") return value;
  const wrong = (wanted: string): Value => {
    const insert = rewritten(value, type);
    return reportThrough(
      context,
      at,
      (place, details) => diagnostics.wrong_type(place, { name: parameter.name.text, wanted, found: describe(value) }, details),
      insert === undefined ? {} : { help: `write \`${insert}\``, fixes: [{ at, insert, title: `write \`${insert}\`` }] },
    );
  };
  switch (type) {
    case "int": {
      const dim = asDim(value);
      return dim === undefined ? wrong("a whole number") : size(dim);
    }
    case "float":
      if (value.kind === "size") return value;
      if (value.kind !== "number") return wrong("a number");
      if (value.unit === "%") return number(value.value / 100);
      return value.unit ? wrong("a number without a unit") : value;
    case "bool":
      return value.kind === "bool" ? value : wrong("true or false");
    case "list":
      return value.kind === "list" || (value.kind === "open" && value.type === "list") ? value : wrong("a list, like `[1, 2]`");
    case "string":
      return value.kind === "text" || (value.kind === "open" && value.type === "text") ? value : wrong("text");
    // What is done to each element, by the op's name: `relu`.
    case "op":
      return value.kind === "op" ? value : wrong("an op of one tensor, like `relu`");
    case "path":
      return value.kind === "text" ? value : wrong("a path in quotes");
    // A stretch of training: steps, or a share of the whole run.
    case "span":
      if (value.kind !== "number") return wrong("steps or a percentage, like `100 steps` or `3%`");
      if (value.unit === "%" || value.unit === "steps" || value.unit === "step") return value;
      return value.value === 0 ? number(0, "steps") : wrong("steps or a percentage, like `100 steps` or `3%`");
    default:
      return value;
  }
};

/** What was meant, where it is clear: a number or a truth value in quotes, a whole number with a fraction of zero, a share without `%`. */
const rewritten = (value: Value, type: string): string | undefined => {
  const text = value.kind === "text" ? value.value.trim() : undefined;
  if ((type === "int" || type === "float") && text && /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(text))
    return type === "float" || Number.isInteger(Number(text)) ? text : undefined;
  if (type === "bool" && text && /^(true|false)$/i.test(text)) return text.toLowerCase();
  if (type === "bool" && value.kind === "number" && (value.value === 0 || value.value === 1)) return value.value ? "true" : "false";
  if (type === "span" && value.kind === "number" && !value.unit)
    return value.value > 0 && value.value < 1
      ? `${Number((100 * value.value).toPrecision(12))}%`
      : value.value >= 1
        ? `${value.value} steps`
        : undefined;
  return undefined;
};
