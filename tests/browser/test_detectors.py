"""Several detectors: which of them the page asks, and what changes with it."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from PIL import Image

from dirdet.bundle.bundle import Category
from dirdet.detector.detector import Detector
from dirdet.gateway.app import create_app

from .looking import choose, frame, rows, settled

Serve = Callable[[FastAPI | Detector], str]
Open = Callable[..., Any]


@pytest.fixture
def two(detector: Detector, plain_detector: Detector) -> FastAPI:
    """`rectangles`, and `plain`, which predicts no iou and calls the classes otherwise."""
    names = [Category(name=f"plain {each.name}", category_id=each.category_id) for each in detector.manifest.categories]
    manifest = plain_detector.manifest.model_copy(update={"name": "plain", "categories": names})
    return create_app(detector, Detector(manifest, plain_detector.engine))


@pytest.fixture
def picture(rectangles: Callable[..., Image.Image], encode: Callable[..., bytes]) -> tuple[str, bytes]:
    return "a.png", encode(rectangles(red=(100, 60, 300, 200), blue=(80, 260, 560, 440)))


def take(page: Any, name: str) -> None:
    page.locator("#chooser").select_option(name)
    page.wait_for_function("name => document.title.endsWith(name)", arg=name)
    settled(page)


def labels(page: Any) -> set[str]:
    return {row["label"] for row in rows(page)}


def test_one_detector_is_no_choice(open_page: Open, serve: Serve, detector: Detector) -> None:
    page = open_page(serve(detector)).page
    page.locator("#detector-name", has_text="rectangles").wait_for()
    assert page.locator("#chooser").is_hidden()


def test_another_detector_looks_at_every_picture_again(
    open_page: Open, serve: Serve, two: FastAPI, picture: tuple[str, bytes]
) -> None:
    watched = open_page(serve(two))
    page = watched.page
    page.locator("#chooser").wait_for()
    assert page.locator("#chooser option").all_inner_texts() == ["rectangles", "plain"]
    assert page.locator("#detector-name").is_hidden()
    choose(page, picture, ("b.png", picture[1]))
    assert labels(page) == {"red", "blue"}
    page.locator("#legend button").first.click()  # a class of the one is none of the other
    frame(page)
    assert len(rows(page)) == 1
    take(page, "plain")
    page.locator(".badge", has_text="2").nth(1).wait_for()
    assert labels(page) == {"plain red", "plain blue"}
    assert [each.split() for each in page.locator("#legend button").all_inner_texts()] == [
        ["plain", "red", "1"],
        ["plain", "blue", "1"],
    ]
    assert page.locator("#no-iou").is_visible()
    assert watched.count("POST", "/detectors/plain/detect") == 2
    assert page.url.endswith("?detector=plain")
    page.reload()
    page.wait_for_function("() => document.title.endsWith('plain')")
    assert page.locator("#chooser").input_value() == "plain"
    choose(page, picture)
    assert labels(page) == {"plain red", "plain blue"}
    take(page, "rectangles")
    assert labels(page) == {"red", "blue"}
    assert "?" not in page.url


def test_a_choice_while_a_picture_is_under_way_counts(
    open_page: Open, serve: Serve, two: FastAPI, picture: tuple[str, bytes]
) -> None:
    """However often it changes: what is shown is the last one's."""
    page = open_page(serve(two)).page
    page.locator("#chooser").wait_for()
    page.set_input_files(
        "#file", [{"name": f"{n}.png", "mimeType": "image/png", "buffer": picture[1]} for n in range(4)]
    )
    for name in ("plain", "rectangles", "plain", "rectangles", "plain"):
        page.locator("#chooser").select_option(name)
    page.wait_for_function("() => document.title.endsWith('plain')")
    page.locator(".badge", has_text="2").nth(3).wait_for()
    for tile in page.locator(".thumb").all():
        tile.click()
        settled(page)
        assert labels(page) == {"plain red", "plain blue"}


def test_a_name_that_is_none_any_more_is_the_default_one(open_page: Open, serve: Serve, two: FastAPI) -> None:
    page = open_page(serve(two)).page
    page.goto(f"{page.url}?detector=gone")
    page.locator("#chooser").wait_for()
    assert page.locator("#chooser").input_value() == "rectangles"
