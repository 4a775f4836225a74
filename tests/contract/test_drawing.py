"""POST /detect with an Accept header that asks for a picture."""

from collections.abc import Callable
from io import BytesIO

import httpx
import numpy as np
import pytest
from PIL import Image

Call = Callable[..., httpx.Response]
Encode = Callable[..., bytes]
Rectangles = Callable[..., Image.Image]


@pytest.mark.parametrize(("accept", "kind"), [("image/png", "PNG"), ("image/jpeg", "JPEG"), ("image/*", "JPEG")])
def test_the_first_picture_with_its_detections(
    accept: str, kind: str, call: Call, rectangles: Rectangles, encode: Encode
) -> None:
    scene = rectangles(red=(100, 60, 300, 200))
    files = [("image", ("a.png", encode(scene, "PNG"))), ("image", ("b.png", b"not a picture"))]
    response = call("POST", "/detect", files=files, headers={"accept": accept})
    assert response.status_code == 200
    assert response.headers["content-type"] == f"image/{kind.lower()}"
    drawn = Image.open(BytesIO(response.content))
    assert (drawn.format, drawn.size) == (kind, scene.size)
    changed = np.abs(np.asarray(drawn.convert("RGB"), np.int64) - np.asarray(scene)).max(axis=2) > 60
    assert changed[60:200, 100:300].any()
    assert not changed[230:].any()


def test_a_turned_picture_is_drawn_upright(call: Call, rectangles: Rectangles, encode: Encode) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode(rectangles(), "PNG", exif=exif.tobytes())
    response = call("POST", "/detect", files={"image": ("a.png", data)}, headers={"accept": "image/png"})
    assert Image.open(BytesIO(response.content)).size == (480, 640)


def test_an_error_stays_a_problem(call: Call) -> None:
    response = call("POST", "/detect", files={"image": ("a.png", b"hello")}, headers={"accept": "image/png"})
    assert response.status_code == 415
    assert response.headers["content-type"] == "application/problem+json"


def test_json_if_it_is_liked_better(call: Call, rectangles: Rectangles, encode: Encode) -> None:
    accept = {"accept": "image/png;q=0.5, application/json"}
    response = call("POST", "/detect", files={"image": ("a.png", encode(rectangles()))}, headers=accept)
    assert response.headers["content-type"] == "application/json"
