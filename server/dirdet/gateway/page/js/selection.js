// Steps of NMS beyond the ranked one, as the server takes them: GET /detector's `selection`.

import { mapped } from "./calibration.js";
import { confidence, iouOf } from "./ranking.js";

/** What leads NMS: the confidence, or the score. */
export function leads(selection, candidate, iouWeight) {
  return selection?.cluster_by === "score" ? candidate.score : confidence(candidate.score, candidate.iou, iouWeight);
}

/** What is reported as confidence, and orders the kept. */
export function reported(selection, { score, iou }, iouWeight) {
  if (selection?.report_by === "score") return score;
  if (selection?.report_by === "calibrated") return mapped(selection.calibration.score, score) * mapped(selection.calibration.iou, iou);
  return confidence(score, iou, iouWeight);
}

/** Of each cluster the member that stands for it; by has, for each row that NMS dropped, the kept one that did it. */
export function represented({ representative }, candidates, kept, by) {
  if (representative === null) return kept;
  const fit = (row) => confidence(candidates[row].score, candidates[row].iou, representative.iou_weight);
  return kept.map((head) => {
    const near = [...by].filter(([row, owner]) => owner === head && iouOf(candidates[row].box, candidates[head].box) > representative.member_iou);
    return near.map(([row]) => row).sort((one, other) => one - other).reduce((best, row) => (fit(row) > fit(best) ? row : best), head);
  });
}

/** The voted box of a kept row, among the rows that entered NMS. */
export function voted({ voting }, candidates, rows, kept) {
  const { box, class_id: classId } = candidates[kept];
  let whole = 0;
  const moves = [0, 0, 0, 0];
  for (const row of rows) {
    const each = candidates[row];
    const overlap = each.class_id === classId ? iouOf(box, each.box) : 0;
    if (overlap <= voting.iou_threshold) continue;
    const weight = each.score * each.iou ** voting.iou_power * Math.exp(-((1 - overlap) ** 2) / voting.spread);
    whole += weight;
    each.box.forEach((side, corner) => (moves[corner] += weight * (side - box[corner])));
  }
  return whole > 0 ? box.map((side, corner) => side + moves[corner] / whole) : box;
}
