"""WCAG 2.1 AA by axe-core: contrast, names and keyboard, in light, dark and on a telephone."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from PIL import Image

from dirdet.detector.detector import Detector

from .looking import choose, frame

Serve = Callable[[FastAPI | Detector], str]
Open = Callable[..., Any]
Rectangles = Callable[..., Image.Image]
Encode = Callable[..., bytes]

SCREENS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "telephone": {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True},
}
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]}}


def violations(page: Any) -> list[str]:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-core checks accessibility")
    found = axe.Axe().run(page, options=RULES).response["violations"]
    return [f"{each['id']}: {node['html']}: {node['failureSummary']}" for each in found for node in each["nodes"]]


@pytest.mark.parametrize("screen", SCREENS)
def test_every_state_of_the_page(
    screen: str, open_page: Open, serve: Serve, detector: Detector, rectangles: Rectangles, encode: Encode
) -> None:
    page = open_page(serve(detector), **SCREENS[screen]).page
    page.locator("#classes li").first.wait_for()
    assert violations(page) == []
    page.locator("#about").click()
    assert violations(page) == []
    page.keyboard.press("Escape")
    choose(page, ("scene.png", encode(rectangles())), ("broken.png", b"nothing"))
    page.get_by_role("button", name="scene.png, 1 box").click()
    page.locator("#compare").check()
    page.locator("#review-switch").click()
    frame(page)
    assert violations(page) == []
    page.get_by_role("button", name="broken.png, Not a picture").click()
    frame(page)
    assert violations(page) == []
