// The review of all pictures' boxes, the most doubtful first: a person accepts or rejects each, by buttons or keys.

import { announce, byId } from "./dom.js";
import { count } from "./figures.js";
import { keptOf } from "./kept.js";

export const ACCEPTED = "accepted";
export const REJECTED = "rejected";
const MARKS = { [ACCEPTED]: "✓", [REJECTED]: "✕" };
const KEYS = { a: "accept", r: "reject", u: "undo" };

/** What a person decided of a candidate, as a mark; empty where nothing is decided. */
export const markOf = (decisions, candidate) => MARKS[decisions.get(candidate)] ?? "";

/** [{ picture, row, candidate }] of the kept boxes of all pictures that are done, the least confident first. */
export function queueOf(pictures, settings) {
  const boxes = pictures.filter((each) => each.state === "done").flatMap((picture) => {
    const { kept, confidence } = keptOf(picture.answer, settings, false);
    return kept.map((row) => ({ picture, row, candidate: picture.answer.candidates[row], confidence: confidence[row] }));
  });
  return boxes.sort((one, other) => one.confidence - other.confidence);
}

/** The same detections with `review`, once anything is decided: accepted, rejected or unreviewed. */
export function reviewed(detections, decisions) {
  if (!decisions.size) return detections;
  return detections.map(({ candidate, ...found }) => ({ ...found, review: decisions.get(candidate) ?? "unreviewed" }));
}

/** look(picture, row) shows a box. */
export function openReview({ store, look }) {
  let history = [];
  const buttons = { accept: byId("accept"), reject: byId("reject"), undo: byId("undo") };
  const queue = () => queueOf(store.get().pictures, store.get().settings);
  const acts = { accept: () => decide(ACCEPTED), reject: () => decide(REJECTED), undo };

  function decide(decision) {
    const { current, picked, decisions } = store.get();
    const at = queue().findIndex((each) => each.picture === current && each.row === picked);
    if (at < 0) return lookAtNext(0);
    const { candidate } = queue()[at];
    history.push({ picture: current, row: picked, candidate });
    store.set({ decisions: new Map(decisions).set(candidate, decision) });
    lookAtNext(at + 1);
  }

  function undo() {
    const last = history.pop();
    if (!last) return;
    const decisions = new Map(store.get().decisions);
    decisions.delete(last.candidate);
    store.set({ decisions });
    if (store.get().pictures.includes(last.picture)) look(last.picture, last.row);
  }

  // From a place in the queue on, then from its beginning: the next that nothing is decided of.
  function lookAtNext(from) {
    const all = queue();
    const next = [...all.slice(from), ...all.slice(0, from)].find(({ candidate }) => !store.get().decisions.has(candidate));
    if (next) look(next.picture, next.row);
    else announce("Every box is decided.");
  }

  byId("review-switch").addEventListener("click", () => {
    store.set({ reviewing: !store.get().reviewing });
    if (store.get().reviewing) lookAtNext(0);
  });
  for (const [name, button] of Object.entries(buttons)) button.addEventListener("click", acts[name]);
  document.addEventListener("keydown", (event) => {
    if (!store.get().reviewing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input:not([type=checkbox], [type=range]), select, dialog")) return;
    const act = acts[KEYS[event.key.toLowerCase()]];
    if (!act) return;
    event.preventDefault();
    act();
  });

  return {
    show({ reviewing, decisions, settings, pictures }) {
      const boxes = settings === null ? [] : queueOf(pictures, settings);
      byId("review").hidden = boxes.length === 0 && !reviewing;
      byId("review-switch").textContent = reviewing ? "End the review" : "Review the boxes";
      byId("review-switch").setAttribute("aria-pressed", reviewing);
      for (const button of Object.values(buttons)) button.hidden = !reviewing;
      buttons.undo.disabled = history.length === 0;
      if (!reviewing && !decisions.size) {
        byId("review-says").textContent = `${count(boxes.length, "box", "boxes")} of all pictures, the most doubtful first.`;
        return;
      }
      const of = (decision) => boxes.filter(({ candidate }) => decisions.get(candidate) === decision).length;
      const [accepted, rejected] = [of(ACCEPTED), of(REJECTED)];
      const left = boxes.length - accepted - rejected;
      byId("review-says").textContent =
        `${accepted} accepted, ${rejected} rejected, ${left} left. ` +
        "Rejected boxes stay out of COCO JSON and pictures; the CSV says what was decided.";
    },
  };
}
