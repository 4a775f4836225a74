// Kept boxes as comma-separated values, by RFC 4180.

const FIGURES = ["score", "purity", "integrity", "iou", "confidence", "score_calibrated", "iou_calibrated"];
const COLUMNS = ["file", "label", "class_id", "category_id", "x1", "y1", "x2", "y2", ...FIGURES];

/** images: as in coco.js. Pixels with two decimals; what a detector does not predict is empty. */
export function csvOf(images) {
  const rows = images.flatMap(({ name, detections }) =>
    detections.map((found) => [
      name,
      found.label,
      found.class_id,
      found.category_id,
      ...found.box.map((side) => side.toFixed(2)),
      ...FIGURES.map((figure) => found[figure] ?? ""),
    ]),
  );
  return [COLUMNS, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

function cell(value) {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
