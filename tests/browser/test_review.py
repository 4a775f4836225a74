"""The review of several pictures' boxes: the most doubtful first, decided by keys, taken along."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from dirdet.detector.detector import Detector

from .looking import choose, frame, photograph

Serve = Callable[[Any], str]
Open = Callable[..., Any]
Rectangles = Callable[..., Image.Image]
Encode = Callable[..., bytes]


@pytest.fixture
def page(open_page: Open, serve: Serve, detector: Detector, rectangles: Rectangles, encode: Encode) -> Any:
    """Two pictures, the second with two boxes; the detector is surest of red, then green, then blue."""
    page = open_page(serve(detector), accept_downloads=True).page
    green, two = ({"green": (50, 50, 200, 250)}, {"red": (50, 50, 200, 250), "blue": (250, 260, 500, 460)})
    choose(page, ("a.png", encode(rectangles(**green))), ("b.png", encode(rectangles(**two))))
    page.get_by_role("button", name="b.png, 2 boxes").wait_for()
    page.get_by_role("button", name="a.png, 1 box").wait_for()
    return page


def queue(page: Any) -> list[str]:
    """The order in which the review shows boxes, if all are accepted."""
    seen: list[str] = []
    page.locator("#review-switch").click()
    for _ in range(3):
        frame(page)
        seen.append(page.locator(".row[aria-selected=true]").get_attribute("aria-label").partition(",")[0])
        page.keyboard.press("a")
    return seen


def saved(page: Any, button: str) -> Path:
    with page.expect_download() as download:
        page.locator(button).click()
    return Path(download.value.path())


def test_every_box_comes_once_the_most_doubtful_first(page: Any) -> None:
    seen = queue(page)
    frame(page)
    assert sorted(seen) == ["blue", "green", "red"]
    with saved(page, "#save-csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["label"] for row in sorted(table, key=lambda row: float(row["confidence"]))] == seen
    assert {row["review"] for row in table} == {"accepted"}
    assert "3 accepted, 0 rejected, 0 left" in page.locator("#review-says").inner_text()


def test_what_is_rejected_stays_out_of_labels_and_can_be_taken_back(page: Any) -> None:
    assert page.locator("#accept").is_hidden()
    page.keyboard.press("r")  # no review: the key means nothing
    page.locator("#review-switch").click()
    frame(page)
    doubted = page.locator(".row[aria-selected=true]").get_attribute("aria-label").partition(",")[0]
    page.keyboard.press("r")
    frame(page)
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('none')); }")
    labels = json.loads(saved(page, "#copy-coco").read_text())
    names = {each["id"]: each["name"] for each in labels["categories"]}
    left = [(names[each["category_id"]], each["review"]) for each in labels["annotations"]]
    assert sorted(left) == sorted((name, "unreviewed") for name in {"red", "green", "blue"} - {doubted})
    with saved(page, "#save-csv").open(encoding="utf-8", newline="") as file:
        decided = {row["label"]: row["review"] for row in csv.DictReader(file)}
    assert decided[doubted] == "rejected"
    page.keyboard.press("u")
    frame(page)
    assert "0 accepted, 0 rejected, 3 left" in page.locator("#review-says").inner_text()
    page.locator("#review-switch").click()
    frame(page)
    assert page.locator("#accept").is_hidden()


def test_a_typed_letter_is_no_decision(page: Any) -> None:
    page.locator("#review-switch").click()
    page.locator("#score_threshold-number").focus()
    page.keyboard.press("r")
    frame(page)
    assert "0 rejected" in page.locator("#review-says").inner_text()


def test_the_picture_shown_is_named_and_numbered(page: Any) -> None:
    caption = page.locator("#caption")
    assert caption.inner_text() == "1 of 2 a.png"
    page.locator("#next").click()
    frame(page)
    assert caption.inner_text() == "2 of 2 b.png"
    assert page.locator("#next").is_disabled()


def test_labels_say_which_figure(open_page: Open, serve: Serve, shipped: Detector) -> None:
    page = open_page(serve(shipped)).page
    choose(page, photograph("chelsea.png"))
    said = page.locator("#stage .label text").first
    assert "· right 0." in said.text_content()
    page.locator("#figure").select_option("iou")
    frame(page)
    assert "· IoU 0." in said.text_content()


def test_one_box_a_place(open_page: Open, serve: Serve, shipped: Detector) -> None:
    page = open_page(serve(shipped)).page
    choose(page, photograph("coffee.png"))
    several = page.locator("#list .row").count()
    page.locator("#agnostic").check()
    frame(page)
    assert page.locator("#list .row").count() < several
    assert "of another class" in page.locator("#funnel").inner_text()


def test_a_comparison_shows_a_difference_or_says_that_there_is_none(
    open_page: Open, serve: Serve, shipped: Detector
) -> None:
    page = open_page(serve(shipped)).page
    choose(page, photograph("coffee.png"))
    page.locator("#compare").check()
    frame(page)
    says = page.locator("#compare-says")
    says.filter(has_text="here is no difference").wait_for()
    says.get_by_role("button").click()
    frame(page)
    assert page.locator(".box.gained, .box.lost").count() > 0
    page.locator("#example").evaluate("button => button.click()")
    page.locator("#reset").click()
    says.filter(has_text="Nor is there one at any lower score").wait_for()
