"""Large pictures in tiles: the choice on the page shows what the server answers in tiles, and what it refuses."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from PIL import Image
from waiting import PATIENCE_S

from dirdet.detector.detector import Detector
from dirdet.gateway.app import create_app
from dirdet.gateway.scheduling.server_limits import ServerLimits

from .looking import FIGURES, boxes, choose, frame, move, rows, settled

Serve = Callable[[Any], str]
Open = Callable[..., Any]
# Of the large picture; reduced to the canvas, a quarter of that.
BOX = (700, 500, 724, 530)
LARGE_WH = (1000, 800)
# On the canvas, pixels: the detector of these tests sees nothing smaller.
LEAST_SIDE = 12


@pytest.fixture
def nearsighted(detector: Detector, engine: Any) -> Detector:
    engine.least_side = LEAST_SIDE
    return detector


@pytest.fixture
def large(rectangles: Callable[..., Image.Image], encode: Callable[..., bytes]) -> tuple[str, bytes]:
    return "large.png", encode(rectangles(*LARGE_WH, red=BOX))


def cut(page: Any, how: str) -> None:
    page.get_by_label("Large pictures").select_option(label=how)
    frame(page)  # until then the former answer is shown
    settled(page)


def test_tiles_find_what_is_too_small_in_the_whole(
    open_page: Open, serve: Serve, nearsighted: Detector, large: tuple[str, bytes]
) -> None:
    address = serve(nearsighted)
    watched = open_page(address)
    page = watched.page
    choose(page, large)
    assert page.get_by_label("Large pictures").locator("option:checked").inner_text() == "as a whole"
    assert rows(page) == []
    cut(page, "in tiles")
    sent = {"image": large[1]}
    answer = httpx.post(f"{address}/detect?tiles=auto", files=sent, timeout=PATIENCE_S).json()
    [told] = answer["images"][0]["detections"]
    [shown] = rows(page)
    assert shown["label"] == told["label"] == "red"
    assert [shown[figure] for figure in FIGURES] == pytest.approx([told[figure] for figure in FIGURES], abs=0.0051)
    photo = page.locator("#stage .photo").bounding_box()
    place = page.locator("#stage .box .line").bounding_box()
    scale = photo["width"] / LARGE_WH[0]
    drawn = [place["x"] - photo["x"], place["y"] - photo["y"], place["width"], place["height"]]
    x1, y1, x2, y2 = BOX
    assert [side / scale for side in drawn] == pytest.approx([x1, y1, x2 - x1, y2 - y1], abs=4)
    cut(page, "as a whole")
    assert rows(page) == []
    assert watched.count("POST", "/detect") == 3


def test_the_choice_is_of_all_pictures_and_sliders_ask_nothing(
    open_page: Open, serve: Serve, nearsighted: Detector, large: tuple[str, bytes]
) -> None:
    watched = open_page(serve(nearsighted))
    page = watched.page
    choose(page, large, ("second.png", large[1]))
    cut(page, "in tiles")
    for name in ("second.png, 1 box", "large.png, 1 box"):
        page.get_by_role("button", name=name).click()
        settled(page)
        assert boxes(page) == [0]
    choose(page, ("third.png", large[1]))
    page.get_by_role("button", name="third.png, 1 box").wait_for()
    asked = watched.count("POST", "/detect")
    assert asked == 5
    for threshold, count in ((0.95, 0), (0.5, 1)):
        move(page, score_threshold=threshold)
        assert len(rows(page)) == count
    assert watched.count("POST", "/detect") == asked


def test_too_many_tiles_are_refused_in_the_servers_words(
    open_page: Open, serve: Serve, nearsighted: Detector, large: tuple[str, bytes]
) -> None:
    page = open_page(serve(create_app(nearsighted, limits=ServerLimits(max_tiles=12)))).page
    choose(page, large)
    cut(page, "in tiles")
    text = page.locator("#failure").inner_text()
    for words in ("large.png", "at most 12 (--max-tiles) are accepted"):
        assert words in text
    cut(page, "as a whole")
    assert page.locator("#failure").is_hidden()
    assert page.locator("#stage .photo").is_visible()
