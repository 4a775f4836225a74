// The rule that ranks candidates: no boxes, one box, ties, and what each setting does.

import assert from "node:assert/strict";
import { test } from "node:test";

import { comparedWithScore } from "../../../server/dirdet/gateway/page/js/compare.js";
import { confidence, iouOf, rank } from "../../../server/dirdet/gateway/page/js/ranking.js";

const SETTINGS = { score_threshold: 0.05, nms_iou_threshold: 0.5, iou_weight: 0.5, min_iou: 0, hidden: new Set(), limit: 100 };
const box = (score, iou, corners = [0, 0, 10, 10], classId = 0) => ({ box: corners, class_id: classId, score, iou });
const kept = (candidates, changes = {}) => rank(candidates, { ...SETTINGS, ...changes }).kept;

test("no candidates", () => assert.deepEqual(kept([]), []));

test("one candidate", () => assert.deepEqual(kept([box(0.9, 0.8)]), [0]));

test("iou of boxes", () => {
  assert.equal(iouOf([0, 0, 10, 10], [0, 0, 10, 5]), 0.5);
  assert.equal(iouOf([0, 0, 1, 1], [2, 2, 3, 3]), 0);
  assert.equal(iouOf([5, 5, 5, 5], [5, 5, 5, 5]), 0);
});

test("confidence", () => {
  assert.equal(confidence(0.25, 1, 0.5), 0.5);
  assert.equal(confidence(0.7, 0.2, 0), 0.7);
  assert.equal(confidence(0.7, 0.2, 1), 0.2);
  assert.equal(confidence(0.7, null, 0.5), 0.7);
});

test("the better ranked of two stays, whatever its score", () => {
  const two = [box(0.9, 0.3), box(0.8, 0.9)];
  assert.deepEqual(kept(two), [1]);
  assert.deepEqual(kept(two, { iou_weight: 0 }), [0]);
});

test("equal ranks keep their order", () => assert.deepEqual(kept([box(0.5, 0.5), box(0.5, 0.5)]), [0]));

test("an overlap equal to the threshold suppresses nothing", () => {
  const two = [box(0.9, 0.9), box(0.8, 0.9, [0, 0, 10, 5])];
  assert.deepEqual(kept(two, { nms_iou_threshold: 0.5 }), [0, 1]);
  assert.deepEqual(kept(two, { nms_iou_threshold: 0.49 }), [0]);
});

test("classes do not suppress each other", () => assert.deepEqual(kept([box(0.9, 0.9), box(0.8, 0.9, undefined, 1)]), [0, 1]));

test("a score equal to the threshold is not above it, in float32 as the network compares", () => {
  assert.deepEqual(kept([box(0.3, 0.9)], { score_threshold: 0.3 }), []);
  assert.deepEqual(kept([box(0.300000012, 0.9)], { score_threshold: 0.3 }), []);
  assert.deepEqual(kept([box(0.300001, 0.9)], { score_threshold: 0.3 }), [0]);
});

test("the limit comes before min_iou and classes", () => {
  const apart = [0, 1, 2].map((n) => box(0.9 - n / 10, n / 4 + 0.3, [20 * n, 0, 20 * n + 10, 10], n));
  assert.deepEqual(kept(apart, { limit: 2, iou_weight: 0 }), [0, 1]);
  assert.deepEqual(kept(apart, { limit: 2, iou_weight: 0, min_iou: 0.5 }), [1]);
  assert.deepEqual(kept(apart, { limit: 2, iou_weight: 0, hidden: new Set([0]) }), [1]);
});

test("where every candidate goes is counted", () => {
  const some = [box(0.9, 0.9), box(0.8, 0.8), box(0.01, 0.9), box(0.5, 0.2, [50, 50, 60, 60]), box(0.5, 0.9, undefined, 1)];
  const { kept: rows, by, counts } = rank(some, { ...SETTINGS, min_iou: 0.5, hidden: new Set([1]) });
  assert.deepEqual(rows, [0]);
  assert.deepEqual([...by], [[1, 0]]);
  assert.deepEqual(counts, { candidates: 5, below_score: 1, suppressed: 1, beyond_limit: 0, other_class: 0, hidden: 1, below_iou: 1 });
});

test("a plain detector's candidates have no iou", () => assert.deepEqual(kept([box(0.9, null)], { min_iou: 0.5 }), [0]));

test("what score alone would have kept", () => {
  const two = [box(0.9, 0.3), box(0.8, 0.9), box(0.7, 0.7, [50, 50, 60, 60])];
  const { gained, lost } = comparedWithScore(two, SETTINGS, kept(two));
  assert.deepEqual([[...gained], [...lost]], [[1], [0]]);
});
