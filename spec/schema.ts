// TypeScript types -> JSON Schema: job.schema.json from job.ts, lock.schema.json from lock.ts, measured.schema.json from measured.ts and result.schema.json from result.ts, by `npm run generate`.
// Reads the types as they are written (no type checker), so it knows exactly the forms those two files use and refuses any other.
// An object takes no keys beyond its own: a bundle with a misspelled key is refused, as a `.peft` file is.

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { ts } from "ts-morph";

type Schema = { readonly [key: string]: unknown };
type Declared = ReadonlyMap<string, ts.InterfaceDeclaration | ts.TypeAliasDeclaration>;

/** The schema of the type `root` of a file. */
export const schemaOf = (text: string, root: string, title: string): Schema => {
  const source = ts.createSourceFile("types.ts", text, ts.ScriptTarget.Latest, true);
  const declared: Declared = new Map(
    source.statements
      .filter((statement) => ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement))
      .map((statement) => [statement.name.text, statement]),
  );
  const definitions: Record<string, Schema> = {};
  for (const [name, declaration] of declared) definitions[name] = documented(declaration, declarationSchema(declaration, declared));
  return { $schema: "http://json-schema.org/draft-07/schema#", title, $ref: `#/definitions/${root}`, definitions };
};

const declarationSchema = (declaration: ts.InterfaceDeclaration | ts.TypeAliasDeclaration, declared: Declared): Schema =>
  ts.isInterfaceDeclaration(declaration) ? object(allMembers(declaration, declared), declared) : typeSchema(declaration.type, declared);

/** An interface's members after those of the interfaces it extends. */
const allMembers = (declaration: ts.InterfaceDeclaration, declared: Declared): readonly ts.TypeElement[] => {
  const parents = (declaration.heritageClauses ?? []).flatMap((clause) => clause.types.map((type) => type.expression.getText()));
  const inherited = parents.flatMap((name) => {
    const parent = declared.get(name);
    if (!parent || !ts.isInterfaceDeclaration(parent))
      throw new Error(`${declaration.name.text} extends ${name}, which is no interface of this file`);
    return allMembers(parent, declared);
  });
  return [...inherited, ...declaration.members];
};

const object = (members: readonly ts.TypeElement[], declared: Declared): Schema => {
  const properties: Record<string, Schema> = {};
  const required: string[] = [];
  for (const member of members) {
    if (!ts.isPropertySignature(member) || !member.type || !ts.isIdentifier(member.name)) throw unsupported(member);
    properties[member.name.text] = documented(member, typeSchema(member.type, declared));
    if (!member.questionToken) required.push(member.name.text);
  }
  return { type: "object", properties, required, additionalProperties: false };
};

const typeSchema = (type: ts.TypeNode, declared: Declared): Schema => {
  if (ts.isParenthesizedTypeNode(type)) return typeSchema(type.type, declared);
  if (ts.isTypeOperatorNode(type)) return typeSchema(type.type, declared); // readonly T[]
  if (ts.isArrayTypeNode(type)) return { type: "array", items: typeSchema(type.elementType, declared) };
  if (ts.isTupleTypeNode(type)) return tuple(type, declared);
  if (ts.isTypeLiteralNode(type)) return object(type.members, declared);
  if (ts.isLiteralTypeNode(type)) return { const: literal(type) };
  if (ts.isUnionTypeNode(type)) return union(type, declared);
  if (ts.isTypeReferenceNode(type)) return reference(type, declared);
  switch (type.kind) {
    case ts.SyntaxKind.StringKeyword:
      return { type: "string" };
    case ts.SyntaxKind.NumberKeyword:
      return { type: "number" };
    case ts.SyntaxKind.BooleanKeyword:
      return { type: "boolean" };
    case ts.SyntaxKind.UnknownKeyword:
      return {};
    default:
      throw unsupported(type);
  }
};

const union = (type: ts.UnionTypeNode, declared: Declared): Schema =>
  type.types.every(ts.isLiteralTypeNode)
    ? { enum: type.types.map(literal) }
    : { anyOf: type.types.map((member) => typeSchema(member, declared)) };

const literal = (type: ts.LiteralTypeNode): string | number | boolean | null => {
  const { literal: node } = type;
  if (ts.isStringLiteral(node)) return node.text;
  if (ts.isNumericLiteral(node)) return Number(node.text);
  if (node.kind === ts.SyntaxKind.NullKeyword) return null;
  if (node.kind === ts.SyntaxKind.TrueKeyword) return true;
  if (node.kind === ts.SyntaxKind.FalseKeyword) return false;
  throw unsupported(type);
};

const tuple = (type: ts.TupleTypeNode, declared: Declared): Schema => {
  const elements = type.elements.map((element) => (ts.isNamedTupleMember(element) ? element.type : element));
  const rest = elements.find(ts.isRestTypeNode);
  const items = elements.filter((element) => !ts.isRestTypeNode(element)).map((element) => typeSchema(element, declared));
  if (!rest) return { type: "array", items, minItems: items.length, additionalItems: false };
  if (!ts.isArrayTypeNode(rest.type)) throw unsupported(rest);
  // Ajv's strict mode has no open tuples, so a head with a rest is a list of either; who reads it checks which stands where.
  return { type: "array", items: { anyOf: [...items, typeSchema(rest.type.elementType, declared)] }, minItems: items.length };
};

const reference = (type: ts.TypeReferenceNode, declared: Declared): Schema => {
  const name = type.typeName.getText();
  const [first, second] = type.typeArguments ?? [];
  if (name === "Readonly" && first) return typeSchema(first, declared);
  if (name === "Record" && first?.kind === ts.SyntaxKind.StringKeyword && second)
    return { type: "object", additionalProperties: typeSchema(second, declared) };
  if (declared.has(name)) return { $ref: `#/definitions/${name}` };
  throw unsupported(type);
};

/** The doc comment before a declaration, as its description. draft-07 ignores what stands beside a $ref, hence allOf. */
const documented = (node: ts.Node, schema: Schema): Schema => {
  const [comment] = ts.getJSDocCommentsAndTags(node);
  const text = comment && ts.isJSDoc(comment) && typeof comment.comment === "string" ? comment.comment.replace(/\s+/g, " ") : undefined;
  if (text === undefined) return schema;
  return "$ref" in schema ? { description: text, allOf: [schema] } : { description: text, ...schema };
};

const unsupported = (node: ts.Node): Error => new Error(`no schema for \`${node.getText()}\` (${ts.SyntaxKind[node.kind]})`);

const documents = [
  {
    from: "job.ts",
    with: ["job-data.ts", "job-formats.ts", "score-bounds.ts"],
    root: "Job",
    to: "job.schema.json",
    title: "The job bundle: DIR/job.json",
  },
  { from: "lock.ts", with: [], root: "Lock", to: "lock.schema.json", title: "What a pipeline was planned from: FILE.lock" },
  { from: "measured.ts", with: [], root: "Measured", to: "measured.schema.json", title: "Sizes that the data decided: FILE.measured" },
  { from: "result.ts", with: ["score-bounds.ts"], root: "Result", to: "result.schema.json", title: "What a run did: DIR/result.json" },
] as const;

/** File name → content, for `generate` to write and for the tests to compare. */
export const schemas = (): ReadonlyMap<string, string> =>
  new Map(
    documents.map(({ from, with: parts, root, to, title }) => {
      const text = [from, ...parts].map((file) => readFileSync(new URL(file, import.meta.url), "utf8")).join("\n");
      const schema = { $comment: `Generated from spec/${from} by spec/schema.ts. Do not edit.`, ...schemaOf(text, root, title) };
      return [to, `${JSON.stringify(schema, undefined, 2)}\n`];
    }),
  );

if (process.argv[1] === fileURLToPath(import.meta.url))
  for (const [file, content] of schemas()) writeFileSync(new URL(file, import.meta.url), content);
