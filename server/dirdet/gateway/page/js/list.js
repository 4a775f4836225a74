// The boxes as a list beside the picture; pointing at a row and at its box is the same.

import { colourOf } from "./colours.js";
import { byId, make } from "./dom.js";
import { fraction } from "./figures.js";
import { markOf } from "./review.js";
import { sentenceOf } from "./tip.js";

const FITS = ["score", "purity", "integrity", "iou"];
// Where there is a calibration it leads: how probably a box is right, and how well it is expected to fit.
const MEANT = ["score_calibrated", "iou_calibrated", "score", "iou"];
const SHORT = {
  score_calibrated: "right", iou_calibrated: "fit", score: "score", purity: "purity", integrity: "integr.", iou: "IoU", confidence: "conf.",
};
const MARKS = { gained: "+", lost: "−", same: "" };

/** point(row), pick(row), step(direction), as the stage's. */
export function createList({ point, pick, step }) {
  const list = byId("list");
  let options = new Map();
  let drawnOf = null;

  const rowOf = (event) => {
    const row = event.target.closest("[data-row]")?.dataset.row;
    return row === undefined ? null : Number(row);
  };
  list.addEventListener("pointermove", (event) => event.pointerType === "mouse" && point(rowOf(event)));
  list.addEventListener("pointerleave", () => point(null));
  list.addEventListener("click", (event) => pick(rowOf(event)));
  list.addEventListener("keydown", (event) => {
    const direction = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity, PageDown: 10, PageUp: -10 }[event.key];
    if (direction) step(direction);
    else if (event.key === "Escape") pick(null);
    else return;
    event.preventDefault();
  });

  /** view: { answer, own, result, decisions, pointed, picked }; own: the candidates before voting, which decisions are of */
  function show({ answer, own, result, decisions, pointed, picked }) {
    const rows = [...result.kept, ...result.lost];
    byId("table").hidden = rows.length === 0;
    if (drawnOf !== result) fill(rows, answer.candidates, result);
    for (const [row, option] of options) {
      const decided = markOf(decisions, own[row]);
      if (option.dataset.decided !== decided) option.dataset.decided = decided;
      option.classList.toggle("hot", row === (pointed ?? picked));
      option.setAttribute("aria-selected", row === picked);
    }
    if (options.has(picked)) list.setAttribute("aria-activedescendant", options.get(picked).id);
    else list.removeAttribute("aria-activedescendant");
  }

  function fill(rows, candidates, result) {
    drawnOf = result;
    const plain = candidates.every((each) => each.iou === null);
    const calibrated = candidates.some((each) => each.score_calibrated !== null);
    const meant = calibrated ? MEANT.filter((name) => !plain || name.startsWith("score")) : null;
    const names = [...(meant ?? (plain ? ["score"] : FITS)), ...(plain ? [] : ["confidence"])];
    byId("columns").replaceChildren(make("span"), ...names.map((name) => make("span", {}, SHORT[name])));
    options = new Map(rows.map((row) => [row, optionOf(row, candidates[row], result, names)]));
    list.replaceChildren(...options.values());
  }

  return {
    show,
    reveal(row) {
      options.get(row)?.scrollIntoView({ block: "nearest" });
    },
  };
}

/** same, gained or lost: whether ranking by score alone keeps it too. */
export function kindOf(row, { gained, lost }) {
  return gained.has(row) ? "gained" : lost.has(row) ? "lost" : "same";
}

// Rows are made once a candidate: a slider that moves must not make hundreds of them anew.
const made = new WeakMap();

function optionOf(row, candidate, result, names) {
  const confidence = result.confidence[row];
  const kind = kindOf(row, result);
  if (!made.has(candidate)) made.set(candidate, newOption(row, candidate, names));
  const { option, mark, last } = made.get(candidate);
  option.className = `row ${kind}`;
  option.setAttribute("aria-label", sentenceOf(candidate, confidence, kind));
  mark.textContent = MARKS[kind];
  if (last) last.textContent = fraction(confidence);
  return option;
}

function newOption(row, candidate, names) {
  const swatch = make("span", { class: "swatch", style: { backgroundColor: colourOf(candidate.class_id) } });
  const mark = make("b", { class: "mark" });
  const figures = names.map((name) => make("span", { class: `figure ${name}` }, fraction(candidate[name])));
  const label = make("span", { class: "row-label" }, swatch, mark, candidate.label);
  const option = make("li", { id: `row-${row}`, role: "option", "data-row": row }, label, ...figures);
  return { option, mark, last: names.at(-1) === "confidence" ? figures.at(-1) : null };
}
