"""Writing a job's report without failing the job: it is done, whatever becomes of its report."""

from pathlib import Path
from typing import NamedTuple

from dirdet.batch.job import Job
from dirdet.batch.report.write import REPORT, ReportAsk, write_report
from dirdet.errors import DirdetError
from dirdet.options import Described
from dirdet.quality.extra import library
from dirdet.quality.ground_truth import read_ground_truth


class ReportTold(NamedTuple):
    """What to say of a report."""

    text: str
    failed: bool


def check_ground_truth(path: Path) -> None:
    """Reads ground truth before the job rather than at its end.

    Raises:
        ResultsError: it cannot be read.
        MissingExtraError: what measuring needs is not installed.
    """
    for module in ("matplotlib", "scipy", "sklearn", "faster_coco_eval"):
        library(module)
    read_ground_truth(path)


def tell_report(folder: Path, job: Job, manifest: Described, ask: ReportAsk) -> ReportTold:
    """Writes the report if it is not there yet, and says where it is, or why it is not."""
    path = folder / REPORT
    try:
        write_report(folder, job, manifest, ask)
    except DirdetError as exc:
        return ReportTold(f"dirdet: no {path}: {exc}", failed=True)
    except OSError as exc:
        return ReportTold(f"dirdet: no {path}: it cannot be written: {exc.strerror or exc}", failed=True)
    return ReportTold(f"report: {path}", failed=False)
