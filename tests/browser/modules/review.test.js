// The review's queue, what is taken of it, and the histograms behind sliders.

import assert from "node:assert/strict";
import { test } from "node:test";

import { cocoOf } from "../../../server/dirdet/gateway/page/js/coco.js";
import { differsBelow } from "../../../server/dirdet/gateway/page/js/compare.js";
import { csvOf } from "../../../server/dirdet/gateway/page/js/csv.js";
import { histogramOf, valuesOf } from "../../../server/dirdet/gateway/page/js/histogram.js";
import { queueOf, reviewed } from "../../../server/dirdet/gateway/page/js/review.js";

const SETTINGS = { score_threshold: 0.3, nms_iou_threshold: 0.5, iou_weight: 0.5, min_iou: 0, hidden: new Set(), limit: 100 };
const box = (x, score, iou, classId = 0) => ({ box: [x, 0, x + 10, 10], label: "red", class_id: classId, category_id: 1, score, iou });
const picture = (name, ...candidates) => ({ name, state: "done", answer: { width: 99, height: 20, detections: [], candidates } });

test("the queue is of all pictures, the most doubtful first", () => {
  const one = picture("a", box(0, 0.9, 0.9), box(40, 0.4, 0.4), box(80, 0.1, 0.9));
  const two = picture("b", box(0, 0.5, 0.5));
  const waiting = { name: "c", state: "waiting", answer: null };
  const queue = queueOf([one, waiting, two], SETTINGS);
  assert.deepEqual(queue.map((each) => [each.picture.name, each.row]), [["a", 1], ["b", 0], ["a", 0]]);
  assert.deepEqual(queueOf([], SETTINGS), []);
});

test("decisions go along once there are any", () => {
  const candidates = [box(0, 0.9, 0.9), box(40, 0.5, 0.5)];
  const found = candidates.map((candidate) => ({ ...candidate, candidate }));
  const image = { name: "a", width: 9, height: 9 };
  assert.deepEqual(reviewed(found, new Map()), found);
  const decided = reviewed(found, new Map([[candidates[0], "rejected"]]));
  assert.deepEqual(decided.map((each) => each.review), ["rejected", "unreviewed"]);
  const lines = csvOf([{ ...image, detections: decided }]).trim().split("\r\n");
  assert.deepEqual(lines.map((line) => line.split(",").at(-1)), ["review", "rejected", "unreviewed"]);
  const { annotations } = cocoOf([{ ...image, detections: decided.slice(1) }], [{ name: "red", category_id: 1 }]);
  assert.equal(annotations[0].review, "unreviewed");
  assert.doesNotMatch(csvOf([{ ...image, detections: found }]), /review/);
});

test("a histogram counts every value from its least on", () => {
  assert.deepEqual(histogramOf([], 0, 4), [0, 0, 0, 0]);
  assert.deepEqual(histogramOf([0, 0.24, 0.5, 1], 0, 4), [2, 0, 1, 1]);
  assert.deepEqual(histogramOf([0.01, 0.5, 0.6, 0.99], 0.5, 2), [2, 1]);
});

test("what lies behind the sliders", () => {
  const answer = { candidates: [box(0, 0.9, 0.8), box(0, 0.5, 0.4), box(0, 0.4, null, 1), box(0, 0.2, 0.3)] };
  const values = valuesOf(answer, SETTINGS);
  assert.deepEqual(values.score_threshold, [0.9, 0.5, 0.4, 0.2]);
  assert.deepEqual(values.min_iou, [0.8, 0.4]);
  assert.deepEqual(values.nms_iou_threshold, [0, 1, 0]);
});

test("where a comparison shows nothing, the score at which it would is known", () => {
  const candidates = [box(0, 0.9, 0.9), box(60, 0.25, 0.2), box(61, 0.24, 0.9)];
  assert.deepEqual(differsBelow(candidates, { ...SETTINGS, score_threshold: 0.5 }, 0.05), { score: 0.2, boxes: 2 });
  assert.equal(differsBelow(candidates.slice(0, 2), { ...SETTINGS, score_threshold: 0.5 }, 0.05), null);
});
