"""Reads a finished job's pictures with their detections, one part at a time."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dirdet.batch.arrow import parquet
from dirdet.batch.filter_conditions import Condition
from dirdet.batch.job_record import Job
from dirdet.batch.keep_and_review import split_rows
from dirdet.batch.output_folder import PLAN, part_files
from dirdet.batch.outputs.request import Of
from dirdet.batch.picture_plan import read_plan
from dirdet.batch.source_picture import Entry
from dirdet.convert.image_result import ImageResult
from dirdet.detection.rows import from_row
from dirdet.errors import PictureError


@dataclass(frozen=True, slots=True)
class JobPicture:
    """One picture of a job.

    Attributes:
        position: in the job, from 0.
        image_id: the data set's own id, else position + 1.
        entry: the place of its bytes.
        result: its detections, or why it could not be read.
        kept: indices of the detections that meet --keep.
        review: indices of those that meet --review and not --keep.
    """

    position: int
    image_id: int
    entry: Entry
    result: ImageResult
    kept: frozenset[int]
    review: frozenset[int]

    def only(self, numbers: frozenset[int]) -> "JobPicture":
        """The same picture with only these detections, renumbered."""
        chosen = sorted(numbers)
        return replace(
            self,
            result=replace(self.result, detections=tuple(self.result.detections[number] for number in chosen)),
            kept=frozenset(new for new, number in enumerate(chosen) if number in self.kept),
            review=frozenset(new for new, number in enumerate(chosen) if number in self.review),
        )


def pictures_of(
    folder: Path,
    job: Job,
    *,
    keep: Condition | None = None,
    review: Condition | None = None,
    parts: frozenset[int] | None = None,
) -> Iterator[JobPicture]:
    """Every picture, in the job's order; holds one part in memory.

    Args:
        folder: of the results.
        job: finished.
        keep: the condition for labels.
        review: the condition for detections that a person should review.
        parts: numbers of the parts to read; None reads all.
    """
    pq = parquet()
    entries = read_plan(folder / PLAN)
    for part in sorted(job.parts, key=lambda part: part.number):
        if parts is not None:
            if part.number not in parts:
                continue
            entries = read_plan(folder / PLAN, part.number * job.identity.part_pictures)
        files = part_files(part.number)
        detections = pq.read_table(folder / files["detections"])
        kept, queued = (held.to_pylist() for held in split_rows(detections, keep=keep, review=review))
        rows: list[dict[str, Any]] = detections.to_pylist()
        first = 0
        for row in pq.read_table(folder / files["pictures"]).to_pylist():
            count = row["count"] or 0
            own = range(first, first + count)
            first += count
            image_id = row["image_id"]
            yield JobPicture(
                position=row["position"],
                image_id=row["position"] + 1 if image_id is None else image_id,
                entry=next(entries),
                result=_result(row, [rows[index] for index in own], job),
                kept=frozenset(number for number, index in enumerate(own) if kept[index]),
                review=frozenset(number for number, index in enumerate(own) if queued[index]),
            )


def selected(pictures: Iterator[JobPicture], of: Of) -> Iterator[JobPicture]:
    """The pictures that could be read, with the selected boxes.

    `kept` selects the labels of every picture. `sure` leaves out pictures with boxes to review, since labels may be
    missing there. `review` selects these pictures, with their kept boxes too, so that a person sees all labels.
    """
    for each in pictures:
        if each.result.error is not None:
            continue
        if of == "all":
            yield each
        elif of == "review" and each.review:
            yield each.only(each.kept | each.review)
        elif of == "kept" or (of == "sure" and not each.review):
            yield each.only(each.kept)


def _result(row: dict[str, Any], detections: list[dict[str, Any]], job: Job) -> ImageResult:
    detector = job.identity.detector
    if row["error"] is not None:
        return ImageResult(row["picture"], 0, 0, error=PictureError(row["error"]))
    picture_hw = (row["height"], row["width"])
    return ImageResult(
        name=row["picture"],
        width=row["width"],
        height=row["height"],
        detections=tuple(from_row(each, picture_hw) for each in detections),
        detector=detector.name,
        checkpoint_sha256=detector.checkpoint_sha256,
    )
