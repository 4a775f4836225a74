// What the detector knows, cannot do and was measured to do, from GET /detector: at first sight, and in a dialog.

import { byId, make } from "./dom.js";
import { mebibytes } from "./figures.js";
import { rendered } from "./markdown.js";

/** Fills the places where a newcomer meets it, and the dialog. */
export function showDetector(about) {
  byId("detector-name").textContent = about.name;
  document.title = `dirdet · ${about.name}`;
  byId("classes").replaceChildren(...about.classes.map(({ name }) => make("li", {}, name)));
  byId("limitations").textContent = about.limitations;
  document.querySelector(".knows").hidden = false;
  byId("knows-title").textContent = `This detector knows ${about.classes.length} kinds of things`;
  const { types, max_bytes: bytes, max_pixels: pixels } = about.accepts;
  const kinds = types.map((type) => type.replace("image/", "").toUpperCase()).join(", ");
  byId("accepted").textContent = `${kinds}, up to ${mebibytes(bytes)} and ${pixels / 1e6} megapixels each`;
  byId("reminder").textContent = about.limitations;
  const { calibration, quality } = about;
  byId("card-text").replaceChildren(
    make("p", { class: "limits" }, about.limitations || "Nothing is said of what it cannot do."),
    ...(about.model_card ? [section("Model card", ...rendered(about.model_card))] : []),
    ...(Object.keys(quality).length ? [section("Measured", definitions(quality))] : []),
    section("Technical", definitions({
      Architecture: about.architecture,
      "Localization confidence": about.localization_confidence === null ? "none: classification scores only" : "purity, integrity and IoU (DIR)",
      Masks: about.mask_threshold === null ? "none" : "yes",
      Classes: about.classes.map((each) => each.name).join(", "),
      "Defaults of the API": Object.entries(about.defaults).map(([name, value]) => `${name} ${value}`).join(", "),
      Limits: `${about.max_candidates} candidates, ${about.max_detections} detections a picture`,
      Calibration: calibration === null ? "none" : `on ${calibration.detections.boxes} detections of ${calibration.annotations}`,
      ...(calibration === null ? {} : { "Suggested values": suggestedOf(calibration.suggested) }),
      Engine: about.engine,
      Checkpoint: `sha256 ${about.provenance.checkpoint_sha256}`,
      Exported: about.provenance.created,
    })),
  );
}

export function openCard() {
  byId("about").addEventListener("click", () => byId("card").showModal());
}

function suggestedOf({ score_threshold: score, precision, recall, min_iou: iou, wrong_removed: removed, right_lost: lost }) {
  const percent = (part) => `${(part * 100).toFixed(1)}%`;
  const first = `score threshold ${score} (${percent(precision)} of the boxes are right, ${percent(recall)} of the objects are found)`;
  return iou === null ? first : `${first}; min_iou ${iou} (drops ${percent(removed)} of the wrong boxes, ${percent(lost)} of the right ones)`;
}

function section(title, ...content) {
  return make("section", {}, make("h3", {}, title), ...content);
}

function definitions(values) {
  const pairs = Object.entries(values).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, String(value))]);
  return make("dl", { class: "facts" }, ...pairs);
}
