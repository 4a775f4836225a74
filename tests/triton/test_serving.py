"""`dirdet serve --triton`, as somebody types it."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
from waiting import PATIENCE_S

from .gateway import serving
from .server import TritonServer, regions_of

ROOT = Path(__file__).resolve().parents[2]
JPEG = {"content-type": "image/jpeg"}


def test_the_command_serves_by_triton(server: TritonServer) -> None:
    with serving(server.address, "--triton-shared-memory", "--timeout-s", "60") as gateway:
        assert f"engine: Triton at {server.address}, ready" in gateway.log
        with httpx.Client(base_url=gateway.url, timeout=PATIENCE_S) as client:
            assert client.get("/health/ready").status_code == 200
            assert client.get("/detector").json()["engine"] == "Triton, scenes_detector"
            picture = (ROOT / "docs" / "example.jpg").read_bytes()
            answer = client.post("/detect", content=picture, headers=JPEG)
            assert answer.json()["images"][0]["detections"]
        assert gateway.end(signal.SIGINT) == 0, gateway.log
        assert "Traceback" not in gateway.log
        assert regions_of(gateway.pid) == []
    assert server.regions() == []


def test_several_processes_answer_alike(server: TritonServer) -> None:
    picture = (ROOT / "docs" / "example.jpg").read_bytes()
    with serving(server.address, "--workers", "2", "--timeout-s", "60") as gateway:

        def ask() -> httpx.Response:
            return httpx.post(f"{gateway.url}/detect", content=picture, headers=JPEG, timeout=PATIENCE_S)

        with ThreadPoolExecutor(8) as callers:
            answers = [each.result() for each in [callers.submit(ask) for _ in range(16)]]
        assert {answer.status_code for answer in answers} == {200}
        assert len({str(answer.json()["images"]) for answer in answers}) == 1
        assert gateway.end(signal.SIGTERM) == 0, gateway.log
        assert "Traceback" not in gateway.log


def test_what_a_killed_gateway_leaves_is_freed_by_the_next(server: TritonServer) -> None:
    """Killed with everything that it had started, as a container is."""
    picture = (ROOT / "docs" / "example.jpg").read_bytes()
    with serving(server.address, "--triton-shared-memory", "--timeout-s", "60") as first:
        assert httpx.post(f"{first.url}/detect", content=picture, headers=JPEG, timeout=PATIENCE_S).status_code == 200
        os.killpg(first.pid, signal.SIGKILL)
        left = regions_of(first.pid)
        assert left
        assert server.regions() == left
        with serving(server.address, "--triton-shared-memory", "--timeout-s", "60") as second:
            assert (
                httpx.post(f"{second.url}/detect", content=picture, headers=JPEG, timeout=PATIENCE_S).status_code == 200
            )
            assert regions_of(first.pid) == []
            assert server.regions() == regions_of(second.pid) != []
            assert second.end(signal.SIGTERM) == 0
    assert server.regions() == []
    assert not list(Path("/dev/shm").glob("dirdet_*.lock"))
