"""Triton as docker/triton/serve-detectors starts it: nobody without the key gets anything done."""

import contextlib
import importlib
import re
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from waiting import PATIENCE_S, until

from dirdet.bundle.bundle import Bundle
from dirdet.detector.detector import Detector
from dirdet.detector.options import DetectOptions
from dirdet.engines.factory import make_engine
from dirdet.engines.triton.client import with_key
from dirdet.engines.triton.target import TritonTarget
from dirdet.errors import EngineError
from dirdet.gateway.access.api_keys import Key, digest, new_key
from dirdet.gateway.access.key_file import append_key

from .gateway import serving
from .server import TritonServer, running

triton: Any = importlib.import_module("tritonclient.grpc")
ROOT = Path(__file__).resolve().parents[2]
JPEG = {"content-type": "image/jpeg"}
# A model that a request brings, and that writes a file as soon as it is loaded.
CODE = """
from pathlib import Path
Path({marker!r}).touch()
class TritonPythonModel:
    def execute(self, requests):
        return []
"""
CONFIG = '{"backend": "python", "max_batch_size": 0}'


@pytest.fixture(scope="module")
def key() -> str:
    return secrets.token_urlsafe(32)


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory, key: str) -> Path:
    path = tmp_path_factory.mktemp("key") / "triton-key"
    path.write_text(f"{key}\n")
    return path


@pytest.fixture(scope="module")
def guarded(
    make_server: Callable[..., TritonServer], repository: Path, tmp_path_factory: pytest.TempPathFactory, key_file: Path
) -> Iterator[TritonServer]:
    """Serves the model without PyTorch under the ensemble's name, since serve-detectors loads that."""
    models = tmp_path_factory.mktemp("models")
    (models / "scenes_detector").mkdir()
    for each in (repository / "scenes_detector_onnx").iterdir():
        if each.name != "config.pbtxt":
            (models / "scenes_detector" / each.name).symlink_to(each)
    config = (repository / "scenes_detector_onnx" / "config.pbtxt").read_text()
    renamed = config.replace("scenes_detector_onnx", "scenes_detector")
    (models / "scenes_detector" / "config.pbtxt").write_text(renamed)
    with running(make_server(models, torch=False, key_file=key_file)) as server:
        yield server


CALLS: dict[str, Callable[[Any, str], Any]] = {
    "load a model from the request": lambda client, code: client.load_model(
        "stranger", config=CONFIG, files={"file:1/model.py": code.encode()}
    ),
    "load": lambda client, _: client.load_model("scenes_detector"),
    "unload": lambda client, _: client.unload_model("scenes_detector"),
    "list": lambda client, _: client.get_model_repository_index(),
    "register shared memory": lambda client, _: client.register_system_shared_memory("s", "/dirdet_stranger", 8),
    "look at shared memory": lambda client, _: client.get_system_shared_memory_status(),
    "unregister shared memory": lambda client, _: client.unregister_system_shared_memory(),
    "register GPU memory": lambda client, _: client.register_cuda_shared_memory("c", b"AAAA", 0, 8),
    "infer": lambda client, _: client.infer("scenes_detector", []),
    "configuration": lambda client, _: client.get_model_config("scenes_detector"),
    "metadata": lambda client, _: client.get_model_metadata("scenes_detector"),
    "statistics": lambda client, _: client.get_inference_statistics(),
    "trace": lambda client, _: client.update_trace_settings(settings={"trace_file": "/tmp/trace"}),
    "log": lambda client, _: client.update_log_settings({"log_file": "/tmp/log"}),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("shown", [None, "0123456789abcdef"])
def test_a_stranger_by_grpc_is_refused(
    call: str, shown: str | None, guarded: TritonServer, tmp_path: Path, key: str
) -> None:
    """Without a key and with another."""
    code = CODE.format(marker=str(tmp_path / "ran"))
    with contextlib.closing(with_key(triton.InferenceServerClient(guarded.address), shown)) as client:
        with pytest.raises(triton.InferenceServerException, match="This protocol is restricted"):
            CALLS[call](client, code)
        assert client.is_server_ready(), "health is for everybody"
    assert not (tmp_path / "ran").exists()
    with contextlib.closing(with_key(triton.InferenceServerClient(guarded.address), key)) as client:
        assert client.is_model_ready("scenes_detector")
        assert {model.name for model in client.get_model_repository_index().models} == {"scenes_detector"}
        assert not client.get_system_shared_memory_status().regions


def test_what_the_key_is_for(guarded: TritonServer, tmp_path: Path, key: str) -> None:
    """The same call with the key runs the code that it brings."""
    with contextlib.closing(with_key(triton.InferenceServerClient(guarded.address), key)) as client:
        with contextlib.suppress(triton.InferenceServerException):  # such a model lacks inputs and outputs
            CALLS["load a model from the request"](client, CODE.format(marker=str(tmp_path / "ran")))
        with contextlib.suppress(triton.InferenceServerException):
            client.unload_model("stranger")
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v2/repository/models/scenes_detector/load"),
        ("POST", "/v2/repository/models/scenes_detector/unload"),
        ("POST", "/v2/repository/index"),
        ("POST", "/v2/systemsharedmemory/region/s/register"),
        ("GET", "/v2/systemsharedmemory/status"),
        ("POST", "/v2/cudasharedmemory/region/s/register"),
        ("POST", "/v2/models/scenes_detector/infer"),
        ("GET", "/v2/models/scenes_detector/config"),
        ("GET", "/v2/models/scenes_detector"),
        ("GET", "/v2/models/scenes_detector/stats"),
        ("POST", "/v2/trace/setting"),
        ("POST", "/v2/logging"),
        ("GET", "/v2"),
    ],
)
def test_a_stranger_by_http_is_refused(method: str, path: str, guarded: TritonServer) -> None:
    for headers in ({}, {"dirdet": "0123456789abcdef"}):
        answer = httpx.request(
            method, f"http://{guarded.http_address}{path}", json={}, headers=headers, timeout=PATIENCE_S
        )
        assert answer.status_code == 403, answer.text
        assert "This API is restricted" in answer.text


def test_health_and_metrics_are_for_everybody(guarded: TritonServer) -> None:
    health = f"http://{guarded.http_address}/v2/health/ready"
    until(lambda: httpx.get(health, timeout=PATIENCE_S).status_code == 200)  # not while a model is being unloaded
    assert "nv_inference_count" in httpx.get(f"http://{guarded.metrics_address}/metrics", timeout=PATIENCE_S).text


def test_the_gateway_detects_and_reloads_with_the_key(
    guarded: TritonServer, key_file: Path, key: str, tmp_path: Path
) -> None:
    """And shows it nowhere."""
    secret = new_key()
    append_key(tmp_path / "keys", Key("operator", digest(secret), admin=True))
    options = ("--triton-key-file", str(key_file), "--keys", str(tmp_path / "keys"), "--timeout-s", "60")
    with (
        serving(guarded.address, "--triton-shared-memory", *options) as gateway,
        httpx.Client(base_url=gateway.url, timeout=PATIENCE_S, headers={"X-API-Key": secret}) as client,
    ):
        picture = (ROOT / "docs" / "example.jpg").read_bytes()
        answer = client.post("/detect", content=picture, headers=JPEG)
        assert answer.json()["images"][0]["detections"]
        assert client.post("/admin/reload").status_code == 200
        told = [client.get(path).text for path in ("/detector", "/metrics", "/health/ready")]
        assert key not in "".join([answer.text, *told, Path(f"/proc/{gateway.pid}/cmdline").read_text()])
    assert key not in gateway.log
    assert key not in guarded.output()


def test_a_wrong_key_is_named(guarded: TritonServer, bundle: Bundle, caplog: pytest.LogCaptureFixture) -> None:
    for shown in (None, "0123456789abcdef"):
        engine = make_engine(bundle, triton=TritonTarget(guarded.address, key=shown))
        try:
            with caplog.at_level("INFO"), pytest.raises(EngineError, match="Triton refuses the key of this gateway"):
                Detector(bundle.manifest, engine).warm_up()
            assert not engine.ready()
        finally:
            engine.close()
    warnings = [each.message for each in caplog.records if each.levelname == "WARNING"]
    assert len(warnings) == 2
    assert all(re.search("it requires a key, and --triton-key-file does not have it", each) for each in warnings)


def test_the_documents_client_finds_what_the_engine_finds(
    guarded: TritonServer, key_file: Path, embedded: Detector
) -> None:
    """The Python of docs/triton.md, with this Triton's address and key: it prints boxes and scores."""
    [script] = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "triton.md").read_text(encoding="utf-8"), re.DOTALL)
    assert "localhost:8001" in script
    script = script.replace("localhost:8001", guarded.address).replace('"triton-key"', repr(str(key_file)))
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    boxes, scores = ([float(word) for word in re.findall(r"[\d.]+", part)] for part in done.stdout.split("]]"))

    with Image.open(ROOT / "docs" / "example.jpg") as opened:
        picture = opened.convert("RGB")
    picture.thumbnail((320, 256), Image.Resampling.BILINEAR)
    # Without the steps of the bundle's `selection`, which the gateway takes.
    network = Detector(embedded.manifest.model_copy(update={"selection": None}), embedded.engine)
    [found] = network.detect([picture], DetectOptions(score_threshold=0.3))
    assert len(found) > 1
    assert scores == pytest.approx([each.score for each in found], abs=0.01)
    assert boxes == pytest.approx([side for each in found for side in each.box_xyxy], abs=0.5)
