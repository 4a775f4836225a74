// From the state to what is seen: which parts show what.

import { announce, byId, make } from "./dom.js";
import { differsBelow } from "./compare.js";
import { count } from "./figures.js";
import { keptOf } from "./kept.js";
import { createLegend } from "./legend.js";
import { createList, kindOf } from "./list.js";
import { floorOf } from "./pictures.js";
import { createStage } from "./stage.js";
import { comparisonOf, emptiness, summaryOf } from "./summary.js";
import { sentenceOf, showTip } from "./tip.js";
import { createWaiting } from "./waiting.js";

const SAID_AFTER_MS = 600; // a slider that moves is not talked over

export function createView({ store, sliders, gallery, review, change, retry, remove, askKey }) {
  const handlers = { point, pick, step };
  const stage = createStage(handlers);
  const list = createList(handlers);
  const legend = createLegend((classId) => {
    const { hidden } = store.get().settings;
    const next = new Set(hidden);
    if (!next.delete(classId)) next.add(classId);
    change({ hidden: next });
  });
  const waiting = createWaiting({ retry, remove, askKey });
  let saidLater = null;
  let said = "";

  // Only what is drawn can be pointed at: a threshold may have taken it away meanwhile.
  const drawnRows = (state) => {
    if (state.current?.state !== "done") return [];
    const { kept, lost } = resultOf(state);
    return [...kept, ...lost];
  };
  const resultOf = (state) => keptOf(state.current.answer, state.settings, state.compare);

  function point(row) {
    store.set({ pointed: row });
    if (row !== null) list.reveal(row);
  }

  function pick(row) {
    store.set({ picked: row });
    if (row === null) return;
    list.reveal(row);
    const state = store.get();
    const result = resultOf(state);
    announce(sentenceOf(result.answer.candidates[row], result.confidence[row], kindOf(row, result)));
  }

  function step(direction) {
    const state = store.get();
    const rows = drawnRows(state);
    if (!rows.length) return;
    const at = rows.indexOf(state.picked);
    const next = at < 0 ? (direction > 0 ? Math.min(direction - 1, rows.length - 1) : rows.length - 1) : at + direction;
    const row = rows[Math.min(Math.max(next, 0), rows.length - 1)];
    store.set({ pointed: null });
    pick(row);
    stage.reveal(row);
  }

  function show(state) {
    const some = state.pictures.length > 0;
    byId("welcome").hidden = some;
    byId("work").hidden = !some;
    byId("add").hidden = !some;
    document.body.classList.toggle("working", some);
    if (!some || !state.current) return;
    const done = state.current.state === "done" && state.settings !== null;
    gallery.show(state.pictures, state.current, (picture) => keptOf(picture.answer, state.settings, state.compare).kept.length);
    waiting.show(state.current);
    if (state.settings) sliders.show(state.settings, done ? state.current.answer : null);
    byId("agnostic").checked = state.settings?.nms === "class-agnostic";
    showCaption(state);
    review.show(state);
    for (const id of ["copy-coco", "save-csv", "save-picture"]) byId(id).disabled = !done;
    byId("stage").classList.toggle("off", !done);
    if (done) showAnswer(state);
    else showNothing(state.current);
  }

  function showNothing(picture) {
    showTip({ place: null });
    byId("summary").textContent = picture.name;
    byId("funnel").textContent = "";
    for (const id of ["empty", "table", "legend", "compare-says"]) byId(id).hidden = true;
  }

  function showAnswer(state) {
    const { current, settings, compare, pointed, picked, zoom, labels, figure, decisions, masks } = state;
    const result = resultOf(state);
    const { answer } = result;
    const drawn = new Set(drawnRows(state));
    const hot = { pointed: drawn.has(pointed) ? pointed : null, picked: drawn.has(picked) ? picked : null };
    stage.show({ picture: current, answer, result, labels, figure, decisions, masks, zoom, ...hot });
    list.show({ answer, own: current.answer.candidates, result, decisions, ...hot });
    legend.show({ answer, result, settings }, state.about.classes.map((each) => each.name));
    const { title, rest } = summaryOf(result, settings);
    byId("summary").textContent = title;
    byId("funnel").textContent = rest + limitNote(answer, state.about);
    showEmpty(state, result);
    const comparison = byId("compare-says");
    comparison.hidden = !compare;
    if (compare) showComparison(comparison, result, state);
    tell(hot, result, answer);
    sayLater(`${current.name}: ${title} ${rest}${compare ? ` ${comparison.textContent}` : ""}`);
  }

  /** In words; where nothing differs, with a way to where something does. */
  function showComparison(comparison, result, { current, settings, about }) {
    const text = comparisonOf(result, settings);
    const same = !result.gained.size && !result.lost.size && settings.iou_weight > 0;
    const elsewhere = same ? differsBelow(current.answer.candidates, settings, floorOf(about)) : null;
    const key = `${text}${elsewhere?.score}`;
    if (comparison.dataset.key === key) return;
    comparison.dataset.key = key;
    const offer = elsewhere && make("button", { type: "button", class: "plain" }, `Lower the score to ${elsewhere.score.toFixed(2)}, where ${count(elsewhere.boxes, "box differs", "boxes differ")}`);
    offer?.addEventListener("click", () => change({ score_threshold: elsewhere.score }));
    const none = same && !elsewhere ? " Nor is there one at any lower score." : "";
    comparison.replaceChildren(make("p", {}, text + none), ...(offer ? [offer] : []));
  }

  function showCaption({ pictures, current }) {
    const number = pictures.indexOf(current) + 1;
    byId("caption").replaceChildren(...(pictures.length > 1 ? [make("span", { class: "quiet" }, `${number} of ${pictures.length} `)] : []), make("strong", {}, current.name));
    byId("caption").title = current.name;
    for (const id of ["previous", "next"]) byId(id).hidden = pictures.length < 2;
    byId("previous").disabled = number === 1;
    byId("next").disabled = number === pictures.length;
  }

  function tell({ pointed, picked }, result, answer) {
    const row = pointed ?? picked;
    if (row === null) {
      showTip({ place: null });
      return;
    }
    showTip({
      candidate: answer.candidates[row],
      confidence: result.confidence[row],
      kind: kindOf(row, result),
      suppresses: [...result.by.values()].filter((winner) => winner === row).length,
      place: stage.placeOf(row),
    });
  }

  function showEmpty({ current, settings, about }, result) {
    const empty = byId("empty");
    empty.hidden = result.kept.length > 0;
    if (!empty.hidden) {
      const { text, change: wanted, offer } = emptiness(current.answer.candidates, result, settings, about, floorOf(about));
      if (empty.dataset.text === text) return;
      empty.dataset.text = text;
      const button = make("button", { type: "button" }, offer ?? "");
      button.addEventListener("click", () => change(wanted));
      empty.replaceChildren(make("p", {}, text), ...(offer ? [button] : []));
    }
  }

  function sayLater(text) {
    if (text === said) return;
    clearTimeout(saidLater);
    saidLater = setTimeout(() => announce((said = text)), SAID_AFTER_MS);
  }

  const observer = new ResizeObserver(() => {
    if (store.get().current?.state !== "done") return;
    stage.redraw();
  });
  observer.observe(byId("stage"));

  return { show, pick };
}

// The network has a limit: below its last candidate it has not looked.
function limitNote(answer, about) {
  if (answer.inTiles || answer.candidates.length < about.max_candidates) return "";
  const last = answer.candidates.at(-1).score;
  return ` · the detector gives no more than ${about.max_candidates}: what scored below ${last.toFixed(3)} is not among them`;
}
