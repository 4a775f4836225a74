// Where labels are written: beside their boxes, none over another. One that finds no place is left out.

const LABEL_HEIGHT = 18;
const PADDING = 5;
const context = document.createElement("canvas").getContext("2d");
context.font = "600 12px system-ui, sans-serif";
const widths = new Map();

export const LABEL = { height: LABEL_HEIGHT, padding: PADDING };

/** Pixels that a label takes in width. */
export function widthOf(text) {
  if (!widths.has(text)) widths.set(text, Math.ceil(context.measureText(text).width) + 2 * PADDING);
  return widths.get(text);
}

/**
 * boxes: [{ x, y, width, height, text }] in pixels of the screen, most important first; bounds: { width, height }.
 * Returns for each { x, y, free }: its label's upper left corner, and whether it covers no other.
 */
export function placeLabels(boxes, bounds) {
  const taken = [];
  return boxes.map((box) => {
    const size = { width: widthOf(box.text), height: LABEL_HEIGHT };
    const places = placesOf(box, size).map(({ x, y }) => ({
      x: Math.max(0, Math.min(x, bounds.width - size.width)),
      y: Math.max(0, Math.min(y, bounds.height - size.height)),
    }));
    const free = places.find((place) => !taken.some((other) => overlap(other, place, size)));
    if (free) taken.push({ ...free, ...size });
    return { ...(free ?? places[0]), free: Boolean(free) };
  });
}

// Above the box, below it, inside at the top, inside at the bottom; at its left edge, then at its right.
function placesOf({ x, y, width, height }, size) {
  const rows = [y - size.height, y + height, y, y + height - size.height];
  return rows.flatMap((top) => [
    { x, y: top },
    { x: x + width - size.width, y: top },
  ]);
}

function overlap(one, place, size) {
  return (
    place.x < one.x + one.width && one.x < place.x + size.width &&
    place.y < one.y + one.height && one.y < place.y + size.height
  );
}
