// The picture with its boxes as a file of its own size, drawn as on the page.

import { colourOf } from "./colours.js";
import { fraction, NAMES } from "./figures.js";
import { paintMasks } from "./masks.js";

/** A PNG Blob. detections: most confident first, with masks; wanted: { labels, figure, masks }. */
export async function painted(url, { width, height }, detections, wanted) {
  const image = new Image();
  image.src = url;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0, width, height);
  if (wanted.masks) {
    paintMasks(context, detections.filter((each) => each.mask).map((each) => ({ mask: each.mask, classId: each.class_id })));
  }
  // In proportion to the picture, so that a large one shown small can still be read.
  const line = Math.max(1.5, Math.min(width, height) / 250);
  const size = Math.max(11, Math.min(width, height) / 32);
  for (const found of [...detections].reverse()) frame(context, found.box, colourOf(found.class_id), line);
  if (wanted.labels) {
    context.font = `600 ${size}px system-ui, sans-serif`;
    for (const found of [...detections].reverse()) label(context, found, wanted.figure, size, { width, height });
  }
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

function frame(context, [x1, y1, x2, y2], colour, line) {
  for (const [style, width] of [["rgb(0 0 0 / 55%)", line * 2], [colour, line]]) {
    context.strokeStyle = style;
    context.lineWidth = width;
    context.strokeRect(x1, y1, x2 - x1, y2 - y1);
  }
}

function label(context, found, figure, size, picture) {
  const text = `${found.label} · ${NAMES[figure]} ${fraction(found[figure])}`;
  const width = context.measureText(text).width + size * 0.6;
  const height = size * 1.35;
  const [x1, y1] = found.box;
  const x = Math.max(0, Math.min(x1, picture.width - width));
  const y = y1 >= height ? y1 - height : y1;
  context.fillStyle = colourOf(found.class_id);
  context.fillRect(x, y, width, height);
  context.fillStyle = "#000";
  context.textBaseline = "middle";
  context.fillText(text, x + size * 0.3, y + height / 2);
}
