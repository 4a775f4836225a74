// What was found, in words; and where nothing is shown, why, and what would show something.

import { count, fraction, listed, NAMES } from "./figures.js";

/** "3 boxes kept", and what became of the other candidates. */
export function summaryOf({ kept, counts }, settings) {
  const gone = [
    [counts.suppressed, (n) => `${n} overlapped a better box of their class`],
    [counts.other_class, (n) => `${n} overlapped a better box of another class`],
    [counts.below_score, (n) => `${n} not above score ${fraction(settings.score_threshold)}`],
    [counts.below_iou, (n) => `${n} below IoU ${fraction(settings.min_iou)}`],
    [counts.hidden, (n) => `${n} of classes that are switched off`],
    [counts.beyond_limit, (n) => `${n} beyond the detector’s limit of ${settings.limit}`],
  ].filter(([number]) => number > 0);
  const rest = gone.map(([number, said]) => said(number)).join(" · ");
  return {
    title: count(kept.length, "box", "boxes"),
    rest: counts.candidates ? `of ${count(counts.candidates, "candidate")}${rest && `: ${rest}`}` : "",
  };
}

/**
 * Why nothing is shown: { text, change, offer }, where change is the setting that shows the best box, and offer what a
 * button says; both null where there is none.
 */
export function emptiness(candidates, { counts, shown }, settings, about, floor) {
  if (candidates.length === 0) {
    const kinds = listed(about.classes.map((each) => each.name));
    return { text: `Nothing found, not even above score ${fraction(floor)}. It knows ${kinds}.`, change: null, offer: null };
  }
  if (counts.hidden && !counts.below_iou) {
    return {
      text: `What was found is of ${counts.hidden === 1 ? "a class" : "classes"} that you switched off.`,
      change: { hidden: new Set() },
      offer: "Show all classes",
    };
  }
  if (counts.below_iou) {
    const best = bestBy(shown.map((row) => candidates[row]), "iou");
    return {
      text: `Nothing found with an IoU of at least ${fraction(settings.min_iou)}. The best fit: ${said(best, "iou")}.`,
      change: { min_iou: stepBelow(best.iou) },
      offer: `Lower it to ${fraction(stepBelow(best.iou))}`,
    };
  }
  const best = bestBy(candidates, "score");
  const lower = Math.max(stepBelow(best.score), floor);
  return {
    text: `Nothing found above score ${fraction(settings.score_threshold)}. The best of ${count(candidates.length, "candidate")}: ${said(best, "score")}.`,
    change: { score_threshold: lower },
    offer: `Lower it to ${fraction(lower)}`,
  };
}

const said = (candidate, figure) => `${candidate.label}, ${NAMES[figure]} ${fraction(candidate[figure])}`;

const bestBy = (candidates, figure) => candidates.reduce((best, each) => (each[figure] > best[figure] ? each : best));

// The next hundredth below, which the best is above.
const stepBelow = (value) => Math.max(0, Math.ceil(value * 100 - 1) / 100);

/** What the comparison with ranking by score alone says. */
export function comparisonOf({ kept, gained, lost }, settings) {
  if (settings.iou_weight === 0) return "With an IoU weight of 0 this is ranking by score alone.";
  if (!gained.size && !lost.size) return "Ranking by score alone keeps the same boxes: here is no difference.";
  const plain = kept.length - gained.size + lost.size;
  return (
    `Ranking by score alone keeps ${count(plain, "box", "boxes")}. ` +
    `Marked +: ${count(gained.size, "box", "boxes")} kept only because the IoU counts. ` +
    `Marked − and dotted: ${lost.size} that score alone would have kept instead.`
  );
}
