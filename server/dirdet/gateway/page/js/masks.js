// Masks as a veil in their classes' colours, on a canvas over the picture.

import { colourOf } from "./colours.js";
import { eachRun } from "./rle.js";

const OPACITY = 0.42;
const made = new WeakMap();

/** Paints masks: [{ mask, classId }] onto a 2D context that is scaled to the picture's pixels; the first on top. */
export function paintMasks(context, masks) {
  context.globalAlpha = OPACITY;
  for (const { mask, classId } of [...masks].reverse()) {
    const veil = veilOf(mask, classId);
    if (veil) context.drawImage(veil.canvas, veil.x, veil.y);
  }
  context.globalAlpha = 1;
}

// As large as the object, not as the picture: a hundred masks of a camera's picture must fit into memory.
function veilOf(mask, classId) {
  if (made.has(mask)) return made.get(mask);
  const runs = [];
  eachRun(mask, (x, y, length) => runs.push([x, y, length]));
  const veil = runs.length ? painted(runs, classId) : null;
  made.set(mask, veil);
  return veil;
}

function painted(runs, classId) {
  const x = runs[0][0];
  const right = runs.at(-1)[0] + 1;
  const y = runs.reduce((top, run) => Math.min(top, run[1]), Infinity);
  const bottom = runs.reduce((low, run) => Math.max(low, run[1] + run[2]), 0);
  const canvas = document.createElement("canvas");
  canvas.width = right - x;
  canvas.height = bottom - y;
  const context = canvas.getContext("2d");
  context.fillStyle = colourOf(classId);
  for (const [column, top, length] of runs) context.fillRect(column - x, top - y, 1, length);
  return { canvas, x, y };
}
