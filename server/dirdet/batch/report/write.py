"""Writes report.html, unless it tells of the very job, conditions and ground truth already."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from dirdet.batch.arrow import arrow, parquet
from dirdet.batch.expression import Condition
from dirdet.batch.job import Job
from dirdet.batch.output import ERRORS, PLAN, part_files
from dirdet.batch.report.cutouts import cut_out
from dirdet.batch.report.extremes import COLUMNS, Extremes
from dirdet.batch.report.failures import read_failures
from dirdet.batch.report.page import page
from dirdet.batch.report.sections import Told, sections_of
from dirdet.batch.report.tallies import FIGURES, Tallies
from dirdet.batch.report.truth import Measured, known_objects, measure_job
from dirdet.batch.split import KEPT, REVIEW
from dirdet.bundle import sha256_of
from dirdet.errors import DirdetError
from dirdet.files import write_whole
from dirdet.options import Described
from dirdet.quality.arrays import Ints
from dirdet.quality.ground_truth import read_ground_truth

REPORT = "report.html"
# Goes up when a report tells the same job otherwise: older ones are then written anew.
EDITION = 1
# Boxes shown, of the most and of the least certain.
SHOWN = 24
ROWS = 65_536


@dataclass(frozen=True)
class ReportAsk:
    """What a report is asked for.

    Attributes:
        keep: the condition on detections to keep, as typed.
        review: the same of those for a person.
        ground_truth: a COCO file with the objects.
        coco_source: the COCO file that is the source: it may have the objects too.
    """

    keep: Condition | None = None
    review: Condition | None = None
    ground_truth: Path | None = None
    coco_source: Path | None = None


def write_report(folder: Path, job: Job, manifest: Described, ask: ReportAsk) -> bool:
    """Writes the report of a finished job; whether there was anything to do.

    Reads the parts some thousands of rows at a time: what is held is counts, and the boxes that are shown.

    Raises:
        MissingExtraError: matplotlib is not installed, or what ground truth that was asked for needs.
        ResultsError: the ground truth that was asked for does not fit the job.
        OSError: the file cannot be written.
    """
    path, fingerprint = folder / REPORT, _fingerprint(job, ask)
    if _tells(path, fingerprint):
        return False
    tallies, extremes = _gathered(folder, job, classes=len(manifest.categories))
    shown = [*extremes.most, *extremes.least]
    measured, unmeasured = _measured(folder, job, ask)
    told = Told(
        job=job,
        labels=[category.name for category in manifest.categories],
        tallies=tallies,
        extremes=extremes,
        cutouts=cut_out(folder / PLAN, shown),
        failures=read_failures(folder / ERRORS),
        kept=_by_class(folder / KEPT, len(manifest.categories)) if ask.keep is not None else None,
        review=_by_class(folder / REVIEW, len(manifest.categories)) if ask.review is not None else None,
        measured=measured,
        unmeasured=unmeasured,
    )
    title = f"{manifest.name} on {Path(job.identity.source.named).name or job.identity.source.named}"
    text = page(title, sections_of(told), fingerprint=fingerprint)
    write_whole(path, lambda file: file.write(text.encode("utf-8", "backslashreplace")), durable=True)
    return True


def _gathered(folder: Path, job: Job, *, classes: int) -> tuple[Tallies, Extremes]:
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
    """How many of each class a file of detections has [C]."""
    tallies = Tallies(classes)
    with parquet().ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=ROWS, columns=["class_id", *FIGURES]):
            tallies.add(arrow().Table.from_batches([batch]))
    return tallies.counts


def _measured(folder: Path, job: Job, ask: ReportAsk) -> tuple[Measured | None, str | None]:
    """Figures, and else why a source that may have objects gives none: what was not asked for fails no report."""
    if ask.ground_truth is not None:
        return measure_job(folder, job, read_ground_truth(ask.ground_truth)), None
    if ask.coco_source is None:
        return None, None
    try:
        truth = known_objects(ask.coco_source)
        return None if truth is None else measure_job(folder, job, truth), None
    except DirdetError as exc:
        return None, str(exc)


def _fingerprint(job: Job, ask: ReportAsk) -> str:
    digest = hashlib.sha256(f"{EDITION} {job.identity.model_dump_json()} {ask.keep} {ask.review}".encode())
    for part in job.parts:
        digest.update(part.model_dump_json().encode())
    for path in (ask.ground_truth, ask.coco_source):
        digest.update(sha256_of(path).encode() if path is not None and path.is_file() else b"-")
    return digest.hexdigest()


def _tells(path: Path, fingerprint: str) -> bool:
    try:
        with path.open("rb") as file:
            return f'content="{fingerprint}"'.encode() in file.read(1024)
    except OSError:
        return False
