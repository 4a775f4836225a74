// A colour a class, the same that the server draws with: light enough for black text.

import { CLASS_COLOURS } from "./declared.js";

export function colourOf(classId) {
  return CLASS_COLOURS[classId % CLASS_COLOURS.length];
}
