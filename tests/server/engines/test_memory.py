"""A device without memory for a batch: it is tried in halves once, answers stay in order, and the rest is 503."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import anyio
import httpx
import numpy as np
import pytest
from PIL import Image

from dirdet.bundle.bundle import Bundle, Manifest
from dirdet.detector.detector import Detector
from dirdet.detector.options import DetectOptions
from dirdet.detector.postprocess import found_in
from dirdet.engines import onnx_runtime
from dirdet.engines.base import Engine, RemoteEngine
from dirdet.engines.factory import make_engine
from dirdet.engines.half_batches import in_halves, in_halves_within
from dirdet.engines.memory_arena import share_arena
from dirdet.engines.onnx_runtime import OnnxRuntimeEngine
from dirdet.engines.tensors import Candidates, CanvasBatch
from dirdet.engines.triton.repository.python_models.memory import halves, tells_lack_of_memory, whole_or_halves
from dirdet.errors import DeadlineError, EngineError, EngineMemoryError
from dirdet.gateway.app import create_app
from dirdet.gateway.scheduling.remote_lane import detect_remotely

# As ONNX Runtime, CUDA's libraries, TensorRT and PyTorch put it.
TEXTS = [
    "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Non-zero status code returned while running Conv node. Name:'c' "
    "Status Message: bfc_arena.cc:376 void* onnxruntime::BFCArena::AllocateRawInternal(size_t, bool) Failed to "
    "allocate memory for requested buffer of size 939524096",
    "bfc_arena.cc:360 Available memory of 23752448 is smaller than requested bytes of 41943040",
    "CUDA failure 2: out of memory ; GPU=0 ; hostname=x ; file=cuda_allocator.cc ; line=51 ; expr=cudaMalloc(&p, size)",
    "CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; GPU=0",
    "CUDNN failure 5003: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
    "CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 79.10 GiB of which 1.1 MiB is free",
    "[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes",
    "Error Code 1: Cuda Runtime (out of memory)",
]
# Seven canvases fit with room to spare, fourteen by far do not.
ARENA_BYTES = 200 * 2**20
CANVASES = 14


@pytest.mark.parametrize("text", TEXTS)
def test_lack_of_memory_is_known_by_its_text(text: str) -> None:
    assert tells_lack_of_memory(text)


@pytest.mark.parametrize("text", ["", "Got invalid dimensions for input: canvas", "CUDA failure 700: illegal address"])
def test_other_errors_are_not(text: str) -> None:
    assert not tells_lack_of_memory(text)


def test_halves_are_whole_together() -> None:
    for rows in range(2, 10):
        first, second = halves(rows)
        both = [*range(rows)[first], *range(rows)[second]]
        assert both == list(range(rows))
        assert range(rows)[second]


def test_memory_is_freed_before_the_halves() -> None:
    order: list[str] = []

    def run(rows: slice) -> str:
        order.append(f"{rows.start}-{rows.stop}")
        if rows.stop - rows.start > 2:
            raise RuntimeError("out of memory")
        return order[-1]

    found = whole_or_halves(run, 4, lacks=lambda exc: "memory" in str(exc), free=lambda: order.append("freed"))
    assert found == ["0-2", "2-4"]
    assert order == ["0-4", "freed", "0-2", "2-4"]


class ScarceEngine:
    """Has memory for some canvases of those that another engine is given."""

    def __init__(self, engine: Any, canvases: int) -> None:
        self.engine = engine
        self.canvases = canvases
        self.asked: list[int] = []
        self.timeouts_s: list[float] = []
        self.takes_s = 0.0
        self.description = "scarce"

    def ready(self) -> bool:
        return True

    def close(self) -> None:
        self.engine.close()

    def detect(self, batch: CanvasBatch) -> Candidates:
        try:
            return self.once(batch)
        except EngineMemoryError as exc:
            return in_halves(self.once, batch, exc)

    def once(self, batch: CanvasBatch) -> Candidates:
        self.asked.append(len(batch.canvas))
        if len(batch.canvas) > self.canvases:
            raise EngineMemoryError("scarce has no memory left for the picture")
        return self.engine.detect(batch)


class ScarceRemoteEngine(ScarceEngine):
    async def detect_within(self, batch: CanvasBatch, *, timeout_s: float) -> Candidates:
        end_s = anyio.current_time() + timeout_s

        async def once(part: CanvasBatch) -> Candidates:
            left_s = end_s - anyio.current_time()
            self.timeouts_s.append(left_s)
            await anyio.sleep(self.takes_s)
            if left_s <= self.takes_s:
                raise DeadlineError("too late")
            return self.once(part)

        try:
            return await once(batch)
        except EngineMemoryError as exc:
            return await in_halves_within(once, batch, exc)


Rectangles = Callable[..., Image.Image]


@pytest.fixture
def pictures(rectangles: Rectangles) -> list[Image.Image]:
    """Seven, of which the third is empty and each other has its rectangle elsewhere."""
    drawn = [rectangles(red=(40 * number, 60, 40 * number + 90, 200)) for number in range(7)]
    drawn[2] = Image.new("RGB", drawn[2].size)
    return drawn


def test_both_halves_are_answered_in_order(manifest: Manifest, engine: Any, pictures: list[Image.Image]) -> None:
    expected = Detector(manifest, engine).detect(pictures)
    scarce = ScarceEngine(engine, 4)
    assert Detector(manifest, scarce).detect(pictures) == expected
    assert len({str(each) for each in expected}) == 7, "every picture has another answer"
    assert scarce.asked == [7, 4, 3]


def test_with_masks_and_without_confidence(mask_detector: Detector, plain_detector: Detector, pictures: Any) -> None:
    for detector in (mask_detector, plain_detector):
        expected = detector.detect(pictures)
        scarce = ScarceEngine(detector.engine, 4)
        assert Detector(detector.manifest, scarce).detect(pictures) == expected


def test_halves_are_tried_once(manifest: Manifest, engine: Any, pictures: list[Image.Image]) -> None:
    scarce = ScarceEngine(engine, 2)
    with pytest.raises(EngineMemoryError):
        Detector(manifest, scarce).detect(pictures)
    assert scarce.asked == [7, 4]
    assert Detector(manifest, scarce).detect(pictures[:2]), "it goes on"


def test_one_canvas_cannot_be_halved(manifest: Manifest, engine: Any, pictures: list[Image.Image]) -> None:
    for scarce in (ScarceEngine(engine, 0), ScarceRemoteEngine(engine, 0)):
        with pytest.raises(EngineMemoryError):
            Detector(manifest, scarce).detect(pictures[:1])
        assert scarce.asked == [1]


def test_another_error_is_not_tried_again(manifest: Manifest, engine: Any, pictures: list[Image.Image]) -> None:
    engine.fail()
    scarce = ScarceEngine(engine, 8)
    with pytest.raises(EngineError, match="out of order"):
        Detector(manifest, scarce).detect(pictures)
    assert scarce.asked == [7]


def remotely(detector: Detector, pictures: list[Image.Image], *, timeout_s: float) -> list[Any]:
    remote = detector.engine
    assert isinstance(remote, RemoteEngine)
    placed = [detector.place(picture) for picture in pictures]
    settings = detector.settle(DetectOptions())

    async def ask() -> list[Any]:
        rows = await detect_remotely(remote, placed, settings, timeout_s=timeout_s)
        found = [
            found_in(row, 0, fit=each.fit, manifest=detector.manifest, settings=settings)
            for row, each in zip(rows, placed, strict=True)
        ]
        return [each.detections for each in found]

    return anyio.run(ask)


def test_a_remote_engines_halves(manifest: Manifest, engine: Any, pictures: list[Image.Image]) -> None:
    expected = Detector(manifest, engine).detect(pictures)
    scarce = ScarceRemoteEngine(engine, 4)
    assert remotely(Detector(manifest, scarce), pictures, timeout_s=60) == expected
    assert scarce.asked == [7, 4, 3]


def test_a_remote_engines_halves_share_the_time(manifest: Manifest, engine: Any, pictures: list[Image.Image]) -> None:
    scarce = ScarceRemoteEngine(engine, 4)
    scarce.takes_s = 0.1
    with pytest.raises(DeadlineError):
        remotely(Detector(manifest, scarce), pictures, timeout_s=0.15)
    assert scarce.timeouts_s[0] == pytest.approx(0.15, abs=0.01)
    assert all(left < 0.06 for left in scarce.timeouts_s[1:])


@pytest.fixture
def scarce(bundle_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """The shipped detector's network in an arena with a limit, as a GPU has one: its errors are the real ones."""
    ort: Any = pytest.importorskip("onnxruntime", reason="the extra cpu is not installed")
    info = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    ort.create_and_register_allocator(info, ort.OrtArenaCfg({"max_mem": ARENA_BYTES, "arena_extend_strategy": 1}))
    with monkeypatch.context() as patched:
        patched.setattr(onnx_runtime, "share_arena", Mock())
        engine = make_engine(Bundle.open(bundle_folder), provider="cpu")
    share_arena.cache_clear()  # whoever comes next makes one without
    yield engine
    engine.close()


@pytest.fixture
def canvases() -> CanvasBatch:
    """More than the arena has room for at once, each another part of a photograph."""
    with Image.open(Path(__file__).resolve().parents[3] / "docs" / "example.jpg") as file:
        photograph = np.asarray(file.convert("RGB").resize((640, 512)))
    corners = [(19 * number, 24 * number) for number in range(CANVASES)]
    return CanvasBatch(
        canvas=np.stack([photograph[y : y + 256, x : x + 320] for y, x in corners]),
        picture_hw=np.full((CANVASES, 2), (256, 320)),
        score_threshold=np.full(CANVASES, 0.05, np.float32),
        iou_weight=np.full(CANVASES, 0.5, np.float32),
        nms_iou_threshold=0.5,
    )


def test_onnx_runtime_itself_runs_out(
    scarce: Engine, bundle_folder: Path, canvases: CanvasBatch, caplog: pytest.LogCaptureFixture
) -> None:
    expected = OnnxRuntimeEngine(Bundle.open(bundle_folder), provider="cpu").detect(canvases)
    with caplog.at_level(logging.WARNING):
        found = scarce.detect(canvases)
    assert f"no memory for {CANVASES} canvases of 320 x 256 at once; trying them in halves" in caplog.text
    assert found.num_detections.tolist() == expected.num_detections.tolist()
    assert len(set(found.num_candidates.tolist())) > 3, "the canvases differ"
    for row, number in enumerate(expected.num_detections):
        boxes, wanted = (each.boxes_xyxy[row, each.kept[row, :number]] for each in (found, expected))
        np.testing.assert_allclose(boxes, wanted, atol=0.5)


def test_a_client_is_told_when_to_ask_again(
    manifest: Manifest, engine: Any, rectangles: Rectangles, encode: Any
) -> None:
    scarce = ScarceEngine(engine, 0)
    body, headers = encode(rectangles()), {"content-type": "image/png"}

    async def ask() -> list[httpx.Response]:
        transport = httpx.ASGITransport(create_app(Detector(manifest, scarce)))
        async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
            refused = await client.post("/detect", content=body, headers=headers)
            scarce.canvases = 1
            return [refused, await client.post("/detect", content=body, headers=headers)]

    refused, answered = anyio.run(ask)
    assert refused.status_code == 503
    assert refused.json()["type"] == "urn:dirdet:problem:out-of-memory"
    assert int(refused.headers["retry-after"]) > 0
    assert answered.status_code == 200
