"""Sliders and switches: what they show is what the server would answer, at once and without asking it."""

import itertools
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from waiting import PATIENCE_S

from dirdet.bundle.bundle import Manifest
from dirdet.detector.detector import Detector

from .crowd import Crowd
from .looking import FIGURES, boxes, choose, frame, move, photograph, rows

Serve = Callable[[Any], str]
Open = Callable[..., Any]
GRID = [
    dict(zip(("score_threshold", "nms_iou_threshold", "iou_weight", "min_iou"), values, strict=True))
    for values in itertools.product((0.05, 0.2, 0.42), (0.1, 0.5, 0.8), (0, 0.5, 0.9), (0, 0.76))
]


def answered(address: str, name: str, **options: float) -> list[dict[str, Any]]:
    sent = {"image": photograph(name).read_bytes()}
    response = httpx.post(f"{address}/detect", params=options, files=sent, timeout=PATIENCE_S)
    return response.json()["images"][0]["detections"]


@pytest.mark.parametrize("name", ["coffee.png", "motorcycle_left.png"])
def test_the_page_keeps_what_the_server_would(name: str, open_page: Open, serve: Serve, shipped: Detector) -> None:
    address = serve(shipped)
    watched = open_page(address)
    choose(watched.page, photograph(name))
    for settings in GRID:
        move(watched.page, **settings)
        shown, told = rows(watched.page), answered(address, name, **settings)
        assert [row["label"] for row in shown] == [each["label"] for each in told], settings
        for row, each in zip(shown, told, strict=True):
            assert [row[figure] for figure in FIGURES] == pytest.approx([each[f] for f in FIGURES], abs=0.0051)
    # All of that of one answer.
    assert watched.count("POST", "/detect") == 1


def test_it_begins_where_a_person_sees_something_and_says_so(open_page: Open, serve: Serve, shipped: Detector) -> None:
    page = open_page(serve(shipped)).page
    choose(page, photograph("chelsea.png"))
    assert page.locator("#score_threshold-number").input_value() == "0.30"
    move(page, score_threshold=0.9, iou_weight=0)
    page.locator("#reset").click()
    frame(page)
    values = {name: page.locator(f"#{name}").input_value() for name in ("score_threshold", "iou_weight")}
    assert values == {"score_threshold": "0.3", "iou_weight": "0.5"}


def test_a_number_can_be_typed(open_page: Open, serve: Serve, shipped: Detector) -> None:
    page = open_page(serve(shipped)).page
    choose(page, photograph("chelsea.png"))
    page.locator("#score_threshold-number").fill("0.6")
    frame(page)
    assert len(rows(page)) == 1
    for nonsense in ("7", ""):
        page.locator("#score_threshold-number").fill(nonsense)
        frame(page)
        assert len(rows(page)) == 1


def test_the_comparison_marks_what_score_alone_would_have_kept(
    open_page: Open, serve: Serve, shipped: Detector
) -> None:
    address = serve(shipped)
    page = open_page(address).page
    choose(page, photograph("motorcycle_left.png"))
    kept = boxes(page)
    page.locator("#compare").check()
    frame(page)
    texts = [row["text"] for row in rows(page)]
    by_score = answered(address, "motorcycle_left.png", score_threshold=0.3, iou_weight=0)
    gained = [text for text in texts if "kept only because the IoU counts" in text]
    lost = [text for text in texts if "only by score" in text]
    assert (len(gained), len(lost)) == (1, 1)
    assert len(texts) - len(gained) == len(by_score)
    assert set(kept) < set(boxes(page))
    assert page.locator(".box.gained").count() == page.locator(".box.lost").count() == 1
    assert "1 box kept only because the IoU counts" in page.locator("#compare-says").inner_text()
    move(page, iou_weight=0)
    assert "this is ranking by score alone" in page.locator("#compare-says").inner_text()
    assert page.locator(".box.gained, .box.lost").count() == 0


def test_three_hundred_candidates_are_no_burden(
    manifest: Manifest, open_page: Open, serve: Serve, rectangles: Callable[..., Any], encode: Callable[..., bytes]
) -> None:
    crowd = manifest.model_copy(update={"max_candidates": 300, "max_detections": 300})
    page = open_page(serve(Detector(crowd, Crowd(300)))).page
    choose(page, ("a.png", encode(rectangles())))
    move(page, score_threshold=0.05, nms_iou_threshold=1)
    assert len(boxes(page)) == 300
    assert "no more than 300" in page.locator("#funnel").inner_text()
    # From the slider to the next picture on the screen; each step changes which boxes there are.
    spent: list[float] = page.evaluate("""async () => {
      const slider = document.getElementById("score_threshold");
      const spent = [];
      for (let value = 0.05; value < 0.3; value += 0.01) {
        const begin = performance.now();
        slider.value = value;
        slider.dispatchEvent(new Event("input", { bubbles: true }));
        await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
        spent.push(performance.now() - begin);
      }
      return spent;
    }""")
    print(f"slider to screen: median {sorted(spent)[len(spent) // 2]:.1f} ms, worst {max(spent):.1f} ms")
    # On an idle machine it is some 20 ms; a starved one may take ten times as long, and is no fault of the page.
    assert sorted(spent)[len(spent) // 2] < 1000
