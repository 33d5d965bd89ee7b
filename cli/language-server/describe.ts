// What a thing of a pipeline is, in Markdown for a hover: signatures and docs of definitions, and the numbers that follow from
// the checkpoint at hand (shapes, bytes, trained parameters, coverage).

import { adapterFiles } from "../../compiler/adapters/adapter-files.ts";
import type { AdapterPlan } from "../../compiler/adapters/inject.ts";
import { unmergeable } from "../../compiler/adapters/merging.ts";
import type { Definition } from "../../compiler/blocks/resolve.ts";
import type { Checked } from "../../compiler/check/check.ts";
import { adapterFileBytes } from "../../compiler/check/facts.ts";
import { type Instance, modulesOf, type ParamSpec, parametersOf } from "../../compiler/model/instantiate.ts";
import type { Target } from "../../compiler/model/paths.ts";
import type { Parameter } from "../../grammar/tree.ts";
import { grouped as countText, bytes as memoryText } from "../render/table.ts";
import type { Declared } from "./symbols.ts";

type TextOf = (at: { readonly file: string; readonly start: number; readonly end: number }) => string;

const code = (text: string): string => `\`\`\`peft\n${text}\n\`\`\``;

export const parameterText = ({ name, type, value }: Parameter, text: TextOf): string =>
  `${name.text}${type ? `: ${type.text}` : ""}${value ? ` = ${text(value.at)}` : ""}`;

/** `method NAME(r: int = 8) amends Linear`. */
export const signatureOf = (definition: Definition, text: TextOf): string => {
  if (definition.kind === "architecture")
    return `architecture ${definition.name.text} for ${definition.classes.map(({ text: name }) => `"${name}"`).join(", ")}`;
  const parameters = definition.parameters.map((parameter) => parameterText(parameter, text)).join(", ");
  const tail = definition.kind === "method" ? (definition.amends ? ` amends ${definition.amends.text}` : " trains") : "";
  return `${definition.kind} ${definition.name.text}(${parameters})${tail}`;
};

export const definitionText = (definition: Definition, text: TextOf): string =>
  [code(signatureOf(definition, text)), definition.doc ?? ""].filter(Boolean).join("\n\n");

const size = (shape: readonly (number | string)[]): number => shape.reduce<number>((product, dim) => product * Number(dim), 1);

const storedBytes = (param: ParamSpec): number => size(param.shape) * (param.stored === "f16" || param.stored === "bf16" ? 2 : 4);

const shapeText = (shape: readonly (number | string)[]): string => `[${shape.join(", ")}]`;

const share = (part: number, whole: number): string => `${((100 * part) / whole).toPrecision(3)} %`;

export const baseText = ({ base }: Checked): string => {
  const params = [...parametersOf(base.root)];
  const bytes = params.reduce((sum, param) => sum + storedBytes(param), 0);
  return [
    code(`base ${base.name}`),
    `${base.architecture.name.text}, ${countText(base.parameters)} parameters, ${memoryText(bytes)} ${base.weights === "checkpoint" ? "stored" : "drawn"}, up to ${countText(base.context)} tokens`,
    base.architecture.doc ?? "",
  ]
    .filter(Boolean)
    .join("\n\n");
};

export const adapterText = (plan: AdapterPlan, checked: Checked, text: TextOf): string => {
  const silent = { report: () => {}, through: [] };
  const shapes = new Map(plan.params.map((param) => [param.name, param.shape.map(Number)] as const));
  const file = adapterFileBytes(adapterFiles(plan, checked.base.root, silent), shapes);
  const reason = unmergeable(plan, checked.adapters);
  return [
    code(
      `adapter ${plan.name} = ${
        text(plan.at)
          .replace(/^[^=]*=\s*/, "")
          .split("\n")[0]
      }`,
    ),
    `trains ${countText(plan.trainable)} of ${countText(checked.base.parameters)} parameters (${share(plan.trainable, checked.base.parameters)}); ${memoryText(file)} on disk`,
    plan.coverage.map(({ pattern, matches }) => `- \`${pattern}\` covers ${countText(matches.length)}`).join("\n"),
    reason ? `It cannot be merged: ${reason}.` : "It can be merged.",
  ].join("\n\n");
};

/** What a path has reached: one module with its parameters, or how many of what. */
export const targetsText = (pattern: string, targets: readonly Target[]): string => {
  const modules = targets.filter((target) => target.kind === "module").map((target) => target.module);
  const own = targets.flatMap((target) => (target.kind === "param" ? [target.param] : []));
  const params = [...new Set([...modules.flatMap((module) => modulesOf(module).flatMap(paramsOf)), ...own])];
  const kinds = new Map<string, number>();
  for (const module of modules) kinds.set(module.definition.name.text, (kinds.get(module.definition.name.text) ?? 0) + 1);
  const what = [
    ...[...kinds].map(([kind, count]) => `${countText(count)} ${kind}`),
    ...(own.length ? [`${countText(own.length)} parameter${own.length === 1 ? "" : "s"}`] : []),
  ];
  const total = params.reduce((sum, param) => sum + size(param.shape), 0);
  const bytes = params.reduce((sum, param) => sum + storedBytes(param), 0);
  const first = modules[0] ? shapesOf(modules[0]) : own[0] ? [`- \`${own[0].path}\` ${shapeText(own[0].shape)}, \`${own[0].tensor}\``] : [];
  return [code(pattern), `${what.join(", ")}; ${countText(total)} parameters, ${memoryText(bytes)}`, first.join("\n")]
    .filter(Boolean)
    .join("\n\n");
};

const paramsOf = (module: Instance): ParamSpec[] => [...module.params.values()].flatMap((param) => (param ? [param] : []));

const shapesOf = (module: Instance): string[] => {
  const own = paramsOf(module).map(
    (param) =>
      `- \`${param.path}\` ${shapeText(param.shape)}, \`${param.tensor}\`${param.tiedTo ? `, tied to \`${param.tiedTo.path}\`` : ""}`,
  );
  const children = [...module.children].map(([name, child]) =>
    Array.isArray(child)
      ? `- \`${name}\` ${child.length} × ${(child as readonly Instance[])[0]?.definition.name.text ?? ""}`
      : `- \`${name}\` ${(child as Instance).definition.name.text}`,
  );
  return [...own, ...children];
};

/** A name inside a definition, by what declares it. */
export const partText = (symbol: Declared, text: TextOf): string => {
  const part = symbol.part as { readonly at: { readonly file: string; readonly start: number; readonly end: number } } | undefined;
  const of = "name" in symbol.item ? symbol.item.name.text : symbol.item.kind;
  const line = part ? text(part.at).split("\n")[0]! : symbol.name;
  return `${code(symbol.kind === "parameter" ? `(parameter of ${of}) ${line}` : line)}`;
};
