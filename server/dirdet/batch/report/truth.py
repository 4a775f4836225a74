"""How good a job's detections are, where the objects on its pictures are known."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from dirdet.batch.arrow import parquet
from dirdet.batch.job import Job
from dirdet.batch.output import part_files
from dirdet.batch.rows import BOX
from dirdet.errors import ResultsError
from dirdet.quality.arrays import Floats, Ints
from dirdet.quality.ground_truth import GroundTruth, read_ground_truth
from dirdet.quality.measure import Quality, measure
from dirdet.quality.results import CALIBRATED, LOCALIZATION, Results, endings, ids_by_name

# About 1 GB while they are measured; of more, so many on pictures drawn at random.
MAX_DETECTIONS = 500_000
# Of the draw: a multiplier that scatters neighbours (Knuth's, 2^32 over the golden ratio).
SCATTER = 2_654_435_761


@dataclass(frozen=True)
class Measured:
    """Figures and what they are of.

    Attributes:
        quality: as `dirdet quality` measures it.
        notes: what was left out, in sentences.
    """

    quality: Quality
    notes: list[str]


def known_objects(coco: Path) -> GroundTruth | None:
    """The objects of a COCO file that is a source; None where it lists pictures alone.

    Raises:
        ResultsError: it has annotations that cannot be read.
    """
    try:
        told: Any = json.loads(coco.read_bytes())
    except (OSError, ValueError) as exc:
        raise ResultsError(f"{coco} cannot be read: {exc}") from exc
    if not isinstance(told, dict) or not cast(dict[str, Any], told).get("annotations"):
        return None
    return read_ground_truth(coco)


def measure_job(folder: Path, job: Job, truth: GroundTruth) -> Measured:
    """Measures a job's detections on the objects of its pictures, found by their names' endings.

    Raises:
        ResultsError: no picture, or no class, is of both.
        MissingExtraError: a library of the extra [quality] is not installed.
    """
    image_ids, unknown = _image_ids(folder, job, truth)
    are = "picture of the job is" if unknown == 1 else "pictures of the job are"
    notes = [f"{unknown} {are} not in {truth.path.name}."] if unknown else []
    found = sum(part.detections for part in job.parts)
    if found > MAX_DETECTIONS:
        every = 2**32 * MAX_DETECTIONS // found
        kept = {each: id_ for each, id_ in image_ids.items() if each * SCATTER % 2**32 < every}
        notes.append(f"Measured on {len(kept)} of {len(image_ids)} pictures, drawn at random.")
        image_ids = kept
    results, foreign = _results(folder, job, truth, image_ids)
    if foreign:
        notes.append(f"Left out are the classes that {truth.path.name} has not: {', '.join(sorted(foreign))}.")
    return Measured(measure(results, truth, nms_iou_threshold=job.identity.settings.nms_iou_threshold), notes)


def _image_ids(folder: Path, job: Job, truth: GroundTruth) -> tuple[dict[int, int], int]:
    """The ground truth's id by position, of pictures that were read and that it has; and how many it has not."""
    by_name = ids_by_name(truth)
    found: dict[int, int] = {}
    taken: set[int] = set()
    unknown = 0
    for part in job.parts:
        columns = ["position", "picture", "image_id", "error"]
        table = parquet().read_table(folder / part_files(part.number)["pictures"], columns=columns)
        for position, name, image_id, error in zip(*(each.to_pylist() for each in table.columns), strict=True):
            if error is not None:
                continue
            ids = next((by_name[each] for each in endings(name) if each in by_name), list[int]())
            # Of two pictures of one name, the data set's own number tells.
            own = image_id if image_id in ids else ids[0] if len(ids) == 1 else None
            if own is None or own in taken:
                unknown += 1
            else:
                taken.add(own)
                found[position] = own
    if not found:
        raise ResultsError(f"{truth.path} names none of the pictures that were read")
    return found, unknown


def _results(folder: Path, job: Job, truth: GroundTruth, image_ids: dict[int, int]) -> tuple[Results, set[str]]:
    """The detections on those pictures, and the classes that the ground truth has not; classes go by their names."""
    categories = {name: id_ for id_, name in truth.categories.items()}
    wanted = ["score", "confidence", *LOCALIZATION, *CALIBRATED]
    columns: dict[str, list[Floats]] = {name: [] for name in (*BOX, *wanted)}
    pictures: list[Ints] = []
    category_ids: list[Ints] = []
    foreign: set[str] = set()
    for part in job.parts:
        with parquet().ParquetFile(folder / part_files(part.number)["detections"]) as file:
            for batch in file.iter_batches(columns=["position", "label", *columns]):
                ids = [image_ids.get(each) for each in batch["position"].to_pylist()]
                labels: list[str] = batch["label"].to_pylist()
                foreign |= {label for label, id_ in zip(labels, ids, strict=True) if id_ is not None} - set(categories)
                rows = [n for n, id_ in enumerate(ids) if id_ is not None and labels[n] in categories]
                pictures.append(np.array([ids[n] for n in rows], np.int64))
                category_ids.append(np.array([categories[labels[n]] for n in rows], np.int64))
                for name, values in columns.items():
                    values.append(np.asarray(batch[name].to_numpy(zero_copy_only=False), np.float64)[rows])
    if foreign and not any(map(len, category_ids)):
        raise ResultsError(f"{truth.path} has none of the classes that were found: {', '.join(sorted(foreign))}")
    joined = {name: np.concatenate([np.zeros(0), *values]) for name, values in columns.items()}
    told = {name: joined[name] for name in wanted if not np.isnan(joined[name]).any()}
    count = len(joined["score"])
    results = Results(
        looked_at=sorted(image_ids.values()),
        picture_id=np.concatenate([np.zeros(0, np.int64), *pictures]),
        category_id=np.concatenate([np.zeros(0, np.int64), *category_ids]),
        boxes_xyxy=np.stack([joined[side] for side in BOX], axis=1),
        kept=np.ones(count, np.bool_),
        predictions=told,
    )
    return results, foreign
