// Diagnostics -> SARIF 2.1.0, which code scanning services read.

import type { Span } from "../../grammar/tree.ts";
import type { Diagnostic, Fix } from "../../spec/diagnostic.ts";
import { placeOf, sentences, type TextOf } from "./place.ts";

export const renderSarif = (found: readonly Diagnostic[], text: TextOf, version: string): string => {
  const location = (at: Span, message?: string) => {
    const { file, start, end } = placeOf(at, text);
    return {
      physicalLocation: {
        artifactLocation: { uri: file.split("/").map(encodeURIComponent).join("/") },
        region: { startLine: start.line, startColumn: start.column, endLine: end.line, endColumn: end.column },
      },
      ...(message && { message: { text: message } }),
    };
  };
  const change = ({ at, insert, title }: Fix) => {
    const { artifactLocation, region } = location(at).physicalLocation;
    return {
      description: { text: title },
      artifactChanges: [{ artifactLocation, replacements: [{ deletedRegion: region, insertedContent: { text: insert } }] }],
    };
  };
  const rules = [...new Set(found.map(({ code }) => code))].sort();
  const log = {
    $schema: "https://json.schemastore.org/sarif-2.1.0.json",
    version: "2.1.0",
    runs: [
      {
        tool: { driver: { name: "peft", semanticVersion: version, rules: rules.map((id) => ({ id })) } },
        columnKind: "utf16CodeUnits",
        results: found.map((diagnostic) => ({
          ruleId: diagnostic.code,
          ruleIndex: rules.indexOf(diagnostic.code),
          level: diagnostic.severity,
          message: { text: sentences(diagnostic).join("\n") },
          locations: diagnostic.at ? [location(diagnostic.at, diagnostic.label)] : [],
          relatedLocations: diagnostic.notes.flatMap((note) => (note.at ? [location(note.at, note.message)] : [])),
          ...(diagnostic.fixes.length > 0 && { fixes: diagnostic.fixes.map(change) }),
        })),
      },
    ],
  };
  return `${JSON.stringify(log, undefined, 2)}\n`;
};
