// The page: what there is on it, joined by one state.

import { aboutDetector, listDetectors, useDetector, useKey } from "./api.js";
import { openCamera } from "./camera.js";
import { openCard, showDetector } from "./card.js";
import { createChooser } from "./chooser.js";
import { byId } from "./dom.js";
import { createGallery } from "./gallery.js";
import { acceptTypes, openIntake } from "./intake.js";
import { openKey } from "./key.js";
import { createPictures, floorOf } from "./pictures.js";
import { createSliders } from "./sliders.js";
import { createStore } from "./store.js";
import { openTakeaway } from "./takeaway.js";
import { createView } from "./view.js";
import { openZoom } from "./zoom.js";

// Above the API's default, which also tells the doubtful boxes: a page full of them helps nobody at first sight.
const FIRST_SCORE = 0.3;

const store = createStore({
  about: null, settings: null, pictures: [], version: 0, current: null,
  compare: false, labels: true, masks: true, zoom: 1, pointed: null, picked: null,
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
});

const showChooser = createChooser((name) => {
  useDetector(name);
  asked = null;
  store.set({ pointed: null, picked: null });
  begin();
  pictures.again();
});

const sliders = createSliders((changed) => change(changed));

const view = createView({
  store,
  sliders,
  gallery: createGallery({ open, remove: pictures.remove }),
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
  const [first] = pictures.add(files);
  open(first);
  byId("stage").focus({ preventScroll: true });
}

function change(changed) {
  store.set({ settings: Object.freeze({ ...store.get().settings, ...changed }) });
}

function firstSettings(about) {
  const { score_threshold: usual, nms_iou_threshold, iou_weight } = about.defaults;
  const predicts = about.localization_confidence !== null;
  return Object.freeze({
    score_threshold: Math.max(usual, FIRST_SCORE),
    nms_iou_threshold,
    iou_weight: predicts ? iou_weight : 0,
    min_iou: 0,
    hidden: new Set(),
    limit: about.max_detections,
  });
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
      store.set({ about, settings: firstSettings(about) });
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
    if (problem.status === 401) askKey(problem);
    notice.textContent = `${problem.title}: ${problem.detail}`;
    notice.hidden = false;
  }
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
for (const name of ["compare", "labels", "masks"]) {
  byId(name).checked = store.get()[name]; // a browser may remember another
  byId(name).addEventListener("change", (event) => store.set({ [name]: event.target.checked }));
}
store.onChange(view.show);
begin();
