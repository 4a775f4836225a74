"""The ways a picture comes onto the page."""

import base64
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from dirdet.detector.detector import Detector
from dirdet.pictures.formats import MEDIA_TYPES

from .looking import frame, rows, settled

Serve = Callable[[Any], str]
Open = Callable[..., Any]
Encode = Callable[..., bytes]
Rectangles = Callable[..., Image.Image]
# What the browser gives a page when files are dropped or pasted.
TRANSFER = """
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], "given.png", { type: "image/png" }));
"""


@pytest.fixture
def page(open_page: Open, serve: Serve, detector: Detector) -> Any:
    page = open_page(serve(detector)).page
    page.locator("#classes li").first.wait_for()
    return page


@pytest.fixture
def data(rectangles: Rectangles, encode: Encode) -> str:
    return base64.b64encode(encode(rectangles())).decode()


def test_dropped(page: Any, data: str) -> None:
    page.evaluate(
        f"""(data) => {{ {TRANSFER}
        for (const kind of ["dragenter", "dragover"]) {{
          const event = new DragEvent(kind, {{ dataTransfer: transfer, bubbles: true, cancelable: true }});
          document.body.dispatchEvent(event);
        }} }}""",
        data,
    )
    assert page.locator("#dropping").is_visible()
    taken = page.evaluate(
        f"""(data) => {{ {TRANSFER}
        const drop = new DragEvent("drop", {{ dataTransfer: transfer, bubbles: true, cancelable: true }});
        document.body.dispatchEvent(drop);
        return drop.defaultPrevented; }}""",
        data,
    )
    assert taken
    settled(page)
    assert [row["label"] for row in rows(page)] == ["red"]
    assert page.locator("#dropping").is_hidden()


def test_pasted(page: Any, data: str) -> None:
    page.evaluate(
        f"""(data) => {{ {TRANSFER}
        document.dispatchEvent(new ClipboardEvent("paste", {{ clipboardData: transfer, bubbles: true }})); }}""",
        data,
    )
    settled(page)
    assert [row["label"] for row in rows(page)] == ["red"]


def test_text_that_is_pasted_or_dragged_is_none_of_the_pages_business(page: Any) -> None:
    page.evaluate("""() => {
      const transfer = new DataTransfer();
      transfer.setData("text/plain", "hello");
      document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true }));
      document.body.dispatchEvent(new DragEvent("dragenter", { dataTransfer: transfer, bubbles: true }));
    }""")
    frame(page)
    assert page.locator("#welcome").is_visible()
    assert page.locator("#dropping").is_hidden()


def test_by_keys_alone(page: Any) -> None:
    # Playwright does not wait until the browser hands it the dialogs: from here on it has the time of all that follows.
    asked: list[Any] = []

    def ask(chooser: Any) -> None:
        asked.append(chooser)

    page.on("filechooser", ask)
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "choose":
            break
    with page.expect_event("filechooser"):
        page.keyboard.press("Enter")
    [chooser] = asked
    assert chooser.is_multiple()
    assert page.locator("#file").get_attribute("accept") == ",".join(MEDIA_TYPES)


def test_from_the_camera(page: Any) -> None:
    page.locator("#camera").click()
    shoot = page.locator("#shoot")
    page.wait_for_selector("#shoot:enabled")
    shoot.click()
    settled(page)
    # Chromium's own test picture: what matters is that it came and was answered.
    assert page.locator("#stage .photo").evaluate("photo => photo.naturalWidth") >= 320
    assert page.locator("#video").evaluate("video => video.srcObject") is None


def test_the_example_is_a_picture_on_which_the_shipped_detector_is_right(
    open_page: Open, serve: Serve, shipped: Detector
) -> None:
    page = open_page(serve(shipped)).page
    page.locator("#example").click()
    settled(page)
    assert rows(page)[0]["label"] == "mammal"


def test_everything_has_a_name_for_those_who_hear_it(page: Any, data: str) -> None:
    page.evaluate(
        f"""(data) => {{ {TRANSFER}
        document.dispatchEvent(new ClipboardEvent("paste", {{ clipboardData: transfer, bubbles: true }})); }}""",
        data,
    )
    settled(page)
    nameless = page.locator("button, input, [role=listbox], [role=group], dialog").evaluate_all("""found => found
      .filter((each) => !["aria-label", "aria-labelledby"].some((name) => each.getAttribute(name)))
      .filter((each) => !each.innerText.trim() && !each.labels?.length && !each.closest("[hidden], [aria-hidden=true]"))
      .map((each) => each.outerHTML)""")
    assert nameless == []
    assert page.locator("html").get_attribute("lang") == "en"
