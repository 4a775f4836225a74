"""Every error is one problem that names what was wrong."""

import logging
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from PIL import Image

from dirdet.api.problems import Problem
from dirdet.errors import EngineError

Call = Callable[..., httpx.Response]
Encode = Callable[..., bytes]
Rectangles = Callable[..., Image.Image]
PNG = {"content-type": "image/png"}


@pytest.fixture
def picture(rectangles: Rectangles, encode: Encode) -> bytes:
    return encode(rectangles(), "PNG")


def problem(response: httpx.Response, status: int, *words: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    told = response.json()
    Problem.model_validate(told)
    assert told["status"] == status
    assert "Traceback" not in response.text
    for word in words:
        assert word in told["detail"]
    return told


def form(*pictures: bytes) -> dict[str, Any]:
    return {"files": [("image", (f"{number}.png", data)) for number, data in enumerate(pictures)]}


def test_no_picture_400(call: Call, picture: bytes) -> None:
    problem(call("POST", "/detect"), 400, "no body")
    problem(call("POST", "/detect", headers=PNG), 400, "empty")
    problem(call("POST", "/detect", files={"file": ("a.png", picture)}), 400, "'image'", "'file'")
    # As a browser sends a form whose file was not chosen.
    body = b'--x\r\nContent-Disposition: form-data; name="image"; filename=""\r\n\r\n\r\n--x--\r\n'
    problem(call("POST", "/detect", content=body, headers={"content-type": "multipart/form-data; boundary=x"}), 400)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b"--x--\r\n"),
        ("multipart/form-data; boundary=x", b"nonsense"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\nab',
        ),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\nab\r\n--x--\r\n"),
    ],
)
def test_a_form_that_is_none_400(content_type: str, body: bytes, call: Call) -> None:
    problem(call("POST", "/detect", content=body, headers={"content-type": content_type}), 400)


@pytest.mark.parametrize("charset", ["hex", "unicode_escape", "utf-7", "none"])
def test_a_forms_odd_charset_is_no_error_of_the_server(charset: str, call: Call, picture: bytes) -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="image"; filename="\\ud800"\r\n\r\n%b\r\n--x--\r\n' % picture
    response = call(
        "POST",
        "/detect",
        content=part,
        headers={"content-type": f"multipart/form-data; boundary=x; charset={charset}"},
    )
    assert response.status_code in (200, 400)


def test_unknown_path_404_and_wrong_method_405(call: Call) -> None:
    problem(call("GET", "/nowhere"), 404, "/nowhere")
    problem(call("POST", "/detect/"), 404)
    assert call("GET", "/detect").headers["allow"] == "POST"
    problem(call("GET", "/detect"), 405, "POST")
    problem(call("DELETE", "/detector"), 405, "GET, HEAD")
    assert call("DELETE", "/detector").headers["allow"] == "GET, HEAD"
    assert call("HEAD", "/detect").status_code == 405
    assert call("HEAD", "/nowhere").status_code == 404


def test_not_acceptable_406(call: Call, picture: bytes) -> None:
    problem(call("POST", "/detect", content=picture, headers=PNG | {"accept": "text/html"}), 406, "image/png")


def test_too_many_bytes_413(call_small: Call) -> None:
    large = b"\x89PNG\r\n\x1a\n" + bytes(200_000)
    problem(call_small("POST", "/detect", content=large, headers=PNG), 413, "MiB")
    problem(call_small("POST", "/detect", **form(large)), 413, "MiB")
    problem(call_small("POST", "/detect", **form(bytes(600_000))), 413, "one request")


def test_too_many_bytes_without_a_length_413(call_small: Call) -> None:
    sent = 0

    async def endless():
        nonlocal sent
        while True:
            sent += 50_000
            yield bytes(50_000)

    problem(call_small("POST", "/detect", content=endless(), headers=PNG), 413, "MiB")
    assert sent <= 300_000


def test_the_documented_limit_413(call: Call) -> None:
    problem(call("POST", "/detect", content=bytes(32 * 2**20 + 1), headers=PNG), 413, "32 MiB")


def test_too_many_pixels_413(call: Call, encode: Encode) -> None:
    # Cut off behind its header: nothing can have been decoded.
    large = encode(Image.new("1", (10_001, 10_000)), "PNG")[:60]
    problem(call("POST", "/detect", content=large, headers=PNG), 413, "megapixels")


def test_too_many_pictures_413(call_small: Call) -> None:
    problem(call_small("POST", "/detect", **form(*[b"x"] * 5)), 413, "at most 4 pictures")


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/xml", "image/heic", "application/x-www-form-urlencoded"]
)
def test_a_body_of_another_type_415(content_type: str, call: Call) -> None:
    told = call("POST", "/detect", content=b"body", headers={"content-type": content_type})
    problem(told, 415, content_type, "multipart/form-data")


@pytest.mark.parametrize("body", [b"hello", b"\xff\x0a....", b"<html></html>"])
def test_not_a_picture_415(body: bytes, call: Call) -> None:
    problem(call("POST", "/detect", content=body, headers=PNG), 415, "expected a JPEG")
    problem(call("POST", "/detect", **form(body)), 415, "expected a JPEG")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF"])
def test_truncated_422(kind: str, call: Call, rectangles: Rectangles, encode: Encode) -> None:
    data = encode(rectangles(), kind)
    problem(call("POST", "/detect", **form(data[: len(data) * 2 // 3])), 422, kind)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("score_threshold=2", ["score_threshold"]),
        ("score_threshold=", ["score_threshold"]),
        ("nms_iou_threshold=-1", ["nms_iou_threshold"]),
        ("min_iou=nan", ["min_iou"]),
        ("iou_weight=much", ["iou_weight"]),
        ("max_detections=0", ["max_detections"]),
        ("max_detections=1.5", ["max_detections"]),
        ("classes=dog", ["classes"]),
        ("score_treshold=0.5", ["score_treshold"]),
        ("min_iou=2&iou_weight=inf", ["iou_weight", "min_iou"]),
    ],
)
def test_a_bad_parameter_is_named_422(query: str, names: list[str], call: Call, picture: bytes) -> None:
    told = problem(call("POST", f"/detect?{query}", content=picture, headers=PNG), 422, *names)
    assert sorted(each["parameter"] for each in told["errors"]) == names


def test_form_fields_that_are_no_pictures_422(call: Call, picture: bytes) -> None:
    misplaced = call("POST", "/detect", data={"min_iou": "0.5"}, **form(picture))
    assert problem(misplaced, 422)["errors"][0]["parameter"] == "min_iou"
    body = b'--x\r\nContent-Disposition: form-data; name="image"\r\n\r\n%b\r\n--x--\r\n' % picture
    text = call("POST", "/detect", content=body, headers={"content-type": "multipart/form-data; boundary=x"})
    assert problem(text, 422, "filename")["errors"][0]["parameter"] == "image"


def test_iou_of_a_plain_detector_422(call_plain: Call, picture: bytes) -> None:
    told = problem(call_plain("POST", "/detect?min_iou=0.5", content=picture, headers=PNG), 422)
    assert told["errors"][0]["parameter"] == "min_iou"


def test_one_bad_picture_of_several(call_small: Call, picture: bytes) -> None:
    bad = [b"hello", picture[: len(picture) // 2], b"\x89PNG\r\n\x1a\n" + bytes(200_000)]
    response = call_small("POST", "/detect", **form(picture, *bad))
    assert response.status_code == 200
    good, *failed = response.json()["images"]
    assert len(good["detections"]) == 1
    assert [(each["name"], each["error"]["status"]) for each in failed] == [
        ("1.png", 415),
        ("2.png", 422),
        ("3.png", 413),
    ]


def test_no_good_picture_of_several_422(call_small: Call, picture: bytes) -> None:
    large = b"\x89PNG\r\n\x1a\n" + bytes(200_000)
    told = problem(call_small("POST", "/detect", **form(b"hello", picture[:-50], large)), 422, "none of the 3")
    assert [(each["name"], each["error"]["status"]) for each in told["images"]] == [
        ("0.png", 415),
        ("1.png", 422),
        ("2.png", 413),
    ]


def test_a_single_bad_picture_is_told_as_itself(call: Call) -> None:
    assert "images" not in problem(call("POST", "/detect", **form(b"hello")), 415)


@pytest.mark.parametrize("name", ["score_threshold", "nms_iou_threshold", "min_iou", "iou_weight", "max_detections"])
@pytest.mark.parametrize("values", [("1", "1"), ("1", "0.5"), ("1", "much"), ("much", "1"), ("", "1", "1")])
def test_a_parameter_of_one_value_given_several_422(
    name: str, values: tuple[str, ...], call: Call, picture: bytes
) -> None:
    query = "&".join(f"{name}={value}" for value in values)
    told = problem(call("POST", f"/detect?{query}", content=picture, headers=PNG), 422, name, f"got {len(values)}")
    assert [each["parameter"] for each in told["errors"]] == [name]


def test_a_repeated_and_a_bad_parameter_are_both_named_422(call: Call, picture: bytes) -> None:
    told = problem(call("POST", "/detect?min_iou=0&min_iou=1&iou_weight=2", content=picture, headers=PNG), 422)
    assert [each["parameter"] for each in told["errors"]] == ["min_iou", "iou_weight"]


@pytest.mark.parametrize("query", ["classes=", "classes", "classes=,", "classes=red&classes=%20"])
def test_no_class_named_422(query: str, call: Call, picture: bytes) -> None:
    told = problem(call("POST", f"/detect?{query}", content=picture, headers=PNG), 422, "leave it out for all classes")
    assert told["errors"][0]["parameter"] == "classes"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("score_treshold", "did you mean score_threshold"),
        ("Score-Threshold", "did you mean score_threshold"),
        ("class", "did you mean classes?"),
        ("iou", "did you mean min_iou?"),
        ("speed", "there are score_threshold, nms_iou_threshold, nms, min_iou,"),
        ("", "there are score_threshold"),
    ],
)
def test_an_unknown_parameter_with_what_was_meant_422(name: str, hint: str, call: Call, picture: bytes) -> None:
    told = problem(call("POST", f"/detect?{name}=0.5", content=picture, headers=PNG), 422, hint)
    assert [each["parameter"] for each in told["errors"]] == [name]


def test_an_engine_that_does_not_answer_503(
    call: Call, engine: Any, picture: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    engine.broken = EngineError("out of order")
    problem(call("POST", "/detect", content=picture, headers=PNG), 503)
    assert "out of order" in caplog.text


def test_an_unexpected_error_500_is_logged_and_shows_nothing(
    call: Call, engine: Any, picture: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    engine.broken = RuntimeError("a secret")
    with caplog.at_level(logging.ERROR):
        response = call("POST", "/detect", content=picture, headers=PNG)
    told = problem(response, 500)
    assert "secret" not in response.text
    assert told["instance"] in caplog.text
    assert "a secret" in caplog.text
