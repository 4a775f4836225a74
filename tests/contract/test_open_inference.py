"""/v2: the Open Inference Protocol, as its own clients speak it and as they should not."""

import importlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from loopback import serving
from PIL import Image
from waiting import PATIENCE_S

from dirdet.app import create_app
from dirdet.bundle import Manifest, TensorSpec
from dirdet.detector import Detector
from dirdet.engines.base import Engine
from dirdet.errors import DeadlineError, EngineError
from dirdet.open_inference.request import MAX_JSON_BYTES
from dirdet.open_inference.schemas import InferResponse, ModelMetadata, ProtocolError
from dirdet.shipped import default_bundle
from dirdet.tensors import Candidates, CanvasBatch

# Without types.
triton: Any = importlib.import_module("tritonclient.http")

Call = Callable[..., httpx.Response]
Rectangles = Callable[..., Image.Image]
INFER = "/v2/models/rectangles/infer"
LENGTH = "Inference-Header-Content-Length"
DTYPES = {"boxes": "float32", "class_id": "int64", "score": "float32", "purity": "float32", "integrity": "float32"}
COUNTS = {"num_candidates": "int64", "kept": "int64", "num_detections": "int64"}


def spec(name: str, dtype: str, *shape: int | str) -> TensorSpec:
    return TensorSpec(name=name, dtype=dtype, shape=list(shape), unit="")


@pytest.fixture(scope="session")
def manifest(manifest: Manifest) -> Manifest:
    """That also says what the network takes and gives."""
    inputs = [spec("canvas", "uint8", "B", "H", "W", 3), spec("picture_hw", "int64", "B", 2)]
    inputs += [spec("score_threshold", "float32", "B"), spec("iou_weight", "float32", "B")]
    outputs = [spec("boxes", "float32", "B", "M", 4)]
    outputs += [spec(name, dtype, "B", "M") for name, dtype in DTYPES.items() if name != "boxes"]
    outputs += [spec("num_candidates", "int64", "B"), spec("kept", "int64", "B", "D")]
    outputs += [spec("num_detections", "int64", "B")]
    inputs += [spec("nms_iou_threshold", "float32")]
    return manifest.model_copy(update={"inputs": inputs, "outputs": outputs})


@pytest.fixture
def canvas(rectangles: Rectangles) -> np.ndarray[Any, Any]:
    """[1, 192, 256, 3] with a red and a blue rectangle."""
    return np.asarray(rectangles(256, 192, red=(10, 20, 60, 80), blue=(100, 90, 240, 180)))[None]


def binary(canvas: np.ndarray[Any, Any], **more: Any) -> dict[str, Any]:
    """A request whose canvas is binary."""
    size = {"binary_data_size": canvas.nbytes}
    told = {"inputs": [{"name": "canvas", "shape": canvas.shape, "datatype": "UINT8", "parameters": size}], **more}
    head = json.dumps(told).encode()
    return {"content": head + canvas.tobytes(), "headers": {LENGTH: str(len(head))}}


def tensor(name: str, datatype: str, shape: list[int], data: Any) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape, "data": data}


def refused(response: httpx.Response, status: int, *words: str) -> None:
    assert response.status_code == status, response.text
    told = response.json()
    ProtocolError.model_validate(told)
    assert list(told) == ["error"]
    for word in words:
        assert word in told["error"]


def outputs(response: httpx.Response) -> dict[str, np.ndarray[Any, Any]]:
    assert response.status_code == 200, response.text
    answer = InferResponse.model_validate(response.json())
    return {each.name: np.array(each.data).reshape(each.shape) for each in answer.outputs}


def test_the_server_says_what_it_speaks(call: Call) -> None:
    told = call("GET", "/v2").json()
    assert told["name"] == "dirdet"
    assert told["extensions"] == ["binary_tensor_data"]


def test_health(call: Call, engine: Any) -> None:
    assert call("GET", "/v2/health/live").json() == {"live": True}
    assert call("GET", "/v2/health/ready").json() == {"ready": True}
    assert call("GET", "/v2/models/rectangles/ready").json() == {"name": "rectangles", "ready": True}
    engine.is_ready = False
    assert call("GET", "/v2/health/live").status_code == 200
    for path in ("/v2/health/ready", "/v2/models/rectangles/ready"):
        refused(call("GET", path), 503, "not ready")


def test_the_model_is_that_of_the_triton_repository(call: Call) -> None:
    told = call("GET", "/v2/models/rectangles").json()
    ModelMetadata.model_validate(told)
    shapes = {each["name"]: (each["datatype"], each["shape"]) for each in told["inputs"] + told["outputs"]}
    assert shapes["canvas"] == ("UINT8", [-1, -1, -1, 3])
    assert shapes["nms_iou_threshold"] == ("FP32", [-1, 1])
    assert shapes["boxes"] == ("FP32", [-1, 3, 4])
    assert shapes["num_detections"] == ("INT64", [-1, 1])
    assert call("GET", "/v2/models/rectangles/versions/1").json() == told


@pytest.mark.parametrize("path", ["", "/ready", "/versions/1"])
def test_an_unknown_model(path: str, call: Call) -> None:
    refused(call("GET", f"/v2/models/other{path}"), 404, "'other'", "'rectangles'")
    refused(call("GET", "/v2/models/rectangles/versions/2"), 404, "'2'")
    refused(call("POST", "/v2/models/other/infer", json={}), 404, "'other'")


@pytest.mark.parametrize("nested", [True, False])
def test_json_and_binary_tensors_give_the_same(nested: bool, call: Call, canvas: np.ndarray[Any, Any]) -> None:
    data = canvas.tolist() if nested else canvas.reshape(-1).tolist()
    asked = {"id": "seven", "inputs": [tensor("canvas", "UINT8", list(canvas.shape), data)]}
    response = call("POST", INFER, json=asked)
    assert (response.json()["id"], response.json()["model_version"]) == ("seven", "1")
    found = outputs(response)
    assert list(found) == [*DTYPES, *COUNTS]
    assert found["num_detections"].tolist() == [[2]]
    kept = found["kept"][0, :2]
    assert found["class_id"][0, kept].tolist() == [2, 0]
    np.testing.assert_array_equal(found["boxes"][0, kept], [[100, 90, 240, 180], [10, 20, 60, 80]])
    again = outputs(call("POST", INFER, **binary(canvas)))
    for name, values in found.items():
        np.testing.assert_array_equal(values, again[name])


def test_outputs_as_they_are_wanted(call: Call, canvas: np.ndarray[Any, Any]) -> None:
    wanted = [{"name": "num_detections"}, {"name": "boxes", "parameters": {"binary_data": True}}]
    response = call("POST", INFER, **binary(canvas, outputs=wanted))
    assert response.headers["content-type"] == "application/octet-stream"
    length = int(response.headers[LENGTH])
    number, boxes = json.loads(response.content[:length])["outputs"]
    assert (number["name"], number["data"]) == ("num_detections", [2])
    assert boxes["parameters"] == {"binary_data_size": 3 * 4 * 4}
    assert len(response.content) == length + 48
    assert np.frombuffer(response.content[length:], "<f4")[:4].tolist() == [10, 20, 60, 80]


def test_the_request_decides_what_the_bundle_would(call: Call, canvas: np.ndarray[Any, Any], engine: Any) -> None:
    pair = np.concatenate([canvas, canvas])
    inputs = [
        tensor("canvas", "UINT8", list(pair.shape), pair.tolist()),
        tensor("picture_hw", "INT64", [2, 2], [[192, 256], [100, 90]]),
        tensor("score_threshold", "FP32", [2, 1], [0.05, 0]),
        tensor("iou_weight", "FP32", [2], [0, 1]),
        tensor("nms_iou_threshold", "FP32", [1], [0.75]),
    ]
    found = outputs(call("POST", INFER, json={"inputs": inputs}))
    assert found["num_detections"].tolist() == [[2], [1]]
    assert found["class_id"][0, found["kept"][0, :2]].tolist() == [0, 2]
    assert engine.batches[-1].nms_iou_threshold == 0.75
    call("POST", INFER, **binary(canvas))
    batch = engine.batches[-1]
    assert batch.picture_hw.tolist() == [[192, 256]]
    assert (batch.score_threshold[0], batch.iou_weight[0], batch.nms_iou_threshold) == (np.float32(0.05), 0.5, 0.5)


SMALL = tensor("canvas", "UINT8", [1, 192, 256, 3], [0] * (192 * 256 * 3))


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, ["inputs"]),
        ({"inputs": []}, ["inputs"]),
        ({"inputs": [tensor("picture_hw", "INT64", [1, 2], [1, 1])]}, ["'canvas' is missing"]),
        ({"inputs": [tensor("image", "UINT8", [1], [0])]}, ["no 'image'", "picture_hw"]),
        ({"inputs": [tensor("canvas", "FP32", [1], [0])]}, ["canvas: expected UINT8, found FP32"]),
        ({"inputs": [tensor("canvas", "BYTES", [1], ["a"])]}, ["datatype", "'BYTES'"]),
        ({"inputs": [tensor("canvas", "UINT8", [1, 2, 2, 3], [0] * 12)]}, ["[B, 192, 256, 3]", "[1, 2, 2, 3]"]),
        (
            {"inputs": [tensor("canvas", "UINT8", [0, 192, 256, 3], [])]},
            ["inputs.0.shape.0", "greater than or equal to 1"],
        ),
        # What no array, and no message either, can hold.
        ({"inputs": [tensor("canvas", "UINT8", [0, 10**40], [])]}, ["inputs.0.shape"]),
        ({"inputs": [tensor("canvas", "UINT8", [2**31 - 1] * 8, [1])]}, ["data 1"]),
        ({"inputs": [tensor("canvas", "UINT8", [10**4000] * 8, [1])]}, ["inputs.0.shape.0"]),
        ({"inputs": [tensor("canvas", "UINT8", [2], [0])]}, ["2 values, data 1"]),
        ({"inputs": [tensor("canvas", "UINT8", [10**18, 10**18], [0])]}, ["inputs.0.shape.0", "less than or equal"]),
        ({"inputs": [tensor("canvas", "UINT8", [-1], [0])]}, ["greater than or equal to 1"]),
        ({"inputs": [tensor("canvas", "UINT8", [2], [0, 256])]}, ["no UINT8 holds"]),
        ({"inputs": [tensor("canvas", "UINT8", [2], [0, 0.5])]}, ["whole numbers"]),
        ({"inputs": [tensor("canvas", "UINT8", [2], [0, 10**30])]}, ["whole numbers"]),
        ({"inputs": [tensor("canvas", "UINT8", [3], [[0, 1], [2]])]}, ["rows of one length"]),
        ({"inputs": [tensor("canvas", "UINT8", [1], ["a"])]}, ["numbers"]),
        ({"inputs": [tensor("canvas", "UINT8", [1], [None])]}, ["whole numbers"]),
        ({"inputs": [tensor("canvas", "UINT8", [1], [10**400])]}, ["numbers"]),
        ({"inputs": [tensor("canvas", "UINT8", [1], [["a"]])]}, ["numbers"]),
        ({"inputs": [SMALL] * 33}, ["at most 32"]),
        ({"inputs": [tensor("canvas", "UINT8", [1], None)]}, ["either data or"]),
        ({"inputs": [SMALL, SMALL]}, ["'canvas' given more than once"]),
        ({"inputs": [SMALL], "outputs": [{"name": "masks"}]}, ["no 'masks'", "boxes"]),
        ({"inputs": [SMALL], "outputs": [{"name": "kept"}] * 2}, ["'kept' given more than once"]),
        ({"inputs": [{**SMALL, "parameters": {"shared_memory_region": "x"}}]}, ["shared memory is not served"]),
        ({"inputs": [SMALL, tensor("picture_hw", "INT64", [1, 2], [193, 1])]}, ["heights of 1 to 192"]),
        ({"inputs": [SMALL, tensor("picture_hw", "INT64", [2], [1, 1])]}, ["picture_hw: expected shape [1, 2]"]),
        ({"inputs": [SMALL, tensor("score_threshold", "FP32", [1, 1], [1.5])]}, ["score_threshold", "0..1"]),
        ({"inputs": [SMALL, tensor("iou_weight", "FP32", [2], [0, 0])]}, ["iou_weight: expected shape [1, 1]"]),
    ],
)
def test_what_is_not_understood(asked: dict[str, Any], words: list[str], call: Call) -> None:
    refused(call("POST", INFER, json=asked), 400, *words)


def test_bodies_that_are_none(call: Call, canvas: np.ndarray[Any, Any]) -> None:
    refused(call("POST", INFER), 400, "no body")
    refused(call("POST", INFER, content=b"nonsense"), 400, "cannot be read")
    refused(call("POST", INFER, content=b"[" * 10_000), 400, "cannot be read")
    nan = json.dumps({"inputs": [SMALL, tensor("iou_weight", "FP32", [1], [float("nan")])]})
    refused(call("POST", INFER, content=nan), 400, "iou_weight")
    differ = [tensor("nms_iou_threshold", "FP32", [2, 1], [0.5, 0.6])]
    refused(call("POST", INFER, **binary(np.concatenate([canvas] * 9))), 400, "1 to 8, found 9")
    asked = binary(canvas)
    refused(call("POST", INFER, content=asked["content"], headers={LENGTH: "x"}), 400, LENGTH)
    refused(call("POST", INFER, content=asked["content"], headers={LENGTH: "99999999"}), 400, LENGTH)
    refused(call("POST", INFER, content=asked["content"][:-1], headers=asked["headers"]), 400, "body ends after")
    refused(call("POST", INFER, content=asked["content"] + b"x", headers=asked["headers"]), 400, "1 bytes follow")
    refused(call("POST", INFER, content=b"x", headers={"content-encoding": "gzip"}), 415, "gzip")
    pair = np.concatenate([canvas] * 2)
    inputs = [tensor("canvas", "UINT8", list(pair.shape), pair.tolist()), *differ]
    refused(call("POST", INFER, json={"inputs": inputs}), 400, "one number for all")


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    where=st.floats(0, 1, exclude_max=True),
    piece=st.sampled_from(
        [b"", b"0", b"-1", b"null", b"{", b"]", b'"', b"1e999", b"true", b"NaN", b"\xff", b"[" * 300]
    ),
    removed=st.integers(0, 12),
    length=st.integers(-40, 40),
)
def test_a_mutated_request_is_never_the_servers_fault(
    where: float, piece: bytes, removed: int, length: int, call: Call, canvas: np.ndarray[Any, Any]
) -> None:
    more = [{"name": "score_threshold", "shape": [1, 1], "datatype": "FP32", "data": [0.5]}]
    size = {"binary_data_size": canvas.nbytes}
    told = [{"name": "canvas", "shape": canvas.shape, "datatype": "UINT8", "parameters": size}, *more]
    head = json.dumps({"id": "1", "inputs": told, "outputs": [{"name": "kept"}]}).encode()
    at = int(where * len(head))
    changed = head[:at] + piece + head[at + removed :]
    headers = {LENGTH: str(max(0, len(changed) + (length if length > 20 else 0)))}
    response = call("POST", INFER, content=changed + canvas.tobytes(), headers=headers)
    assert response.status_code in (200, 400), response.text


def test_sizes_are_bounded(detector: Detector, call_of: Callable[[Detector], Call], call_small: Call) -> None:
    refused(call_small("POST", INFER, content=bytes(600_000)), 413, "MiB")
    refused(call_of(detector)("POST", INFER, content=b" " * (MAX_JSON_BYTES + 1)), 413, "binary")


def test_an_engine_that_fails(call: Call, canvas: np.ndarray[Any, Any], engine: Any) -> None:
    engine.broken = EngineError("out of order")
    response = call("POST", INFER, **binary(canvas))
    refused(response, 503, "out of order")
    assert response.headers["retry-after"] == "2"
    engine.broken = RuntimeError("secret")
    response = call("POST", INFER, **binary(canvas))
    refused(response, 500, "its log says more")
    assert "secret" not in response.text


class FarEngine:
    """Passes canvases to an engine here, or is too late."""

    description = "far away"

    def __init__(self, near: Engine, *, late: bool) -> None:
        self.near, self.late = near, late

    def ready(self) -> bool:
        return True

    def close(self) -> None:
        self.near.close()

    def detect(self, batch: CanvasBatch) -> Candidates:  # noqa: ARG002
        raise AssertionError("a remote engine is awaited, not given a thread")

    async def detect_within(self, batch: CanvasBatch, *, timeout_s: float) -> Candidates:  # noqa: ARG002
        await anyio.lowlevel.checkpoint()
        if self.late:
            raise DeadlineError("too late")
        return self.near.detect(batch)


def test_an_engine_elsewhere(
    manifest: Manifest, engine: Engine, canvas: np.ndarray[Any, Any], call_of: Callable[[Detector], Call]
) -> None:
    near, late = (call_of(Detector(manifest, FarEngine(engine, late=late))) for late in (False, True))
    assert outputs(near("POST", INFER, **binary(canvas)))["num_detections"].tolist() == [[2]]
    refused(late("POST", INFER, **binary(canvas)), 504, "too late")


def clients(detector: Detector) -> Iterator[Any]:
    with serving(create_app(detector)) as address:
        client = triton.InferenceServerClient(
            address.authority, connection_timeout=PATIENCE_S, network_timeout=PATIENCE_S
        )
        yield client
        client.close()


@pytest.fixture
def client(detector: Detector) -> Iterator[Any]:
    """Triton's own client, of the detector of rectangles."""
    yield from clients(detector)


@pytest.fixture(scope="module")
def shipped() -> Detector:
    return Detector.open(default_bundle())


@pytest.fixture
def shipped_client(shipped: Detector) -> Iterator[Any]:
    """Triton's own client, of the detector that comes with the package."""
    yield from clients(shipped)


def tensors_of(arrays: dict[str, np.ndarray[Any, Any]], *, as_binary: bool) -> list[Any]:
    inputs: list[Any] = []
    for name, values in arrays.items():
        datatype = {"uint8": "UINT8", "int64": "INT64", "float32": "FP32"}[str(values.dtype)]
        inputs.append(triton.InferInput(name, list(values.shape), datatype))
        inputs[-1].set_data_from_numpy(values, binary_data=as_binary)
    return inputs


def test_tritons_client_looks_around(client: Any) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("rectangles")
    assert not client.is_model_ready("other")
    assert client.get_server_metadata()["name"] == "dirdet"
    assert client.get_model_metadata("rectangles", "1")["name"] == "rectangles"
    with pytest.raises(triton.InferenceServerException, match="there is no model 'other'"):
        client.get_model_metadata("other")


@pytest.mark.parametrize("as_binary", [True, False])
def test_tritons_client_detects_as_the_engine_does(as_binary: bool, shipped_client: Any, shipped: Detector) -> None:
    size = shipped.manifest.canvases[0]
    canvas = np.random.default_rng(0).integers(0, 255, (2, size.height, size.width, 3), np.uint8)
    arrays = {
        "canvas": canvas,
        "picture_hw": np.array([[size.height, size.width], [200, 100]], np.int64),
        "score_threshold": np.zeros((2, 1), np.float32),
        "iou_weight": np.full((2, 1), 0.5, np.float32),
        "nms_iou_threshold": np.full((2, 1), 0.5, np.float32),
    }
    names = [each.name for each in shipped.manifest.outputs]
    wanted = [triton.InferRequestedOutput(name, binary_data=as_binary) for name in names]
    result = shipped_client.infer("scenes", tensors_of(arrays, as_binary=as_binary), outputs=wanted, request_id="3")
    assert result.get_response()["id"] == "3"
    direct = shipped.engine.detect(
        CanvasBatch(canvas, arrays["picture_hw"], np.zeros(2, np.float32), np.full(2, 0.5, np.float32), 0.5)
    )
    np.testing.assert_array_equal(result.as_numpy("boxes"), direct.boxes_xyxy)
    np.testing.assert_array_equal(result.as_numpy("kept"), direct.kept)
    np.testing.assert_array_equal(result.as_numpy("num_detections")[:, 0], direct.num_detections)
    assert direct.num_detections.min() > 0
    everything = shipped_client.infer("scenes", tensors_of(arrays, as_binary=as_binary))
    assert {each["name"] for each in everything.get_response()["outputs"]} == set(names)


def test_tritons_client_sees_the_protocols_errors(client: Any) -> None:
    inputs = tensors_of({"canvas": np.zeros((1, 2, 2, 3), np.uint8)}, as_binary=True)
    with pytest.raises(triton.InferenceServerException, match="expected shape") as caught:
        client.infer("rectangles", inputs)
    assert caught.value.status() == "400"
