"""Several detectors in one gateway, by name."""

from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest
from fastapi import FastAPI
from PIL import Image

from dirdet.api.schemas import DetectorInfo, DetectorList
from dirdet.detector.detector import Detector
from dirdet.gateway.app import create_app

Call = Callable[..., httpx.Response]
PNG = {"content-type": "image/png"}


@pytest.fixture
def ask(detector: Detector, plain_detector: Detector, call_app: Callable[[FastAPI], Call]) -> Call:
    plain = plain_detector.manifest.model_copy(update={"name": "plain"})
    return call_app(create_app(detector, Detector(plain, plain_detector.engine)))


@pytest.fixture
def picture(rectangles: Callable[..., Image.Image], encode: Callable[..., bytes]) -> bytes:
    return encode(rectangles())


def detect(ask: Call, path: str, picture: bytes) -> dict[str, Any]:
    answer = ask("POST", path, content=picture, headers=PNG)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_detectors_are_listed_the_default_one_first(ask: Call) -> None:
    told = ask("GET", "/detectors").json()
    DetectorList.model_validate(told)
    assert told["default"] == "rectangles"
    assert [each["name"] for each in told["detectors"]] == ["rectangles", "plain"]
    assert [each["localization_confidence"] for each in told["detectors"]] == ["dir", None]


def test_each_answers_to_its_name_and_the_first_to_none(ask: Call, picture: bytes) -> None:
    for path, name in (("", "rectangles"), ("/detectors/rectangles", "rectangles"), ("/detectors/plain", "plain")):
        told = detect(ask, f"{path}/detect", picture)
        assert told["detector"]["name"] == name
        [found] = told["images"][0]["detections"]
        assert (found["label"], found["iou"] is None) == ("red", name == "plain")
        about = ask("GET", path or "/detector").json()
        DetectorInfo.model_validate(about)
        assert about["name"] == name


def test_each_has_its_own_parameters(ask: Call, picture: bytes) -> None:
    answer = ask("POST", "/detectors/plain/detect?min_iou=0.5", content=picture, headers=PNG)
    assert answer.status_code == 422
    assert "'plain' predicts no localization confidence" in answer.json()["detail"]
    assert detect(ask, "/detectors/rectangles/detect?min_iou=0.5", picture)["images"][0]["detections"] == []


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("POST", "/detect")])
def test_an_unknown_name_404_and_those_there_are(ask: Call, method: str, path: str) -> None:
    answer = ask(method, f"/detectors/plane{path}", headers=PNG)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.json()["type"] == "urn:dirdet:problem:unknown-detector"
    assert answer.json()["detail"] == "there is no detector 'plane'; there is 'rectangles', 'plain'"


def test_ready_is_when_all_are(ask: Call, plain_detector: Detector) -> None:
    assert ask("GET", "/health/ready").status_code == 200
    engine: Any = plain_detector.engine
    engine.is_ready = False
    answer = ask("GET", "/health/ready")
    assert (answer.status_code, answer.json()["detail"]) == (503, "plain: the engine is not ready")


def test_both_are_closed_when_the_app_stops(detector: Detector, plain_detector: Detector) -> None:
    plain = Detector(plain_detector.manifest.model_copy(update={"name": "plain"}), plain_detector.engine)

    async def live() -> None:
        app = create_app(detector, plain)
        async with app.router.lifespan_context(app):
            pass

    anyio.run(live)
    engines: list[Any] = [detector.engine, plain.engine]
    assert all(engine.closed for engine in engines)
