// Where a picture's candidates lie along a slider, so that a range in which nothing changes is seen.

import { draw } from "./dom.js";
import { iouOf } from "./ranking.js";

const BINS = 48;
const HEIGHT = 22;
const remembered = new WeakMap();

/** Values of the candidates that each slider cuts at, by the setting's name; of min_iou those above the score. */
export function valuesOf(answer, settings) {
  if (!remembered.has(answer)) remembered.set(answer, { overlaps: overlapsOf(answer.candidates) });
  const { overlaps } = remembered.get(answer);
  const above = answer.candidates.filter((each) => each.score > settings.score_threshold);
  return {
    score_threshold: answer.candidates.map((each) => each.score),
    min_iou: above.map((each) => each.iou).filter((iou) => iou !== null),
    nms_iou_threshold: answer.candidates.flatMap((each, row) => (each.score > settings.score_threshold ? [overlaps[row]] : [])),
  };
}

/** Each candidate's highest IoU with a better scored one of its class; candidates come best scored first. */
function overlapsOf(candidates) {
  return candidates.map((each, row) =>
    candidates.slice(0, row).reduce((most, other) => (other.class_id === each.class_id ? Math.max(most, iouOf(each.box, other.box)) : most), 0),
  );
}

/** How many values lie in each of the bins from least to 1. */
export function histogramOf(values, least, bins = BINS) {
  const counts = new Array(bins).fill(0);
  for (const value of values) {
    const bin = Math.floor(((value - least) / (1 - least)) * bins);
    if (bin >= 0) counts[Math.min(bin, bins - 1)] += 1;
  }
  return counts;
}

/** An SVG element; show(values, least) draws the bars, of which a single value is seen too. */
export function createHistogram() {
  const path = draw("path");
  const element = draw("svg", { class: "histogram", viewBox: `0 0 ${BINS} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" }, path);
  let shown = "";
  return {
    element,
    show(values, least) {
      const counts = histogramOf(values, least);
      const most = Math.max(...counts, 1);
      const bars = counts.map((count, bin) => {
        const height = count ? Math.max(2, (Math.sqrt(count) / Math.sqrt(most)) * HEIGHT) : 0;
        return height ? `M${bin} ${HEIGHT}v${-height.toFixed(1)}h.9V${HEIGHT}z` : "";
      });
      const drawn = bars.join("");
      if (drawn !== shown) path.setAttribute("d", (shown = drawn));
    },
  };
}
