"""What a client of the gateway sees when Triton is slow, dies, comes back or serves something else."""

import os
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import anyio
import httpx
import pytest
from PIL import Image
from waiting import PATIENCE_S, until

from dirdet.bundle.bundle import Bundle
from dirdet.detector.detector import Detector
from dirdet.detector.options import DetectOptions
from dirdet.engines.base import RemoteEngine
from dirdet.engines.triton.engine import TritonEngine
from dirdet.engines.triton.target import TritonTarget
from dirdet.errors import EngineError
from dirdet.gateway.app import create_app
from dirdet.gateway.scheduling.remote_lane import detect_remotely
from dirdet.gateway.scheduling.server_limits import ServerLimits

from .server import TritonServer, regions_of

DEADLINE_S = 4.0
# Far beyond the deadline, which is to end a wait that has no other end: what answering itself takes on a busy machine.
IN_TIME_S = 60.0
LIMITS = ServerLimits(inferences=32, timeout_s=DEADLINE_S)
PNG = {"content-type": "image/png"}


@pytest.fixture(scope="module")
def picture(crops: list[Image.Image]) -> bytes:
    file = BytesIO()
    crops[0].save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def fragile(make_server: Callable[..., TritonServer], repository: Path, tmp_path: Path) -> Iterator[TritonServer]:
    """A server of its own, with one model, that starts quickly."""
    (tmp_path / "scenes_detector_onnx").symlink_to(repository / "scenes_detector_onnx")
    server = make_server(tmp_path, torch=False)
    yield server
    server.stop()


def gateway(detector: Detector, limits: ServerLimits = LIMITS) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(create_app(detector, limits=limits), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://gateway", timeout=PATIENCE_S)


@pytest.mark.parametrize("shared_memory", [False, True])
def test_a_killed_server_is_told_in_time_and_found_again(
    fragile: TritonServer, remote: Callable[..., Detector], picture: bytes, *, shared_memory: bool
) -> None:
    answers: list[tuple[float, float, httpx.Response]] = []
    fragile.start()
    detector = remote(fragile.address, model="scenes_detector_onnx", shared_memory=shared_memory)

    async def scenario() -> None:
        enough = anyio.Event()

        async def load(client: httpx.AsyncClient) -> None:
            while not enough.is_set():
                begun = time.monotonic()
                answer = await client.post("/detect", content=picture, headers=PNG)
                answers.append((begun, time.monotonic(), answer))
                await anyio.sleep(0.05)

        async with gateway(detector) as client, anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(load, client)
            with anyio.fail_after(PATIENCE_S):
                while not any(answer.status_code == 200 for _, _, answer in answers):  # noqa: ASYNC110
                    await anyio.sleep(0.1)
            await anyio.to_thread.run_sync(fragile.kill)
            killed = time.monotonic()
            with anyio.fail_after(PATIENCE_S):
                while not any(answer.status_code == 503 for _, _, answer in answers):  # noqa: ASYNC110
                    await anyio.sleep(0.1)
            assert (await client.get("/health/ready")).status_code == 503
            await anyio.to_thread.run_sync(fragile.start)
            with anyio.fail_after(PATIENCE_S):
                while not any(begun > killed and answer.status_code == 200 for begun, _, answer in answers):  # noqa: ASYNC110
                    await anyio.sleep(0.1)
                while (await client.get("/health/ready")).status_code != 200:  # noqa: ASYNC110
                    await anyio.sleep(0.1)
            enough.set()

    anyio.run(scenario)
    detector.engine.close()
    assert regions_of(os.getpid()) == []
    assert {answer.status_code for _, _, answer in answers} <= {200, 503, 504}
    assert max(ended - begun for begun, ended, _ in answers) < IN_TIME_S
    down = [answer for _, _, answer in answers if answer.status_code == 503]
    assert down
    for answer in down:
        assert int(answer.headers["retry-after"]) > 0
        assert answer.headers["content-type"] == "application/problem+json"
        assert "127.0.0.1" not in answer.text


def test_a_gateway_that_is_there_first_becomes_ready(
    fragile: TritonServer, remote: Callable[..., Detector], picture: bytes
) -> None:
    detector = remote(fragile.address, model="scenes_detector_onnx")

    async def scenario() -> None:
        async with gateway(detector) as client:
            assert (await client.get("/health/live")).status_code == 200
            assert (await client.get("/health/ready")).status_code == 503
            answer = await client.post("/detect", content=picture, headers=PNG)
            assert answer.status_code == 503
            await anyio.to_thread.run_sync(fragile.start)
            with anyio.fail_after(PATIENCE_S):
                while (await client.get("/health/ready")).status_code != 200:  # noqa: ASYNC110
                    await anyio.sleep(0.1)
            patient = PNG | {"x-request-timeout-ms": "100000"}  # of a busy machine's first inference
            assert (await client.post("/detect", content=picture, headers=patient)).status_code == 200

    anyio.run(scenario)


def test_a_server_started_anew_while_nobody_asked(
    fragile: TritonServer, remote: Callable[..., Detector], photograph: Image.Image
) -> None:
    """It knows no shared memory any more."""
    detector = remote(fragile.address, model="scenes_detector_onnx", shared_memory=True)
    fragile.start()
    before = detector.detect([photograph])
    fragile.kill()
    fragile.start()

    def again() -> bool:
        try:
            return detector.detect([photograph]) == before
        except EngineError:
            return False

    until(again, every_s=0.1)


def test_past_its_deadline_a_request_gets_504(
    server: TritonServer, remote: Callable[..., Detector], picture: bytes
) -> None:
    detector = remote(server.address)

    async def scenario() -> None:
        async with gateway(detector, ServerLimits(inferences=32, timeout_s=0.02)) as client:
            answer = await client.post("/detect", content=picture, headers=PNG)
            assert answer.status_code == 504
            assert answer.json()["type"] == "urn:dirdet:problem:deadline-exceeded"
            assert "retry-after" not in answer.headers

    anyio.run(scenario)
    assert detector.engine.ready()


def test_a_caller_that_stops_waiting_stops_triton(
    server: TritonServer, remote: Callable[..., Detector], photograph: Image.Image
) -> None:
    """Of many requests that are cancelled at once, most never reach the network."""
    detector = remote(server.address)
    detector.detect([photograph])

    def computed() -> int:
        return sum(size * count for size, count in server.batches("scenes_roi_stage").items())

    before = computed()
    requests, engine = 200, detector.engine
    assert isinstance(engine, RemoteEngine)
    settings = detector.settle(DetectOptions())
    placed = [detector.place(photograph)]

    async def scenario() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(requests):
                tasks.start_soon(lambda: detect_remotely(engine, placed, settings, timeout_s=PATIENCE_S))
            await anyio.to_thread.run_sync(until, lambda: computed() > before)
            tasks.cancel_scope.cancel()

    anyio.run(scenario)
    [answer] = detector.detect([photograph])  # behind whatever is still queued
    assert answer
    done = computed() - before - 1
    assert done < requests * 3 // 4


def test_another_network_under_the_same_name_is_refused(server: TritonServer, bundle: Bundle, picture: bytes) -> None:
    files = bundle.manifest.files | {"trunk.onnx": "0" * 64}
    other = Bundle(bundle.folder, bundle.manifest.model_copy(update={"files": files}))
    engine = TritonEngine(other, TritonTarget(server.address))
    detector = Detector(other.manifest, engine)
    try:
        assert not engine.ready()
        with pytest.raises(EngineError, match="another detector than this gateway's bundle"):
            detector.detect([Image.open(BytesIO(picture)).convert("RGB")])
    finally:
        engine.close()


def test_a_model_that_is_not_there(
    server: TritonServer, remote: Callable[..., Detector], photograph: Image.Image
) -> None:
    detector = remote(server.address, model="nobodys_detector")
    assert not detector.engine.ready()
    with pytest.raises(EngineError, match="does not serve this detector"):
        detector.detect([photograph])
