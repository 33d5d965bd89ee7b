// The metrics as the language knows them: taken from the runtime's list when the command is built, so that checking loads none of it.

import { metrics } from "../../runtime/metrics/list.ts";
import type { MetricSignature } from "../../spec/metric.ts";

export const metricSignatures: ReadonlyMap<string, MetricSignature> = new Map(
  metrics.map(({ name, says, of, parameters, scores, falling }) => [
    name,
    { name, says, of, parameters, scores, ...(falling && { falling }) },
  ]),
);
