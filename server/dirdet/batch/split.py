"""Detections split by conditions: those to keep as labels, and those for a person, the most doubtful first."""

from pathlib import Path
from typing import Any, NamedTuple

from dirdet.batch.arrow import arrow, parquet
from dirdet.batch.expression import Condition, Negation, columns_of, to_arrow
from dirdet.batch.job import Job
from dirdet.batch.output import part_files
from dirdet.batch.rows import detection_schema
from dirdet.errors import ParameterError
from dirdet.files import write_whole
from dirdet.options import Described

KEPT, REVIEW = "kept.parquet", "review.parquet"


class Split(NamedTuple):
    """How many went where; None where nothing was asked."""

    kept: int | None
    review: int | None


def check_tells(condition: Condition, manifest: Described, *, parameter: str) -> None:
    """Refuses a figure that the detector does not tell.

    Raises:
        ParameterError: names it.
    """
    if asked := sorted(columns_of(condition) & untold(manifest)):
        raise ParameterError(parameter, f"detector {manifest.name!r} does not tell {asked[0]}")


def untold(manifest: Described) -> set[str]:
    """The figures that a detector never tells."""
    figures: set[str] = set()
    if manifest.localization_confidence is None:
        figures |= {"purity", "integrity", "iou", "iou_calibrated"}
    if manifest.calibration is None:
        figures |= {"score_calibrated", "iou_calibrated"}
    return figures


def write_split(folder: Path, job: Job, *, keep: Condition | None, review: Condition | None) -> Split:
    """Writes kept.parquet and review.parquet, and removes those of other conditions.

    What both conditions want is kept. The queue rises by confidence; its rows are held while they are sorted.
    """
    pq = parquet()
    counts: dict[str, int] = {}

    def parts() -> Any:  # noqa: ANN401
        for part in job.parts:
            yield pq.read_table(folder / part_files(part.number)["detections"])

    def fill_kept(file: Any) -> None:  # noqa: ANN401
        with pq.ParquetWriter(file, detection_schema(), compression="zstd") as writer:
            for table in parts():
                found = table.filter(to_arrow(keep)) if keep is not None else table
                counts[KEPT] = counts.get(KEPT, 0) + found.num_rows
                writer.write_table(found)

    def fill_review(file: Any) -> None:  # noqa: ANN401
        wanted = to_arrow(review) if review is not None else None
        if keep is not None and wanted is not None:
            wanted = wanted & to_arrow(Negation(keep))
        queue = arrow().concat_tables([table.filter(wanted) for table in parts()])
        order = [("confidence", "ascending"), ("position", "ascending")]
        counts[REVIEW] = queue.num_rows
        pq.write_table(queue.sort_by(order), file, compression="zstd")

    for name, condition, fill in ((KEPT, keep, fill_kept), (REVIEW, review, fill_review)):
        if condition is None:
            (folder / name).unlink(missing_ok=True)
        else:
            write_whole(folder / name, fill, durable=True)
    return Split(counts.get(KEPT), counts.get(REVIEW))
