// How figures are written for people.

/** A fraction with two decimals, "–" where there is none. Never "1.00" for less than one. */
export function fraction(value, digits = 2) {
  if (value === null || value === undefined) return "–";
  const written = value.toFixed(digits);
  return value < 1 && Number(written) === 1 ? (1 - 10 ** -digits).toFixed(digits) : written;
}

/** What a detection's figures are called on the page. */
export const NAMES = {
  score_calibrated: "right", iou_calibrated: "fit", score: "score", purity: "purity", integrity: "integrity", iou: "IoU",
  confidence: "confidence",
};

/** "1 box", "2 boxes". */
export function count(number, one, many = `${one}s`) {
  return `${number} ${number === 1 ? one : many}`;
}

/** "3.2 MiB". */
export function mebibytes(bytes) {
  return `${Number((bytes / 2 ** 20).toFixed(1))} MiB`;
}

/** "bird, fish and tool". */
export function listed(words) {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}
