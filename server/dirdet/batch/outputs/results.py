"""A finished job's pictures with their detections, read back one part at a time."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dirdet.batch.arrow import arrow, parquet
from dirdet.batch.entry import Entry
from dirdet.batch.expression import Condition, Negation, to_arrow
from dirdet.batch.job import Job
from dirdet.batch.output import PLAN, part_files
from dirdet.batch.outputs.ask import Of
from dirdet.batch.plan import read_plan
from dirdet.batch.rows import BOX, FIGURES, OUTER_BOX
from dirdet.client.results import ImageResult
from dirdet.detection import Box, Detection
from dirdet.errors import PictureError
from dirdet.rle import Rle


@dataclass(frozen=True, slots=True)
class JobPicture:
    """One picture of a job.

    Attributes:
        position: in the job, from 0.
        image_id: the data set's own number, else position + 1.
        entry: where its bytes are.
        result: its detections, or why it could not be read.
        kept: numbers of the detections that --keep wants.
        review: numbers of those that --review wants and --keep does not.
    """

    position: int
    image_id: int
    entry: Entry
    result: ImageResult
    kept: frozenset[int]
    review: frozenset[int]

    def only(self, numbers: frozenset[int]) -> "JobPicture":
        """With these detections alone, numbered anew."""
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
    """Every picture, in the job's order; what is held is one part.

    Args:
        folder: of the results.
        job: finished.
        keep: the condition for labels.
        review: the condition for what a person should see.
        parts: numbers of those that are wanted; None wants all.
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
        kept = _rows(detections, to_arrow(keep)) if keep is not None else frozenset[int]()
        queued = frozenset[int]()
        if review is not None:
            wanted = to_arrow(review)
            queued = _rows(detections, wanted if keep is None else wanted & to_arrow(Negation(keep)))
        told: list[dict[str, Any]] = detections.to_pylist()
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
                result=_result(row, [told[index] for index in own], job),
                kept=frozenset(index - own.start for index in own if index in kept),
                review=frozenset(index - own.start for index in own if index in queued),
            )


def selected(pictures: Iterator[JobPicture], of: Of) -> Iterator[JobPicture]:
    """The pictures that were read, with the boxes that are wanted.

    `kept` are the labels of every picture; `sure` leaves out those in which something is to be reviewed, since there
    objects may be missing among the labels. `review` are these pictures, with what is kept in them too, so that a
    person sees all labels.
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


def _rows(table: Any, condition: Any) -> frozenset[int]:  # noqa: ANN401
    """Numbers of the rows that a condition wants."""
    pa = arrow()
    numbered = table.append_column("row number", pa.array(range(table.num_rows), pa.int64()))
    return frozenset(numbered.filter(condition)["row number"].to_pylist())


def _result(row: dict[str, Any], detections: list[dict[str, Any]], job: Job) -> ImageResult:
    detector = job.identity.detector
    if row["error"] is not None:
        return ImageResult(row["picture"], 0, 0, error=PictureError(row["error"]))
    size_hw = (row["height"], row["width"])
    return ImageResult(
        name=row["picture"],
        width=row["width"],
        height=row["height"],
        detections=tuple(_detection(each, size_hw) for each in detections),
        detector=detector.name,
        checkpoint_sha256=detector.checkpoint_sha256,
    )


def _detection(row: dict[str, Any], size_hw: tuple[int, int]) -> Detection:
    return Detection(
        box_xyxy=_box(row, BOX),
        label=row["label"],
        class_id=row["class_id"],
        category_id=row["category_id"],
        **{name: row[name] for name in FIGURES},
        outer_box_xyxy=None if row[OUTER_BOX[0]] is None else _box(row, OUTER_BOX),
        mask=None if row["mask"] is None else Rle(size_hw, row["mask"]),
    )


def _box(row: dict[str, Any], sides: tuple[str, ...]) -> Box:
    x1, y1, x2, y2 = (row[side] for side in sides)
    return x1, y1, x2, y2
