// A metric by name with some of its settings, the rest as the language gives them: what the tests call.

import { metrics } from "../../runtime/metrics/list.ts";
import { type Item, type MetricSettings, scoreItems, type TextMetric } from "../../runtime/metrics/metric.ts";

export const textMetric = (name: string): TextMetric => {
  const found = metrics.find((metric) => metric.name === name);
  if (found?.of !== "text") throw new Error(`no metric of text is called ${name}`);
  return found;
};

export const withDefaults = (metric: TextMetric, settings: MetricSettings = {}): MetricSettings => {
  for (const name of Object.keys(settings))
    if (!metric.parameters.some((parameter) => parameter.name === name)) throw new Error(`${metric.name} has no setting ${name}`);
  return { ...Object.fromEntries(metric.parameters.map((parameter) => [parameter.name, parameter.default])), ...settings };
};

export const score = (name: string, items: readonly Item[], settings: MetricSettings = {}): Readonly<Record<string, number>> => {
  const metric = textMetric(name);
  return scoreItems(metric.make(withDefaults(metric, settings)), items);
};
