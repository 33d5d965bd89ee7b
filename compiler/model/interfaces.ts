// What a module claims to be -> a face: the sizes and names under which methods see it. A method that amends an interface sees
// nothing else of the module, so one method file fits every architecture. Every claim is checked: the module must have each
// parameter, child and value that the interface lists, with its shape (values are compared when they are computed).

import type * as tree from "../../grammar/tree.ts";
import { diagnostics } from "../../spec/diagnostics.generated.ts";
import { bindArguments } from "../blocks/arguments.ts";
import type { Library } from "../blocks/resolve.ts";
import { open } from "../ops/shape.ts";
import type { Dim } from "../values/dims.ts";
import { type Context, evaluate, reportThrough } from "../values/expressions.ts";
import { asDim, describe, type Scope, scopeOf, type Value } from "../values/values.ts";
import type { Instance } from "./instantiate.ts";

export interface Face {
  readonly definition: tree.InterfaceDef | tree.ModuleDef | tree.ArchitectureDef;
  readonly sizes: ReadonlyMap<string, Value>;
  /** The claim in the module's text; absent for a module under its own name. */
  readonly claim?: tree.Claim;
}

/** What `amends NAME` may name: an interface, or a module. */
export const findFace = (name: string, library: Library): tree.InterfaceDef | tree.ModuleDef | undefined =>
  library.find("interface", name) ?? library.find("module", name);

/** The module under this name, its own or one it claims; undefined when it is no such thing. */
export const faceOf = (instance: Instance, name: string): Face | undefined =>
  instance.faces.get(name) ??
  (instance.definition.name.text === name ? { definition: instance.definition, sizes: instance.sizes } : undefined);

/** Values that methods may read and rebind, with the shapes they must have. */
export const pointsOf = (definition: Face["definition"]): ReadonlyMap<string, readonly tree.Expr[] | undefined> =>
  new Map(
    definition.members.flatMap((member) => (member.kind === "point" ? member.names.map((name) => [name.text, member.shape] as const) : [])),
  );

/** Everything a method may rebind: of an interface its points and parameters; of a module its parameters, its `let`s and `out`. */
export const namesOf = ({ definition }: Face): string[] => {
  if (definition.kind === "interface") return [...paramsOf(definition), ...pointsOf(definition).keys()];
  const forward = definition.members.find((own) => own.kind === "forward");
  return [...paramsOf(definition), ...(forward?.kind === "forward" ? forward.lets.map((own) => own.name.text) : []), "out"];
};

const paramsOf = (definition: Face["definition"]): string[] =>
  definition.members.flatMap((member) => (member.kind === "param" ? member.names.map((name) => name.text) : []));

/** What a module may show as a point: its forward's inputs and `let`s, and `out`. */
const shownBy = ({ definition }: Pick<Instance, "definition">): string[] => {
  const forward = definition.members.find((own) => own.kind === "forward");
  return forward?.kind === "forward" ? [...forward.inputs, ...forward.lets].map((own) => own.name.text).concat("out") : ["out"];
};

/** The module's claims, each with its sizes: given after `is NAME`, or the module's own of the same name. */
export const readFaces = (
  claims: readonly tree.Claim[],
  instance: Omit<Instance, "faces">,
  library: Library,
  context: Context,
): ReadonlyMap<string, Face> => {
  const faces = new Map<string, Face>();
  const scope = ownScope(instance, context);
  for (const claim of claims) {
    const definition = findFace(claim.name.text, library);
    if (!definition) {
      reportThrough(context, claim.name.at, (at, details) => diagnostics.unknown_interface(at, { name: claim.name.text }, details), {
        notes: [{ message: `interfaces: ${library.names("interface").join(", ") || "none"}` }],
      });
      continue;
    }
    const given = new Set(claim.args.map((argument, i) => argument.name?.text ?? definition.parameters[i]?.name.text));
    const implied = definition.parameters.filter(({ name }) => !given.has(name.text) && scope.find(name.text, name.at) !== undefined);
    const args: tree.Argument[] = [
      ...claim.args,
      ...implied.map(({ name }) => ({ at: claim.at, name, value: { kind: "ref", at: claim.at, name: name.text } as const })),
    ];
    const what = `${definition.kind} ${definition.name.text}`;
    const sizes = bindArguments({ what, at: claim.at, parameters: definition.parameters }, args, scope, context);
    const face: Face = { definition, sizes, claim };
    checkClaim(face, instance, context);
    faces.set(claim.name.text, face);
  }
  return faces;
};

/** A module's sizes and the `let`s beside its forward. */
const ownScope = (instance: Pick<Instance, "definition" | "sizes">, context: Context): Scope => {
  const scope: Scope = scopeOf(instance.sizes, {
    find: (name) => {
      const own = instance.definition.members.find((member) => member.kind === "let" && member.name.text === name);
      return own?.kind === "let" ? evaluate(own.value, scope, context) : undefined;
    },
    names: () => instance.definition.members.flatMap((member) => (member.kind === "let" ? [member.name.text] : [])),
  });
  return scope;
};

const checkClaim = (face: Face, instance: Omit<Instance, "faces">, context: Context): void => {
  const scope = scopeOf(face.sizes);
  const lacks = (what: string, name: string, declared: tree.Span): void => {
    reportThrough(
      context,
      face.claim!.at,
      (at, details) =>
        diagnostics.missing_point(at, { module: instance.definition.name.text, face: face.definition.name.text, what, name }, details),
      {
        notes: [
          { message: "the interface declares it here", at: declared },
          {
            message: `${instance.definition.name.text} has: ${[...instance.params.keys(), ...shownBy(instance), ...instance.children.keys()].join(", ")}`,
          },
        ],
      },
    );
  };
  for (const member of face.definition.members) {
    if (member.kind === "param")
      for (const name of member.names) {
        const own = instance.params.get(name.text);
        const shape = member.shape.map((expr) => asDim(evaluate(expr, scope, context)));
        if (own) compareShapes(face, name.text, own.shape, shape, instance, context);
        else if (!member.optional) lacks("parameter", name.text, name.at);
      }
    if (member.kind === "point") {
      const names = shownBy(instance);
      for (const name of member.names) if (!names.includes(name.text)) lacks("value", name.text, name.at);
    }
    if (member.kind === "child") {
      const child = instance.children.get(member.name.text);
      if (!child || Array.isArray(child)) {
        if (!member.optional) lacks("child", member.name.text, member.name.at);
      } else checkChild(member, child as Instance, face, instance, scope, context);
    }
  }
};

const checkChild = (
  member: tree.ChildMember,
  child: Instance,
  face: Face,
  instance: Omit<Instance, "faces">,
  scope: Scope,
  context: Context,
): void => {
  const wanted = member.module.callee.kind === "ref" ? member.module.callee.name : "";
  const seen = faceOf(child, wanted);
  const own = child.definition.name.text;
  const differs = (problem: string): void => misfit(face, instance, `child \`${member.name.text}\``, problem, member.at, context);
  if (!seen) {
    differs(`is ${own}, not ${wanted}`);
    return;
  }
  for (const [i, argument] of member.module.args.entries()) {
    const { definition } = seen;
    const name = argument.name?.text ?? (definition.kind === "architecture" ? undefined : definition.parameters[i]?.name.text);
    const value = name === undefined ? undefined : seen.sizes.get(name);
    const expected = evaluate(argument.value, scope, context);
    const [a, b] = [value && asDim(value), asDim(expected)];
    if (a === undefined || b === undefined || a === b || open(a, b)) continue;
    differs(`has \`${name}\` ${a}, not ${b}`);
  }
};

/** A declared shape against an actual one, both from the front; sizes not known yet fit anything. */
const compareShapes = (
  face: Face,
  name: string,
  actual: readonly Dim[],
  wanted: readonly (Dim | undefined)[],
  instance: Omit<Instance, "faces">,
  context: Context,
): void => {
  const fits =
    actual.length === wanted.length && actual.every((dim, i) => wanted[i] === undefined || dim === wanted[i] || open(dim, wanted[i]!));
  if (!fits) misfit(face, instance, `\`${name}\``, `is [${actual.join(", ")}], not [${wanted.join(", ")}]`, face.claim!.at, context);
};

const misfit = (
  face: Face,
  instance: Pick<Instance, "definition">,
  what: string,
  problem: string,
  declared: tree.Span,
  context: Context,
): void => {
  reportThrough(
    context,
    face.claim?.at ?? declared,
    (at, details) =>
      diagnostics.point_does_not_fit(
        at,
        { module: instance.definition.name.text, face: face.definition.name.text, what, problem },
        details,
      ),
    { notes: [{ message: "the interface declares it here", at: declared }] },
  );
};

/** Holds a computed value against the points of every interface the module claims. */
export const checkPoint = (instance: Instance, name: string, value: Value, context: Context): void => {
  for (const face of instance.faces.values()) {
    const shape = pointsOf(face.definition).get(name);
    if (!shape || value.kind === "unknown") continue;
    if (value.kind !== "tensor") {
      misfit(face, instance, `\`${name}\``, `is ${describe(value)}, not a tensor`, face.claim!.at, context);
      continue;
    }
    const open = shape[0]?.kind === "ellipsis";
    const wanted = (open ? shape.slice(1) : shape).map((expr) => asDim(evaluate(expr, scopeOf(face.sizes), context)));
    const all = value.node.type.shape;
    compareShapes(face, name, open ? all.slice(Math.max(0, all.length - wanted.length)) : all, wanted, instance, context);
  }
};
