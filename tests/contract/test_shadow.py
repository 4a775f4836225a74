"""A candidate beside a detector: figures of their differences, and answers that it never touches."""

import json
import os
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families

from dirdet.app import app_over
from dirdet.bundle import MANIFEST
from dirdet.detector_source import DetectorSource, open_all
from dirdet.engines import background
from dirdet.engines.background import BackgroundEngine
from dirdet.limits import ServerLimits
from dirdet.loading import Loader
from dirdet.service import DetectionService
from dirdet.shadow.loading import load_shadow, open_candidates
from dirdet.shadow.shadow import Shadow
from dirdet.shipped import default_bundle, open_bundle
from dirdet.telemetry.metrics import Metrics

pytest.importorskip("onnxruntime", reason="loading a detector needs ONNX Runtime")

Call = Callable[..., httpx.Response]
ROOT = Path(__file__).parents[2]
PATIENCE_S = 300
PAIR = {"detector": "scenes", "candidate": "next"}


def until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def photographs(encode: Callable[..., bytes]) -> list[bytes]:
    """Three in which the shipped detector finds some."""
    whole = Image.open(ROOT / "docs" / "example.jpg").convert("RGB")
    width, height = whole.size
    halves = [(0, 0, width // 2, height), (width // 2, 0, width, height)]
    return [encode(each, "PNG") for each in (whole, *map(whole.crop, halves))]


class Gateway:
    """One before the shipped bundle, as `scenes`, with a candidate, the folder `next`, for which all is computed."""

    def __init__(self, candidate: Path, call_app: Callable[[FastAPI], Call]) -> None:
        metrics = Metrics()
        self.service = DetectionService(ServerLimits(), metrics)
        bundles = open_all([DetectorSource("scenes")])
        [told] = open_candidates([DetectorSource(None, candidate)], bundles)
        self.service.serve(*map(Loader(self.service, threads=1).load, bundles))
        self.shadow: Shadow = load_shadow(told, self.service, share=1, threads=1)
        self.service.shadows.begin([self.shadow])
        self.call = call_app(app_over(self.service, metrics=metrics))

    @property
    def engine(self) -> BackgroundEngine:
        engine = self.shadow.candidate.engine
        assert isinstance(engine, BackgroundEngine)
        return engine

    def detect(self, picture: bytes, query: str = "") -> list[dict[str, Any]]:
        answer = self.call("POST", f"/detect{query}", content=picture, headers={"content-type": "image/png"})
        assert answer.status_code == 200, answer.text
        return answer.json()["images"][0]["detections"]

    def value(self, name: str, **labels: str) -> float:
        """Of one series, 0 where there is none."""
        for family in text_string_to_metric_families(self.call("GET", "/metrics").text):
            for sample in family.samples:
                if sample.name == f"dirdet_shadow_{name}" and sample.labels == labels | PAIR:
                    return sample.value
        return 0


Make = Callable[..., Gateway]


@pytest.fixture
def make(tmp_path: Path, call_app: Callable[[FastAPI], Call], monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """A gateway; its candidate is the shipped bundle with another manifest: `make(defaults={...}, ...)`."""
    # On a busy machine it would compute nothing at all.
    monkeypatch.setattr(background, "give_way", int)
    made: list[Gateway] = []

    def make(**changes: Any) -> Gateway:
        folder = Path(shutil.copytree(default_bundle(), tmp_path / "next"))
        told = json.loads((folder / MANIFEST).read_text())
        for name, value in changes.items():
            told[name] = told[name] | value if isinstance(value, dict) else value
        (folder / MANIFEST).write_text(json.dumps(told))
        made.append(Gateway(folder, call_app))
        return made[-1]

    yield make
    for gateway in made:
        gateway.service.close()


def overlap(a: list[float], b: list[float]) -> float:
    shared = max(min(a[2], b[2]) - max(a[0], b[0]), 0) * max(min(a[3], b[3]) - max(a[1], b[1]), 0)
    areas = sum((each[2] - each[0]) * (each[3] - each[1]) for each in (a, b))
    return shared / (areas - shared)


def pairs(served: list[dict[str, Any]], other: list[dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """By the rule that the documentation tells, from what was answered."""
    able = [
        (overlap(a["box"], b["box"]), i, j)
        for i, a in enumerate(served)
        for j, b in enumerate(other)
        if a["label"] == b["label"] and overlap(a["box"], b["box"]) >= 0.5
    ]
    found: dict[int, int] = {}
    for _, i, j in sorted(able, key=lambda each: -each[0]):
        if i not in found and j not in found.values():
            found[i] = j
    return [(served[i], other[j]) for i, j in found.items()]


def test_every_difference_is_counted(make: Make, photographs: list[bytes]) -> None:
    """A candidate of other thresholds answers as the served detector does where a request asks for these."""
    gateway = make(defaults={"score_threshold": 0.2, "iou_weight": 0.0})
    served = [gateway.detect(each) for each in photographs]
    until(lambda: gateway.value("compared_total") == len(photographs))
    gateway.service.shadows.close()  # what it would have answered is to be counted no more
    other = [gateway.detect(each, "?score_threshold=0.2&iou_weight=0") for each in photographs]

    paired = [pairs(*each) for each in zip(served, other, strict=True)]
    both = Counter(a["label"] for each in paired for a, _ in each)
    only_served = Counter(each["label"] for found in served for each in found) - both
    only_candidate = Counter(each["label"] for found in other for each in found) - both
    assert both.total() > 5
    assert only_served.total() > 5
    for label in both | only_served | only_candidate:
        for found_by, expected in (("both", both), ("served", only_served), ("candidate", only_candidate)):
            assert gateway.value("detections_total", label=label, found_by=found_by) == expected[label]

    every = [pair for each in paired for pair in each]
    moved = [max(abs(x - y) for x, y in zip(a["box"], b["box"], strict=True)) for a, b in every]
    sums = {
        "score_difference": sum(abs(a["score"] - b["score"]) for a, b in every),
        "iou_difference": sum(abs(a["iou"] - b["iou"]) for a, b in every),
        "displacement_pixels": sum(moved),
    }
    for name, expected in sums.items():
        assert gateway.value(f"{name}_count") == len(every)
        assert gateway.value(f"{name}_sum") == pytest.approx(expected, rel=0.01, abs=0.02)
    assert gateway.value("dropped_total", reason="queue") == gateway.value("failed_total") == 0


def test_one_detector_beside_itself_differs_in_nothing(
    make: Make, photographs: list[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever is asked, and whether the answer is JSON, several pictures or one that is drawn."""
    caplog.set_level("INFO")
    gateway = make()
    number = len(gateway.detect(photographs[0], "?min_iou=0.5&max_detections=4&classes=vegetable,7"))
    files = [("image", (f"{index}.png", each)) for index, each in enumerate([*photographs, b"no picture"])]
    answer = gateway.call("POST", "/detect", files=files)
    number += sum(len(each.get("detections", [])) for each in answer.json()["images"])
    content = {"content": photographs[0], "headers": {"content-type": "image/png", "accept": "image/png"}}
    assert gateway.call("POST", "/detect?score_threshold=0.99", **content).headers["content-type"] == "image/png"
    until(lambda: gateway.value("compared_total") == 5)
    assert gateway.value("displacement_pixels_count") == gateway.value("displacement_pixels_bucket", le="0.1") == number
    assert gateway.value("score_difference_bucket", le="0.001") == number
    gateway.service.close()
    [line] = [each.getMessage() for each in caplog.records if "compared" in each.getMessage()]
    assert line.startswith("shadow: scenes beside next: 5 pictures compared, 0 dropped, 0 failed;")
    assert f"of the detections {number} found by both, 0 by the served one alone" in line


def test_a_candidate_may_take_other_canvases_and_number_its_classes_otherwise(
    make: Make, photographs: list[bytes]
) -> None:
    """It gets the picture itself, and classes by their names; what it cannot be asked is its failure alone."""
    told = json.loads((default_bundle() / MANIFEST).read_text())
    gateway = make(
        resize={"short_side": 160, "long_side": 192},
        canvases=[{"height": 192, "width": 192}],
        categories=told["categories"][::-1],
        localization_confidence=None,
        calibration=None,
    )
    first = told["categories"][0]["name"]
    for picture in photographs:
        assert {each["label"] for each in gateway.detect(picture, "?classes=0&score_threshold=0.05")} <= {first}
    until(lambda: gateway.value("compared_total") == len(photographs))
    last = told["categories"][-1]["name"]
    assert gateway.value("detections_total", label=last, found_by="candidate") == 0
    assert gateway.value("failed_total") == 0
    assert gateway.detect(photographs[0], "?min_iou=0.5")  # of which a detector without iou knows nothing
    until(lambda: gateway.value("failed_total") == 1)


def test_a_candidate_that_dies_fails_no_answer_and_comes_back(
    make: Make, photographs: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "RESTART_S", 0)
    gateway = make()
    before = gateway.detect(photographs[0])
    until(lambda: gateway.shadow.idle)
    os.kill(gateway.engine.pid, signal.SIGSTOP)  # in the middle of an inference, as far as who waits can tell
    assert gateway.detect(photographs[0]) == before
    until(lambda: gateway.value("compared_total") + gateway.value("failed_total") >= 1)
    os.kill(gateway.engine.pid, signal.SIGKILL)
    until(lambda: gateway.value("failed_total") == 1)
    assert gateway.detect(photographs[0]) == before
    until(lambda: gateway.value("compared_total") == 2)
    assert gateway.value("failed_total") == 1


def test_a_candidate_that_hangs_delays_no_answer_and_what_it_cannot_take_is_dropped(
    make: Make, photographs: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = make()
    monkeypatch.setattr(gateway.shadow, "_max_queue", 2)
    before = gateway.detect(photographs[0])
    until(lambda: gateway.value("compared_total") == 1)
    until(lambda: gateway.shadow.idle)
    process = gateway.engine.pid
    os.kill(process, signal.SIGSTOP)
    assert gateway.detect(photographs[0]) == before
    until(lambda: gateway.shadow.waiting == 0)  # it computes that one, and will not end
    for _ in range(5):
        assert gateway.detect(photographs[0]) == before
    assert gateway.value("dropped_total", reason="queue") == 3
    begun_s = time.monotonic()
    gateway.service.close()
    assert time.monotonic() - begun_s < 20
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_a_picture_that_would_need_too_much_memory_is_dropped(make: Make, photographs: list[bytes]) -> None:
    gateway = make()
    held: list[object] = []
    with suppress(StopIteration):
        while gateway.shadow._memory.take(2**20):  # pyright: ignore[reportPrivateUsage]
            held.append(2**20)
    gateway.detect(photographs[0])
    until(lambda: gateway.value("dropped_total", reason="memory") == 1)
    gateway.shadow._memory.give_back(2**20 * len(held))  # pyright: ignore[reportPrivateUsage]
    for _ in range(3):
        gateway.detect(photographs[0])
    until(lambda: gateway.value("compared_total") == 3)
    until(lambda: gateway.shadow._memory._free == 256 * 2**20)  # pyright: ignore[reportPrivateUsage]


@pytest.mark.skipif(sys.platform != "linux", reason="priorities are Linux's")
def test_it_computes_with_the_lowest_priority() -> None:
    engine = BackgroundEngine(open_bundle(), threads=2)
    engine.give_way()
    process = engine.pid
    assert os.sched_getscheduler(process) == os.SCHED_IDLE
    threads = [int(each.name) for each in Path(f"/proc/{process}/task").iterdir()]
    assert {os.sched_getscheduler(each) for each in threads} == {os.SCHED_IDLE}
    assert os.getsid(process) == os.getsid(0)  # each session has an equal share of the cores
    assert os.getpgid(process) != os.getpgid(0)  # a terminal's Ctrl-C goes to the group
    assert Path(f"/proc/{process}/oom_score_adj").read_text().strip() == "1000"
    engine.close()
