// Declarations in Python that the page follows; `make page` writes this file.

/** Members of a detection in POST /detect's answer, in order (detection/detection.py). */
export const FIELDS = [
  { name: "box", kind: "box" },
  { name: "label", kind: "text" },
  { name: "class_id", kind: "integer" },
  { name: "category_id", kind: "integer" },
  { name: "score", kind: "fraction" },
  { name: "purity", kind: "fraction" },
  { name: "integrity", kind: "fraction" },
  { name: "iou", kind: "fraction" },
  { name: "score_calibrated", kind: "fraction" },
  { name: "iou_calibrated", kind: "fraction" },
  { name: "outer_box", kind: "box" },
  { name: "confidence", kind: "fraction" },
  { name: "mask", kind: "mask" },
];

/** Of classes by class_id (detection/colours.py). */
export const CLASS_COLOURS = ["#4eb1eb", "#ff2700", "#ffebb1", "#c47689", "#9dffff", "#ebc400", "#b1b176", "#ff27b1", "#7676ff", "#ff9db1", "#89894e", "#62d8c4", "#6289b1", "#009d89", "#b1d876", "#d89d3b", "#c4ff76", "#d8c4ff", "#eb6276", "#ffc4b1", "#d8b1d8", "#62b19d", "#ff62d8", "#00ffd8"];
