// What a person takes along: COCO JSON on the clipboard, a CSV, the picture with its boxes.

import { cocoOf } from "./coco.js";
import { csvOf } from "./csv.js";
import { byId } from "./dom.js";
import { count } from "./figures.js";
import { detectionsOf } from "./kept.js";
import { painted } from "./painting.js";
import { REJECTED, reviewed } from "./review.js";

/** state(): { done (the pictures with answers), current, settings, labels, figure, masks, decisions, about }. */
export function openTakeaway(state) {
  const says = (text) => (byId("exported").textContent = text);

  const images = () => {
    const { done } = state();
    return done.map(({ name, answer }) => ({ ...answer, name, detections: decidedOf(answer) }));
  };
  const decidedOf = (answer) => reviewed(detectionsOf(answer, state().settings), state().decisions);
  const accepted = (detections) => detections.filter((each) => each.review !== REJECTED);

  byId("copy-coco").addEventListener("click", async () => {
    const found = images().map((each) => ({ ...each, detections: accepted(each.detections) }));
    const text = JSON.stringify(cocoOf(found, state().about.classes), null, 1);
    const of = `${count(total(found), "box", "boxes")} of ${count(found.length, "picture")}`;
    try {
      await navigator.clipboard.writeText(text);
      says(`Copied: ${of}.`);
    } catch {
      // Without TLS, or without leave, there is no clipboard.
      save(new Blob([text], { type: "application/json" }), "detections.json");
      says(`The clipboard cannot be used here; saved as detections.json: ${of}.`);
    }
  });
  byId("save-csv").addEventListener("click", () => {
    const found = images();
    save(new Blob([csvOf(found)], { type: "text/csv" }), "detections.csv");
    says(`Saved as detections.csv: ${count(total(found), "box", "boxes")} of ${count(found.length, "picture")}.`);
  });
  byId("save-picture").addEventListener("click", async () => {
    const { current, labels, figure, masks } = state();
    const name = `${current.name.replace(/\.[^.]*$/, "")}_detected.png`;
    save(await painted(current.url, current.answer, accepted(decidedOf(current.answer)), { labels, figure, masks }), name);
    says(`Saved as ${name}.`);
  });
}

const total = (images) => images.reduce((sum, { detections }) => sum + detections.length, 0);

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
