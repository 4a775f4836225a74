// What the page says: figures, problems, and why nothing is shown.

import assert from "node:assert/strict";
import { test } from "node:test";

import { fraction, listed } from "../../../server/dirdet/gateway/page/js/figures.js";
import { problemOf, secondsOf } from "../../../server/dirdet/gateway/page/js/problems.js";
import { rank } from "../../../server/dirdet/gateway/page/js/ranking.js";
import { emptiness } from "../../../server/dirdet/gateway/page/js/summary.js";

const ABOUT = { classes: [{ name: "bird" }, { name: "fish" }] };
const SETTINGS = { score_threshold: 0.3, nms_iou_threshold: 0.5, iou_weight: 0.5, min_iou: 0, hidden: new Set(), limit: 100 };
const BIRD = { box: [0, 0, 10, 10], label: "bird", class_id: 0, score: 0.217, iou: 0.633 };
const why = (candidates, changes) => {
  const settings = { ...SETTINGS, ...changes };
  return emptiness(candidates, rank(candidates, settings), settings, ABOUT, 0.05);
};

test("figures", () => {
  assert.equal(fraction(0.666), "0.67");
  assert.equal(fraction(0.9996), "0.99");
  assert.equal(fraction(1), "1.00");
  assert.equal(fraction(null), "–");
  assert.equal(listed(["a", "b", "c"]), "a, b and c");
});

test("a problem says what the server says", () => {
  const told = problemOf(503, '{"title": "Busy", "detail": "too many wait"}', "7");
  assert.deepEqual(told, { status: 503, title: "Busy", detail: "too many wait", retryAfterS: 7 });
  assert.equal(problemOf(415, '{"title": "Not a picture"}', null).retryAfterS, null);
});

test("what is no problem document is a problem too", () => {
  for (const text of ["", "<html>", "null", "[]", "7"]) {
    assert.equal(problemOf(502, text, null).title, "The server answered 502");
  }
  assert.equal(problemOf(0, "", null).title, "No answer");
});

test("when to try again", () => {
  assert.equal(secondsOf("3"), 3);
  assert.equal(secondsOf(null), 2);
  assert.equal(secondsOf("soon"), 2);
  assert.equal(secondsOf("-1"), 1);
  assert.equal(secondsOf("Thu, 01 Jan 1970 00:00:09 GMT", 4000), 5);
});

test("nothing at all names what the detector knows", () => {
  assert.match(why([]).text, /not even above score 0\.05.*bird and fish/);
  assert.equal(why([]).offer, null);
});

test("the offer shows the best one", () => {
  const { text, change } = why([BIRD]);
  assert.match(text, /above score 0\.30.*bird, score 0\.22/);
  assert.deepEqual(change, { score_threshold: 0.21 });
  assert.deepEqual(rank([BIRD], { ...SETTINGS, ...change }).kept, [0]);
});

test("an iou that nothing reaches, and classes that are switched off", () => {
  const shown = { score_threshold: 0.1 };
  const { change } = why([BIRD], { ...shown, min_iou: 0.9 });
  assert.deepEqual(change, { min_iou: 0.63 });
  assert.deepEqual(rank([BIRD], { ...SETTINGS, ...shown, ...change }).kept, [0]);
  assert.match(why([BIRD], { ...shown, hidden: new Set([0]) }).text, /a class that you switched off/);
});
