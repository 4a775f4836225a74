"""GET /detector, the health checks and the documentation."""

import json
import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from dirdet.api.schemas import DetectorInfo
from dirdet.bundle.shipped import default_bundle
from dirdet.detector.detector import Detector
from dirdet.pictures.formats import MEDIA_TYPES

Call = Callable[..., httpx.Response]


def test_the_detector_says_what_it_knows_and_cannot_do(call: Call) -> None:
    response = call("GET", "/detector")
    assert response.status_code == 200
    about = response.json()
    DetectorInfo.model_validate(about)
    assert [each["name"] for each in about["classes"]] == ["red", "green", "blue"]
    assert about["limitations"] == "knows rectangles only"
    assert about["canvases"] == [{"height": 192, "width": 256}, {"height": 256, "width": 192}]
    thresholds = {"score_threshold": 0.05, "nms_iou_threshold": 0.5, "iou_weight": 0.5}
    assert about["defaults"] == thresholds | {"nms": "per-class", "decode": "exact"}
    assert about["quality"] == {"AP": 0.5}
    assert about["provenance"]["checkpoint_sha256"] == "0" * 64
    assert about["accepts"]["max_bytes"] == 32 * 2**20
    assert about["accepts"]["max_pixels"] == 100_000_000


def test_the_shipped_detector_brings_its_model_card(call: Call, call_of: Callable[[Detector], Call]) -> None:
    pytest.importorskip("onnxruntime", reason="loading a detector needs ONNX Runtime")
    told = call_of(Detector.open())("GET", "/detector").json()
    DetectorInfo.model_validate(told)
    assert told["model_card"] == (default_bundle() / "README.md").read_text(encoding="utf-8")
    assert call("GET", "/detector").json()["model_card"] is None


def test_health(call: Call, engine: Any) -> None:
    assert call("GET", "/health/live").json() == {"status": "live"}
    assert call("GET", "/health/ready").json() == {"status": "ready"}
    engine.is_ready = False
    assert call("GET", "/health/live").status_code == 200
    response = call("GET", "/health/ready")
    assert response.status_code == 503
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/detector", "/health/live", "/health/ready", "/openapi.json", "/docs"])
def test_head_is_get_without_its_body(path: str, call: Call) -> None:
    named = {"x-request-id": "the-same"}
    get, head = call("GET", path, headers=named), call("HEAD", path, headers=named)
    assert (head.status_code, head.headers) == (200, get.headers)
    assert get.content
    assert head.content == b""


def test_head_is_in_no_document(call: Call) -> None:
    assert all("head" not in path for path in call("GET", "/openapi.json").json()["paths"].values())


@pytest.fixture
def document(call: Call) -> dict[str, Any]:
    return call("GET", "/openapi.json").json()


def test_every_answer_is_documented(document: dict[str, Any]) -> None:
    responses = document["paths"]["/detect"]["post"]["responses"]
    assert sorted(responses) == ["200", "400", "401", "406", "413", "415", "422", "429", "500", "503", "504"]
    assert sorted(responses["200"]["content"]) == ["application/json", "image/jpeg", "image/png"]
    for status, response in responses.items():
        if status != "200":
            assert list(response["content"]) == ["application/problem+json"]


def test_every_parameter_and_body_is_documented(document: dict[str, Any]) -> None:
    post = document["paths"]["/detect"]["post"]
    names = {"score_threshold", "nms_iou_threshold", "nms", "min_iou", "iou_weight", "max_detections", "classes"}
    names |= {"candidates", "tiles", "join", "decode", "X-Request-Timeout-Ms"}
    assert {each["name"] for each in post["parameters"]} == names
    assert all(each["description"] for each in post["parameters"])
    bodies = ["application/json", "application/octet-stream", "multipart/form-data", *MEDIA_TYPES]
    assert sorted(post["requestBody"]["content"]) == sorted(bodies)


def test_every_reference_in_the_document_leads_somewhere(document: dict[str, Any]) -> None:
    found = re.findall(r'"\$ref": "#/components/schemas/(\w+)"', json.dumps(document))
    assert found
    for reference in found:
        assert reference in document["components"]["schemas"]
