// The picture with its boxes: as large as there is room, zoomed, pointed at, walked through by keys.

import { boxOf, drawBoxes, drawGhost } from "./boxes.js";
import { byId, draw, make } from "./dom.js";
import { maskOf } from "./kept.js";
import { paintMasks } from "./masks.js";
import { hits } from "./pointing.js";
import { markOf } from "./review.js";

const MAX_ENLARGED = 3; // a small picture is shown no larger than this
const MARGIN = 12; // pixels around the picture
const MAX_VEIL = 1600; // pixels of the masks' longer side

/** point(row), pick(row), step(direction): what a person does on it; rows are positions among candidates, or null. */
export function createStage({ point, pick, step }) {
  const stage = byId("stage");
  const photo = make("img", { class: "photo", alt: "" });
  const veil = make("canvas", { class: "veil", "aria-hidden": "true" });
  const svg = draw("svg", { class: "boxes", "aria-hidden": "true" });
  const ghosts = draw("g");
  const frames = draw("g");
  const names = draw("g");
  svg.append(ghosts, frames, names);
  const frame = make("div", { class: "frame" }, photo, veil, svg);
  stage.append(frame);
  let shown = null;
  let drawn = { byRow: new Map(), scale: 1, boxes: [] };

  svg.addEventListener("pointermove", (event) => {
    if (event.pointerType === "mouse") point(hits(event, svg, drawn)[0] ?? null);
  });
  svg.addEventListener("pointerleave", () => point(null));
  svg.addEventListener("click", (event) => {
    const under = hits(event, svg, drawn);
    // Again at the same place: the next larger box that lies there.
    const at = under.indexOf(shown.picked);
    pick(under.length ? under[(at + 1) % under.length] : null);
  });
  stage.addEventListener("keydown", (event) => {
    const direction = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -Infinity, End: Infinity }[event.key];
    if (direction) step(direction);
    else if (event.key === "Escape") pick(null);
    else return;
    event.preventDefault();
  });
  stage.addEventListener("focus", () => stage.matches(":focus-visible") && shown?.picked === null && step(1));

  /** view: { picture, answer, result, labels, figure, decisions, masks, zoom, pointed, picked } */
  function show(view) {
    const redraw = ["picture", "answer", "result", "labels", "figure", "decisions", "masks", "zoom"].some((name) => view[name] !== shown?.[name]);
    shown = view;
    if (redraw) redrawAll();
    highlight();
  }

  function redrawAll() {
    const { picture, answer, result, labels, figure, decisions } = shown;
    const { width, height, candidates } = answer;
    if (photo.src !== picture.url) photo.src = picture.url;
    photo.alt = picture.name;
    stage.setAttribute("aria-label", `${picture.name} with boxes`);
    const room = { width: stage.clientWidth - 2 * MARGIN, height: stage.clientHeight - 2 * MARGIN };
    const fit = Math.min(room.width / width, room.height / height, MAX_ENLARGED);
    const scale = fit * shown.zoom;
    const bounds = { width: width * scale, height: height * scale };
    frame.style.width = `${bounds.width}px`;
    frame.style.height = `${bounds.height}px`;
    const boxes = [...result.kept, ...result.lost].map((row) =>
      boxOf(candidates[row], result.confidence[row], row, result, { figure, decided: markOf(decisions, picture.answer.candidates[row]) }),
    );
    const byRow = drawBoxes(boxes, { scale, bounds });
    const last = [...byRow.values()].reverse(); // the most confident on top
    frames.replaceChildren(...last.map((each) => each.frame));
    names.replaceChildren(...last.map((each) => each.label));
    svg.classList.toggle("bare", !labels);
    drawn = { byRow, scale, boxes };
    paintVeil(answer, result.kept, shown.masks);
  }

  function paintVeil(answer, kept, wanted) {
    const masks = wanted
      ? kept.map((row) => ({ mask: maskOf(answer, row), classId: answer.candidates[row].class_id })).filter((each) => each.mask)
      : [];
    veil.hidden = masks.length === 0;
    if (veil.hidden) return;
    const shrunk = Math.min(1, MAX_VEIL / Math.max(answer.width, answer.height));
    veil.width = Math.round(answer.width * shrunk);
    veil.height = Math.round(answer.height * shrunk);
    const context = veil.getContext("2d");
    context.scale(shrunk, shrunk);
    paintMasks(context, masks);
  }

  function highlight() {
    const hot = shown.pointed ?? shown.picked;
    svg.classList.toggle("has-hot", drawn.byRow.has(hot));
    for (const [row, { frame, label }] of drawn.byRow) {
      for (const part of [frame, label]) part.classList.toggle("hot", row === hot);
      frame.classList.toggle("picked", row === shown.picked);
    }
    const { candidates } = shown.answer;
    const gone = [...shown.result.by].filter(([, winner]) => winner === hot).map(([row]) => row);
    ghosts.replaceChildren(...gone.map((row) => drawGhost(candidates[row], drawn.scale)));
  }

  return {
    show,
    redraw: () => shown && (redrawAll(), highlight()),
    /** Where a box is on the screen; null where it is not drawn. */
    placeOf: (row) => drawn.byRow.get(row)?.frame.lastChild.getBoundingClientRect() ?? null,
    reveal(row) {
      drawn.byRow.get(row)?.frame.lastChild.scrollIntoView({ block: "nearest", inline: "nearest" });
    },
  };
}
