// What ranking by score alone, as a plain detector does, would have kept instead.

import { rank } from "./ranking.js";

/**
 * Returns { gained, lost }: Sets of positions among the candidates that only the confidence keeps, and that only the
 * score would have kept, under settings that differ in nothing else.
 */
export function comparedWithScore(candidates, settings, kept) {
  const plain = rank(candidates, { ...settings, iou_weight: 0, selection: null }).kept;
  return { gained: without(kept, plain), lost: without(plain, kept) };
}

/**
 * Where there is no difference: the highest lower score threshold at which there is one, and of how many boxes; null if
 * there is none down to the floor.
 */
export function differsBelow(candidates, settings, floor) {
  for (const score of [0.3, 0.2, 0.1, floor].filter((each) => each < settings.score_threshold)) {
    const lower = { ...settings, score_threshold: score };
    const { gained, lost } = comparedWithScore(candidates, lower, rank(candidates, lower).kept);
    if (gained.size || lost.size) return { score, boxes: gained.size + lost.size };
  }
  return null;
}

function without(rows, others) {
  const gone = new Set(others);
  return new Set(rows.filter((row) => !gone.has(row)));
}
