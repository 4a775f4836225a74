"""Boxes and list: what is found is shown, linked both ways, by mouse, finger and keys."""

from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from dirdet.detector.detector import Detector

from .looking import boxes, choose, frame, move, photograph, rows, settled

Serve = Callable[[Any], str]
Open = Callable[..., Any]
Encode = Callable[..., bytes]
Rectangles = Callable[..., Image.Image]
# One inside the other, so that pointing has to choose.
BOXES = {"blue": (80, 60, 560, 440), "red": (200, 150, 320, 260)}


@pytest.fixture
def picture(rectangles: Rectangles, encode: Encode) -> tuple[str, bytes]:
    return "scene.png", encode(rectangles(**BOXES))


@pytest.fixture
def page(open_page: Open, serve: Serve, detector: Detector, picture: tuple[str, bytes]) -> Any:
    page = open_page(serve(detector)).page
    choose(page, picture)
    return page


def middle(page: Any, row: int) -> tuple[float, float]:
    place = page.locator(f"#stage .box[data-row='{row}'] .line").bounding_box()
    return place["x"] + place["width"] / 2, place["y"] + place["height"] / 2


def test_a_newcomer_reads_what_the_detector_knows_and_cannot_do(
    open_page: Open, serve: Serve, detector: Detector
) -> None:
    page = open_page(serve(detector)).page
    page.locator("#classes li").first.wait_for()
    assert page.locator("#classes li").all_inner_texts() == ["red", "green", "blue"]
    assert page.locator("#limitations").inner_text() == "knows rectangles only"
    assert "32 MiB" in page.locator("#accepted").inner_text()
    assert page.locator("#work").is_hidden()


def test_what_is_found_is_drawn_and_listed(page: Any) -> None:
    assert [row["label"] for row in rows(page)] == ["blue", "red"]
    assert boxes(page) == [0, 1]
    assert page.locator("#summary").inner_text() == "2 boxes"
    assert "2 candidates" in page.locator("#funnel").inner_text()
    # On the picture, where the rectangles are.
    photo = page.locator("#stage .photo").bounding_box()
    scale = photo["width"] / 640
    for row, name in enumerate(["red", "blue"]):
        place = page.locator(f"#stage .box[data-row='{row}'] .line").bounding_box()
        drawn = [place["x"] - photo["x"], place["y"] - photo["y"], place["width"], place["height"]]
        x1, y1, x2, y2 = BOXES[name]
        assert [side / scale for side in drawn] == pytest.approx([x1, y1, x2 - x1, y2 - y1], abs=4)


def test_pointing_at_a_box_marks_its_row_and_says_its_figures(page: Any) -> None:
    page.mouse.move(*middle(page, 0))
    frame(page)
    assert page.locator(".row.hot").get_attribute("data-row") == "0"
    tip = page.locator("#tip").inner_text()
    for words in ("red", "score", "0.900", "purity", "0.300", "integrity", "IoU", "confidence"):
        assert words in tip
    page.mouse.move(2, 2)
    frame(page)
    assert page.locator("#tip").is_hidden()
    assert page.locator(".row.hot").count() == 0


def test_pointing_at_a_row_marks_its_box(page: Any) -> None:
    page.locator(".row").nth(1).hover()
    frame(page)
    assert page.locator(".box.hot").get_attribute("data-row") == "0"
    assert page.locator("#tip").is_visible()


def test_clicking_again_goes_to_the_box_around(page: Any) -> None:
    selected: list[str | None] = []
    for _ in range(3):
        page.mouse.click(*middle(page, 0))
        frame(page)
        selected.append(page.locator(".row[aria-selected=true]").get_attribute("data-row"))
    assert selected == ["0", "1", "0"]
    page.keyboard.press("Escape")
    frame(page)
    assert page.locator(".row[aria-selected=true]").count() == 0


@pytest.mark.parametrize("where", ["#list", "#stage"])
def test_keys_go_from_box_to_box(where: str, page: Any) -> None:
    page.locator(where).focus()
    seen: list[str | None] = []
    page.keyboard.press("Escape")
    for key in ("ArrowDown", "ArrowDown", "ArrowDown", "ArrowUp", "End", "Home"):
        page.keyboard.press(key)
        frame(page)
        seen.append(page.locator(".row[aria-selected=true]").get_attribute("data-row"))
    assert seen == ["1", "0", "0", "1", "0", "1"]
    assert page.locator("#list").get_attribute("aria-activedescendant") == "row-1"
    assert page.locator("#live").inner_text().startswith("blue, score 0.70, purity 0.95")


def test_a_finger_taps_a_box(open_page: Open, serve: Serve, detector: Detector, picture: tuple[str, bytes]) -> None:
    telephone = {"width": 390, "height": 844}
    page = open_page(serve(detector), viewport=telephone, has_touch=True, is_mobile=True).page
    choose(page, picture)
    page.touchscreen.tap(*middle(page, 0))
    frame(page)
    assert "0.900" in page.locator("#tip").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    # The sliders are moved with the picture in sight.
    page.locator("#iou_weight").scroll_into_view_if_needed()
    assert page.locator("#stage .photo").bounding_box()["y"] >= -1


def test_zoom(page: Any) -> None:
    photo = page.locator("#stage .photo")
    before = photo.bounding_box()["width"]
    page.locator("#zoom-in").click()
    frame(page)
    assert photo.bounding_box()["width"] == pytest.approx(1.5 * before, rel=0.01)
    page.locator("#stage").focus()
    page.keyboard.press("0")
    frame(page)
    assert photo.bounding_box()["width"] == pytest.approx(before, abs=1)


def test_several_pictures(page: Any, rectangles: Rectangles, encode: Encode) -> None:
    more = [
        (f"{colour}.png", encode(rectangles(300, 400, **{colour: (50, 50, 200, 250)}))) for colour in ("red", "green")
    ]
    choose(page, *more)
    page.locator(".badge.done").nth(2).wait_for()
    assert page.locator(".badge").all_inner_texts() == ["2", "1", "1"]
    assert [row["label"] for row in rows(page)] == ["red"]
    page.get_by_role("button", name="green.png, 1 box").click()
    frame(page)
    assert [row["label"] for row in rows(page)] == ["green"]
    page.get_by_role("button", name="Remove green.png").click()
    frame(page)
    assert page.locator(".tile").count() == 2


def test_masks_are_drawn_and_can_be_switched_off(
    open_page: Open, serve: Serve, mask_detector: Detector, rectangles: Rectangles, encode: Encode
) -> None:
    page = open_page(serve(mask_detector)).page
    choose(page, ("a.png", encode(rectangles(red=(100, 60, 300, 200), blue=(80, 260, 560, 440)))))
    share = "veil => { const data = veil.getContext('2d').getImageData(0, 0, veil.width, veil.height).data;"
    share += " let inside = 0; for (let at = 3; at < data.length; at += 4) inside += data[at] > 0;"
    share += " return inside / (veil.width * veil.height); }"
    # Each mask is the upper half of its rectangle.
    expected = (200 * 70 + 480 * 90) / (640 * 480)
    assert page.locator(".veil").evaluate(share) == pytest.approx(expected, rel=0.05)
    page.locator("#masks").uncheck()
    frame(page)
    assert page.locator(".veil").is_hidden()


def test_without_masks_there_is_no_switch_for_them(page: Any) -> None:
    assert page.locator("#masks-switch").is_hidden()


def test_a_plain_detector_offers_what_it_can(
    open_page: Open, serve: Serve, plain_detector: Detector, picture: tuple[str, bytes]
) -> None:
    page = open_page(serve(plain_detector)).page
    choose(page, picture)
    assert [row["label"] for row in rows(page)] == ["red", "blue"]
    assert page.locator("input[type=range]").count() == 2
    assert page.locator("#no-iou").is_visible()
    assert page.locator("#compare").is_hidden()


def test_a_class_is_switched_off_and_on(page: Any) -> None:
    blue = page.locator(".class", has_text="blue")
    blue.click()
    frame(page)
    assert [row["label"] for row in rows(page)] == ["red"]
    page.locator(".class", has_text="red").click()
    frame(page)
    assert "switched off" in page.locator("#empty").inner_text()
    page.locator("#empty button").click()
    frame(page)
    assert len(rows(page)) == 2


def test_nothing_found_says_so_and_what_would_be(
    open_page: Open, serve: Serve, detector: Detector, encode: Encode, picture: tuple[str, bytes]
) -> None:
    page = open_page(serve(detector)).page
    choose(page, picture)
    move(page, score_threshold=0.95)
    assert (
        "Nothing found above score 0.95. The best of 2 candidates: red, score 0.90"
        in page.locator("#empty").inner_text()
    )
    page.locator("#empty button").click()
    frame(page)
    assert [row["label"] for row in rows(page)] == ["red"]
    choose(page, ("grey.png", encode(Image.new("RGB", (300, 200), "grey"))))
    page.locator(".badge.done").nth(1).wait_for()
    settled(page)
    assert "Nothing found, not even above score 0.05" in page.locator("#empty").inner_text()
    assert page.locator("#empty button").count() == 0


def test_the_model_card_is_at_hand(open_page: Open, serve: Serve, shipped: Detector) -> None:
    page = open_page(serve(shipped)).page
    page.locator("#classes li").first.wait_for()
    page.get_by_role("button", name="About the detector").click()
    card = page.locator("#card")
    text = card.inner_text()
    for words in ("it knows no people", "Model card: scenes", "test_easy_AP", "ONNX Runtime", "0.652 (0.368)"):
        assert words in text
    assert "**" not in text
    assert card.locator("table tbody tr").count() == 2
    page.keyboard.press("Escape")
    assert card.is_hidden()


@pytest.mark.parametrize("kind", ["TIFF", "BMP", "WEBP"])
def test_pictures_that_a_browser_may_not_show(
    kind: str, open_page: Open, serve: Serve, detector: Detector, rectangles: Rectangles, encode: Encode
) -> None:
    page = open_page(serve(detector)).page
    choose(page, (f"a.{kind.lower()}", encode(rectangles(red=(100, 60, 300, 200)), kind)))
    size = page.locator("#stage .photo").evaluate("photo => [photo.naturalWidth, photo.naturalHeight]")
    assert size == [640, 480]
    assert len(rows(page)) == 1


@pytest.mark.parametrize(("orientation", "back"), [(6, Image.Transpose.ROTATE_90), (3, Image.Transpose.ROTATE_180)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_turned_picture_is_shown_upright(
    kind: str,
    orientation: int,
    back: Image.Transpose,
    open_page: Open,
    serve: Serve,
    detector: Detector,
    rectangles: Rectangles,
    encode: Encode,
) -> None:
    page = open_page(serve(detector)).page
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = rectangles(red=(100, 60, 300, 200)).transpose(back)
    choose(page, (f"a.{kind}", encode(stored, kind, exif=exif.tobytes())))
    assert len(rows(page)) == 1
    pixel = "photo => { const canvas = new OffscreenCanvas(640, 480); const context = canvas.getContext('2d');"
    pixel += " context.drawImage(photo, 0, 0, 640, 480); return [...context.getImageData(200, 130, 1, 1).data]; }"
    red, green, _, _ = page.locator("#stage .photo").evaluate(pixel)
    assert red > 200 > 60 > green


def test_a_photograph(open_page: Open, serve: Serve, shipped: Detector) -> None:
    page = open_page(serve(shipped)).page
    choose(page, photograph("chelsea.png"))
    assert rows(page)[0]["label"] == "mammal"
