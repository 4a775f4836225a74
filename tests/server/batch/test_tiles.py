"""Jobs in tiles: the results of `dirdet detect --tiles`, resumable, with huge TIFFs read in parts."""

import json
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from jobs import Run, at_a_part, contents, errors, rows, spawn
from PIL import Image
from waiting import PATIENCE_S

from dirdet.batch.arrow import arrow
from dirdet.batch.engines.ray_stages import Infer, ReadPart
from dirdet.batch.errors import OutputError
from dirdet.batch.output_folder import Output
from dirdet.batch.parts import MissingParts
from dirdet.batch.progress import Progress
from dirdet.bundle.bundle import MANIFEST, sha256_of
from dirdet.detector.detector import Detector
from dirdet.detector.options import DetectOptions
from dirdet.errors import ParameterError
from dirdet.pictures import canvas, reading, regions
from dirdet.pictures.reading import PictureLimits, read_picture
from dirdet.pictures.regions import Decoded

SIZE_WH = (700, 500)


@pytest.fixture(scope="module")
def shipped(bundle_folder: Path) -> Detector:
    return Detector.open(bundle_folder)


@pytest.fixture(scope="module")
def large(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures larger than a tile, one of a tile's size, and one that is broken."""
    folder = tmp_path_factory.mktemp("large")
    with Image.open(photographs / "astronaut.png") as photograph:
        for number in range(3):
            photograph.convert("RGB").resize(SIZE_WH, box=(0, 30 * number, 512, 350)).save(folder / f"{number}.png")
        photograph.crop((0, 0, 300, 240)).save(folder / "small.png")
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    return folder


def arguments(large: Path, out: Path) -> list[object]:
    return [large, "--out", out, "--part", 2, "--no-report", "--tiles", "auto", "--score-threshold", 0.3]


def test_the_results_are_those_of_one_picture_after_the_other(
    run: Run, large: Path, shipped: Detector, tmp_path: Path
) -> None:
    done = run(*arguments(large, tmp_path / "out"))
    assert done.exit_code == 3, done.output
    settings = shipped.settle(DetectOptions(tiles="auto", score_threshold=0.3))
    expected: dict[str, list[tuple[float, ...]]] = {}
    for path in sorted(large.glob("[0-9s]*.png")):
        with path.open("rb") as file:
            found = shipped.detect_regions(Decoded(read_picture(file)), settings).detections
        expected[path.name] = [each.box_xyxy for each in found]
    boxes: dict[str, list[list[float]]] = {name: [] for name in expected}
    for row in rows(tmp_path / "out", "detections"):
        boxes[row["picture"]].append([row[side] for side in ("x1", "y1", "x2", "y2")])
    assert sum(map(len, expected.values())) > 0
    for name, found in expected.items():
        np.testing.assert_allclose(np.reshape(boxes[name], (-1, 4)), np.reshape(found, (-1, 4)), atol=0.1)
    assert errors(tmp_path / "out").keys() == {"broken.png"}


def test_a_killed_job_goes_on_and_another_tiling_is_another_job(run: Run, large: Path, tmp_path: Path) -> None:
    whole, out = tmp_path / "whole", tmp_path / "out"
    run(*arguments(large, whole))
    killed = spawn(*arguments(large, out), before=at_a_part(signal.SIGKILL))
    killed.communicate(timeout=PATIENCE_S)
    assert killed.returncode == -signal.SIGKILL
    assert run(*arguments(large, out)).exit_code == 3
    assert contents(out) == contents(whole)
    assert json.loads((out / "job.json").read_text())["identity"]["settings"]["tiles"] == "auto:0.2"
    with pytest.raises(OutputError, match=r"settings.tiles: was auto:0\.2, is auto:0\.3"):
        run(*arguments(large, out), "--tiles", "auto:0.3")
    with pytest.raises(OutputError, match=r"settings.join: was integrity, is nms"):
        run(*arguments(large, out), "--join", "nms")


def test_a_tiff_beyond_the_limit_is_done_in_parts_and_without_tiles_refused(
    run: Run, large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "slides"
    folder.mkdir()
    with Image.open(large / "0.png") as picture:
        pixels = np.asarray(picture)
    tifffile.imwrite(folder / "slide.tif", pixels, tile=(128, 128), photometric="rgb", compression="zlib")
    run(*arguments(folder, tmp_path / "decoded"))
    expected = rows(tmp_path / "decoded", "detections")
    small: dict[str, Any] = {"limits": PictureLimits(max_pixels=200_000)}
    inner: Any = regions.open_regions
    functions: list[Any] = [reading.open_picture, reading.read_picture, canvas.place_file, inner.__wrapped__]
    for function in functions:
        monkeypatch.setattr(function, "__kwdefaults__", function.__kwdefaults__ | small)
    assert run(*arguments(folder, tmp_path / "parts")).exit_code == 0
    found = rows(tmp_path / "parts", "detections")
    assert [row["label"] for row in found] == [row["label"] for row in expected] != []
    assert run(folder, "--out", tmp_path / "whole", "--no-report").exit_code == 3
    [(reason, message)] = errors(tmp_path / "whole").values()
    assert reason == "too large"
    assert "megapixels" in message


def test_scaled_decoding_is_not_for_tiles(run: Run, large: Path, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="decode: tiles are cut from all pixels; expected exact"):
        run(*arguments(large, tmp_path / "out"), "--decode", "scaled")


def test_progress_counts_a_picture_under_way_by_its_tiles() -> None:
    line = Progress(2, before=0).line(0.5, 0, 10.0)
    assert line.startswith("0 of 2 (25 %), ")
    assert "30 s left" in line


def test_the_stages_of_a_cluster_have_the_same_results(
    run: Run, large: Path, bundle_folder: Path, tmp_path: Path
) -> None:
    """The operators of Ray Data, called as Ray calls them: an actor reads the pictures that a row names."""
    run(*arguments(large, tmp_path / "out"))
    missing = MissingParts(Output(tmp_path / "out").plan, 2, 5, [0, 1, 2])
    settings = Detector.open(bundle_folder).settle(DetectOptions(tiles="auto", score_threshold=0.3))
    read = ReadPart(missing, bundle_folder, tiled=True, decode="exact")
    infer = Infer(bundle_folder, sha256_of(bundle_folder / MANIFEST), settings, 1, [])
    outcomes: list[dict[str, Any]] = []
    for row in read(arrow().table({"part": [0, 1, 2]})):
        outcomes += [each for told in infer(row)["outcomes"].to_pylist() for each in json.loads(told)]
    planned = {each.position: each.entry.name for each in missing}
    found = {planned[each["position"]]: each for each in outcomes}
    assert found["broken.png"]["reason"] == "broken"
    boxes: dict[str, list[list[float]]] = {name: [] for name in found}
    for row in rows(tmp_path / "out", "detections"):
        boxes[row["picture"]].append([row[side] for side in ("x1", "y1", "x2", "y2")])
    assert sum(map(len, boxes.values())) > 0
    for name, each in found.items():
        told = [detection["box"] for detection in each.get("detections", [])]
        np.testing.assert_allclose(np.reshape(told, (-1, 4)), np.reshape(boxes[name], (-1, 4)), atol=0.1)
