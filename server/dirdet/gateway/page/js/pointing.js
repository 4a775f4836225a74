// Which boxes lie under a pointer.

// Pixels of the screen by which a box may be missed: thin ones could not be hit otherwise.
const SLACK = 4;

/** Rows of the boxes there, the smallest first: of nested ones that is the one meant. */
export function hits(event, svg, { boxes, scale }) {
  const origin = svg.getBoundingClientRect();
  const x = (event.clientX - origin.left) / scale;
  const y = (event.clientY - origin.top) / scale;
  const slack = SLACK / scale;
  return boxes
    .filter(({ candidate: { box } }) => {
      const [x1, y1, x2, y2] = box;
      return x >= x1 - slack && x <= x2 + slack && y >= y1 - slack && y <= y2 + slack;
    })
    .sort((one, other) => areaOf(one) - areaOf(other))
    .map(({ row }) => row);
}

function areaOf({ candidate: { box } }) {
  return (box[2] - box[0]) * (box[3] - box[1]);
}
