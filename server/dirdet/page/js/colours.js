// A colour a class, the same that the server draws with: light enough for black text.

const GOLDEN_RATIO = 0.618034;

export function colourOf(classId) {
  return `hsl(${(((classId * GOLDEN_RATIO) % 1) * 360).toFixed(1)} 90% 65%)`;
}
