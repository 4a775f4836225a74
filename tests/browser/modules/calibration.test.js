// What the page says that figures mean.

import assert from "node:assert/strict";
import { test } from "node:test";

import { asDetections, mapped } from "../../../server/dirdet/gateway/page/js/calibration.js";

test("linear between the knots, constant beyond", () => {
  const knots = { x: [0.2, 0.6], y: [0.1, 0.5] };
  assert.deepEqual([0, 0.2, 0.6, 1].map((value) => mapped(knots, value)), [0.1, 0.1, 0.5, 0.5]);
  assert.ok(Math.abs(mapped(knots, 0.4) - 0.3) < 1e-12);
  assert.equal(mapped({ x: [0.5], y: [0.7] }, 0.1), 0.7);
});

const flat = (value) => ({ x: [0], y: [value] });
const one = { score: 0.5, iou: 0.8, class_id: 1, score_calibrated: 0.1, iou_calibrated: null };

test("a class with a map of its own has it", () => {
  const calibration = { detections: { score: { pooled: flat(0.3), of_class: { 1: flat(0.9) } }, iou: { pooled: flat(0.6), of_class: {} } } };
  const [first, second] = asDetections([one, { ...one, class_id: 0 }], calibration);
  assert.deepEqual([first.score_calibrated, first.iou_calibrated], [0.9, 0.6]);
  assert.equal(second.score_calibrated, 0.3);
});

test("nothing is said without a calibration, or of a detector without iou", () => {
  assert.deepEqual(asDetections([one], null), [one]);
  const plain = { detections: { score: { pooled: flat(0.3), of_class: {} }, iou: null } };
  assert.equal(asDetections([{ ...one, iou: null }], plain)[0].iou_calibrated, null);
});
