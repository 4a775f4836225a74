"""report.html: what it tells, that it asks for nothing, and when it is written anew."""

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
from click.testing import CliRunner
from jobs import PART, Run, rows

from dirdet.batch.arrow import arrow, parquet
from dirdet.batch.output_folder import Output
from dirdet.batch.report import write
from dirdet.batch.report.tallies import FIGURES, Tallies, quantile
from dirdet.batch.report.write import ReportRequest, write_report
from dirdet.batch.rows import detection_schema
from dirdet.bundle.shipped import open_bundle
from dirdet.commands.batch import command
from dirdet.errors import ResultsError

JPEG = re.compile(r'src="data:image/jpeg;base64,([^"]+)"')


THRESHOLD = ("--score-threshold", "0.05")
CONDITIONS = ("--keep", "confidence>=0.4", "--review", "score>=0.1")


@pytest.fixture(scope="module")
def finished(many: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A job with a broken picture, done with its report."""
    out = tmp_path_factory.mktemp("reported") / "out"
    arguments = (many, "--out", out, "--limit", PART, *THRESHOLD, *CONDITIONS)
    done = CliRunner().invoke(command, [str(each) for each in arguments])
    assert f"report: {out}/report.html" in done.stdout
    return out


@pytest.fixture
def report(finished: Path, tmp_path: Path) -> tuple[Path, str]:
    """A copy of that job, and its report."""
    out = shutil.copytree(finished, tmp_path / "out")
    return out, (out / "report.html").read_text("utf-8")


def test_it_counts_what_the_tables_hold(report: tuple[Path, str]) -> None:
    out, text = report
    found = rows(out, "detections")
    assert f"<b>{len(found)}</b><span>detections</span>" in text
    for label in {row["label"] for row in found}:
        count = sum(row["label"] == label for row in found)
        assert re.search(rf'<th scope="row">{label}</th>\s*<td>.*</span>{count}</td>', text)
    kept = parquet().read_table(out / "kept.parquet").num_rows
    assert f"<b>{kept / len(found):.1%}</b><span>kept: {kept} detections</span>" in text
    assert "roll 0/05.png" in text
    assert "Settings" in text


def test_it_asks_for_nothing_and_runs_nothing(report: tuple[Path, str]) -> None:
    _, text = report
    assert "default-src &#x27;none&#x27;" in text or "default-src 'none'" in text
    assert not re.search(r"<script|<link|<iframe|@import|url\((?!#)|(?<!<a )(src|href)=\"(?!data:|#)", text)


def test_the_queue_leads_it_with_pictures_links_and_reasons(
    report: tuple[Path, str], finished: Path, many: Path
) -> None:
    out, text = report
    queue = parquet().read_table(out / "review.parquet").to_pylist()
    section = text[text.index("To review: ") : text.index("The detector")]
    assert f"To review: {len(queue)} detections" in section
    assert "not confidence&gt;=0.4" in section
    assert 0 < len(JPEG.findall(section)) <= write.SHOWN
    assert queue[0]["picture"] in section
    links = re.findall(r'<a href="([^"]+)">roll', section)
    assert len(links) == section.count("<figure>")
    assert all((finished / unquote(each)).resolve().is_relative_to(many) for each in links)


def test_plots_have_the_chosen_cuts(report: tuple[Path, str]) -> None:
    _, text = report
    assert "--review 0.1" in text
    assert "--score-threshold 0.05" in text


def test_its_pictures_are_few_and_small(report: tuple[Path, str]) -> None:
    _, text = report
    pictures = JPEG.findall(text)
    assert 0 < len(pictures) <= 3 * write.SHOWN
    assert all(len(each) <= 16_384 * 4 / 3 + 4 for each in pictures)


def test_it_is_written_anew_when_it_is_missing_or_of_other_conditions(
    run: Run, many: Path, report: tuple[Path, str]
) -> None:
    out, text = report
    path = out / "report.html"
    again = [many, "--out", out, "--limit", PART, *THRESHOLD, *CONDITIONS]
    before = path.stat().st_mtime_ns
    run(*again)
    assert path.stat().st_mtime_ns == before
    path.unlink()
    run(*again)
    assert path.read_text("utf-8") == text
    run(*again[:-2])
    assert "for review" not in path.read_text("utf-8")
    path.unlink()
    run(*again, "--no-report")
    assert not path.exists()


def test_a_name_is_never_markup(run: Run, many: Path, tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    (source / "<img src=x onerror=alert(1)>.png").write_bytes((many / "roll 0" / "02.png").read_bytes())
    (source / '"><script>.png').write_bytes(b"broken")
    run(source, "--out", tmp_path / "out", "--score-threshold", 0.01)
    text = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "&lt;img src=x" in text
    assert "&lt;script&gt;" in text
    assert "<img src=x" not in text
    assert "<script" not in text


def test_nothing_found_and_nothing_readable_are_said(run: Run, many: Path, tmp_path: Path) -> None:
    run(many, "--out", tmp_path / "none", "--limit", 2, "--score-threshold", 1, "--keep", "score>0.5")
    text = (tmp_path / "none" / "report.html").read_text("utf-8")
    assert "There are no detections in 2 pictures." in text
    assert ">nan<" not in text
    source = tmp_path / "in"
    source.mkdir()
    (source / "a.png").write_bytes(b"no picture")
    run(source, "--out", tmp_path / "unread")
    text = (tmp_path / "unread" / "report.html").read_text("utf-8")
    assert "None of 1 picture could be read." in text
    assert "not a picture" in text


def test_known_objects_of_the_source_are_measured_on(
    run: Run, many: Path, report: tuple[Path, str], tmp_path: Path
) -> None:
    truth, path = _coco(report[0]), tmp_path / "coco.json"
    path.write_text(json.dumps(truth | {"images": truth["images"][:2]}))
    run(path, "--pictures", many, "--out", tmp_path / "odd", *THRESHOLD)
    assert "could not be measured" in (tmp_path / "odd" / "report.html").read_text("utf-8")
    path.write_text(json.dumps(truth))
    run(path, "--pictures", many, "--out", tmp_path / "new", *THRESHOLD)
    text = (tmp_path / "new" / "report.html").read_text("utf-8")
    assert "Against the known objects" in text
    assert re.search(r"AP \d+\.\d, oLRP", text)
    path.write_text(json.dumps(truth | {"annotations": []}))
    run(path, "--pictures", many, "--out", tmp_path / "new", *THRESHOLD)
    assert "Against the known objects" not in (tmp_path / "new" / "report.html").read_text("utf-8")


def test_ground_truth_goes_by_names_and_is_read_before_the_job(
    run: Run, many: Path, report: tuple[Path, str], tmp_path: Path
) -> None:
    (out, _), path = report, tmp_path / "truth.json"
    path.write_text("{}")
    with pytest.raises(ResultsError):
        run(many, "--out", tmp_path / "new", "--ground-truth", path)
    assert not (tmp_path / "new").exists()
    truth = _coco(out)
    del truth["images"][0]  # a picture of which nothing is known
    truth["annotations"] = [each for each in truth["annotations"] if each["image_id"] != 0]
    path.write_text(json.dumps(truth))
    again = [many, "--out", out, "--limit", PART, *THRESHOLD, "--ground-truth", path]
    run(*again)
    assert "1 picture of the job is not in truth.json." in (out / "report.html").read_text("utf-8")
    path.write_text(json.dumps(truth | {"images": [], "annotations": []}))
    result = run(*again)
    assert "names none of the pictures" in result.stderr
    assert result.exit_code == 3


@pytest.mark.parametrize("package", ["matplotlib", "jinja2"])
def test_a_job_is_done_without_a_report_where_a_package_is_missing(
    package: str, run: Run, many: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    result = run(many, "--out", tmp_path / "out", "--limit", 2)
    assert result.exit_code == 0
    assert f"needs the package {package!r}" in result.stderr or f"need the package {package!r}" in result.stderr
    assert not (tmp_path / "out" / "report.html").exists()


def test_a_detector_without_localization_confidence(report: tuple[Path, str]) -> None:
    out, _ = report
    path = out / "detections" / "part-000000.parquet"
    told = parquet().read_table(path).to_pylist()
    plain = [{**row, "iou": None, "purity": None, "integrity": None} for row in told]
    parquet().write_table(arrow().Table.from_pylist(plain, schema=detection_schema()), path)
    job = Output(out).read_job()
    assert job is not None
    assert write_report(out, job, open_bundle(None).manifest, ReportRequest())
    text = (out / "report.html").read_text("utf-8")
    assert "reports no localization confidence" in text
    assert "<dt>score</dt>" in text
    assert "<dt>iou</dt>" not in text
    assert ">nan<" not in text


def test_histograms_of_any_number_of_rows_are_exact() -> None:
    generator = np.random.default_rng(0)
    tallies = Tallies(3)
    values, classes = generator.random((len(FIGURES), 1000)), generator.integers(0, 3, 1000)
    for start in range(0, 1000, 100):
        rows = slice(start, start + 100)
        chunk = {name: values[place, rows] for place, name in enumerate(FIGURES)}
        tallies.add(arrow().table({"class_id": arrow().array(classes[rows], arrow().int32()), **chunk}))
    assert tallies.counts.tolist() == np.bincount(classes).tolist()
    expected, _ = np.histogram(values[FIGURES.index("iou")][classes == 2], bins=100, range=(0, 1))
    assert tallies.histogram("iou", 2).tolist() == expected.tolist()
    middle = quantile(tallies.histogram("score"), 0.5)
    assert middle == pytest.approx(sorted(values[FIGURES.index("score")].tolist())[500], abs=0.011)
    assert tallies.plane.sum() == 1000


def _coco(out: Path) -> dict[str, Any]:
    """The detections of a job that are sure, as if they were objects."""
    pictures = [row for row in rows(out, "pictures") if row["error"] is None]
    found = [row for row in rows(out, "detections") if row["confidence"] > 0.4]
    return {
        "images": [
            {"id": row["position"], "file_name": row["picture"], "width": row["width"], "height": row["height"]}
            for row in pictures
        ],
        "categories": [{"id": n, "name": name} for n, name in enumerate(sorted({row["label"] for row in found}), 1)],
        "annotations": [
            {"id": n, "image_id": row["position"],
             "category_id": sorted({each["label"] for each in found}).index(row["label"]) + 1,
             "bbox": [row["x1"], row["y1"], row["x2"] - row["x1"], row["y2"] - row["y1"]],
             "area": (row["x2"] - row["x1"]) * (row["y2"] - row["y1"]), "iscrowd": 0}
            for n, row in enumerate(found, 1)
        ],
    }  # fmt: skip
