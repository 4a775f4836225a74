"""The shipped detector over HTTP on photographs that scikit-image brings."""

from collections.abc import Callable
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Any

import anyio
import httpx
import numpy as np
import pytest
from PIL import Image

from dirdet.api.schemas import DetectAnswer
from dirdet.detector.detector import Detector
from dirdet.gateway.app import create_app

PHOTOGRAPHS = ["astronaut.png", "coffee.png", "chelsea.png", "rocket.jpg", "coins.png"]
# Low, so that pictures of things that the detector does not know have detections too.
QUERY = "/detect?score_threshold=0.01"
Post = Callable[..., httpx.Response]


def photograph(name: str) -> Path:
    return Path(str(files("skimage"))) / "data" / name


@pytest.fixture(scope="module")
def post(bundle_folder: Path) -> Post:
    """Sends pictures to the shipped detector."""
    app = create_app(Detector.open(bundle_folder))

    def send(query: str, **options: Any) -> httpx.Response:
        async def request() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://server") as client:
                return await client.post(query, **options)

        return anyio.run(request)

    return send


def images(response: httpx.Response) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    DetectAnswer.model_validate(response.json())
    return response.json()["images"]


def test_what_is_told_holds_on_every_photograph(post: Post) -> None:
    parts = [("image", (name, photograph(name).read_bytes())) for name in PHOTOGRAPHS]
    answers = images(post(QUERY, files=parts))
    assert [answer["name"] for answer in answers] == PHOTOGRAPHS
    assert any(answer["detections"] for answer in answers)
    for answer in answers:
        with Image.open(photograph(answer["name"])) as picture:
            assert (answer["width"], answer["height"]) == picture.size
        for each in answer["detections"]:
            x1, y1, x2, y2 = each["box"]
            assert 0 <= x1 <= x2 <= answer["width"]
            assert 0 <= y1 <= y2 <= answer["height"]
            assert each["iou"] == pytest.approx(1 / (1 / each["purity"] + 1 / each["integrity"] - 1), abs=1e-3)
            assert each["confidence"] == pytest.approx((each["iou"] * each["score"]) ** 0.5, abs=1e-3)
        ranks = [each["confidence"] for each in answer["detections"]]
        assert ranks == sorted(ranks, reverse=True)


def test_without_weight_it_ranks_by_score(post: Post) -> None:
    [answer] = images(post(f"{QUERY}&iou_weight=0", files={"image": photograph("chelsea.png").read_bytes()}))
    scores = [each["score"] for each in answer["detections"]]
    assert scores == sorted(scores, reverse=True)
    assert [each["confidence"] for each in answer["detections"]] == scores


def test_every_lossless_type_gives_the_same(post: Post, encode: Callable[..., bytes]) -> None:
    source = Image.open(photograph("coffee.png")).convert("RGB")
    answers = [
        images(post(QUERY, content=encode(source, kind, **options), headers={"content-type": f"image/{kind.lower()}"}))
        for kind, options in [("PNG", {}), ("BMP", {}), ("TIFF", {}), ("WEBP", {"lossless": True})]
    ]
    assert all(answer == answers[0] for answer in answers)


def test_the_photograph_comes_back_drawn_on(post: Post) -> None:
    data = photograph("rocket.jpg").read_bytes()
    response = post(QUERY, files={"image": ("rocket.jpg", data)}, headers={"accept": "image/png"})
    drawn = Image.open(BytesIO(response.content))
    assert drawn.format == "PNG"
    assert np.asarray(drawn).shape == np.asarray(Image.open(BytesIO(data))).shape
