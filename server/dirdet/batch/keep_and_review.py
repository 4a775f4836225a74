"""Splits detections by conditions: those to keep as labels, and those to review."""

from pathlib import Path
from typing import Any, NamedTuple

from dirdet.batch.arrow import arrow, parquet
from dirdet.batch.filter_conditions import Condition
from dirdet.batch.job_record import Job
from dirdet.batch.output_folder import part_files
from dirdet.batch.review_queue import queue_of, write_queue_csv
from dirdet.batch.rows import detection_schema
from dirdet.files import write_whole

KEPT, REVIEW, REVIEW_CSV = "kept.parquet", "review.parquet", "review.csv"


class Split(NamedTuple):
    """Number of detections in each file; None without a condition."""

    kept: int | None
    review: int | None


def split_rows(table: Any, *, keep: Condition | None, review: Condition | None) -> tuple[Any, Any]:  # noqa: ANN401
    """Rows of a table of detections that are kept, and rows to review, as pyarrow arrays [N]; no row is both.

    Raises:
        ParameterError: a condition cannot be computed on these rows.
    """
    pa, compute = arrow(), arrow("pyarrow.compute")
    none = pa.repeat(pa.scalar(False), table.num_rows)
    kept = none if keep is None else keep.holds(table)
    return kept, none if review is None else compute.and_not(review.holds(table), kept)


def write_split(folder: Path, job: Job, *, keep: Condition | None, review: Condition | None) -> Split:
    """Writes kept.parquet, review.parquet and review.csv, and removes those of earlier conditions.

    A detection that meets both conditions is kept. The rows to review are held in memory, the most doubtful first, each
    with its reason.
    """
    pq = parquet()
    counts: dict[str, int] = {}

    def parts() -> Any:  # noqa: ANN401
        for part in job.parts:
            yield pq.read_table(folder / part_files(part.number)["detections"])

    def fill_kept(file: Any) -> None:  # noqa: ANN401
        with pq.ParquetWriter(file, detection_schema(), compression="zstd") as writer:
            for table in parts():
                found = table.filter(split_rows(table, keep=keep, review=None)[0])
                counts[KEPT] = counts.get(KEPT, 0) + found.num_rows
                writer.write_table(found)

    for name in (KEPT, REVIEW, REVIEW_CSV):
        if (keep if name == KEPT else review) is None:
            (folder / name).unlink(missing_ok=True)
    if keep is not None:
        write_whole(folder / KEPT, fill_kept, durable=True)
    if review is not None:
        rows = [table.filter(split_rows(table, keep=keep, review=review)[1]) for table in parts()]
        queue = queue_of(arrow().concat_tables(rows), keep=keep, review=review)
        counts[REVIEW] = queue.num_rows
        write_whole(folder / REVIEW, lambda file: pq.write_table(queue, file, compression="zstd"), durable=True)
        write_whole(folder / REVIEW_CSV, lambda file: write_queue_csv(queue, file), durable=True)
    return Split(counts.get(KEPT), counts.get(REVIEW))
