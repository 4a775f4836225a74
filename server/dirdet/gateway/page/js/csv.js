// Kept boxes as comma-separated values, by RFC 4180.

import { FIELDS } from "./declared.js";

const SIDES = ["x1", "y1", "x2", "y2"];
const TABLED = FIELDS.filter(({ kind }) => kind !== "mask");
const COLUMNS = ["file", ...TABLED.flatMap(columnsOf)];

/** images: as in coco.js. Pixels with two decimals; what a detector does not predict is empty. A column `review` is last where anything was decided. */
export function csvOf(images) {
  const decided = images.some(({ detections }) => detections.some((found) => found.review));
  const rows = images.flatMap(({ name, detections }) =>
    detections.map((found) => [
      name, ...TABLED.flatMap((field) => cellsOf(field, found[field.name])), ...(decided ? [found.review] : []),
    ]),
  );
  return [[...COLUMNS, ...(decided ? ["review"] : [])], ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

function columnsOf({ name, kind }) {
  return kind === "box" ? SIDES.map((side) => name.replace(/box$/, "") + side) : [name];
}

function cellsOf({ kind }, value) {
  if (kind !== "box") return [value ?? ""];
  return value ? value.map((side) => side.toFixed(2)) : SIDES.map(() => "");
}

/** Behind an apostrophe where a spreadsheet would take it for a formula, and run it. */
function shown(text) {
  return /^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/.test(text) && !/^[+-]?[0-9]+(\.[0-9]+)?$/.test(text) ? `'${text}` : text;
}

function cell(value) {
  const text = shown(String(value));
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
