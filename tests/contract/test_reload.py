"""POST /admin/reload: a detector replaced by what its folder has now, without a dropped request."""

import gc
import json
import shutil
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from loopback import serving
from PIL import Image
from waiting import PATIENCE_S, until

from dirdet.api.schemas import ReloadAnswer
from dirdet.bundle.bundle import MANIFEST, sha256_of
from dirdet.bundle.shipped import default_bundle
from dirdet.bundle.sources import DetectorSource, NamedBundle, open_all
from dirdet.detector.detector import Detector
from dirdet.engines.triton.target import TritonTarget
from dirdet.errors import BundleError
from dirdet.gateway.access.key_file import KeyFile
from dirdet.gateway.access.settings import Access
from dirdet.gateway.app import app_over, create_app
from dirdet.gateway.scheduling.server_limits import ServerLimits
from dirdet.gateway.service.detection_service import DetectionService
from dirdet.gateway.service.detector_loader import Loader
from dirdet.gateway.service.detector_reloader import Reloader
from dirdet.gateway.service.detectors import ServedDetector

pytest.importorskip("onnxruntime", reason="loading a detector needs ONNX Runtime")

Call = Callable[..., httpx.Response]
PNG = {"content-type": "image/png"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(default_bundle(), tmp_path / "bundle"))


def change(folder: Path, *, checkpoint: str) -> None:
    """Another bundle in the folder, as who trained anew would put there."""
    told = json.loads((folder / MANIFEST).read_text())
    told["provenance"]["checkpoint_sha256"] = checkpoint
    (folder / MANIFEST).write_text(json.dumps(told))


@pytest.mark.parametrize("unsaid", ["inputs", "outputs"])
def test_before_triton_a_bundle_says_what_its_network_takes_and_gives(unsaid: str, folder: Path) -> None:
    told = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(told | {unsaid: []}))
    [bundle] = open_all([DetectorSource("scenes", folder)])
    loader = Loader(DetectionService(ServerLimits()), triton=TritonTarget("127.0.0.1:9"))
    with pytest.raises(BundleError, match="does not say what its network takes and gives"):
        loader.load(bundle)


@pytest.fixture
def service() -> DetectionService:
    return DetectionService(ServerLimits())


@pytest.fixture
def server(service: DetectionService, folder: Path, path: Path) -> Iterator[str]:
    """The address of a gateway before the folder's bundle, as `scenes`, and before the shipped one, as `other`."""
    bundles = open_all([DetectorSource("scenes", folder), DetectorSource("other")])
    loader = Loader(service, threads=1, several=True)
    service.serve(*map(loader.load, bundles))
    app = app_over(service, access=Access(keys=KeyFile(path)), reloader=Reloader(service, loader, bundles))
    with serving(app) as address:
        yield address.url


@pytest.fixture
def client(server: str, operator: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server, headers={"X-API-Key": operator}, timeout=PATIENCE_S) as client:
        yield client


def reload(client: httpx.Client, query: str = "") -> dict[str, str]:
    answer = client.post(f"/admin/reload{query}")
    assert answer.status_code == 200, answer.text
    ReloadAnswer.model_validate(answer.json())
    return {each["name"]: each["status"] for each in answer.json()["detectors"]}


def served(client: httpx.Client) -> str:
    return client.get("/detector").json()["provenance"]["checkpoint_sha256"]


def test_what_has_changed_is_replaced_and_nothing_else(client: httpx.Client, folder: Path) -> None:
    assert reload(client) == {"scenes": "unchanged", "other": "unchanged"}
    change(folder, checkpoint="1" * 64)
    assert reload(client, "?detector=other") == {"other": "unchanged"}
    assert served(client) != "1" * 64
    assert reload(client) == {"scenes": "reloaded", "other": "unchanged"}
    assert served(client) == "1" * 64
    assert client.get("/detectors").json()["default"] == "scenes"
    assert client.get("/health/ready").status_code == 200


def test_no_request_is_dropped(
    client: httpx.Client,
    service: DetectionService,
    folder: Path,
    rectangles: Callable[..., Image.Image],
    encode: Callable[..., bytes],
) -> None:
    picture, stop = encode(rectangles(320, 240)), threading.Event()
    seen: list[tuple[int, str]] = []

    def load() -> None:
        with httpx.Client(base_url=client.base_url, headers=dict(client.headers) | PNG, timeout=PATIENCE_S) as mine:
            while not stop.is_set():
                answer = mine.post("/detect", content=picture)
                found = answer.json()["detector"]["checkpoint_sha256"] if answer.status_code == 200 else answer.text
                seen.append((answer.status_code, found))

    callers = [threading.Thread(target=load) for _ in range(4)]
    for caller in callers:
        caller.start()
    first = service.served
    try:
        for number in range(1, 4):
            change(folder, checkpoint=str(number) * 64)
            assert reload(client, "?detector=scenes") == {"scenes": "reloaded"}
            before = len(seen)
            until(lambda before=before: len(seen) >= before + 8)  # those under way may still be the old one's
    finally:
        stop.set()
        for caller in callers:
            caller.join()
    assert {status for status, _ in seen} == {200}, [told for status, told in seen if status != 200][:3]
    assert {str(number) * 64 for number in range(1, 4)} <= {found for _, found in seen}
    until(lambda: first.closed)  # after its last request


def test_an_old_detector_stays_open_for_who_still_asks_it(detector: Detector, service: DetectionService) -> None:
    engine: Any = detector.engine
    service.serve(ServedDetector(detector, service.limits))
    with service.detectors.held() as old, service.detectors.held():
        service.serve(ServedDetector(Detector(detector.manifest, engine), service.limits))
        assert service.served is not old
        time.sleep(0.05)
        assert not old.closed
    until(lambda: old.closed)


def test_a_replaced_network_is_freed_though_the_collector_leaves_loaded_ones_alone(
    client: httpx.Client, service: DetectionService, folder: Path
) -> None:
    first = weakref.ref(service.detectors.named("scenes").detector.engine)
    assert gc.get_freeze_count() > 0
    for number in "12":
        assert first() is not None
        change(folder, checkpoint=number * 64)
        assert reload(client)["scenes"] == "reloaded"
    assert first() is None


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("detector.onnx", None, "detector.onnx is missing; bundle.json names it"),
        ("detector.onnx", "x", "bundle.json says"),
        (MANIFEST, None, "it has no bundle.json"),
        (MANIFEST, "{", "cannot be read"),
    ],
)
def test_a_broken_bundle_replaces_nothing(
    client: httpx.Client, folder: Path, name: str, content: str | None, words: str
) -> None:
    before = served(client)
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_text(content)
    answer = client.post("/admin/reload")
    assert (answer.status_code, answer.headers["content-type"]) == (409, "application/problem+json")
    assert answer.json()["detail"].startswith("scenes is served as before: ")
    assert words in answer.json()["detail"]
    assert served(client) == before
    assert client.get("/health/ready").status_code == 200


def test_a_network_that_is_none_replaces_nothing(client: httpx.Client, folder: Path) -> None:
    """Its hashes are right; only ONNX Runtime can tell."""
    (folder / "detector.onnx").write_bytes(b"no network")
    told = json.loads((folder / MANIFEST).read_text())
    told["files"]["detector.onnx"] = sha256_of(folder / "detector.onnx")
    (folder / MANIFEST).write_text(json.dumps(told))
    answer = client.post("/admin/reload")
    assert answer.status_code == 409
    assert "detector.onnx cannot be loaded" in answer.json()["detail"]


def test_a_folder_that_changes_while_it_is_read_replaces_nothing(
    client: httpx.Client, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is loaded would be neither the one bundle nor the other."""
    load, loaded = Loader.load, list[ServedDetector]()

    def interrupted(loader: Loader, named: NamedBundle) -> ServedDetector:
        loaded.append(load(loader, named))
        change(folder, checkpoint="7" * 64)
        return loaded[-1]

    before = served(client)
    change(folder, checkpoint="6" * 64)
    with monkeypatch.context() as patched:
        patched.setattr(Loader, "load", interrupted)
        answer = client.post("/admin/reload?detector=scenes")
    assert answer.status_code == 409
    assert answer.json()["detail"].endswith("bundle changed while it was read; repeat the request when it is complete")
    assert served(client) == before
    assert [each.closed for each in loaded] == [True]
    assert reload(client, "?detector=scenes") == {"scenes": "reloaded"}
    assert served(client) == "7" * 64


def test_several_reloads_at_once_load_once(client: httpx.Client, folder: Path) -> None:
    change(folder, checkpoint="5" * 64)
    found: list[dict[str, str]] = []
    askers = [threading.Thread(target=lambda: found.append(reload(client, "?detector=scenes"))) for _ in range(3)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert sorted(each["scenes"] for each in found) == ["reloaded", "unchanged", "unchanged"]


def test_what_may_not_be_asked(client: httpx.Client, phone: str) -> None:
    assert client.post("/admin/reload?detector=none").status_code == 404
    answer = client.post("/admin/reload?detectr=scenes")  # all of them would be a surprise
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (422, "detectr")
    assert client.post("/admin/reload", headers={"X-API-Key": phone}).status_code == 403
    assert httpx.post(f"{client.base_url}/admin/reload", timeout=PATIENCE_S).status_code == 401


def test_without_keys_nobody_is_an_admin(call: Call) -> None:
    assert call("POST", "/admin/reload").status_code == 403


def test_an_app_without_a_folder_says_so(
    detector: Detector, path: Path, operator: str, call_app: Callable[[FastAPI], Call]
) -> None:
    ask = call_app(create_app(detector, access=Access(keys=KeyFile(path))))
    answer = ask("POST", "/admin/reload", headers={"X-API-Key": operator})
    assert (answer.status_code, answer.json()["title"]) == (409, "The detector was not replaced")
    assert "no folder" in answer.json()["detail"]
