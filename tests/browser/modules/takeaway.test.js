// COCO JSON, CSV and run lengths.

import assert from "node:assert/strict";
import { test } from "node:test";

import { cocoOf } from "../../../server/dirdet/gateway/page/js/coco.js";
import { csvOf } from "../../../server/dirdet/gateway/page/js/csv.js";
import { areaOf, eachRun, expand } from "../../../server/dirdet/gateway/page/js/rle.js";

const CLASSES = [{ name: "red", class_id: 0, category_id: 10 }];
const FOUND = {
  box: [1.5, 2, 11.25, 22], label: "red", class_id: 0, category_id: 10, score: 0.5, purity: 0.9, integrity: 0.8,
  iou: 0.734, confidence: 0.6, score_calibrated: 0.2, iou_calibrated: null, outer_box: null, mask: null,
};
const IMAGE = { name: "a.png", width: 40, height: 30, detections: [FOUND] };
// What pycocotools makes of a picture 3 high and 4 wide whose second and third column are inside.
const MASK = { size: [3, 4], counts: "363" };

test("nothing found is a data set without annotations", () => {
  const coco = cocoOf([{ ...IMAGE, detections: [] }], CLASSES);
  assert.deepEqual(coco.annotations, []);
  assert.deepEqual(coco.categories, [{ id: 10, name: "red" }]);
  assert.deepEqual(coco.images, [{ id: 1, file_name: "a.png", width: 40, height: 30 }]);
});

test("boxes become x, y, width, height and keep their figures", () => {
  const [first, second] = cocoOf([IMAGE, { ...IMAGE, name: "b.png" }], CLASSES).annotations;
  assert.deepEqual(first.bbox, [1.5, 2, 9.75, 20]);
  assert.equal(first.area, 195);
  assert.deepEqual([first.id, first.image_id, second.id, second.image_id], [1, 1, 2, 2]);
  assert.deepEqual([first.score, first.iou, first.confidence], [0.5, 0.734, 0.6]);
  assert.equal("segmentation" in first, false);
});

test("a mask is the segmentation, and its pixels the area", () => {
  const [only] = cocoOf([{ ...IMAGE, detections: [{ ...FOUND, mask: MASK }] }], CLASSES).annotations;
  assert.deepEqual(only.segmentation, MASK);
  assert.equal(only.area, 6);
});

test("a CSV has a heading, also of nothing", () => {
  assert.match(csvOf([]), /^file,x1,y1,x2,y2,label,class_id,category_id,score,purity,integrity,iou,.*,outer_x1,.*\r\n$/);
});

test("a row of a CSV", () => {
  const [heading, row] = csvOf([IMAGE]).split("\r\n").map((line) => line.split(","));
  assert.equal(heading.length, row.length);
  const told = Object.fromEntries(heading.map((column, place) => [column, row[place]]));
  assert.deepEqual([told.file, told.label, told.x1, told.y2], ["a.png", "red", "1.50", "22.00"]);
  assert.deepEqual([told.iou, told.score_calibrated, told.iou_calibrated], ["0.734", "0.2", ""]);
  assert.deepEqual([told.outer_x1, told.confidence], ["", "0.6"]);
});

test("names with commas, quotes and line ends are quoted", () => {
  const row = csvOf([{ ...IMAGE, name: 'a, "b"\nc.png' }]).split("\r\n")[1];
  assert.ok(row.startsWith('"a, ""b""\nc.png",1.50,'));
});

test("a name that begins as a formula is text", () => {
  for (const name of ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\uff1d1"]) {
    assert.ok(csvOf([{ ...IMAGE, name }]).split("\r\n")[1].startsWith(`'${name},1.50`), name);
  }
  assert.ok(csvOf([{ ...IMAGE, name: "=1,2" }]).includes(`"'=1,2",1.50`));
  const left = { ...FOUND, box: [-1.5, 2, 11.25, 22] };
  assert.ok(csvOf([{ ...IMAGE, detections: [left] }]).includes("a.png,-1.50,2.00"));
});

test("run lengths", () => {
  assert.deepEqual(expand("363"), [3, 6, 3]);
  const runs = [];
  eachRun(MASK, (...run) => runs.push(run));
  assert.deepEqual(runs, [[1, 0, 3], [2, 0, 3]]);
  assert.equal(areaOf(MASK), 6);
  assert.deepEqual(expand(""), []);
});
