// What ranking by score alone, as a plain detector does, would have kept instead.

import { rank } from "./ranking.js";

/**
 * Returns { gained, lost }: Sets of positions among the candidates that only the confidence keeps, and that only the
 * score would have kept, under settings that differ in nothing else.
 */
export function comparedWithScore(candidates, settings, kept) {
  const plain = rank(candidates, { ...settings, iou_weight: 0 }).kept;
  return { gained: without(kept, plain), lost: without(plain, kept) };
}

function without(rows, others) {
  const gone = new Set(others);
  return new Set(rows.filter((row) => !gone.has(row)));
}
