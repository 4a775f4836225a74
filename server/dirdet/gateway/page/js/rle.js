// COCO's compressed run lengths to pixels: column by column, what pycocotools calls rleFrString and rleDecode.

/** Run lengths of a text; the first run lies outside the object. */
export function expand(text) {
  const counts = [];
  for (let at = 0; at < text.length; ) {
    let value = 0;
    let bits = 0;
    let group;
    do {
      group = text.charCodeAt(at++) - 48;
      value += (group & 31) * 2 ** bits; // not <<, which ends at 32 bits
      bits += 5;
    } while (group & 32);
    if (group & 16) value -= 2 ** bits;
    // From the fourth on as the difference to the one before the last.
    counts.push(counts.length > 2 ? value + counts[counts.length - 2] : value);
  }
  return counts;
}

/** Calls visit(x, y, length) for every piece of a column that is inside; mask: { size: [height, width], counts }. */
export function eachRun(mask, visit) {
  const height = mask.size[0];
  let at = 0;
  expand(mask.counts).forEach((count, number) => {
    const end = at + count;
    while (number % 2 === 1 && at < end) {
      const x = Math.floor(at / height);
      const y = at - x * height;
      const length = Math.min(end - at, height - y);
      visit(x, y, length);
      at += length;
    }
    at = end;
  });
}

/** How many pixels are inside. */
export function areaOf(mask) {
  return expand(mask.counts).reduce((sum, count, number) => sum + (number % 2) * count, 0);
}
