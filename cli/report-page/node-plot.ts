// Plots -> SVG text. Vega draws without a screen; it is loaded when a report is made, and never else. Ids inside a picture are made its
// own, so that many can stand on one page.

import type { Plot } from "./plots.ts";

const config = {
  background: "transparent",
  font: "system-ui, sans-serif",
  axis: {
    labelColor: "#57606a",
    titleColor: "#57606a",
    titleFontWeight: "normal" as const,
    domainColor: "#8c959f",
    gridColor: "#d0d7de",
    gridOpacity: 0.5,
    tickColor: "#8c959f",
  },
  legend: { labelColor: "#57606a", titleColor: "#57606a", orient: "right" as const },
  text: { color: "#57606a", fontSize: 11 },
  mark: { color: "#0969da" },
  line: { color: "#0969da" },
  point: { color: "#0969da" },
  rule: { color: "#0969da" },
  view: { stroke: null },
  range: { category: ["#0969da", "#bf3989", "#1a7f37", "#bc4c00", "#8250df", "#0598bc", "#9a6700", "#cf222e", "#57606a", "#6639ba"] },
};

export const drawPlot = async ({ spec }: Plot, name: string): Promise<string> => {
  const [{ parse, View }, { compile }] = await Promise.all([import("vega"), import("vega-lite")]);
  const view = new View(parse(compile(spec, { config }).spec), { renderer: "none" });
  try {
    const svg = await view.toSVG();
    return svg.replace(/\b(id="|url\(#|href="#)/g, `$1${name}-`);
  } finally {
    view.finalize();
  }
};
