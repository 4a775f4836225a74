"""Measures a job's detections against known objects on its pictures."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dirdet.batch.arrow import parquet
from dirdet.batch.errors import SourceError
from dirdet.batch.job_record import Job
from dirdet.batch.output_folder import part_files
from dirdet.detection.rows import SIDES
from dirdet.errors import ResultsError, counted
from dirdet.quality.arrays import Floats, Ints
from dirdet.quality.detections_file import CALIBRATED, LOCALIZATION, Results, endings, ids_by_name
from dirdet.quality.ground_truth import GroundTruth, read_ground_truth
from dirdet.quality.measure import Quality, measure

# Measuring these takes about 1 GB; a larger job is measured on a random sample of its pictures.
MAX_DETECTIONS = 500_000
# Multiplier of the random sample, which scatters neighbours (Knuth's, 2^32 over the golden ratio).
SCATTER = 2_654_435_761


@dataclass(frozen=True)
class Measured:
    """Measured figures and notes on them.

    Attributes:
        quality: as `dirdet quality` measures it.
        notes: sentences on what was left out.
    """

    quality: Quality
    notes: list[str]


def known_objects(coco: Path) -> GroundTruth | None:
    """The objects of a COCO source; None if it lists only pictures.

    Raises:
        ResultsError: its annotations cannot be read.
    """
    from dirdet.batch.coco_file import read_coco_file  # imports msgspec, which only the extra [batch] brings

    try:
        return read_ground_truth(coco) if read_coco_file(coco).has_objects else None
    except SourceError as exc:
        raise ResultsError(str(exc)) from exc


def measure_job(folder: Path, job: Job, truth: GroundTruth) -> Measured:
    """Measures a job's detections against the objects of its pictures, matched by the endings of their names.

    Raises:
        ResultsError: the job and the ground truth share no picture, or no class.
        MissingExtraError: a library of the extra [quality] is not installed.
    """
    image_ids, unknown = _image_ids(folder, job, truth)
    are = "picture of the job is" if unknown == 1 else "pictures of the job are"
    notes = [f"{unknown} {are} not in {truth.path.name}."] if unknown else []
    found = sum(part.detections for part in job.parts)
    if found > MAX_DETECTIONS:
        every = 2**32 * MAX_DETECTIONS // found
        kept = {each: id_ for each, id_ in image_ids.items() if each * SCATTER % 2**32 < every}
        notes.append(f"Measured on {len(kept):,} of {counted(len(image_ids), 'picture')}, drawn at random.")
        image_ids = kept
    results, foreign = _results(folder, job, truth, image_ids)
    if foreign:
        notes.append(f"Classes that are not in {truth.path.name} are left out: {', '.join(sorted(foreign))}.")
    return Measured(measure(results, truth, nms_iou_threshold=job.identity.settings.nms_iou_threshold), notes)


def _image_ids(folder: Path, job: Job, truth: GroundTruth) -> tuple[dict[int, int], int]:
    """The ground truth's image ids by position, and the number of pictures that it does not have."""
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
            # The data set's own id decides between two pictures of one name.
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
    """The detections on those pictures, with classes matched by name, and the classes missing in the ground truth."""
    categories = {name: id_ for id_, name in truth.categories.items()}
    wanted = ["score", "confidence", *LOCALIZATION, *CALIBRATED]
    columns: dict[str, list[Floats]] = {name: [] for name in (*SIDES, *wanted)}
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
        raise ResultsError(f"{truth.path} has none of the detected classes: {', '.join(sorted(foreign))}")
    joined = {name: np.concatenate([np.zeros(0), *values]) for name, values in columns.items()}
    predictions = {name: joined[name] for name in wanted if not np.isnan(joined[name]).any()}
    count = len(joined["score"])
    results = Results(
        looked_at=sorted(image_ids.values()),
        picture_id=np.concatenate([np.zeros(0, np.int64), *pictures]),
        category_id=np.concatenate([np.zeros(0, np.int64), *category_ids]),
        boxes_xyxy=np.stack([joined[side] for side in SIDES], axis=1),
        kept=np.ones(count, np.bool_),
        predictions=predictions,
    )
    return results, foreign
