"""The rows of one part: a row for each picture, a row for each detection, and the Parquet they become."""

from io import BytesIO
from typing import Any

from dirdet.batch.arrow import arrow, parquet
from dirdet.batch.entry import Entry
from dirdet.detection import Detection
from dirdet.errors import PictureError, UnreachedError

FIGURES = ("score", "purity", "integrity", "iou", "confidence", "score_calibrated", "iou_calibrated")
BOX = ("x1", "y1", "x2", "y2")
OUTER_BOX = ("outer_x1", "outer_y1", "outer_x2", "outer_y2")


def picture_schema() -> Any:  # noqa: ANN401
    """Of `pictures/`."""
    pa = arrow()
    integers = [(name, pa.int32()) for name in ("width", "height", "count")]
    named = [("position", pa.int64()), ("picture", pa.string()), ("image_id", pa.int64())]
    return pa.schema([*named, *integers, ("reason", pa.string()), ("error", pa.string())])


def detection_schema() -> Any:  # noqa: ANN401
    """Of `detections/`."""
    pa = arrow()
    return pa.schema(
        [("position", pa.int64()), ("picture", pa.string())]
        + [(name, pa.float64()) for name in BOX]
        + [("label", pa.string()), ("class_id", pa.int32()), ("category_id", pa.int64())]
        + [(name, pa.float64()) for name in (*FIGURES, *OUTER_BOX)]
        + [("mask", pa.string())]
    )


class PartRows:
    """What is known of a part's pictures so far.

    Attributes:
        failures: pictures that could not be read.
        unreached: of these, those that may be read another time.
        detections: found so far.
    """

    def __init__(self) -> None:
        """Nothing yet."""
        self._pictures: dict[int, tuple[dict[str, Any], list[dict[str, Any]]]] = {}
        self.failures = self.unreached = 0
        self.detections = 0

    def __len__(self) -> int:
        """How many pictures."""
        return len(self._pictures)

    def add(self, position: int, entry: Entry, picture_hw: tuple[int, int], detections: list[Detection]) -> None:
        """A picture that was detected on; figures are rounded as in the API's answers."""
        height, width = picture_hw
        seen = {"width": width, "height": height, "count": len(detections)}
        common = {"position": position, "picture": entry.name}
        self._pictures[position] = (
            {**common, "image_id": entry.image_id, **seen},
            [{**common, **_row(each)} for each in detections],
        )
        self.detections += len(detections)

    def add_failure(self, position: int, entry: Entry, error: PictureError, reason: str) -> None:
        """A picture that could not be read."""
        told = {"position": position, "picture": entry.name, "image_id": entry.image_id}
        self._pictures[position] = ({**told, "reason": reason, "error": str(error)}, [])
        self.failures += 1
        self.unreached += isinstance(error, UnreachedError)

    def pictures_parquet(self) -> bytes:
        """The file of `pictures/`, in the source's order; the same rows give the same bytes."""
        return _parquet([self._pictures[key][0] for key in sorted(self._pictures)], picture_schema())

    def detections_parquet(self) -> bytes:
        """The file of `detections/`, in the source's order, a picture's most confident first."""
        return _parquet([row for key in sorted(self._pictures) for row in self._pictures[key][1]], detection_schema())


def _row(detection: Detection) -> dict[str, Any]:
    told = detection.to_json()
    row = {name: told[name] for name in ("label", "class_id", "category_id", *FIGURES)}
    row |= dict(zip(BOX, told["box"], strict=True))
    row |= dict(zip(OUTER_BOX, told["outer_box"] or [None] * 4, strict=True))
    return row | {"mask": None if detection.mask is None else detection.mask.counts}


def _parquet(rows: list[dict[str, Any]], schema: Any) -> bytes:  # noqa: ANN401
    file = BytesIO()
    columns = [arrow().array([row.get(field.name) for row in rows], field.type) for field in schema]
    parquet().write_table(arrow().Table.from_arrays(columns, schema=schema), file, compression="zstd")
    return file.getvalue()
