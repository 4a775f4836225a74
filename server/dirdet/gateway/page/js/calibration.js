// What a figure means: the maps of GET /detector's calibration, as the server applies them.

/** A map's value: linear between its knots, constant beyond them. */
export function mapped({ x, y }, value) {
  const right = x.findIndex((knot) => knot >= value);
  if (right === 0) return y[0];
  if (right < 0) return y.at(-1);
  return y[right - 1] + ((y[right] - y[right - 1]) * (value - x[right - 1])) / (x[right] - x[right - 1]);
}

/**
 * Candidates with what their figures mean once NMS keeps them: the page shows those, and its settings decide which.
 * The server's calibrated figures of a candidate are fitted to all candidates; many of them lie on one object.
 */
export function asDetections(candidates, calibration) {
  if (calibration === null) return candidates;
  const { score, iou } = calibration.detections;
  const meant = (maps, value, classId) => (maps === null || value === null ? null : mapped(maps.of_class[classId] ?? maps.pooled, value));
  return candidates.map((each) => ({
    ...each,
    score_calibrated: meant(score, each.score, each.class_id),
    iou_calibrated: meant(iou, each.iou, each.class_id),
  }));
}
