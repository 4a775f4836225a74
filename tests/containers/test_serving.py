"""One `docker compose up`, and what a user does with it."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from waiting import PATIENCE_S

from .engine import ROOT
from .stack import READY_S, Stack, eventually, running

PHOTO = ROOT / "docs" / "example.jpg"
BOX_TOLERANCE_PX = 0.5
CONFIDENCE_TOLERANCE = 0.01
SHIPPED = ROOT / "server" / "dirdet" / "detectors" / "scenes"


def curl(*words: str) -> Any:
    done = subprocess.run(
        ["curl", "-sS", "--fail-with-body", *words], capture_output=True, timeout=PATIENCE_S, check=True
    )
    return json.loads(done.stdout)


def detections(answer: Any) -> list[dict[str, Any]]:
    [image] = answer["images"]
    return image["detections"]


def test_it_detects_what_the_command_detects(stack: Stack) -> None:
    command = [sys.executable, "-m", "dirdet", "detect", str(PHOTO), "--json", "--score-threshold", "0.05"]
    typed = subprocess.run(command, capture_output=True, timeout=PATIENCE_S, check=True)
    expected = detections(json.loads(typed.stdout))
    found = detections(curl("-F", f"image=@{PHOTO}", f"{stack.url}/detect?score_threshold=0.05"))
    assert len(expected) > 3
    assert [each["label"] for each in found] == [each["label"] for each in expected]
    for one, other in zip(found, expected, strict=True):
        assert all(abs(a - b) <= BOX_TOLERANCE_PX for a, b in zip(one["box"], other["box"], strict=True))
        assert abs(one["confidence"] - other["confidence"]) <= CONFIDENCE_TOLERANCE


def test_it_is_triton_that_detects(stack: Stack) -> None:
    assert curl(f"{stack.url}/detector")["engine"] == "Triton, scenes_detector"


def test_the_gateway_is_back_with_triton(stack: Stack) -> None:
    """Triton ends by itself, so the engine starts it again; nobody touches the gateway."""
    started = stack.inspect("gateway", "{{.State.StartedAt}}")
    stack.inside("triton", "sh", "-c", "kill -TERM 1")
    assert eventually(lambda: not stack.is_ready(), timeout_s=READY_S, every_s=0.1)
    answer = httpx.post(f"{stack.url}/detect", files={"image": PHOTO.read_bytes()}, timeout=PATIENCE_S)
    assert answer.status_code in {200, 503}  # 200 where it is back already
    if answer.status_code == 503:
        assert answer.headers["retry-after"]
        assert answer.json()["title"]
    assert eventually(stack.is_ready, timeout_s=READY_S)
    assert detections(curl("-F", f"image=@{PHOTO}", f"{stack.url}/detect"))
    assert stack.inspect("gateway", "{{.State.StartedAt}}") == started


def test_ones_own_detector_is_served(make_stack: Callable[..., Stack], tmp_path: Path) -> None:
    own = tmp_path / "own"
    shutil.copytree(SHIPPED, own)
    manifest = json.loads((own / "bundle.json").read_text())
    (own / "bundle.json").write_text(json.dumps({**manifest, "name": "own"}))
    stack = make_stack("own", DETECTOR=str(own))
    with running(stack):
        assert curl(f"{stack.url}/detector")["engine"] == "Triton, own_detector"
        assert detections(curl("-F", f"image=@{PHOTO}", f"{stack.url}/detect"))
    assert stack.containers() == []
    assert stack.owned("volume") == []
    assert stack.owned("network") == []
