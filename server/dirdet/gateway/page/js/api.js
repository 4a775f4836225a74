// The requests of the page: which detectors there are, what one is, and detecting. The key lives here, in memory.

import { problemOf } from "./problems.js";

let key = null;
let chosen = null;
let tiles = null;

export function useKey(given) {
  key = given;
}

/** Of several detectors, which is asked from now on. */
export function useDetector(name) {
  chosen = name;
}

/** How pictures are cut from now on: as the parameter tiles; null: they are not. */
export function useTiles(wanted) {
  tiles = wanted;
}

/** GET /detectors: their names, and the default one's. Rejects with a problem. */
export function listDetectors() {
  return get("detectors");
}

/** GET /detector, or that of the chosen one. Rejects with a problem. */
export function aboutDetector() {
  return get(chosen === null ? "detector" : `detectors/${chosen}`);
}

async function get(address) {
  let response;
  try {
    response = await fetch(address, { headers: key ? { authorization: `Bearer ${key}` } : {} });
  } catch {
    throw problemOf(0, "", null);
  }
  const text = await response.text();
  if (!response.ok) throw problemOf(response.status, text, response.headers.get("retry-after"));
  return JSON.parse(text);
}

/**
 * POST /detect of one file, with its candidates; in tiles there are only detections, which take their place.
 * onSent(part) is told how much of the picture has gone, 0..1.
 * Resolves with the picture's entry, rejects with a problem; an abort of the signal rejects with null.
 */
export async function detect(file, { scoreThreshold, onSent, signal }) {
  const inTiles = tiles !== null;
  const wanted = inTiles ? `tiles=${tiles}` : "candidates=true";
  const text = await send(`${detectPath()}?${wanted}&score_threshold=${scoreThreshold}`, file, {
    type: "text",
    accept: "application/json",
    onSent,
    signal,
  });
  const answer = JSON.parse(text).images[0];
  return { ...answer, candidates: answer.candidates ?? answer.detections, inTiles };
}

/** The picture as the server sees it, upright, as a PNG: for files that a browser cannot show. Above 1 nothing is found. */
export function asSeen(file, { signal }) {
  return send(`${detectPath()}?score_threshold=1`, file, { type: "blob", accept: "image/png", signal });
}

function detectPath() {
  return chosen === null ? "detect" : `detectors/${chosen}/detect`;
}

// XMLHttpRequest, since fetch does not tell how much has been sent.
function send(address, file, { type, accept, onSent, signal }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", address);
    request.responseType = "blob";
    request.setRequestHeader("accept", accept);
    if (key) request.setRequestHeader("authorization", `Bearer ${key}`);
    request.upload.addEventListener("progress", (event) => onSent?.(event.total ? event.loaded / event.total : 1));
    request.upload.addEventListener("load", () => onSent?.(1));
    request.addEventListener("load", async () => {
      if (request.status === 200) {
        resolve(type === "text" ? await request.response.text() : request.response);
        return;
      }
      reject(problemOf(request.status, await request.response.text(), request.getResponseHeader("retry-after")));
    });
    request.addEventListener("error", () => reject(problemOf(0, "", null)));
    request.addEventListener("abort", () => reject(null));
    signal?.addEventListener("abort", () => request.abort());
    const form = new FormData();
    form.append("image", file, file.name);
    request.send(form);
  });
}
