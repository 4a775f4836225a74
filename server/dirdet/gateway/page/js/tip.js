// What is said of one box, beside it.

import { byId, make } from "./dom.js";
import { count, fraction, NAMES } from "./figures.js";

const GAP = 8;
const KINDS = {
  gained: "Kept only because the IoU counts: by score alone another box would have suppressed it, or it would not be among the first.",
  lost: "Not kept: ranking by score alone would have.",
};

/** candidate with its confidence; place: its rectangle on the screen, or null to say nothing. */
export function showTip({ candidate, confidence, kind, suppresses, place }) {
  const tip = byId("tip");
  tip.hidden = !place;
  if (!place) return;
  tip.replaceChildren(
    make("p", { class: "tip-title" }, candidate.label),
    make("dl", {}, ...figuresOf(candidate, confidence).flatMap((figure) => bar(...figure))),
    ...notes(candidate, kind, suppresses).map((note) => make("p", { class: "quiet" }, note)),
  );
  put(tip, place);
}

/** The same in one sentence, for those who hear it. */
export function sentenceOf(candidate, confidence, kind) {
  const figures = figuresOf(candidate, confidence).map(([name, value]) => `${name} ${fraction(value)}`);
  const mark = { gained: "kept only because the IoU counts, ", lost: "only by score, ", same: "" }[kind];
  return `${candidate.label}, ${mark}${figures.join(", ")}`;
}

function figuresOf({ score, purity, integrity, iou, score_calibrated: right, iou_calibrated: fit }, confidence) {
  const meant = [[NAMES.score_calibrated, right], [NAMES.iou_calibrated, fit]].filter(([, value]) => value !== null && value !== undefined);
  const fits = iou === null ? [] : [["purity", purity], ["integrity", integrity], [NAMES.iou, iou]];
  return [...meant, ["score", score], ...fits, ["confidence", confidence]];
}

function bar(name, value) {
  const part = make("span", { class: "bar-part", style: { width: `${value * 100}%` } });
  return [make("dt", {}, name), make("dd", {}, make("span", { class: "bar" }, part), fraction(value, 3))];
}

function notes(candidate, kind, suppresses) {
  const [x1, y1, x2, y2] = candidate.box.map(Math.round);
  const said = [`${x2 - x1} × ${y2 - y1} pixels at ${x1}, ${y1}`];
  if (candidate.score_calibrated !== null) {
    const right = Math.round(candidate.score_calibrated * 100);
    const fit = candidate.iou_calibrated === null ? "" : ` They cover their object with an IoU of ${fraction(candidate.iou_calibrated)} on average.`;
    said.push(`On pictures like those of its training, ${right} of 100 such boxes are right.${fit}`);
  }
  if (KINDS[kind]) said.push(KINDS[kind]);
  if (suppresses) said.push(`Suppressed ${count(suppresses, "box", "boxes")} (dashed).`);
  return said;
}

// Beside the box if there is room, else in the corner where it covers least of it. On a narrow screen CSS places it.
function put(tip, place) {
  const wrap = tip.offsetParent?.getBoundingClientRect();
  if (!wrap) return;
  const box = { left: place.left - wrap.left, right: place.right - wrap.left, top: place.top - wrap.top, bottom: place.bottom - wrap.top };
  const { offsetWidth: width, offsetHeight: height } = tip;
  const inside = (left, top) => ({
    left: Math.min(Math.max(GAP, left), Math.max(GAP, wrap.width - width - GAP)),
    top: Math.min(Math.max(GAP, top), Math.max(GAP, wrap.height - height - GAP)),
  });
  const places = [
    inside(box.right + GAP, box.top),
    inside(box.left - width - GAP, box.top),
    inside(box.left, box.bottom + GAP),
    inside(box.left, box.top - height - GAP),
    inside(0, wrap.height),
    inside(wrap.width, 0),
  ];
  const covered = places.map(({ left, top }) => {
    const across = Math.min(left + width, box.right) - Math.max(left, box.left);
    const down = Math.min(top + height, box.bottom) - Math.max(top, box.top);
    return Math.max(across, 0) * Math.max(down, 0);
  });
  const best = places[covered.indexOf(Math.min(...covered))];
  tip.style.left = `${best.left}px`;
  tip.style.top = `${best.top}px`;
}
