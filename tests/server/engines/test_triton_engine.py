"""The Triton engine where there is no Triton; tests/triton has one."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from dirdet.bundle.bundle import Bundle
from dirdet.commands.serve import command
from dirdet.engines.factory import make_engine
from dirdet.engines.tensors import CanvasBatch
from dirdet.engines.triton.client import read_triton_key
from dirdet.engines.triton.errors import engine_error
from dirdet.engines.triton.target import TritonTarget
from dirdet.engines.triton.wire_tensors import request_arrays
from dirdet.errors import DeadlineError, EngineError, EngineMemoryError, MissingExtraError, ParameterError

# TCP's discard port: nobody listens there.
NOBODY = "127.0.0.1:9"


@pytest.fixture
def batch() -> CanvasBatch:
    return CanvasBatch(
        canvas=np.zeros((2, 64, 96, 3), np.uint8),
        picture_hw=np.array([[64, 96], [32, 96]]),
        score_threshold=np.full(2, 0.1, np.float32),
        iou_weight=np.full(2, 0.5, np.float32),
        nms_iou_threshold=0.4,
    )


@pytest.mark.parametrize("address", ["triton:8001", "10.0.0.1:1", "[::1]:65535"])
def test_addresses(address: str) -> None:
    assert TritonTarget(address).address == address


@pytest.mark.parametrize(
    "address", ["", "triton", ":8001", "triton:", "http://triton:8001", "triton:0", "triton:65536"]
)
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(ParameterError, match=r"--triton: expected HOST:PORT of Triton's gRPC endpoint, got"):
        TritonTarget(address)


def test_a_model_of_no_triton() -> None:
    result = CliRunner().invoke(command, ["--triton-model", "mine"])
    assert isinstance(result.exception, ParameterError)
    assert "is a model of a Triton server; expected --triton too" in str(result.exception)


def test_a_key_of_no_triton(tmp_path: Path) -> None:
    result = CliRunner().invoke(command, ["--triton-key-file", str(tmp_path)])
    assert isinstance(result.exception, ParameterError)
    assert str(result.exception) == "--triton-key-file: is the key of a Triton server; expected --triton too"


def test_the_key_is_read_and_not_shown(tmp_path: Path) -> None:
    key = "0123456789abcdef-KEY_"
    (tmp_path / "key").write_text(f" {key}\n")
    assert read_triton_key(tmp_path / "key") == key
    assert read_triton_key(None) is None
    assert key not in repr(TritonTarget(NOBODY, key=key))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "cannot be read as a key: No such file or directory"),
        (b"", "found 0 words"),
        (b"sesame-open-sesame sesame-open-sesame", "found 2 words"),
        (b"sesame-open-ses", "expected 16 to 256 letters"),
        (b"sesame-open-sesame:=", "expected 16 to 256 letters"),
        (b"a" * 257, "expected 16 to 256 letters"),
        (b"\xff" * 32, "cannot be read as a key: expected ASCII"),
    ],
)
def test_what_is_no_key(content: bytes | None, why: str, tmp_path: Path) -> None:
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ParameterError, match=f"--triton-key-file: .*{why}") as raised:
        read_triton_key(path)
    assert str(path) in str(raised.value)
    assert "sesame" not in str(raised.value).replace(str(path), "")


def test_nobody_there(bundle_folder: Path, batch: CanvasBatch, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("tritonclient.grpc", reason="the extra triton is not installed")
    engine = make_engine(Bundle.open(bundle_folder), triton=TritonTarget(NOBODY))
    try:
        assert engine.description == "Triton, scenes_detector"
        with caplog.at_level("INFO"):
            assert not engine.ready()
            with pytest.raises(EngineError, match="Triton does not answer"):
                engine.detect(batch)
        # Triton may start later than the gateway: no warning, once, and none of gRPC's words.
        assert [(each.levelname, each.message) for each in caplog.records] == [
            ("INFO", f"Triton at {NOBODY}: it does not answer, yet")
        ]
    finally:
        engine.close()


def test_without_tritonclient_it_says_what_to_install(bundle_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tritonclient", None)
    monkeypatch.setitem(sys.modules, "tritonclient.grpc", None)
    monkeypatch.setitem(sys.modules, "tritonclient.grpc.aio", None)
    with pytest.raises(MissingExtraError, match=r"--triton needs tritonclient.*pip install '\.\[triton\]'"):
        make_engine(Bundle.open(bundle_folder), triton=TritonTarget(NOBODY))


def test_shapes_for_a_model_that_batches(batch: CanvasBatch) -> None:
    names = ["canvas", "picture_hw", "score_threshold", "nms_iou_threshold"]
    arrays = request_arrays(batch, names, batching=True)
    assert {name: values.shape for name, values in arrays.items()} == {
        "canvas": (2, 64, 96, 3),
        "picture_hw": (2, 2),
        "score_threshold": (2, 1),
        "nms_iou_threshold": (2, 1),
    }
    assert arrays["nms_iou_threshold"].dtype == np.float32


def test_shapes_for_a_model_that_does_not(batch: CanvasBatch) -> None:
    arrays = request_arrays(batch, ["score_threshold", "nms_iou_threshold"], batching=False)
    assert {name: values.shape for name, values in arrays.items()} == {
        "score_threshold": (2,),
        "nms_iou_threshold": (1,),
    }


@pytest.mark.parametrize(
    ("status", "message", "expected"),
    [
        (
            "INTERNAL",
            "onnx runtime error 6: Failed to allocate memory for requested buffer of size 9",
            EngineMemoryError,
        ),
        ("INTERNAL", "in ensemble 'scenes_detector', out of memory: CUDA out of memory. Tried", EngineMemoryError),
        ("UNAVAILABLE", "Request timeout expired", DeadlineError),
        ("DEADLINE_EXCEEDED", "Deadline Exceeded", DeadlineError),
        ("INTERNAL", "Stub process 'scenes_roi_stage_0_0' is not healthy.", EngineError),
    ],
)
def test_what_tritons_refusals_mean(status: str, message: str, expected: type[EngineError]) -> None:
    utils: Any = pytest.importorskip("tritonclient.utils", reason="the extra triton is not installed")
    error = engine_error(utils.InferenceServerException(message, f"StatusCode.{status}"))
    assert type(error) is expected
    assert message not in str(error), "Triton's own text can show paths and addresses"
