"""Problems are shown in the server's words, with what a person can do about them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from PIL import Image

from dirdet.detector.detector import Detector
from dirdet.errors import EngineError
from dirdet.gateway.access.api_keys import Key, digest, new_key
from dirdet.gateway.access.key_file import KeyFile, append_key
from dirdet.gateway.access.settings import Access
from dirdet.gateway.app import create_app
from dirdet.gateway.scheduling.server_limits import ServerLimits
from dirdet.pictures.reading import PictureLimits

from .looking import choose, frame, rows, settled

Serve = Callable[[Any], str]
Open = Callable[..., Any]
Encode = Callable[..., bytes]
Rectangles = Callable[..., Image.Image]
KEY = new_key()


@pytest.fixture
def picture(rectangles: Rectangles, encode: Encode) -> tuple[str, bytes]:
    return "scene.png", encode(rectangles())


def test_not_a_picture(open_page: Open, serve: Serve, detector: Detector) -> None:
    page = open_page(serve(detector)).page
    choose(page, ("notes.png", b"hello"))
    text = page.locator("#failure").inner_text()
    for words in ("Not a picture", "notes.png", "expected a JPEG"):
        assert words in text
    page.locator("#failure").get_by_role("button", name="Remove").click()
    frame(page)
    assert page.locator("#welcome").is_visible()


def test_a_broken_one_of_several_does_not_stop_the_others(
    open_page: Open, serve: Serve, detector: Detector, picture: tuple[str, bytes]
) -> None:
    page = open_page(serve(detector)).page
    choose(page, picture, ("half.png", picture[1][: len(picture[1]) // 2]))
    page.get_by_role("button", name="half.png, The picture is broken or truncated").click()
    page.locator("#failure", has_text="PNG").wait_for()
    page.get_by_role("button", name="scene.png, 1 box").click()
    frame(page)
    assert len(rows(page)) == 1
    assert page.locator("#failure").is_hidden()


def test_too_many_bytes_are_not_even_sent(open_page: Open, serve: Serve, detector: Detector) -> None:
    limits = ServerLimits(picture=PictureLimits(max_bytes=200_000, max_pixels=1_000_000))
    watched = open_page(serve(create_app(detector, limits=limits)))
    choose(watched.page, ("large.png", bytes(300_000)))
    assert "at most 0.2 MiB are accepted" in watched.page.locator("#failure").inner_text()
    assert watched.count("POST", "/detect") == 0


def test_too_many_pixels(open_page: Open, serve: Serve, detector: Detector, encode: Encode) -> None:
    page = open_page(serve(detector)).page
    choose(page, ("large.png", encode(Image.new("1", (10_001, 10_000)), "PNG")[:60]))
    assert "megapixels" in page.locator("#failure").inner_text()


def test_a_detector_that_is_away_is_asked_again_after_a_while(
    open_page: Open, serve: Serve, detector: Detector, engine: Any, picture: tuple[str, bytes]
) -> None:
    engine.broken = EngineError("out of order")
    watched = open_page(serve(detector))
    watched.page.set_input_files("#file", [{"name": picture[0], "mimeType": "image/png", "buffer": picture[1]}])
    progress = watched.page.locator("#progress", has_text="Again in")
    progress.wait_for()
    assert "out of order" in progress.inner_text()
    engine.broken = None
    settled(watched.page)
    assert len(rows(watched.page)) == 1
    assert watched.count("POST", "/detect") == 2


def test_an_unexpected_error_can_be_tried_again(
    open_page: Open, serve: Serve, detector: Detector, engine: Any, picture: tuple[str, bytes]
) -> None:
    engine.broken = RuntimeError("a secret")
    page = open_page(serve(detector)).page
    choose(page, picture)
    assert "an unexpected error of the server" in page.locator("#failure").inner_text()
    engine.broken = None
    page.get_by_role("button", name="Try again").click()
    page.locator("#stage:not(.off)").wait_for()
    frame(page)
    assert len(rows(page)) == 1


def test_a_server_that_is_gone(open_page: Open, serve: Serve, detector: Detector, picture: tuple[str, bytes]) -> None:
    page = open_page(serve(detector)).page
    page.locator("#classes li").first.wait_for()
    page.context.set_offline(True)
    choose(page, picture)
    assert "could not be reached" in page.locator("#failure").inner_text()
    page.context.set_offline(False)
    page.get_by_role("button", name="Try again").click()
    page.locator("#stage:not(.off)").wait_for()


@pytest.fixture
def guarded(detector: Detector, tmp_path: Path) -> FastAPI:
    """Asks for a key wherever the detector is told of or used."""
    append_key(tmp_path / "keys", Key("phone", digest(KEY)))
    return create_app(detector, access=Access(keys=KeyFile(tmp_path / "keys")))


def test_a_key_is_asked_for_and_kept_in_memory_only(
    open_page: Open, serve: Serve, guarded: FastAPI, picture: tuple[str, bytes]
) -> None:
    page = open_page(serve(guarded)).page
    dialog = page.locator("#key-dialog")
    dialog.wait_for()
    says = page.locator("#key-says")
    assert "Paste the key that you were given" in says.inner_text()
    page.get_by_label("API key").fill("a wrong one")
    page.keyboard.press("Enter")
    says.filter(has_text="does not know this key").wait_for()
    page.get_by_label("API key").fill(KEY)
    page.get_by_role("button", name="Use the key").click()
    page.locator("#classes li").first.wait_for()
    assert page.locator("#unreachable").is_hidden()
    choose(page, picture)
    assert len(rows(page)) == 1
    kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href])")
    assert KEY not in kept
    assert page.locator("#key").input_value() == ""
    page.reload()
    dialog.wait_for()


def test_without_a_key_a_picture_waits_for_one(
    open_page: Open, serve: Serve, guarded: FastAPI, picture: tuple[str, bytes]
) -> None:
    page = open_page(serve(guarded)).page
    page.locator("#key-cancel").click()
    choose(page, picture)
    page.locator("#key-cancel").click()
    page.get_by_role("button", name="Give a key").click()
    page.get_by_label("API key").fill(KEY)
    page.keyboard.press("Enter")
    page.locator("#stage:not(.off)").wait_for()
    frame(page)
    assert len(rows(page)) == 1
