// Kept boxes as a COCO data set, which annotation tools and pycocotools read.

import { FIELDS } from "./declared.js";
import { areaOf } from "./rle.js";

const FRACTIONS = FIELDS.filter(({ kind }) => kind === "fraction").map(({ name }) => name);

/**
 * images: [{ name, width, height, detections }], where a detection has the fields of POST /detect's.
 * classes: those of GET /detector. Returns the object.
 */
export function cocoOf(images, classes) {
  const annotations = images.flatMap(({ detections }, position) =>
    detections.map((found) => annotation(found, position + 1)),
  );
  return {
    images: images.map(({ name, width, height }, position) => ({ id: position + 1, file_name: name, width, height })),
    categories: classes.map(({ name, category_id: id }) => ({ id, name })),
    annotations: annotations.map((each, position) => ({ id: position + 1, ...each })),
  };
}

function annotation(found, imageId) {
  const [x1, y1, x2, y2] = found.box;
  const bbox = [x1, y1, x2 - x1, y2 - y1].map((side) => Math.round(side * 100) / 100);
  return {
    image_id: imageId,
    category_id: found.category_id,
    bbox,
    area: found.mask ? areaOf(found.mask) : Math.round(bbox[2] * bbox[3] * 100) / 100,
    iscrowd: 0,
    ...(found.mask ? { segmentation: found.mask } : {}),
    ...(found.review ? { review: found.review } : {}),
    ...Object.fromEntries(FRACTIONS.map((name) => [name, found[name]])),
  };
}
