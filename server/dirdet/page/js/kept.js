// What is kept of a picture's answer under the settings, remembered until either changes.

import { comparedWithScore } from "./compare.js";
import { rank } from "./ranking.js";

const NONE = { gained: new Set(), lost: new Set() };
const remembered = new WeakMap();

/** { kept, confidence, by, counts, gained, lost } of an answer's candidates; gained and lost are empty uncompared. */
export function keptOf(answer, settings, compare) {
  const before = remembered.get(answer);
  if (before?.settings === settings && before.compare === compare) return before.result;
  const ranked = rank(answer.candidates, settings);
  const difference = compare ? comparedWithScore(answer.candidates, settings, ranked.kept) : NONE;
  const result = { ...ranked, ...difference };
  remembered.set(answer, { settings, compare, result });
  return result;
}

/** The kept as POST /detect would tell them: with confidence, with figures as it rounds them, and with their masks. */
export function detectionsOf(answer, settings) {
  const { kept, confidence } = keptOf(answer, settings, false);
  return kept.map((row) => {
    const { box, ...figures } = answer.candidates[row];
    const rounded = Object.fromEntries(
      Object.entries({ ...figures, confidence: confidence[row] }).map(([name, value]) => [name, told(value)]),
    );
    return { ...rounded, box: box.map((side) => Math.round(side * 100) / 100), mask: maskOf(answer, row) };
  });
}

/** The mask of a candidate; null where the detector has none, or not of this one. */
export function maskOf(answer, row) {
  answer.masks ??= masksOf(answer);
  return answer.masks.get(row) ?? null;
}

// The server draws masks of what it kept itself: the candidate of the same class that lies where the detection does.
function masksOf(answer) {
  const masks = new Map();
  for (const found of answer.detections.filter((each) => each.mask)) {
    const row = answer.candidates.findIndex(
      (each) =>
        each.class_id === found.class_id &&
        !masks.has(answer.candidates.indexOf(each)) &&
        each.box.every((side, corner) => Math.abs(side - found.box[corner]) < 0.0051),
    );
    if (row >= 0) masks.set(row, found.mask);
  }
  return masks;
}

const told = (value) => (typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value);
