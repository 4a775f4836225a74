"""The command and the folder it makes: readable, reproducible, whole or not at all."""

import contextlib
import io
import json
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pycocotools.coco import COCO

from dirdet.cli import main
from dirdet_training.scenes import build
from dirdet_training.scenes.errors import ScenesError
from dirdet_training.scenes.fingerprint import generator_hash
from dirdet_training.scenes.plan import Plan
from dirdet_training.scenes.taxonomy import CLASSES

PLAN = Plan(seed=5, train=6, val=3, test=4)
EACH = [f"{split}_{difficulty}" for split in ("train", "val", "test") for difficulty in ("easy", "hard")]


def _bytes_of(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def _masks(coco: COCO) -> Iterator[tuple[dict[str, Any], NDArray[np.uint8]]]:
    """Every annotation with the mask that pycocotools decodes."""
    annotations: list[dict[str, Any]] = coco.dataset["annotations"]  # type: ignore[assignment]
    for annotation in annotations:
        with warnings.catch_warnings():
            # pycocotools 2.0.11 has not caught up with numpy 2's __array__.
            warnings.filterwarnings("ignore", message="__array__ implementation", category=DeprecationWarning)
            yield annotation, coco.annToMask(annotation)  # type: ignore[arg-type]


def _content(dataset: Path, name: str) -> dict[str, Any]:
    return json.loads((dataset / "annotations" / f"{name}.json").read_text(encoding="utf-8"))


def _open(dataset: Path, name: str) -> COCO:
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(dataset / "annotations" / f"{name}.json"))


@pytest.mark.parametrize("name", [*EACH, "train", "val"])
def test_pycocotools_reads_boxes_that_equal_the_masks(dataset: Path, name: str) -> None:
    coco = _open(dataset, name)
    assert [entry["name"] for entry in coco.loadCats(coco.getCatIds())] == [entry.name for entry in CLASSES]
    assert coco.getCatIds() == list(range(1, 13))
    for annotation, mask in _masks(coco):
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        x, y, width, height = annotation["bbox"]
        assert (x, y, x + width - 1, y + height - 1) == (columns[0], rows[0], columns[-1], rows[-1])
        assert annotation["area"] == mask.sum()
        assert annotation["iscrowd"] == 0


@pytest.mark.parametrize(("name", "scenes"), [("train_easy", 6), ("val_hard", 3), ("test_hard", 4), ("train", 12)])
def test_every_picture_is_there_with_its_size(dataset: Path, name: str, scenes: int) -> None:
    images = json.loads((dataset / "annotations" / f"{name}.json").read_text())["images"]
    assert len({image["id"] for image in images}) == len(images) == scenes
    for image in images:
        with Image.open(dataset / image["file_name"]) as picture:
            assert picture.size == (image["width"], image["height"])


def test_unions_hold_both_difficulties(dataset: Path) -> None:
    for split in ("train", "val"):
        parts = [_content(dataset, f"{split}_{difficulty}") for difficulty in ("easy", "hard")]
        union = _content(dataset, split)
        assert union["images"] == parts[0]["images"] + parts[1]["images"]
        assert len(union["annotations"]) == sum(len(part["annotations"]) for part in parts)


def test_splits_of_the_written_data_set_are_disjoint(dataset: Path) -> None:
    shown: dict[str, set[str]] = {"train": set(), "val": set(), "test": set()}
    for name in EACH:
        content = _content(dataset, name)
        shown[name.split("_")[0]] |= {one["cutout"].replace("_mirror", "") for one in content["annotations"]}
        shown[name.split("_")[0]] |= {one["background"] for one in content["images"]}
    assert sum(map(len, shown.values())) == len(set().union(*shown.values()))


def test_report_says_how_it_was_made(dataset: Path) -> None:
    report = json.loads((dataset / "scenes.json").read_text())
    assert report["recipe"]["generator_sha256"] == generator_hash()
    assert report["recipe"]["settings"]["plan"] == {"seed": 5, "train": 6, "val": 3, "test": 4}
    assert set(report["recipe"]["versions"]) == {"numpy", "pillow", "libjpeg-turbo"}
    assert set(report["recipe"]["sources"]["licences"].values()) == {"GPL-2", "GPL-2+"}
    for name in EACH:
        assert report["counts"][name]["objects"] == len(_open(dataset, name).dataset["annotations"])


@pytest.mark.parametrize("processes", [1, 2])
def test_same_seed_gives_same_bytes_whatever_the_processes(
    sources: Any, dataset: Path, tmp_path: Path, processes: int
) -> None:
    sources.build(tmp_path / "again", PLAN, processes=processes)
    assert _bytes_of(tmp_path / "again") == _bytes_of(dataset)


def test_a_larger_data_set_begins_with_the_smaller(sources: Any, dataset: Path, tmp_path: Path) -> None:
    sources.build(tmp_path / "more", Plan(seed=5, train=7, val=0, test=0))
    before, after = _bytes_of(dataset), _bytes_of(tmp_path / "more")
    common = [name for name in before if name.startswith("train/")]
    assert len(common) == 12
    assert all(before[name] == after[name] for name in common)


def test_no_scenes_at_all_is_a_valid_data_set(sources: Any, tmp_path: Path) -> None:
    sources.build(tmp_path / "none", Plan(train=0, val=0, test=0))
    assert _open(tmp_path / "none", "train").dataset["images"] == []


def test_existing_same_data_set_is_left_as_it_is(sources: Any, dataset: Path) -> None:
    before = {file: file.stat().st_mtime_ns for file in dataset.rglob("*")}
    sources.build(dataset, PLAN)
    assert before == {file: file.stat().st_mtime_ns for file in dataset.rglob("*")}


def test_other_data_set_is_refused(sources: Any, dataset: Path) -> None:
    with pytest.raises(ScenesError, match="holds another data set, which differs in settings"):
        sources.build(dataset, Plan(seed=6, train=6, val=3, test=4))


def test_changed_data_set_is_refused(sources: Any, dataset: Path, tmp_path: Path) -> None:
    shutil.copytree(dataset, tmp_path / "copy")
    (tmp_path / "copy/train/easy/000001.jpg").write_bytes(b"")
    with pytest.raises(ScenesError, match="its files were changed since"):
        sources.build(tmp_path / "copy", PLAN)


@pytest.mark.parametrize("content", [None, "[]", "{}", "not json"])
def test_foreign_folder_is_refused_and_untouched(sources: Any, tmp_path: Path, content: str | None) -> None:
    out = tmp_path / "mine"
    out.mkdir()
    (out / "thesis.txt").write_text("precious")
    if content is not None:
        (out / "scenes.json").write_text(content)
    before = _bytes_of(out)
    with pytest.raises(ScenesError, match=str(out)):
        sources.build(out, PLAN)
    assert _bytes_of(out) == before


def test_a_file_in_the_way_is_refused(sources: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    with pytest.raises(ScenesError, match="expected an absent or empty folder"):
        sources.build(tmp_path / "file", PLAN)


def test_failure_half_way_leaves_nothing(sources: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(build, "write_annotations", full_disk)
    with pytest.raises(ScenesError, match="cannot be written there: No space left on device"):
        sources.build(tmp_path / "out", Plan(train=1, val=0, test=0))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("seed", "train"), [(-1, 1), (0, -1), (0, 1_000_000)])
def test_numbers_out_of_range_are_named(seed: int, train: int) -> None:
    with pytest.raises(ScenesError, match="expected 0"):
        Plan(seed=seed, train=train)


def _run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        main(["scenes", *arguments])
    out, err = capsys.readouterr()
    return int(stop.value.code or 0), out, err


def test_command_makes_the_data_set_and_prints_the_hash(
    sources: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--out", str(tmp_path / "s"), "--train", "1", "--val", "1", "--test", "1", "--processes", "1"]
    arguments += ["--stamps", str(sources.stamps), "--backgrounds", str(sources.backgrounds)]
    status, out, _ = _run(arguments, capsys)
    assert status == 0
    assert generator_hash() in out
    status, out, _ = _run(arguments, capsys)
    assert status == 0
    assert "was made already" in out


def test_command_tells_the_missing_package_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    arguments = ["--out", str(tmp_path / "s"), "--stamps", str(empty), "--backgrounds", str(empty)]
    status, _, err = _run(arguments, capsys)
    assert status == 1
    assert "apt-get install mate-backgrounds plasma-workspace-wallpapers" in err
    assert "Traceback" not in err
    assert not (tmp_path / "s").exists()
