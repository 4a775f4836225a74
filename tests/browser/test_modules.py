"""The page's modules by themselves: their own tests, and that they rank as the server does."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dirdet.detection.calibration import Knots
from dirdet.detection.ranking import combined_iou, confidence, kept_over_classes, ranked_nms
from dirdet.detection.rle import encode
from dirdet.detection.selection import ReportedProduct, Representative, Selection, Voting, select

from .node import MODULES, node

HERE = Path(__file__).parent / "modules"
RANK = """
import { rank } from "%s/ranking.js";
let text = "";
for await (const chunk of process.stdin) text += chunk;
const cases = JSON.parse(text);
console.log(JSON.stringify(cases.map(({ candidates, settings }) =>
  rank(candidates, { ...settings, hidden: new Set() }).kept)));
"""
SELECT = """
import { rank } from "%s/ranking.js";
let text = "";
for await (const chunk of process.stdin) text += chunk;
const cases = JSON.parse(text);
console.log(JSON.stringify(cases.map(({ candidates, settings }) => {
  const { kept, confidence, moved } = rank(candidates, { ...settings, hidden: new Set() });
  return kept.map((row) => [row, confidence[row], moved.get(row)]);
})));
"""
DECODE = """
import { eachRun } from "%s/rle.js";
let text = "";
for await (const chunk of process.stdin) text += chunk;
const masks = JSON.parse(text);
console.log(JSON.stringify(masks.map((mask) => {
  const pixels = [];
  eachRun(mask, (x, y, length) => { for (let row = y; row < y + length; row += 1) pixels.push([row, x]); });
  return pixels;
})));
"""


@pytest.mark.parametrize("name", sorted(path.name for path in HERE.glob("*.test.js")))
def test_of_the_modules(name: str) -> None:
    node("--test", str(HERE / name))


def test_the_page_ranks_as_the_server_does() -> None:
    cases = [_case(np.random.default_rng(seed)) for seed in range(200)]
    told = json.loads(node("--input-type=module", "-e", RANK % MODULES.as_uri(), given=json.dumps(cases)))
    assert told == [_kept(**case) for case in cases]
    assert sum(map(len, told)) > 1_500


def test_the_page_takes_further_steps_of_nms_as_the_server_does() -> None:
    selection = Selection(
        cluster_by="score",
        representative=Representative(iou_weight=0.8, member_iou=0.6),
        voting=Voting(iou_power=2, spread=0.02, iou_threshold=0.4),
        report_by="calibrated",
        calibration=ReportedProduct(score=Knots(x=[0, 0.3, 1], y=[0, 0.5, 0.9]), iou=Knots(x=[0.1, 1], y=[0, 1])),
    )
    cases = [_case(np.random.default_rng(seed)) for seed in range(40)]
    for case in cases:
        case["settings"] |= {"selection": selection.model_dump(mode="json"), "min_iou": 0, "nms": "per-class"}
    told = json.loads(node("--input-type=module", "-e", SELECT % MODULES.as_uri(), given=json.dumps(cases)))
    for case, kept in zip(cases, told, strict=True):
        settings = case["settings"]
        rows = [row for row, each in enumerate(case["candidates"]) if each["score"] > settings["score_threshold"]]
        above = [case["candidates"][row] for row in rows]
        found = select(
            selection,
            boxes_xyxy=np.array([each["box"] for each in above], np.float64).reshape(-1, 4),
            class_id=np.array([each["class_id"] for each in above], np.int64),
            score=np.array([each["score"] for each in above], np.float64),
            iou=np.array([each["iou"] for each in above], np.float64),
            iou_weight=settings["iou_weight"],
            nms_iou_threshold=settings["nms_iou_threshold"],
            limit=settings["limit"],
        )
        assert [row for row, *_ in kept] == [rows[index] for index in found.rows.tolist()]
        np.testing.assert_allclose([value for _, value, _ in kept], found.reported, rtol=1e-9)
        np.testing.assert_allclose(np.array([box for *_, box in kept]).reshape(-1, 4), found.boxes_xyxy, atol=1e-6)


def _case(random: np.random.Generator) -> dict[str, Any]:
    """Up to 300 candidates around a few objects, as a detector gives them, some of them equal."""
    size = int(random.integers(0, 301))
    centres = random.uniform(50, 600, (8, 2))[random.integers(0, 8, size)] + random.normal(0, 15, (size, 2))
    half = random.uniform(10, 90, (size, 2))
    boxes = np.clip(np.hstack([centres - half, centres + half]), 0, 640).astype(np.float32)
    score, purity, integrity = random.beta(1, 3, (3, size)).astype(np.float32)
    if size > 4:
        boxes[1], score[3] = boxes[0], score[2]
    iou = combined_iou(purity, integrity)
    candidates = [
        {
            "box": [float(f"{side:.9g}") for side in boxes[row]],
            "class_id": int(random.integers(0, 3)),
            "score": float(f"{score[row]:.9g}"),
            "iou": float(f"{iou[row]:.9g}"),
        }
        for row in range(size)
    ]
    settings = {
        "score_threshold": round(float(random.uniform(0, 0.5)), 2),
        "nms_iou_threshold": round(float(random.uniform(0, 1)), 2),
        "nms": str(random.choice(["per-class", "class-agnostic"])),
        "iou_weight": float(random.choice([0, 0.25, 0.5, 1])),
        "min_iou": float(random.choice([0, 0.3])),
        "limit": int(random.choice([20, 100])),
    }
    return {"candidates": candidates, "settings": settings}


def _kept(*, candidates: list[dict[str, Any]], settings: dict[str, Any]) -> list[int]:
    rows = [row for row, each in enumerate(candidates) if each["score"] > settings["score_threshold"]]
    above = [candidates[row] for row in rows]
    rank = confidence(
        [each["score"] for each in above], [each["iou"] for each in above], iou_weight=settings["iou_weight"]
    )
    first = ranked_nms(
        [each["box"] for each in above],
        [each["class_id"] for each in above],
        rank,
        iou_threshold=settings["nms_iou_threshold"],
    )[: settings["limit"]]
    if settings["nms"] == "class-agnostic":
        boxes = np.array([each["box"] for each in above], np.float64).reshape(-1, 4)[first]
        first = first[kept_over_classes(boxes, rank[first], iou_threshold=settings["nms_iou_threshold"])]
    return [rows[index] for index in first.tolist() if above[index]["iou"] >= settings["min_iou"]]


def test_the_page_reads_masks_as_the_server_writes_them() -> None:
    random = np.random.default_rng(0)
    masks = [
        np.pad(random.random((h, w)) > 0.6, ((top, 2), (left, 3)))
        for h, w, top, left in ((9, 7, 0, 4), (40, 70, 300, 900))
    ]
    masks += [np.zeros((5, 4), np.bool_), np.ones((5, 4), np.bool_)]
    told = [encode(mask, left=0, top=0, picture_hw=(mask.shape[0], mask.shape[1])).to_json() for mask in masks]
    read = json.loads(node("--input-type=module", "-e", DECODE % MODULES.as_uri(), given=json.dumps(told)))
    for mask, pixels in zip(masks, read, strict=True):
        assert sorted(pixels) == sorted(np.argwhere(mask).tolist())
