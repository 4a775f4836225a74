"""What a calibrated bundle answers, by the API and on the command line."""

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import httpx
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dirdet.api.schemas import DetectAnswer, DetectorInfo
from dirdet.bundle.bundle import Manifest
from dirdet.bundle.shipped import default_bundle
from dirdet.commands.calibrate import command as calibrate
from dirdet.commands.detect import command as detect
from dirdet.detection.calibration import BoxMargin, Calibration, Knots, Maps, Meaning, Suggested
from dirdet.detector.detector import Detector

Call = Callable[..., httpx.Response]
FIELDS = ("score_calibrated", "iou_calibrated", "outer_box")
CALIBRATION = Calibration(
    detections=Meaning(
        score=Maps(pooled=Knots(x=[0], y=[0.9]), of_class={0: Knots(x=[0, 1], y=[0, 0.5])}),
        iou=Maps(pooled=Knots(x=[0.2, 0.6], y=[0.4, 0.4])),
        boxes=100,
    ),
    candidates=Meaning(score=Maps(pooled=Knots(x=[0, 1], y=[0.1, 0.1])), boxes=500),
    suggested=Suggested(
        score_threshold=0.4, precision=0.8, recall=0.7, min_iou=0.3, wrong_removed=0.5, right_lost=0.01
    ),
    box_margin=BoxMargin(margin=1, coverage=0.9),
    annotations="val.json",
    matched=60,
)


@pytest.fixture
def picture(rectangles: Callable[..., Image.Image], encode: Callable[..., bytes]) -> bytes:
    return encode(rectangles(red=(100, 60, 300, 200)))


@pytest.fixture
def call_calibrated(detector: Detector, call_of: Callable[[Detector], Call]) -> Call:
    manifest: Manifest = detector.manifest.model_copy(update={"calibration": CALIBRATION})
    return call_of(Detector(manifest, detector.engine))


def found_by(call: Call, picture: bytes) -> dict[str, Any]:
    response = call("POST", "/detect", content=picture, headers={"content-type": "image/png"})
    DetectAnswer.model_validate(response.json())
    return response.json()["images"][0]["detections"][0]


def test_the_new_fields_stand_beside_the_old(call: Call, call_calibrated: Call, picture: bytes) -> None:
    plain, calibrated = found_by(call, picture), found_by(call_calibrated, picture)
    assert plain == calibrated | dict.fromkeys(FIELDS)
    assert calibrated["score_calibrated"] == pytest.approx(plain["score"] / 2)
    assert calibrated["iou_calibrated"] == pytest.approx(0.4)
    # A whole width to each side and a whole height up and down, inside the picture.
    assert calibrated["outer_box"] == pytest.approx([0, 0, 500, 340], abs=10)


def test_a_candidate_has_what_candidates_figures_mean(call_calibrated: Call, picture: bytes) -> None:
    response = call_calibrated(
        "POST", "/detect?candidates=true", content=picture, headers={"content-type": "image/png"}
    )
    [candidate] = response.json()["images"][0]["candidates"]
    assert candidate["score_calibrated"] == pytest.approx(0.1)
    assert candidate["iou_calibrated"] is None  # of candidates only the score was calibrated


def test_the_detector_says_what_its_calibration_is(call: Call, call_calibrated: Call) -> None:
    assert call("GET", "/detector").json()["calibration"] is None
    told = call_calibrated("GET", "/detector").json()
    DetectorInfo.model_validate(told)
    assert Calibration.model_validate(told["calibration"]) == CALIBRATION


def test_the_fields_are_always_there_for_clients(call: Call) -> None:
    schema = call("GET", "/openapi.json").json()["components"]["schemas"]["DetectionOut"]
    assert set(FIELDS) <= set(schema["required"])
    assert all({"type": "null"} in schema["properties"][name]["anyOf"] for name in FIELDS)


def test_the_shipped_detector_calibrated(tmp_path: Path) -> None:
    """From the shipped bundle and a split to a served answer; its network is not needed to calibrate it."""
    ann, found = _split(tmp_path)
    out = tmp_path / "calibrated"
    arguments = [default_bundle(), "--candidates", found, "--ann", ann, "--out", out]
    result = CliRunner().invoke(calibrate, [str(each) for each in arguments])
    assert result.exit_code == 0, result.output
    pytest.importorskip("onnxruntime", reason="detecting needs ONNX Runtime")
    with Image.open(Path(__file__).parents[2] / "docs" / "example.jpg") as example:
        example.convert("RGB").save(tmp_path / "example.png")
    answer = CliRunner().invoke(detect, [str(tmp_path / "example.png"), "--detector", str(out), "--json"])
    assert answer.exit_code == 0, answer.output
    [image] = json.loads(answer.output)["images"]
    assert image["detections"]
    for each in image["detections"]:
        assert 0 <= each["score_calibrated"] <= 1
        assert 0 <= each["iou_calibrated"] <= 1
        low, high = each["outer_box"][:2], each["outer_box"][2:]
        assert all(a <= b for a, b in zip(low, each["box"][:2], strict=True))
        assert all(a >= b for a, b in zip(high, each["box"][2:], strict=True))


def _split(folder: Path) -> tuple[Path, Path]:
    """Sixty objects of the shipped detector's first class, each found by a box a tenth too small."""
    categories = json.loads((default_bundle() / "bundle.json").read_text())["categories"]
    content = {
        "images": [{"id": n, "file_name": f"{n}.png", "width": 200, "height": 200} for n in range(60)],
        "categories": [{"id": each["category_id"], "name": each["name"]} for each in categories],
        "annotations": [
            {"id": n + 1, "image_id": n, "category_id": 1, "bbox": [50, 50, 50, 50], "area": 2500} for n in range(60)
        ],
    }
    entries = [
        {"image_id": n, "category_id": 1, "bbox": [55, 50, 45, 50], "score": n / 60, "purity": 1.0, "integrity": 0.9}
        for n in range(60)
    ]
    ann, found = folder / "ann.json", folder / "found.json"
    ann.write_text(json.dumps(content))
    found.write_text(json.dumps(entries))
    return ann, found


@given(
    st.lists(st.integers(0, 6), min_size=1, max_size=40),
    st.lists(st.lists(st.integers(0, 10**4), min_size=1, max_size=64, unique=True), min_size=1, max_size=4),
    st.randoms(use_true_random=False),
)
def test_each_box_has_its_classs_map(classes: list[int], knots: list[list[int]], random: Random) -> None:
    # `dirdet calibrate` writes four decimal places.
    maps = [Knots(x=[each / 10**4 for each in sorted(x)], y=sorted(random.random() for _ in x)) for x in knots]
    own = dict(zip(random.sample(range(6), len(maps) - 1), maps[1:], strict=True))
    values = [random.choice([random.random(), *maps[0].x, 0.0, 1.0]) for _ in classes]
    expected = [own.get(each, maps[0]).apply([value])[0] for each, value in zip(classes, values, strict=True)]
    np.testing.assert_allclose(Maps(pooled=maps[0], of_class=own).apply(values, classes), expected, atol=1e-9)
