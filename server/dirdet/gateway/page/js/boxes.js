// Boxes as SVG over the picture: a line in the class's colour on a dark one, a label, and marks of the comparison.

import { colourOf } from "./colours.js";
import { draw } from "./dom.js";
import { fraction, NAMES } from "./figures.js";
import { LABEL, placeLabels, widthOf } from "./labels.js";

/** What is written at a box, and which kind it is; figure: the name of the one that the label says. */
export function boxOf(candidate, confidence, row, { gained, lost }, { figure, decided }) {
  const kind = gained.has(row) ? "gained" : lost.has(row) ? "lost" : "same";
  const mark = { gained: "+ ", lost: "− ", same: "" }[kind];
  const value = figure === "confidence" ? confidence : candidate[figure];
  return { row, kind, candidate, text: `${decided && `${decided} `}${mark}${candidate.label} · ${NAMES[figure]} ${fraction(value)}` };
}

/**
 * boxes: [{ row, kind, candidate, text }], most confident first; scale: screen pixels a picture's pixel.
 * Returns a Map by row of { frame, label }, SVG elements; labels are to lie over all frames, the first on top.
 */
export function drawBoxes(boxes, { scale, bounds }) {
  const placed = boxes.map(({ candidate, text }) => ({ ...onScreen(candidate.box, scale), text }));
  const places = placeLabels(placed, bounds);
  return new Map(
    boxes.map(({ row, kind, candidate, text }, position) => {
      const parts = partsOf(candidate, row, placed[position], scale);
      parts.frame.setAttribute("class", `box ${kind}`);
      write(parts, text, places[position]);
      return [row, parts];
    }),
  );
}

// Made once a candidate and scale: a slider that moves must not make hundreds of them anew.
const made = new WeakMap();

function partsOf(candidate, row, { x, y, width, height }, scale) {
  const before = made.get(candidate);
  if (before?.scale === scale) return before;
  const colour = colourOf(candidate.class_id);
  const sides = { x, y, width, height };
  const plate = draw("rect", { height: LABEL.height, rx: 3, style: { fill: colour } });
  const words = draw("text", { x: LABEL.padding, y: LABEL.height - 5 });
  const parts = {
    scale,
    frame: draw(
      "g",
      { "data-row": row },
      draw("rect", { ...sides, class: "casing" }),
      draw("rect", { ...sides, class: "line", style: { stroke: colour } }),
    ),
    label: draw("g", {}, plate, words),
    plate,
    words,
  };
  made.set(candidate, parts);
  return parts;
}

function write({ label, plate, words }, text, { x, y, free }) {
  label.setAttribute("class", `label${free ? "" : " crowded"}`);
  label.setAttribute("transform", `translate(${x} ${y})`);
  if (words.textContent === text) return;
  plate.setAttribute("width", widthOf(text));
  words.textContent = text;
}

/** A thin line around a candidate that was suppressed. */
export function drawGhost(candidate, scale) {
  return draw("rect", { ...onScreen(candidate.box, scale), class: "ghost" });
}

export function onScreen([x1, y1, x2, y2], scale) {
  return { x: x1 * scale, y: y1 * scale, width: (x2 - x1) * scale, height: (y2 - y1) * scale };
}
