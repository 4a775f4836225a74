"""A job that computes on Triton has the embedded engine's results, and outlives Triton."""

import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jobs import errors, rows, spawn, spawn_paused
from PIL import Image

from .server import TritonServer

PICTURES, PART = 60, 6
BOX_TOLERANCE_PX = 0.5
FIGURE_TOLERANCE = 0.01
FIGURES = ("score", "purity", "integrity", "iou", "confidence")
MODEL = "scenes_detector_onnx"


@pytest.fixture(scope="module")
def folder(photograph: Image.Image, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Crops, upright and lying, and one file that is broken."""
    out = tmp_path_factory.mktemp("pictures")
    for number in range(PICTURES - 1):
        width, height = (300, 200) if number % 3 else (200, 300)
        left, top = 7 * number % (photograph.width - width), 11 * number % (photograph.height - height)
        photograph.crop((left, top, left + width, top + height)).save(out / f"{number:02d}.png")
    (out / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    return out


@pytest.fixture(scope="module")
def expected(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded engine's results."""
    out = tmp_path_factory.mktemp("embedded") / "out"
    process = spawn(folder, "--out", out, "--part", PART)
    _, told = process.communicate(timeout=300)
    assert process.returncode == 3, told
    return out


@pytest.fixture
def fragile(make_server: Callable[..., TritonServer], repository: Path, tmp_path: Path) -> Iterator[TritonServer]:
    """A server of its own, with one model, that starts quickly."""
    models = tmp_path / "models"
    models.mkdir()
    (models / MODEL).symlink_to(repository / MODEL)
    server = make_server(models, torch=False)
    server.start()
    yield server
    server.stop()


def assert_close(found: Path, expected: Path) -> None:
    def figures(out: Path, names: tuple[str, ...]) -> Any:
        return np.array([[row[name] for name in names] for row in rows(out, "detections")])

    assert rows(found, "pictures") == rows(expected, "pictures")
    assert errors(found) == errors(expected)
    labels = [[(row["position"], row["label"]) for row in rows(out, "detections")] for out in (found, expected)]
    assert labels[0] == labels[1]
    assert labels[0]
    sides = ("x1", "y1", "x2", "y2")
    assert np.abs(figures(found, sides) - figures(expected, sides)).max() <= BOX_TOLERANCE_PX
    assert np.abs(figures(found, FIGURES) - figures(expected, FIGURES)).max() <= FIGURE_TOLERANCE


def test_the_results_are_those_of_the_embedded_engine(
    server: TritonServer, folder: Path, expected: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    process = spawn(folder, "--out", out, "--part", PART, "--triton", server.address)
    _, told = process.communicate(timeout=300)
    assert process.returncode == 3, told
    assert_close(out, expected)


def test_triton_joins_batches_of_several_parts(server: TritonServer, folder: Path, tmp_path: Path) -> None:
    """Parts of two pictures on canvases of one size are batches of two, and Triton takes eight."""
    names = tmp_path / "names.txt"
    names.write_text("".join(f"{folder / f'{number:02d}.png'}\n" for number in range(PICTURES - 1) if number % 3))
    before = server.batches("scenes_trunk")
    listed = (names, "--pictures", folder)
    process = spawn(*listed, "--out", tmp_path / "out", "--part", 2, "--triton", server.address, "--in-flight", 8)
    _, told = process.communicate(timeout=300)
    assert process.returncode == 0, told
    after = server.batches("scenes_trunk")
    assert max(size for size in after if after[size] > before.get(size, 0)) > 2


def test_a_triton_that_is_killed_is_waited_for(
    fragile: TritonServer, folder: Path, expected: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    on_triton = ["--triton", fragile.address, "--triton-model", MODEL]
    process = spawn_paused(folder, "--out", out, "--part", PART, *on_triton)
    fragile.kill()
    process.send_signal(signal.SIGCONT)
    assert process.stderr is not None
    said = ""
    while "Triton does not answer; retrying for up to 5 min" not in said:
        line = process.stderr.readline()
        assert line, said
        said += line
    fragile.start()
    _, told = process.communicate(timeout=300)
    assert process.returncode == 3, told
    assert "the server answers again" in told
    assert_close(out, expected)


def test_a_triton_that_stays_away_stops_the_job_which_then_goes_on(
    fragile: TritonServer, folder: Path, expected: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    on_triton = ["--triton", fragile.address, "--triton-model", MODEL]
    process = spawn_paused(folder, "--out", out, "--part", PART, *on_triton, "--patience-s", 1)
    fragile.kill()
    process.send_signal(signal.SIGCONT)
    _, told = process.communicate(timeout=300)
    assert process.returncode == 1
    assert re.search(r"the job stopped: Triton does not answer; retried for .* pictures? done and kept", told)
    assert "Traceback" not in told
    nobody = spawn(folder, "--out", out, "--part", PART, *on_triton)
    _, told = nobody.communicate(timeout=300)
    assert nobody.returncode == 1
    assert f"Triton does not answer (--triton {fragile.address})" in told
    fragile.start()
    again = spawn(folder, "--out", out, "--part", PART, *on_triton)
    _, told = again.communicate(timeout=300)
    assert again.returncode == 3, told
    assert_close(out, expected)
