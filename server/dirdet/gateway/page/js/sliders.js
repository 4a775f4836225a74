// The settings that rank again at once: a slider and a number for each.

import { byId, make } from "./dom.js";
import { createHistogram, valuesOf } from "./histogram.js";

const STEP = 0.01;
const SETTINGS = [
  { name: "score_threshold", title: "Score above", hint: "the classifier’s probability" },
  { name: "min_iou", title: "IoU at least", hint: "how well it is predicted to fit", fits: true },
  { name: "nms_iou_threshold", title: "NMS overlap", hint: "above it only the best stays" },
  { name: "iou_weight", title: "IoU weight", hint: "0: score alone, 1: IoU alone", fits: true },
];

/** change(settings) is given what a person set. Returns { build(about, floor), show(settings, answer) }. */
export function createSliders(change) {
  const fields = new Map();

  /** Once the detector is known: its defaults are marked, and what it cannot do is left out. */
  function build(about, floor) {
    const predicts = about.localization_confidence !== null;
    byId("no-iou").hidden = predicts;
    byId("compare-switch").hidden = !predicts;
    byId("masks-switch").hidden = about.mask_threshold === null;
    const wanted = SETTINGS.filter(({ fits }) => predicts || !fits);
    byId("sliders").replaceChildren(
      ...wanted.map((setting) => field(setting, setting.name === "score_threshold" ? floor : 0, usualOf(about, setting.name))),
    );
  }

  // A default, or the value that the calibration suggests: a mark on the slider.
  function usualOf({ defaults, calibration }, name) {
    return name === "min_iou" ? (calibration?.suggested.min_iou ?? undefined) : defaults[name];
  }

  function field({ name, title, hint }, least, usual) {
    const attributes = { min: least, max: 1, step: STEP };
    const range = make("input", { ...attributes, type: "range", id: name, "aria-describedby": `${name}-hint`, list: `${name}-usual` });
    const number = make("input", { ...attributes, type: "number", id: `${name}-number`, "aria-label": title, inputmode: "decimal" });
    range.addEventListener("input", () => change({ [name]: range.valueAsNumber }));
    number.addEventListener("input", () => number.validity.valid && number.value && change({ [name]: number.valueAsNumber }));
    number.addEventListener("blur", () => (number.value = range.valueAsNumber.toFixed(2)));
    const histogram = createHistogram();
    fields.set(name, { range, number, histogram, least });
    return make(
      "div",
      { class: "slider" },
      make("p", {}, make("label", { for: name }, title), " ", make("span", { id: `${name}-hint`, class: "quiet" }, hint)),
      number,
      histogram.element,
      range,
      make("datalist", { id: `${name}-usual` }, usual === undefined ? "" : make("option", { value: usual })),
    );
  }

  /** answer: of the picture that is looked at, whose candidates lie behind the sliders; null without one. */
  function show(settings, answer) {
    const values = answer === null ? {} : valuesOf(answer, settings);
    for (const [name, { range, number, histogram, least }] of fields) {
      histogram.show(values[name] ?? [], least);
      range.value = settings[name];
      range.setAttribute("aria-valuetext", settings[name].toFixed(2));
      range.style.setProperty("--part", `${((settings[name] - range.min) / (1 - range.min)) * 100}%`);
      if (document.activeElement !== number) number.value = settings[name].toFixed(2);
    }
  }

  return { build, show };
}
