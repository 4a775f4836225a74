// What is kept of a picture's answer under the settings, remembered until either changes.

import { comparedWithScore } from "./compare.js";
import { rank } from "./ranking.js";

const NONE = { gained: new Set(), lost: new Set() };
const remembered = new WeakMap();

/**
 * { kept, confidence, by, counts, gained, lost, answer } of an answer's candidates; gained and lost are empty uncompared,
 * and answer is the same with the boxes that voting moved.
 */
export function keptOf(answer, settings, compare) {
  const before = remembered.get(answer);
  if (before?.settings === settings && before.compare === compare) return before.result;
  // The detector's limit is for each tile.
  const ranked = rank(answer.candidates, answer.inTiles ? { ...settings, limit: Infinity } : settings);
  const difference = compare ? comparedWithScore(answer.candidates, settings, ranked.kept) : NONE;
  const result = { ...ranked, ...difference, answer: withBoxes(answer, ranked.moved) };
  remembered.set(answer, { settings, compare, result });
  return result;
}

/**
 * The kept as POST /detect would tell them: with confidence, with figures as it rounds them, and with their masks; each
 * also with its candidate, by which decisions are known.
 */
export function detectionsOf(answer, settings) {
  const { kept, confidence, answer: told } = keptOf(answer, settings, false);
  return kept.map((row) => {
    const { box, ...figures } = told.candidates[row];
    const fewer = Object.fromEntries(
      Object.entries({ ...figures, confidence: confidence[row] }).map(([name, value]) => [name, rounded(value)]),
    );
    const candidate = answer.candidates[row];
    return { ...fewer, box: box.map((side) => Math.round(side * 100) / 100), mask: maskOf(answer, row), candidate };
  });
}

function withBoxes(answer, moved) {
  if (!moved.size) return answer;
  return { ...answer, candidates: answer.candidates.map((each, row) => (moved.has(row) ? { ...each, box: moved.get(row) } : each)) };
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

const rounded = (value) => (typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value);
