"""Steps in processes of their own: the device's tests, and a training that is cut short."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw

from dirdet_bench.harness.processes import end_session

PICTURES = 16
# The first steps allocate memory and choose kernels.
WARM_UP = 5


def run_device_tests(tests: Sequence[str], device: torch.device, log: Path, *, limit_s: float) -> dict[str, Any]:
    """Runs the tests marked `gpu`; returns their counts, and the names of those that failed."""
    # TensorFloat-32 would differ from the CPU by more than the tolerances.
    environment = {"DIRDET_TEST_DEVICE": device.type, "NVIDIA_TF32_OVERRIDE": "0"}
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-q", "--tb=short", *tests]
    ended = _run(command, log, environment, limit_s)
    said = log.read_text(encoding="utf-8", errors="replace")
    counts = {name: int(number) for number, name in re.findall(r"(\d+) (passed|failed|skipped|errors?)\b", said)}
    return {
        "exit status": ended,
        "counts": counts,
        "failed": re.findall(r"^(?:FAILED|ERROR) (\S+)", said, re.MULTILINE),
    }


def train_shortly(
    config: str, device: torch.device, folder: Path, *, iterations: int, limit_s: float, batch: int = 2
) -> dict[str, Any]:
    """Trains a config's detector for some steps on drawn pictures; returns seconds of a step, memory and losses.

    Raises:
        RuntimeError: the training failed; names its log.
    """
    folder.mkdir(parents=True, exist_ok=True)
    draw_data(folder / "data")
    settings = {
        "train_cfg": {"type": "IterBasedTrainLoop", "max_iters": iterations, "_delete_": True},
        "train_dataloader.batch_size": batch,
        "default_hooks.logger.interval": 1,
        "default_hooks.checkpoint.by_epoch": False,
        "default_hooks.checkpoint.interval": 10**6,
    }
    data = folder / "data"
    words = [
        "--data",
        str(data),
        "--ann",
        "objects.json",
        "--pictures",
        "",
        "--classes-from",
        str(data / "objects.json"),
    ]
    words += ["--work-dir", str(folder / "work"), *(["--amp"] if device.type == "cuda" else [])]
    words += [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
    log = folder / "log.txt"
    if _run([sys.executable, "-m", "dirdet", "train", config, *words], log, {}, limit_s):
        last = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()][-1:]
        raise RuntimeError(f"the training failed ({' '.join(last)}); see {log}")
    lines = sorted(folder.glob("work/*/vis_data/scalars.json"))[-1].read_text(encoding="utf-8").splitlines()
    steps = [json.loads(line) for line in lines]
    kept = steps[WARM_UP:] or steps
    return {
        "iterations": len(steps),
        "batch": batch,
        "seconds of a step": median(step["time"] for step in kept),
        "seconds of its data": median(step["data_time"] for step in kept),
        "memory, MiB": max((step.get("memory", 0) for step in steps), default=0),
        "losses": [round(step["loss"], 4) for step in steps],
    }


def draw_data(folder: Path) -> None:
    """Draws coloured rectangles on grey noise, 640x480, as a COCO data set of three classes."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(0)
    colours = {"red": "#d03030", "green": "#30a040", "blue": "#3040d0"}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number in range(1, PICTURES + 1):
        picture = Image.fromarray(generator.integers(100, 150, (480, 640, 3), dtype=np.uint8))
        pen = ImageDraw.Draw(picture)
        for category, colour in enumerate(colours.values(), start=1):
            x, y, width, height = (
                int(generator.integers(*span)) for span in ((0, 400), (0, 300), (40, 240), (40, 180))
            )
            pen.rectangle((x, y, x + width - 1, y + height - 1), fill=colour)
            about = {"id": len(annotations) + 1, "image_id": number, "category_id": category, "iscrowd": 0}
            annotations.append({**about, "bbox": [x, y, width, height], "area": width * height})
        picture.save(folder / f"{number}.jpg")
        images.append({"id": number, "file_name": f"{number}.jpg", "width": 640, "height": 480})
    categories = [{"id": number, "name": name} for number, name in enumerate(colours, start=1)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "objects.json").write_text(json.dumps(content), encoding="utf-8")


def _run(command: Sequence[str], log: Path, environment: Mapping[str, str], limit_s: float) -> int:
    """Runs a command; returns its exit status, or -1 if it ran past its limit."""
    with log.open("wb") as said:
        process = subprocess.Popen(
            command, stdout=said, stderr=subprocess.STDOUT, env={**os.environ, **environment}, start_new_session=True
        )
        try:
            return process.wait(max(limit_s, 1))
        except subprocess.TimeoutExpired:
            return -1
        finally:
            end_session(process)
