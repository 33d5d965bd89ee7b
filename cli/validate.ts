// Documents against their JSON Schemas, by Ajv in strict mode: a job before it is written and before it is run, a result before it
// is shown. Loaded only where a job is.

import Ajv, { type ValidateFunction } from "ajv";
import jobSchema from "../spec/job.schema.json" with { type: "json" };
import resultSchema from "../spec/result.schema.json" with { type: "json" };
import { problemOf } from "./schema-problem.ts";

const compiled = new Map<object, ValidateFunction>();

/** What is wrong with a document, in one line; undefined when nothing is. */
const problem = (schema: object, document: unknown): string | undefined => {
  let validate = compiled.get(schema);
  if (!validate) {
    validate = new Ajv({ strict: true }).compile(schema);
    compiled.set(schema, validate);
  }
  if (validate(document)) return undefined;
  return problemOf(validate.errors);
};

export const jobProblem = (document: unknown): string | undefined => problem(jobSchema, document);
export const resultProblem = (document: unknown): string | undefined => problem(resultSchema, document);
