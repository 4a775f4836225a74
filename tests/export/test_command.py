"""`dirdet export` from a checkpoint to a bundle that detects."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

from dirdet.bundle.bundle import Bundle, Manifest
from dirdet.detector.detector import Detector
from dirdet.errors import DirdetError
from dirdet_export import pipeline
from dirdet_export.commands.export import command
from dirdet_export.parity.cases import FileCase
from dirdet_export.parity.found_boxes import Found
from dirdet_export.parity.pictures import crop_files, draw_pictures, load_pictures
from dirdet_export.parity.reference import NetworkBatch

Run = Callable[..., Result]


@pytest.fixture
def run() -> Run:
    def call(*arguments: object) -> Result:
        return CliRunner().invoke(command, [str(argument) for argument in arguments])

    return call


@pytest.fixture(scope="session")
def folder_of_pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for number, (_, picture) in enumerate(draw_pictures()[:3]):
        picture.save(folder / f"{number}.png")
    (folder / "notes.txt").write_text("no picture")
    return folder


def test_a_detector_with_dir(run: Run, dir_specimen: Any, folder_of_pictures: Path, tmp_path: Path) -> None:
    quality, out = tmp_path / "quality.json", tmp_path / "My Bundle"
    quality.write_text('{"AP": 29.5}')
    result = run(
        dir_specimen.config, dir_specimen.checkpoint, "--out", out, "--pictures", folder_of_pictures,
        "--weights", "float16", "--quality", quality, "--limitations", "knows nothing",
        "--triton", tmp_path / "models",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "rounding the weights" in result.output
    assert "several in a request" in result.output
    assert "POST /detect of the same files" in result.output
    assert "3 pictures agree" in result.output
    manifest = Bundle.open(out).manifest
    assert manifest.name == "my-bundle"
    models = {"trunk", "roi_stage", "detector", "detector_onnx"}
    assert {path.name for path in (tmp_path / "models").iterdir()} == {f"my-bundle_{name}" for name in models}
    assert manifest.quality == {"AP": 29.5}
    assert manifest.limitations == "knows nothing"
    assert manifest.provenance.weights_dtype == "float16"
    assert manifest.resize.interpolation == "pillow_bilinear"
    assert [category.name for category in manifest.categories][:2] == ["bird", "mammal"]
    detections = Detector.open(out, provider="cpu").detect([draw_pictures()[0][1]])[0]
    assert detections
    assert all(detection.iou is not None for detection in detections)


def test_a_plain_detector(run: Run, plain_specimen: Any, folder_of_pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "plain"
    result = run(
        plain_specimen.config, plain_specimen.checkpoint, "--out", out, "--pictures", folder_of_pictures / "0.png",
        "--pictures", folder_of_pictures / "1.png", "--canvas", "160x192", "--canvas", "192x160", "--name", "five",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "2 pictures agree" in result.output
    detections = Detector.open(out, provider="cpu").detect([draw_pictures()[0][1]])[0]
    assert detections
    assert {detection.iou for detection in detections} == {None}
    assert {detection.category_id for detection in detections} <= {1, 3, 17, 18, 38}
    assert all(detection.confidence == detection.score for detection in detections)


@pytest.mark.parametrize(
    ("purpose", "files"), [("embedded", {"detector.onnx"}), ("triton", {"trunk.onnx", "roi_stage.safetensors"})]
)
def test_a_bundle_for_one_engine(
    run: Run,
    plain_specimen: Any,
    folder_of_pictures: Path,
    tmp_path: Path,
    purpose: str,
    files: set[str],
) -> None:
    out = tmp_path / "bundle"
    result = run(
        plain_specimen.config, plain_specimen.checkpoint, "--out", out, "--pictures", folder_of_pictures,
        "--for", purpose, *(["--triton", tmp_path / "models"] if purpose == "triton" else []),
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert sum(line.startswith("rounding alone, by") for line in result.output.splitlines()) == 1
    assert set(Bundle.open(out).manifest.files) >= files
    assert {path.name for path in out.iterdir()} & {"detector.onnx", "trunk.onnx", "roi_stage.safetensors"} == files
    if purpose == "triton":
        assert {path.name for path in (tmp_path / "models").iterdir()} == {
            f"bundle_{name}" for name in ("trunk", "roi_stage", "detector")
        }
        with pytest.raises(DirdetError, match=r"no detector\.onnx in this bundle.*--for"):
            Detector.open(out, provider="cpu")


def test_a_model_repository_needs_a_bundle_for_triton(run: Run, tmp_path: Path) -> None:
    result = run("x.py", "x.pth", "--out", tmp_path / "b", "--for", "embedded", "--triton", tmp_path / "models")
    assert isinstance(result.exception, DirdetError)
    assert "--for: expected triton or both" in str(result.exception)


DEFORMABLE = ["dcn", "dcnv2_dir", "dcnv2_pyramid_dir"]
BOXES_ONLY = ["double_head", "cascade", "class_specific_cascade", "tsd", "tsd_dir", *DEFORMABLE]
WITH_MASKS = ["mask_rcnn", "mask_rcnn_dir", "htc", "htc_dir", "htc_without_semantic_dir"]


@pytest.mark.parametrize("name", [*BOXES_ONLY, *WITH_MASKS])
def test_other_architectures(
    run: Run, folder_of_pictures: Path, tmp_path: Path, request: pytest.FixtureRequest, name: str
) -> None:
    specimen = request.getfixturevalue(f"{name}_specimen")
    result = run(specimen.config, specimen.checkpoint, "--out", tmp_path / name, "--pictures", folder_of_pictures)
    assert result.exit_code == 0, result.output
    assert "3 pictures agree" in result.output
    manifest = Bundle.open(tmp_path / name).manifest
    assert manifest.architecture.startswith(type(specimen.model).__name__)
    assert manifest.mask_threshold == (0.5 if name in WITH_MASKS else None)
    assert [spec.name for spec in manifest.outputs if spec.name == "mask"] == (["mask"] if name in WITH_MASKS else [])


def test_a_bundle_that_detects_something_else_is_not_put_in_place(
    run: Run, plain_specimen: Any, bundle_of: Callable[..., Path], folder_of_pictures: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    honest = FileCase.detect

    def moved(case: FileCase, model: torch.nn.Module, batch: NetworkBatch) -> Found:
        found = honest(case, model, batch)
        found.boxes_xyxy[:] += 0.6
        return found

    def copied(folder: Path, **_: object) -> Manifest:
        shutil.copytree(bundle_of(plain_specimen), folder, dirs_exist_ok=True)
        return Bundle.open(folder).manifest

    monkeypatch.setattr(FileCase, "detect", moved)
    monkeypatch.setattr(pipeline, "write_bundle", copied)
    out = tmp_path / "bundle"
    result = run(plain_specimen.config, plain_specimen.checkpoint, "--out", out, "--pictures", folder_of_pictures)
    assert result.exit_code == 1
    assert isinstance(result.exception, DirdetError)
    assert "does not detect what the checkpoint detects" in str(result.exception)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--name", "No Good"], "--name: expected"),
        (["--canvas", "100x100"], "--canvas: expected HEIGHTxWIDTH"),
        (["--pictures", "/nowhere"], "no such file or folder"),
        (["--quality", "/nowhere"], "--quality: /nowhere cannot be read"),
    ],
)
def test_bad_options_are_named_in_one_line(
    run: Run, dir_specimen: Any, tmp_path: Path, arguments: list[str], named: str
) -> None:
    result = run(dir_specimen.config, dir_specimen.checkpoint, "--out", tmp_path / "bundle", *arguments)
    assert isinstance(result.exception, DirdetError)
    assert named in str(result.exception)
    assert "\n" not in str(result.exception)


@pytest.mark.parametrize("content", ["[1]", '{"AP": "high"}', '{"AP": NaN}', "{"])
def test_quality_must_be_numbers(run: Run, dir_specimen: Any, tmp_path: Path, content: str) -> None:
    path = tmp_path / "quality.json"
    path.write_text(content)
    result = run(dir_specimen.config, dir_specimen.checkpoint, "--out", tmp_path / "bundle", "--quality", path)
    assert isinstance(result.exception, DirdetError)
    assert "--quality" in str(result.exception)


def test_an_existing_bundle_is_refused_before_anything_is_loaded(run: Run, tmp_path: Path) -> None:
    result = run("no_such_config", tmp_path / "none.pth", "--out", tmp_path)
    assert isinstance(result.exception, DirdetError)
    assert "exists already" in str(result.exception)


def test_models_of_that_name_are_refused_before_anything_is_loaded(run: Run, tmp_path: Path) -> None:
    (tmp_path / "models" / "mine_trunk").mkdir(parents=True)
    result = run("x.py", "x.pth", "--out", tmp_path / "mine", "--triton", tmp_path / "models")
    assert isinstance(result.exception, DirdetError)
    assert "has mine_trunk already; --force replaces them" in str(result.exception)


def test_a_picture_that_is_none(run: Run, dir_specimen: Any, folder_of_pictures: Path, tmp_path: Path) -> None:
    result = run(
        dir_specimen.config, dir_specimen.checkpoint, "--out", tmp_path / "bundle",
        "--pictures", folder_of_pictures / "notes.txt",
    )  # fmt: skip
    assert isinstance(result.exception, DirdetError)
    assert "notes.txt" in str(result.exception)


def test_a_proof_over_few_boxes_is_refused(
    run: Run, plain_specimen: Any, folder_of_pictures: Path, tmp_path: Path
) -> None:
    result = run(
        plain_specimen.config, plain_specimen.checkpoint, "--out", tmp_path / "bundle",
        "--pictures", folder_of_pictures / "0.png",
    )  # fmt: skip
    assert isinstance(result.exception, DirdetError)
    assert "detects 25 boxes in these 1 pictures, at any score; a proof needs 50" in str(result.exception)
    assert list(tmp_path.iterdir()) == []


def test_crops_show_the_padding_of_other_shapes(tmp_path: Path) -> None:
    for size in ((640, 480), (1, 1)):
        Image.new("RGB", size).save(tmp_path / "wide.png")
        (tmp_path / "crops").mkdir(exist_ok=True)
        crops = crop_files(tmp_path / "wide.png", tmp_path / "crops")
        sizes = [picture.size for _, picture in load_pictures(crops)]
        assert sizes == ([(480, 480), (320, 480), (640, 240)] if size == (640, 480) else [(1, 1)] * 3)


def test_drawn_pictures_are_always_the_same() -> None:
    first, second = draw_pictures(), draw_pictures()
    assert len({picture.size for _, picture in first}) == len(first)
    assert json.dumps([name for name, _ in first]) == json.dumps([name for name, _ in second])
    for (_, one), (_, other) in zip(first, second, strict=True):
        assert np.array_equal(np.asarray(one), np.asarray(other))
