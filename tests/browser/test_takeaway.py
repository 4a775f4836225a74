"""What is taken along: COCO JSON, CSV and the picture, as the sliders stand."""

import csv
import json
from collections.abc import Callable
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from waiting import PATIENCE_S

from dirdet.detector.detector import Detector

from .looking import choose, frame, move, photograph, rows

Serve = Callable[[Any], str]
Open = Callable[..., Any]
Encode = Callable[..., bytes]
Rectangles = Callable[..., Image.Image]
BOXES = {"red": (100, 60, 300, 200), "green": (340, 80, 600, 180), "blue": (80, 260, 560, 440)}


@pytest.fixture
def page(open_page: Open, serve: Serve, detector: Detector, rectangles: Rectangles, encode: Encode) -> Any:
    page = open_page(serve(detector), permissions=["clipboard-read", "clipboard-write"]).page
    choose(page, ("red, alone.png", encode(rectangles(red=BOXES["red"]))))
    choose(page, ("all.png", encode(rectangles(**BOXES))))
    page.locator(".badge.done").nth(1).wait_for()
    move(page, min_iou=0.4)
    return page


def saved(page: Any, button: str) -> tuple[str, bytes]:
    with page.expect_download() as waited:
        page.locator(button).click()
    return waited.value.suggested_filename, Path(waited.value.path()).read_bytes()


def test_coco_json_is_copied(page: Any) -> None:
    page.locator("#copy-coco").click()
    page.locator("#exported", has_text="Copied: 2 boxes of 2 pictures").wait_for()
    coco = json.loads(page.evaluate("navigator.clipboard.readText()"))
    assert [image["file_name"] for image in coco["images"]] == ["red, alone.png", "all.png"]
    names = {each["id"]: each["name"] for each in coco["categories"]}
    assert names == {10: "red", 20: "green", 30: "blue"}
    assert [(each["image_id"], names[each["category_id"]]) for each in coco["annotations"]] == [
        (2, "blue"),
        (2, "green"),
    ]
    x, y, width, height = coco["annotations"][0]["bbox"]
    assert (x, y, x + width, y + height) == pytest.approx(BOXES["blue"], abs=4)


def test_pycocotools_reads_it(page: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    coco_api = pytest.importorskip("pycocotools.coco")
    page.locator("#copy-coco").click()
    page.locator("#exported", has_text="Copied").wait_for()
    (tmp_path / "coco.json").write_text(page.evaluate("navigator.clipboard.readText()"))
    assert len(coco_api.COCO(str(tmp_path / "coco.json")).getAnnIds(imgIds=[2])) == 2
    capsys.readouterr()


def test_a_csv_is_saved(page: Any) -> None:
    name, data = saved(page, "#save-csv")
    assert name == "detections.csv"
    table = list(csv.DictReader(StringIO(data.decode())))
    assert [(row["file"], row["label"]) for row in table] == [("all.png", "blue"), ("all.png", "green")]
    assert float(table[0]["iou"]) == pytest.approx(0.859, abs=0.001)
    assert table[0]["score_calibrated"] == ""


def test_the_figures_are_those_of_the_api(open_page: Open, serve: Serve, shipped: Detector) -> None:
    address = serve(shipped)
    page = open_page(address, permissions=["clipboard-read", "clipboard-write"]).page
    choose(page, photograph("coffee.png"))
    page.locator("#copy-coco").click()
    page.locator("#exported", has_text="Copied").wait_for()
    told = json.loads(page.evaluate("navigator.clipboard.readText()"))["annotations"]
    with photograph("coffee.png").open("rb") as file:
        answer = httpx.post(f"{address}/detect?score_threshold=0.3", files={"image": file}, timeout=PATIENCE_S).json()
    expected = answer["images"][0]["detections"]
    for name in ("score", "purity", "integrity", "iou"):
        assert [each[name] for each in told] == pytest.approx([each[name] for each in expected], rel=1.1e-5)
    assert [each["category_id"] for each in told] == [each["category_id"] for each in expected]


def test_the_picture_is_saved_in_its_own_size_with_what_is_kept(page: Any) -> None:
    name, data = saved(page, "#save-picture")
    assert name == "all_detected.png"
    drawn = np.asarray(Image.open(BytesIO(data)).convert("RGB")).astype(int)
    assert drawn.shape == (480, 640, 3)
    page.locator("#score_threshold-number").fill("0.99")
    frame(page)
    assert rows(page) == []
    blank = np.asarray(Image.open(BytesIO(saved(page, "#save-picture")[1])).convert("RGB")).astype(int)
    changed = (drawn != blank).any(axis=2)
    assert changed[255:265, 90:550].any(axis=0).all()  # the blue box's upper edge
    assert not changed[100:160, 150:250].any()  # inside the red one, which is not kept


def test_without_a_clipboard_it_is_a_file(
    open_page: Open, serve: Serve, detector: Detector, rectangles: Rectangles, encode: Encode
) -> None:
    page = open_page(serve(detector)).page
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    choose(page, ("a.png", encode(rectangles(**BOXES))))
    name, data = saved(page, "#copy-coco")
    assert name == "detections.json"
    assert len(json.loads(data)["annotations"]) == 3
