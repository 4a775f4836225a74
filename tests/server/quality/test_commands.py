"""`dirdet quality` and `dirdet calibrate`, from files to figures, a page and a bundle."""

import json
import shutil
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dirdet.bundle.bundle import Bundle, Manifest, sha256_of, write_manifest
from dirdet.commands.calibrate import command as calibrate_command
from dirdet.commands.quality import command as quality_command
from dirdet.errors import BundleError, DirdetError, ParameterError, ResultsError

Split = Callable[[int], tuple[Path, Path]]
Write = Callable[..., Path]


def call(command: Any, *arguments: object) -> str:
    """Runs a subcommand; an error that users see comes out as it was raised."""
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    if isinstance(result.exception, DirdetError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def bundle(tmp_path: Path, manifest: Manifest) -> Path:
    """A bundle of one file and a README, not calibrated."""
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "detector.onnx").write_bytes(b"a network")
    (folder / "README.md").write_text("a model card")
    files = {name: sha256_of(folder / name) for name in ("detector.onnx", "README.md")}
    write_manifest(folder, manifest.model_copy(update={"files": files}))
    return folder


def perfect(objects: Sequence[tuple[float, ...]]) -> list[dict[str, Any]]:
    """Each object found with full confidence, and a worse box of it that NMS removed."""
    found: list[dict[str, Any]] = []
    for picture, category, x, y, width, height in objects:
        best = {"image_id": picture, "category_id": category, "bbox": [x, y, width, height], "score": 1.0}
        worse = {**best, "bbox": [x, y, width, 0.7 * height], "score": 0.9, "purity": 1.0, "integrity": 0.7}
        found += [{**best, "purity": 1.0, "integrity": 1.0, "kept": True}, {**worse, "kept": False}]
    return found


def test_a_detector_that_knows_everything(annotations: Write, results: Write) -> None:
    objects = [(1, 10, 10, 10, 60, 80), (1, 20, 200, 100, 100, 50), (2, 30, 0, 0, 20, 20)]
    output = call(quality_command, results(perfect(objects)), "--ann", annotations(objects), "--json")
    figures = json.loads(output)
    assert (figures["pictures"], figures["objects"], figures["candidates"], figures["detections"]) == (2, 3, 6, 3)
    for name in ("AP", "AP50", "AP75", "AP80", "AP90", "AP_agnostic"):
        assert figures[name] == pytest.approx(100)
    for name in ("oLRP", "oLRP_localisation", "NMS_regret", "absolute_error/iou", "D-ECE/score", "LaECE/score"):
        assert figures[name] == pytest.approx(0, abs=1e-9)
    for name in ("pearson/iou", "spearman/iou", "kendall_within_objects/iou"):
        assert figures[name] == pytest.approx(1)
    assert figures["auroc75/iou"] is None  # all that it kept is good


def test_nothing_found(annotations: Write, results: Write, tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    ann = annotations([(1, 10, 10, 10, 60, 80)])
    output = call(quality_command, results([]), "--ann", ann, "--json", "--report", report)
    figures = json.loads(output)
    assert figures["AP"] == 0
    assert figures["oLRP"] == 1
    assert figures["pearson/score"] is None
    assert "<figure>" not in report.read_text()


def test_a_table_for_people(annotations: Write, results: Write) -> None:
    objects = [(1, 10, 10, 10, 60, 80)]
    lines = call(quality_command, results(perfect(objects)), "--ann", annotations(objects)).splitlines()
    told = {line.split()[0]: line.split()[1:] for line in lines if line}
    assert told["AP"] == ["100.0"]
    assert told["detections"] == ["1"]
    assert told["confidence"]


class Page(HTMLParser):
    """Collects what a page would fetch, its ids and its words about figures."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.ids: list[str] = []
        self.figures = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.figures += tag == "figure"
        for name, value in attrs:
            if name == "id" and value:
                self.ids.append(value)
            if name in ("src", "href", "xlink:href") and value and not value.startswith("#"):
                self.fetched.append(value)


def test_the_report_is_one_file_for_light_and_dark(noisy_split: Split, tmp_path: Path) -> None:
    ann, found = noisy_split(0)
    call(quality_command, found, "--ann", ann, "--report", tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    page = Page(text)
    assert page.figures == 4  # there are no candidates, so no regret
    assert page.fetched == []
    assert len(page.ids) == len(set(page.ids))
    assert text.count("<figcaption") == 4
    assert "prefers-color-scheme: dark" in text
    assert 'name="viewport"' in text
    assert "currentColor" in text
    assert "#010203" not in text
    assert ">nan" not in text


def test_a_report_where_there_is_no_folder(annotations: Write, results: Write, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"--report: there is no folder .*missing"):
        call(quality_command, results([]), "--ann", annotations([]), "--report", tmp_path / "missing" / "report.html")


def test_a_calibrated_bundle_is_a_new_one(noisy_split: Split, bundle: Path, tmp_path: Path) -> None:
    ann, found = noisy_split(0)
    out = tmp_path / "new" / "calibrated"
    before = (bundle / "bundle.json").read_bytes()
    call(calibrate_command, bundle, "--candidates", found, "--ann", ann, "--out", out, "--coverage", 0.8)
    opened = Bundle.open(out)
    assert (bundle / "bundle.json").read_bytes() == before
    assert {file.name for file in out.iterdir()} == {"bundle.json", "detector.onnx", "README.md"}
    assert list(out.parent.iterdir()) == [out]
    calibration = opened.manifest.calibration
    assert calibration is not None
    assert calibration.box_margin is not None
    assert calibration.box_margin.coverage == 0.8
    assert calibration.annotations == ann.name
    before_it = Bundle.open(bundle).manifest
    assert opened.manifest.defaults.score_threshold == calibration.suggested.score_threshold
    assert opened.manifest.model_copy(update={"calibration": None, "defaults": before_it.defaults}) == before_it

    ann, found = noisy_split(1)
    figures = json.loads(call(quality_command, found, "--ann", ann, "--json", "--calibrated-by", out))
    assert figures["outer_box_wanted"] == 0.8
    assert figures["calibration_error/iou_calibrated"] < figures["calibration_error/iou"]

    with pytest.raises(ParameterError, match=r"--calibrated-by: .* is not calibrated"):
        call(quality_command, found, "--ann", ann, "--calibrated-by", bundle)


def test_detections_of_a_detector_that_tells_more_than_the_bundles(
    noisy_split: Split, bundle: Path, tmp_path: Path
) -> None:
    ann, found = noisy_split(0)
    plain = Bundle.open(bundle).manifest.model_copy(update={"localization_confidence": None})
    write_manifest(bundle, plain)
    with pytest.raises(ResultsError, match="the bundle's detector reports none"):
        call(calibrate_command, bundle, "--candidates", found, "--ann", ann, "--out", tmp_path / "calibrated")
    assert not (tmp_path / "calibrated").exists()


def test_what_is_there_is_not_overwritten(noisy_split: Split, bundle: Path) -> None:
    ann, found = noisy_split(0)
    with pytest.raises(BundleError, match="it exists already"):
        call(calibrate_command, bundle, "--candidates", found, "--ann", ann, "--out", bundle)


def test_another_data_sets_annotations(noisy_split: Split, bundle: Path, tmp_path: Path) -> None:
    ann, found = noisy_split(0)
    text = json.loads(ann.read_text())
    text["categories"][1]["name"] = "violet"
    ann.write_text(json.dumps(text))
    with pytest.raises(ResultsError, match="category_id 20 is 'green' in the bundle, found 'violet'"):
        call(calibrate_command, bundle, "--candidates", found, "--ann", ann, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written(noisy_split: Split, bundle: Path, tmp_path: Path) -> None:
    ann, found = noisy_split(0)
    shutil.copyfile(ann, tmp_path / "file")
    with pytest.raises(BundleError, match="cannot be written"):
        call(calibrate_command, bundle, "--candidates", found, "--ann", ann, "--out", tmp_path / "file" / "out")
