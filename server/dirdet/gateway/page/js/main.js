// The page: what there is on it, joined by one state.

import { aboutDetector, listDetectors, useDetector, useKey, useTiles } from "./api.js";
import { openCamera } from "./camera.js";
import { openCard, showDetector } from "./card.js";
import { createChooser } from "./chooser.js";
import { byId, make } from "./dom.js";
import { NAMES } from "./figures.js";
import { createGallery } from "./gallery.js";
import { acceptTypes, openIntake } from "./intake.js";
import { openKey } from "./key.js";
import { createPictures, floorOf } from "./pictures.js";
import { openReview } from "./review.js";
import { createSliders } from "./sliders.js";
import { createStore } from "./store.js";
import { openTakeaway } from "./takeaway.js";
import { createView } from "./view.js";
import { openZoom } from "./zoom.js";

// A page is for looking: below a calibrated detector's default, where doubtful boxes say how doubtful they are, and above
// the default of others, which is full of them.
const FIRST_SCORE = 0.3;

const store = createStore({
  about: null, settings: null, pictures: [], version: 0, current: null,
  compare: false, labels: true, figure: "confidence", masks: true, zoom: 1, pointed: null, picked: null,
  reviewing: false, decisions: new Map(),
});

const pictures = createPictures({
  about: detector,
  onChange: () => store.set({ pictures: pictures.all(), version: store.get().version + 1, current: currentOf(pictures.all()) }),
  onKeyWanted: () => askKey(),
});

const askKey = openKey((key) => {
  useKey(key);
  begin();
  pictures.retry((each) => each.problem?.status === 401);
}, showLocked);

const showChooser = createChooser((name) => {
  useDetector(name);
  asked = null;
  store.set({ pointed: null, picked: null });
  begin();
  pictures.again();
});

byId("tiles").addEventListener("change", (event) => {
  useTiles(event.target.value || null);
  store.set({ pointed: null, picked: null });
  pictures.again();
});

const sliders = createSliders((changed) => change(changed));

const view = createView({
  store,
  sliders,
  gallery: createGallery({ open, remove: pictures.remove }),
  review: openReview({ store, look: (picture, row) => {
    if (picture !== store.get().current) open(picture);
    view.pick(row);
  } }),
  change,
  retry: (picture) => pictures.retry((each) => each === picture),
  remove: pictures.remove,
  askKey,
});

function currentOf(all) {
  const { current } = store.get();
  return all.includes(current) ? current : (all.at(-1) ?? null);
}

function open(picture) {
  store.set({ current: picture, pointed: null, picked: null, zoom: 1 });
}

function take(files) {
  byId("unreachable").hidden = true;
  const [first] = pictures.add(files);
  open(first);
  byId("stage").focus({ preventScroll: true });
}

function change(changed) {
  store.set({ settings: Object.freeze({ ...store.get().settings, ...changed }) });
}

function firstSettings(about) {
  const { score_threshold: usual, nms_iou_threshold, iou_weight, nms } = about.defaults;
  const predicts = about.localization_confidence !== null;
  return Object.freeze({
    score_threshold: about.calibration === null ? Math.max(usual, FIRST_SCORE) : FIRST_SCORE,
    nms_iou_threshold,
    iou_weight: predicts ? iou_weight : 0,
    min_iou: 0,
    hidden: new Set(),
    limit: about.max_detections,
    nms,
    selection: about.selection,
  });
}

/** What labels may say: calibrated figures lead. */
function showFigures({ calibration, localization_confidence: localization }) {
  const meant = calibration === null ? [] : ["score_calibrated", ...(localization === null ? [] : ["iou_calibrated"])];
  const names = [...meant, "confidence", "score", ...(localization === null ? [] : ["iou"])];
  const words = { score_calibrated: "right (calibrated score)", iou_calibrated: "fit (calibrated IoU)" };
  byId("figure").replaceChildren(...names.map((name) => make("option", { value: name }, words[name] ?? NAMES[name])));
}

/** Nobody gave a key: what that means, and a way to give one. */
function showLocked() {
  if (store.get().about !== null || pictures.all().length) return; // a picture says it itself
  const give = make("button", { type: "button" }, "Give a key");
  give.addEventListener("click", () => askKey());
  byId("unreachable").replaceChildren("This server detects only for those who have a key. ", give);
  byId("unreachable").hidden = false;
}

let asked = null;

/** What the chosen detector is: asked for once. */
function detector() {
  if (asked !== null) return asked;
  const mine = described().then(
    (about) => {
      if (asked !== mine) return detector(); // another was chosen meanwhile
      acceptTypes(about.accepts.types);
      showDetector(about);
      sliders.build(about, floorOf(about));
      showFigures(about);
      store.set({ about, settings: firstSettings(about), figure: byId("figure").value, decisions: new Map() });
      return about;
    },
    (problem) => {
      if (asked === mine) asked = null;
      throw problem;
    },
  );
  asked = mine;
  return mine;
}

let chosen = false;

async function described() {
  if (!chosen) {
    const told = await listDetectors();
    const name = showChooser(told);
    if (told.detectors.length > 1) useDetector(name);
    chosen = true;
  }
  return aboutDetector();
}

async function begin() {
  const notice = byId("unreachable");
  try {
    await detector();
    notice.hidden = true;
  } catch (problem) {
    if (problem instanceof Error) throw problem;
    notice.hidden = problem.status === 401; // the dialog says it
    if (problem.status === 401) {
      askKey();
      return;
    }
    notice.textContent = `${problem.title}: ${problem.detail}`;
    notice.hidden = false;
  }
}

function step(direction) {
  const { pictures: all, current } = store.get();
  const next = all[all.indexOf(current) + direction];
  if (next) open(next);
}

openIntake(take);
openCamera(take);
openCard();
openZoom({ zoom: () => store.get().zoom, setZoom: (zoom) => store.set({ zoom }) });
openTakeaway(() => {
  const state = store.get();
  return { ...state, done: state.pictures.filter((each) => each.state === "done") };
});
byId("reset").addEventListener("click", () => change(firstSettings(store.get().about)));
byId("tiles").value = ""; // a browser may remember another
for (const name of ["compare", "labels", "masks"]) {
  byId(name).checked = store.get()[name]; // a browser may remember another
  byId(name).addEventListener("change", (event) => store.set({ [name]: event.target.checked }));
}
byId("agnostic").addEventListener("change", (event) => change({ nms: event.target.checked ? "class-agnostic" : "per-class" }));
byId("figure").addEventListener("change", (event) => store.set({ figure: event.target.value }));
byId("previous").addEventListener("click", () => step(-1));
byId("next").addEventListener("click", () => step(1));
store.onChange(view.show);
begin();
