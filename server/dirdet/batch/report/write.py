"""Writes report.html, unless it exists for the same job, conditions and ground truth; an error fails no job."""

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from dirdet.batch.arrow import arrow, parquet
from dirdet.batch.filter_conditions import Condition
from dirdet.batch.job_record import Job
from dirdet.batch.keep_and_review import KEPT, REVIEW
from dirdet.batch.output_folder import ERRORS, PLAN, part_files
from dirdet.batch.outputs.media import file_of
from dirdet.batch.picture_plan import read_plan
from dirdet.batch.report.cutouts import cut_out
from dirdet.batch.report.extremes import COLUMNS, Extremes, first_to_review
from dirdet.batch.report.tallies import FIGURES, Tallies, read_failures
from dirdet.batch.report.truth import Measured, known_objects, measure_job
from dirdet.batch.report.view import ReportData, view_of
from dirdet.bundle.bundle import sha256_of
from dirdet.detector.options import Described
from dirdet.errors import DirdetError
from dirdet.files import write_whole
from dirdet.quality.arrays import Ints
from dirdet.quality.ground_truth import read_ground_truth
from dirdet.quality.optional_libraries import library
from dirdet.quality.page import render

REPORT = "report.html"
# Increased whenever the report's content changes, so that older reports are written again.
EDITION = 2
# Number of boxes to review, of most certain and of least certain boxes in the report.
SHOWN = 24
ROWS = 65_536


@dataclass(frozen=True)
class ReportRequest:
    """Options of a report.

    Attributes:
        keep: the condition on detections to keep.
        review: the condition on detections to review.
        ground_truth: a COCO file with the objects.
        coco_source: the COCO file that is the job's source and may have the objects.
    """

    keep: Condition | None = None
    review: Condition | None = None
    ground_truth: Path | None = None
    coco_source: Path | None = None


def write_report(folder: Path, job: Job, manifest: Described, request: ReportRequest) -> bool:
    """Writes the report of a finished job; returns False if it is already there.

    Reads the parts a few thousand rows at a time; holds counts and the shown boxes in memory.

    Raises:
        MissingExtraError: matplotlib or jinja2 is not installed, or a package that the requested ground truth needs.
        ResultsError: the requested ground truth does not fit the job.
        OSError: the file cannot be written.
    """
    path, fingerprint = folder / REPORT, _fingerprint(job, request)
    if _is_current(path, fingerprint):
        return False
    tallies, extremes = _counted(folder, job, classes=len(manifest.categories))
    queue = None if request.review is None else first_to_review(folder / REVIEW, SHOWN)
    boxes = [*(queue or []), *extremes.most, *extremes.least]
    measured, unmeasured = _measured(folder, job, request)
    data = ReportData(
        job=job,
        labels=[category.name for category in manifest.categories],
        tallies=tallies,
        extremes=extremes,
        queue=queue,
        cutouts=cut_out(folder / PLAN, boxes),
        links=_links(folder, {box.position for box in boxes}),
        cuts=_cuts(job, request),
        failures=read_failures(folder / ERRORS),
        kept=_by_class(folder / KEPT, len(manifest.categories)) if request.keep is not None else None,
        review=_by_class(folder / REVIEW, len(manifest.categories)) if request.review is not None else None,
        measured=measured,
        unmeasured=unmeasured,
    )
    title = f"{manifest.name} on {Path(job.identity.source.named).name or job.identity.source.named}"
    text = render("job.html", package="dirdet.batch.report", title=title, fingerprint=fingerprint, **view_of(data))
    write_whole(path, lambda file: file.write(text.encode("utf-8", "backslashreplace")), durable=True)
    return True


class ReportResult(NamedTuple):
    """Message about a report."""

    text: str
    failed: bool


def check_ground_truth(path: Path) -> None:
    """Reads the ground truth before the job, so that an error does not come at its end.

    Raises:
        ResultsError: it cannot be read.
        MissingExtraError: a package that measuring needs is not installed.
    """
    for module in ("matplotlib", "jinja2", "scipy", "sklearn", "faster_coco_eval"):
        library(module)
    read_ground_truth(path)


def tell_report(folder: Path, job: Job, manifest: Described, request: ReportRequest) -> ReportResult:
    """Writes the report unless it is there; returns a message with its path, or with the error."""
    path = folder / REPORT
    try:
        write_report(folder, job, manifest, request)
    except DirdetError as exc:
        return ReportResult(f"dirdet: no {path}: {exc}", failed=True)
    except OSError as exc:
        return ReportResult(f"dirdet: no {path}: it cannot be written: {exc.strerror or exc}", failed=True)
    return ReportResult(f"report: {path}", failed=False)


def _counted(folder: Path, job: Job, *, classes: int) -> tuple[Tallies, Extremes]:
    tallies, extremes = Tallies(classes), Extremes(SHOWN)
    columns = list(dict.fromkeys(["class_id", *FIGURES, *COLUMNS]))
    for part in job.parts:
        with parquet().ParquetFile(folder / part_files(part.number)["detections"]) as file:
            for batch in file.iter_batches(batch_size=ROWS, columns=columns):
                table = arrow().Table.from_batches([batch])
                tallies.add(table)
                extremes.add(table)
    return tallies, extremes


def _by_class(path: Path, classes: int) -> Ints:
    """Number of detections of each class in a file [C]."""
    tallies = Tallies(classes)
    with parquet().ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=ROWS, columns=["class_id", *FIGURES]):
            tallies.add(arrow().Table.from_batches([batch]))
    return tallies.counts


def _links(folder: Path, positions: set[int]) -> dict[int, str]:
    """Addresses, relative to the report, of the pictures that are files of their own, by position."""
    found: dict[int, str] = {}
    for position in positions:
        entry = next(read_plan(folder / PLAN, position), None)
        if entry is None or (file := file_of(entry)) is None:
            continue
        with suppress(ValueError):  # another drive
            found[position] = quote(os.fsencode(os.path.relpath(file, folder)).replace(b"\\", b"/"))
    return found


def _cuts(job: Job, request: ReportRequest) -> dict[str, dict[str, tuple[float, ...]]]:
    """The numbers that the conditions and settings compare each figure with, by the option."""
    settings = job.identity.settings
    cuts: dict[str, dict[str, tuple[float, ...]]] = {"score": {"--score-threshold": (settings.score_threshold,)}}
    if settings.min_iou is not None:
        cuts["iou"] = {"--min-iou": (settings.min_iou,)}
    for option, condition in (("--keep", request.keep), ("--review", request.review)):
        for name, values in ({} if condition is None else condition.cuts).items():
            cuts.setdefault(name, {})[option] = values
    return cuts


def _measured(folder: Path, job: Job, request: ReportRequest) -> tuple[Measured | None, str | None]:
    """The figures, or why a COCO source could not be measured; its errors fail no report."""
    if request.ground_truth is not None:
        return measure_job(folder, job, read_ground_truth(request.ground_truth)), None
    if request.coco_source is None:
        return None, None
    try:
        truth = known_objects(request.coco_source)
        return None if truth is None else measure_job(folder, job, truth), None
    except DirdetError as exc:
        return None, str(exc)


def _fingerprint(job: Job, request: ReportRequest) -> str:
    conditions = [None if each is None else each.text for each in (request.keep, request.review)]
    digest = hashlib.sha256(f"{EDITION} {job.identity.model_dump_json()} {conditions}".encode())
    for part in job.parts:
        digest.update(part.model_dump_json().encode())
    for path in (request.ground_truth, request.coco_source):
        digest.update(sha256_of(path).encode() if path is not None and path.is_file() else b"-")
    return digest.hexdigest()


def _is_current(path: Path, fingerprint: str) -> bool:
    try:
        with path.open("rb") as file:
            return f'content="{fingerprint}"'.encode() in file.read(1024)
    except OSError:
        return False
