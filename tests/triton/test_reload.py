"""A detector on Triton replaced while it is asked, and what stands in the way."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from PIL import Image

from dirdet.bundle.shipped import open_bundle
from dirdet.bundle.sources import DetectorSource, open_all
from dirdet.commands.serve import listen
from dirdet.detector.detector import Detector
from dirdet.engines.triton.repository.config import RepositoryOptions
from dirdet.engines.triton.repository.writer import write_repository
from dirdet.engines.triton.target import TritonTarget
from dirdet.gateway.access.api_keys import Key, digest, new_key
from dirdet.gateway.access.key_file import KeyFile, append_key
from dirdet.gateway.access.settings import Access
from dirdet.gateway.app import app_over
from dirdet.gateway.scheduling.server_limits import ServerLimits
from dirdet.gateway.service.detection_service import DetectionService
from dirdet.gateway.service.detector_loader import Loader
from dirdet.gateway.service.detector_reloader import Reloader
from dirdet.pictures.reading import read_picture

from .changed import changed_bundle
from .server import TritonServer, running

PNG = {"content-type": "image/png"}
PATIENCE_S = 120
OPTIONS = RepositoryOptions(onnxruntime="python")


@pytest.fixture(scope="module")
def picture(crops: list[Image.Image]) -> bytes:
    file = BytesIO()
    crops[0].save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What is served: the shipped network, in a folder that is to be replaced."""
    return changed_bundle(tmp_path / "bundle", sign=1)


@pytest.fixture
def models(folder: Path, tmp_path: Path) -> Path:
    write_repository(open_bundle(folder), tmp_path / "models", options=OPTIONS)
    return tmp_path / "models"


@pytest.fixture
def gateway(folder: Path, tmp_path: Path) -> Iterator[Callable[[TritonServer], httpx.Client]]:
    """An admin's client of a gateway before a Triton."""
    ends: list[Callable[[], object]] = []

    def start(server: TritonServer) -> httpx.Client:
        secret, bundles = new_key(), open_all([DetectorSource(None, folder)])
        append_key(tmp_path / "keys", Key("operator", digest(secret), admin=True))
        service = DetectionService(ServerLimits(inferences=32, timeout_s=60))
        loader = Loader(service, triton=TritonTarget(server.address))
        service.serve(*map(loader.load, bundles))
        reloader = Reloader(service, loader, bundles)
        app = app_over(service, access=Access(keys=KeyFile(tmp_path / "keys")), reloader=reloader)
        listener = listen("127.0.0.1", 0)
        running = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=2))
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
        thread.start()
        client = httpx.Client(
            base_url=f"http://127.0.0.1:{listener.getsockname()[1]}",
            headers={"X-API-Key": secret},
            timeout=PATIENCE_S,
        )
        ends.extend([listener.close, thread.join, lambda: setattr(running, "should_exit", True), client.close])
        return client

    yield start
    for end in reversed(ends):
        end()


class Load:
    """Callers who ask again when they are answered."""

    def __init__(self, client: httpx.Client, picture: bytes, *, callers: int = 3) -> None:
        self.seen: list[tuple[int, Any]] = []
        self._url, self._headers, self._picture = client.base_url, dict(client.headers) | PNG, picture
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(callers)]

    def _ask(self) -> None:
        with httpx.Client(base_url=self._url, headers=self._headers, timeout=PATIENCE_S) as client:
            while not self._stop.is_set():
                answer = client.post("/detect", content=self._picture)
                self.seen.append((answer.status_code, answer.json()))

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def more(self, number: int = 3) -> None:
        """So many more are answered, and those that were under way before."""
        before, end = len(self.seen), time.monotonic() + PATIENCE_S
        while len(self.seen) < before + number + len(self._threads):
            assert time.monotonic() < end
            time.sleep(0.05)

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


def found(answer: Any) -> list[dict[str, Any]]:
    return answer["images"][0]["detections"]


def check_by_embedded(folder: Path, picture: bytes, answer: Any) -> None:
    """The answer is that of the folder's own network."""
    [expected] = Detector.open(folder, provider="cpu").detect([read_picture(BytesIO(picture))])
    told = found(answer)
    assert [each["label"] for each in told] == [each.label for each in expected]
    for each, other in zip(told, expected, strict=True):
        assert each["score"] == pytest.approx(other.score, abs=0.01)
        assert each["box"] == pytest.approx(other.box_xyxy, abs=0.5)


def replace(folder: Path, **changes: Any) -> None:
    """Puts the changed detector in the folder's place."""
    changed_bundle(folder.with_name("next"), **changes)
    shutil.rmtree(folder)
    folder.with_name("next").rename(folder)


@pytest.mark.parametrize("name", ["scenes", "scenes-2"])
def test_a_new_network_is_served_and_no_request_is_dropped(
    name: str,
    make_server: Callable[..., TritonServer],
    gateway: Callable[[TritonServer], httpx.Client],
    models: Path,
    folder: Path,
    picture: bytes,
) -> None:
    """Both in the place of the models, and beside them."""
    with running(make_server(models, models=["scenes_detector"])) as server:
        client = gateway(server)
        first = client.post("/detect", content=picture, headers=PNG)
        check_by_embedded(folder, picture, first.json())
        with Load(client, picture) as load:
            load.more()
            replace(folder, name=name)
            write_repository(open_bundle(folder), models, options=OPTIONS, force=True)
            load.more()
            [told] = client.post("/admin/reload").json()["detectors"]
            assert (told["name"], told["status"], told["checkpoint_sha256"]) == ("scenes", "reloaded", "2" * 64)
            load.more()
        assert {status for status, _ in load.seen} == {200}, [told for status, told in load.seen if status != 200][:3]
        last = client.post("/detect", content=picture, headers=PNG)
        check_by_embedded(folder, picture, last.json())
        assert found(first.json()) != found(last.json())
        assert load.seen[-1][1]["detector"]["checkpoint_sha256"] == "2" * 64
        assert client.get("/health/ready").status_code == 200


WRITE = "`dirdet triton` writes the bundle's models into its repository"
ANEW = f"{WRITE}, which it reads by itself (--model-control-mode is not explicit): restart it"
OTHER = "Triton serves another detector than this gateway's bundle"


@pytest.mark.parametrize(
    ("explicit", "beside", "in_place"),
    [
        (True, f"Triton could not load scenes-2_detector, and its log says why; {WRITE}", f"{OTHER}; {WRITE}"),
        (False, f"Triton does not serve this detector; {ANEW}", f"{OTHER}; {ANEW}"),
    ],
)
def test_without_its_models_on_triton_nothing_is_replaced(
    make_server: Callable[..., TritonServer],
    gateway: Callable[[TritonServer], httpx.Client],
    models: Path,
    folder: Path,
    picture: bytes,
    *,
    explicit: bool,
    beside: str,
    in_place: str,
) -> None:
    """A bundle of another name, whose models would stand beside the old ones, and one of the same name."""
    with running(make_server(models, models=["scenes_detector"] if explicit else [])) as server:
        client = gateway(server)
        before = found(client.post("/detect", content=picture, headers=PNG).json())
        for name, why in (("scenes-2", beside), ("scenes", in_place)):
            replace(folder, name=name)
            answer = client.post("/admin/reload")
            assert (answer.status_code, answer.json()["detail"]) == (409, f"scenes is served as before: {why}")
            assert found(client.post("/detect", content=picture, headers=PNG).json()) == before
            assert client.get("/health/ready").status_code == 200


def test_a_triton_that_was_started_anew_is_read_without_being_told(
    make_server: Callable[..., TritonServer],
    gateway: Callable[[TritonServer], httpx.Client],
    models: Path,
    folder: Path,
    picture: bytes,
) -> None:
    """The way where its model control is not explicit."""
    server = make_server(models)
    with running(server):
        client = gateway(server)
        assert client.post("/detect", content=picture, headers=PNG).status_code == 200
        replace(folder)
        write_repository(open_bundle(folder), models, options=OPTIONS, force=True)
        server.stop()
        server.start()
        [told] = client.post("/admin/reload").json()["detectors"]
        assert told["status"] == "reloaded"
        check_by_embedded(folder, picture, client.post("/detect", content=picture, headers=PNG).json())
