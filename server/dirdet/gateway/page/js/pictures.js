// The pictures on the page, and their way through the API: two at a time, again after a pause where that may help.

import { asSeen, detect } from "./api.js";
import { asDetections } from "./calibration.js";
import { mebibytes } from "./figures.js";

const AT_ONCE = 2;
const TRIES = 6;

/**
 * onChange() is called whenever a picture has changed, onKeyWanted() when the server answers 401.
 * A picture: { id, name, file, url, state, sent, problem, answer }, where state is one of waiting, sending, detecting,
 * pausing (then `again` is when it goes on), failed, done.
 */
export function createPictures({ about, onChange, onKeyWanted }) {
  let pictures = [];
  let next = 1;
  let running = 0;

  function change(picture, changes) {
    Object.assign(picture, changes);
    onChange();
  }

  function add(files) {
    const added = files.map((file) => ({
      id: next++,
      name: file.name,
      file,
      url: URL.createObjectURL(file),
      state: "waiting",
      sent: 0,
      problem: null,
      answer: null,
      stop: new AbortController(),
    }));
    pictures = [...pictures, ...added];
    onChange();
    go();
    return added;
  }

  function remove(picture) {
    picture.stop.abort();
    URL.revokeObjectURL(picture.url);
    pictures = pictures.filter((each) => each !== picture);
    onChange();
    go();
  }

  /** Those that failed for want of a key, or a single one that a person wants tried again. */
  function retry(wanted) {
    for (const picture of pictures.filter((each) => each.state === "failed" && wanted(each))) {
      change(picture, { state: "waiting", problem: null });
    }
    go();
  }

  /** All of them, by another detector or cut otherwise. */
  function again() {
    for (const picture of pictures) {
      picture.stop.abort();
      Object.assign(picture, { stop: new AbortController(), state: "waiting", sent: 0, problem: null, answer: null });
    }
    onChange();
    go();
  }

  function go() {
    for (const picture of pictures) {
      if (running >= AT_ONCE) return;
      if (picture.state === "waiting") run(picture);
    }
  }

  async function run(picture) {
    running += 1;
    const { signal } = picture.stop;
    change(picture, { state: "sending", sent: 0, problem: null }); // waits no more, also while the detector is asked for
    try {
      await attempts(picture, signal);
    } catch (problem) {
      if (problem instanceof Error) throw problem; // ours, not the server's
      if (signal.aborted) return;
      if (problem !== null) change(picture, { state: "failed", problem });
      if (problem?.status === 401) onKeyWanted(problem);
    } finally {
      running -= 1;
      go();
    }
  }

  async function attempts(picture, signal) {
    const known = await about();
    if (signal.aborted) throw null;
    refuseIfTooLarge(picture.file, known.accepts.max_bytes);
    for (let attempt = 1; ; attempt += 1) {
      try {
        const told = await once(picture, known, signal);
        const candidates = told.inTiles ? told.candidates : asDetections(told.candidates, known.calibration);
        const answer = { ...told, candidates };
        await makeVisible(picture, answer, signal);
        if (signal.aborted) throw null;
        change(picture, { state: "done", answer });
        return;
      } catch (problem) {
        if (problem instanceof Error || problem === null || signal.aborted) throw problem;
        if (problem.retryAfterS === null || attempt === TRIES) throw problem;
        change(picture, { state: "pausing", problem, again: Date.now() + problem.retryAfterS * 1000 });
        const countdown = setInterval(onChange, 500);
        await pause(problem.retryAfterS * 1000, signal).finally(() => clearInterval(countdown));
      }
    }
  }

  function once(picture, known, signal) {
    change(picture, { state: "sending", sent: 0, problem: null });
    return detect(picture.file, {
      scoreThreshold: floorOf(known),
      signal,
      onSent: (part) => !signal.aborted && change(picture, part < 1 ? { sent: part } : { sent: 1, state: "detecting" }),
    });
  }

  return { all: () => pictures, add, remove, retry, again };
}

/** The lowest score threshold that the page offers: what it asks candidates for. */
export function floorOf(about) {
  return Math.min(about.defaults.score_threshold, 0.05);
}

// A server that breaks off the upload of too large a body leaves a browser with no answer to show.
function refuseIfTooLarge(file, maxBytes) {
  if (file.size <= maxBytes) return;
  const detail = `It has ${mebibytes(file.size)}; at most ${mebibytes(maxBytes)} are accepted. It was not sent.`;
  throw { status: 413, title: "The picture is too large", detail, retryAfterS: null };
}

// Browsers show no TIFF, and turn by its EXIF orientation a JPEG, but not every other type: the server shows those.
async function makeVisible(picture, answer, signal) {
  const shown = await sizeOf(picture.url);
  const same = shown?.width === answer.width && shown.height === answer.height;
  if (same && !(await mayBeTurned(picture.file))) return;
  const seen = await asSeen(picture.file, { signal });
  URL.revokeObjectURL(picture.url);
  picture.url = URL.createObjectURL(seen);
}

const ENDS_BYTES = 65536; // EXIF lies at a file's beginning or end

/** Whether a PNG, a WebP or an AVIF states a turn, by the names of their chunks and boxes; a JPEG calls it otherwise. */
async function mayBeTurned(file) {
  const ends = new Blob([file.slice(0, ENDS_BYTES), file.slice(-ENDS_BYTES)]);
  return /eXIf|EXIF|irot|imir/.test(await ends.text());
}

function sizeOf(url) {
  return new Promise((resolve) => {
    const image = new Image();
    image.onload = () => resolve({ width: image.naturalWidth, height: image.naturalHeight });
    image.onerror = () => resolve(null);
    image.src = url;
  });
}

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(null);
    });
  });
}
