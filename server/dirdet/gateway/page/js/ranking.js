// The rule by which an answer's candidates become detections: the server's, as GET /openapi.json states it.

import { leads, reported, represented, voted } from "./selection.js";

/** score^(1-w) * iou^w; the score alone where no iou is predicted. */
export function confidence(score, iou, iouWeight) {
  return iou === null ? score : score ** (1 - iouWeight) * iou ** iouWeight;
}

/** IoU of two boxes [x1, y1, x2, y2]; 0 where both are empty. */
export function iouOf(one, other) {
  const width = Math.min(one[2], other[2]) - Math.max(one[0], other[0]);
  const height = Math.min(one[3], other[3]) - Math.max(one[1], other[1]);
  const overlap = Math.max(width, 0) * Math.max(height, 0);
  const union = area(one) + area(other) - overlap;
  return union > 0 ? overlap / union : 0;
}

const area = (box) => (box[2] - box[0]) * (box[3] - box[1]);

/**
 * NMS, class by class: of boxes that overlap by more than the threshold the highest ranked stays.
 * rows are positions among the candidates, highest rank first. Returns { kept, by }: the rows that stay, in their
 * order, and for each row that goes the one that suppresses it.
 */
export function suppress(candidates, rows, iouThreshold) {
  const kept = [];
  const keptOfClass = new Map();
  const by = new Map();
  for (const row of rows) {
    const { box, class_id: classId } = candidates[row];
    if (!keptOfClass.has(classId)) keptOfClass.set(classId, []);
    const rivals = keptOfClass.get(classId);
    const winner = rivals.find((rival) => iouOf(candidates[rival].box, box) > iouThreshold);
    if (winner === undefined) {
      kept.push(row);
      rivals.push(row);
    } else {
      by.set(row, winner);
    }
  }
  return { kept, by };
}

/** NMS over all classes of what NMS of each class kept, as `nms=class-agnostic` asks for; by gets who suppressed whom. */
function overClasses(candidates, rows, iouThreshold, by) {
  const anyClass = candidates.map(({ box }) => ({ box, class_id: 0 }));
  const again = suppress(anyClass, rows, iouThreshold);
  for (const [row, winner] of again.by) by.set(row, winner);
  return again.kept;
}

/**
 * What of the candidates is kept.
 * settings: { score_threshold, nms_iou_threshold, iou_weight, min_iou, hidden (a Set of class_ids), limit, nms }, where
 * limit is max_detections and selection the steps of GET /detector, null or absent where there are none.
 * Returns { kept, shown, confidence, by, counts }: positions of the kept, most confident first, and of those kept if no
 * iou were asked for; every candidate's confidence; who suppressed whom; the boxes that voting moved, by position; and
 * how many went at each step.
 */
export function rank(candidates, settings) {
  const selection = settings.selection ?? null;
  const figures = candidates.map((each) => reported(selection, each, settings.iou_weight));
  const leading = selection === null ? figures : candidates.map((each) => leads(selection, each, settings.iou_weight));
  // The network compares in float32, and what it says is told with a float32's digits.
  const floor = Math.fround(settings.score_threshold);
  const above = [...candidates.keys()].filter((row) => Math.fround(candidates[row].score) > floor);
  above.sort((one, other) => leading[other] - leading[one]);
  const { kept: heads, by } = suppress(candidates, above, settings.nms_iou_threshold);
  const survivors = selection === null ? heads : represented(selection, candidates, heads, by);
  if (selection !== null) survivors.sort((one, other) => figures[other] - figures[one]);
  const first = survivors.slice(0, settings.limit);
  const alone = settings.nms === "class-agnostic" ? overClasses(candidates, first, settings.nms_iou_threshold, by) : first;
  const shown = alone.filter((row) => !settings.hidden.has(candidates[row].class_id));
  const kept = shown.filter((row) => candidates[row].iou === null || candidates[row].iou >= settings.min_iou);
  const moved = new Map(selection?.voting ? kept.map((row) => [row, voted(selection, candidates, above, row)]) : []);
  return {
    kept,
    shown,
    confidence: figures,
    by,
    moved,
    counts: {
      candidates: candidates.length,
      below_score: candidates.length - above.length,
      suppressed: above.length - survivors.length,
      beyond_limit: survivors.length - first.length,
      other_class: first.length - alone.length,
      hidden: alone.length - shown.length,
      below_iou: shown.length - kept.length,
    },
  };
}
