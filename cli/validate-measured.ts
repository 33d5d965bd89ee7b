// FILE.measured against its JSON Schema. Apart from validate.ts, whose schemas a check never needs.

import Ajv from "ajv";
import schema from "../spec/measured.schema.json" with { type: "json" };
import { problemOf } from "./schema-problem.ts";

const validate = new Ajv({ strict: true }).compile(schema);

/** What is wrong with a document, in one line; undefined when nothing is. */
export const measuredProblem = (document: unknown): string | undefined => (validate(document) ? undefined : problemOf(validate.errors));
