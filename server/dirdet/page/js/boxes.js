// Boxes as SVG over the picture: a line in the class's colour on a dark one, a label, and marks of the comparison.

import { colourOf } from "./colours.js";
import { draw } from "./dom.js";
import { fraction } from "./figures.js";
import { LABEL, placeLabels, widthOf } from "./labels.js";

/** What is written at a box, and which kind it is. */
export function boxOf(candidate, confidence, row, { gained, lost }) {
  const kind = gained.has(row) ? "gained" : lost.has(row) ? "lost" : "same";
  const mark = { gained: "+ ", lost: "− ", same: "" }[kind];
  return { row, kind, candidate, text: `${mark}${candidate.label} ${fraction(confidence)}` };
}

/**
 * boxes: [{ row, kind, candidate, text }], most confident first; scale: screen pixels a picture's pixel.
 * Returns a Map by row of { frame, label }, SVG elements; labels are to lie over all frames, the first on top.
 */
export function drawBoxes(boxes, { scale, bounds }) {
  const placed = boxes.map(({ candidate, text }) => ({ ...onScreen(candidate.box, scale), text }));
  const places = placeLabels(placed, bounds);
  const drawn = new Map();
  boxes.forEach(({ row, kind, candidate, text }, position) => {
    const colour = colourOf(candidate.class_id);
    const { x, y, width, height } = placed[position];
    drawn.set(row, {
      frame: frame({ x, y, width, height }, kind, colour, row),
      label: label(places[position], text, colour),
    });
  });
  return drawn;
}

function frame(sides, kind, colour, row) {
  const casing = draw("rect", { ...sides, class: "casing" });
  const line = draw("rect", { ...sides, class: "line", style: { stroke: colour } });
  return draw("g", { class: `box ${kind}`, "data-row": row }, casing, line);
}

function label({ x, y, free }, text, colour) {
  return draw(
    "g",
    { class: `label${free ? "" : " crowded"}`, transform: `translate(${x} ${y})` },
    draw("rect", { width: widthOf(text), height: LABEL.height, rx: 3, style: { fill: colour } }),
    draw("text", { x: LABEL.padding, y: LABEL.height - 5 }, text),
  );
}

/** A thin line around a candidate that was suppressed. */
export function drawGhost(candidate, scale) {
  return draw("rect", { ...onScreen(candidate.box, scale), class: "ghost" });
}

export function onScreen([x1, y1, x2, y2], scale) {
  return { x: x1 * scale, y: y1 * scale, width: (x2 - x1) * scale, height: (y2 - y1) * scale };
}
