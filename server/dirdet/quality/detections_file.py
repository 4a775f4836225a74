"""Reads detections from a file: a COCO results list, or the answer of `dirdet detect --json` or POST /detect."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, FailFast, Field, TypeAdapter, ValidationError
from typing_extensions import TypeAliasType

from dirdet.detection.ranking import combined_iou, confidence
from dirdet.errors import ResultsError, first_fault
from dirdet.files import MOST_ANNOTATIONS_BYTES, read_regular, utf8_json
from dirdet.quality.arrays import Bools, Floats, Ints
from dirdet.quality.ground_truth import Box, GroundTruth, Id, boxes_of

Probability = Annotated[float, Field(ge=0, le=1)]
LOCALIZATION = ("purity", "integrity", "iou")
CALIBRATED = ("score_calibrated", "iou_calibrated")


class _Predictions(BaseModel):
    category_id: Id
    score: Probability
    confidence: Probability | None = None
    purity: Probability | None = None
    integrity: Probability | None = None
    iou: Probability | None = None
    score_calibrated: Probability | None = None
    iou_calibrated: Probability | None = None


class _Entry(_Predictions):
    image_id: Id
    bbox: Box
    kept: bool = True


class _Found(_Predictions):
    box: Box


# An Annotated type with FailFast cannot be part of a union as it is: it has no hash.
_Founds = TypeAliasType("_Founds", Annotated[list[_Found], FailFast()])


class _Image(BaseModel):
    name: str
    detections: _Founds | None = None


class _Answer(BaseModel):
    images: Annotated[list[_Image], FailFast()]


ENTRIES = TypeAdapter(Annotated[list[_Entry], FailFast()])


@dataclass(frozen=True)
class Results:
    """N boxes: candidates before NMS, of which NMS kept some, or detections, of which all are kept.

    Attributes:
        looked_at: ids of the pictures on which the detector ran.
        picture_id: [N].
        category_id: [N].
        boxes_xyxy: [N, 4], pixels.
        kept: [N], which survived NMS.
        predictions: [N] each, in 0..1: score and confidence always; purity, integrity, iou and the calibrated figures
            if the detector reports them.
    """

    looked_at: list[int]
    picture_id: Ints
    category_id: Ints
    boxes_xyxy: Floats
    kept: Bools
    predictions: dict[str, Floats]

    def only(self, rows: Bools) -> "Results":
        """The selected boxes [N]; the pictures stay the same."""
        return Results(
            self.looked_at,
            self.picture_id[rows],
            self.category_id[rows],
            self.boxes_xyxy[rows],
            self.kept[rows],
            {name: values[rows] for name, values in self.predictions.items()},
        )

    def to_coco(self) -> list[dict[str, Any]]:
        """COCO results with the confidence under the key `score`, by which pycocotools ranks."""
        sizes_wh = self.boxes_xyxy[:, 2:] - self.boxes_xyxy[:, :2]
        columns = (self.picture_id, self.category_id, np.hstack([self.boxes_xyxy[:, :2], sizes_wh]))
        rows = zip(*(column.tolist() for column in (*columns, self.predictions["confidence"])), strict=True)
        return [
            {"image_id": picture, "category_id": category, "bbox": box, "score": rank}
            for picture, category, box, rank in rows
        ]


def read_results(path: Path, truth: GroundTruth) -> Results:
    """Reads detections on the pictures of `truth`.

    A COCO list covers all pictures of `truth`: a picture without an entry has no detections. An answer names its
    pictures by file and covers only these; pictures that failed are left out.

    Raises:
        ResultsError: the file cannot be read, an entry is wrong, or its picture or class is not in `truth`.
    """
    try:
        text = utf8_json(read_regular(path, most_bytes=MOST_ANNOTATIONS_BYTES))
    except OSError as exc:
        raise ResultsError(f"{path} cannot be read: {exc.strerror or exc}") from exc
    except UnicodeDecodeError as exc:
        raise ResultsError(f"{path} cannot be read as JSON: {exc}") from exc
    try:
        if text.lstrip().startswith(b"{"):
            entries, looked_at = _of_answer(path, _Answer.model_validate_json(text), truth)
        else:
            entries, looked_at = ENTRIES.validate_json(text), list(truth.pictures)
    except ValidationError as exc:
        raise ResultsError(f"{path}: {first_fault(exc)}") from exc
    for number, entry in enumerate(entries):
        if entry.image_id not in truth.pictures:
            raise ResultsError(f"{path}: entry {number} is of image {entry.image_id}, which is not in {truth.path}")
        if entry.category_id not in truth.categories:
            raise ResultsError(
                f"{path}: entry {number} has category_id {entry.category_id}; "
                f"{truth.path} has {', '.join(str(each) for each in sorted(truth.categories))}"
            )
    return Results(
        looked_at=looked_at,
        picture_id=np.array([entry.image_id for entry in entries], np.int64),
        category_id=np.array([entry.category_id for entry in entries], np.int64),
        boxes_xyxy=boxes_of([entry.bbox for entry in entries]),
        kept=np.array([entry.kept for entry in entries], np.bool_),
        predictions=_predictions(path, entries),
    )


def _of_answer(path: Path, answer: _Answer, truth: GroundTruth) -> tuple[list[_Entry], list[int]]:
    ids = ids_by_name(truth)
    entries: list[_Entry] = []
    looked_at: list[int] = []
    for image in answer.images:
        if image.detections is None:
            continue
        matching = next((ids[name] for name in endings(image.name) if name in ids), None)
        if matching is None or len(matching) != 1:
            said = "no picture" if not matching else f"{len(matching)} pictures"
            raise ResultsError(f"{path}: {truth.path} has {said} named {image.name!r}")
        if matching[0] in looked_at:
            raise ResultsError(f"{path}: picture {image.name!r} occurs twice")
        looked_at.append(matching[0])
        for found in image.detections:
            x1, y1, x2, y2 = found.box
            predictions = found.model_dump(exclude={"box"})
            entries.append(_Entry(image_id=matching[0], bbox=(x1, y1, x2 - x1, y2 - y1), **predictions))
    return entries, looked_at


def ids_by_name(truth: GroundTruth) -> dict[str, list[int]]:
    """Picture ids by every ending of their file names, since the detector may run in another folder."""
    ids: dict[str, list[int]] = {}
    for picture in truth.pictures.values():
        for name in endings(picture.file_name):
            ids.setdefault(name, []).append(picture.id)
    return ids


def endings(name: str) -> list[str]:
    """A path and its shorter endings without the first folders, longest first."""
    parts = PurePath(name).parts
    return ["/".join(parts[start:]) for start in range(len(parts))]


def _predictions(path: Path, entries: Sequence[_Entry]) -> dict[str, Floats]:
    score = np.array([entry.score for entry in entries], np.float64)
    told = {name: _column(path, entries, name) for name in (*LOCALIZATION, *CALIBRATED, "confidence")}
    if told["iou"] is None and told["purity"] is not None and told["integrity"] is not None:
        told["iou"] = combined_iou(told["purity"], told["integrity"])
    if told["confidence"] is None:
        told["confidence"] = confidence(score, told["iou"], iou_weight=0.5)
    return {"score": score} | {name: values for name, values in told.items() if values is not None}


def _column(path: Path, entries: Sequence[_Entry], name: str) -> Floats | None:
    """One prediction of all entries [N]; None if no entry has it."""
    values = [getattr(entry, name) for entry in entries]
    lacking = [number for number, value in enumerate(values) if value is None]
    if len(lacking) == len(values):
        return None
    if lacking:
        raise ResultsError(f"{path}: entry {lacking[0]} has no {name}, though others have")
    return np.array(values, np.float64)
