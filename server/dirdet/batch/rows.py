"""The rows of one part: one for each picture and one for each detection, and their Parquet files."""

from io import BytesIO
from typing import Any

from dirdet.batch.arrow import arrow, parquet
from dirdet.batch.source_picture import Entry
from dirdet.detection import Detection
from dirdet.detection.rows import COLUMNS, to_rows
from dirdet.errors import PictureError, UnreachedError


def picture_schema() -> Any:  # noqa: ANN401
    """Schema of `pictures/`."""
    pa = arrow()
    integers = [(name, pa.int32()) for name in ("width", "height", "count")]
    named = [("position", pa.int64()), ("picture", pa.string()), ("image_id", pa.int64())]
    return pa.schema([*named, *integers, ("reason", pa.string()), ("error", pa.string())])


def detection_schema() -> Any:  # noqa: ANN401
    """Schema of `detections/`."""
    pa = arrow()
    return pa.schema(
        [("position", pa.int64()), ("picture", pa.string())]
        + [(column.name, getattr(pa, column.type)()) for column in COLUMNS]
    )


class PartRows:
    """Rows collected for a part.

    Attributes:
        failures: number of pictures that could not be read.
        unreached: those of them that may be readable later.
        detections: number of detections.
    """

    def __init__(self) -> None:
        self._pictures: dict[int, tuple[dict[str, Any], list[dict[str, Any]]]] = {}
        self.failures = self.unreached = 0
        self.detections = 0

    def __len__(self) -> int:
        return len(self._pictures)

    def add(self, position: int, entry: Entry, picture_hw: tuple[int, int], detections: list[Detection]) -> None:
        """Adds a picture with its detections; figures are rounded as in the API's answers."""
        height, width = picture_hw
        seen = {"width": width, "height": height, "count": len(detections)}
        common = {"position": position, "picture": entry.name}
        self._pictures[position] = (
            {**common, "image_id": entry.image_id, **seen},
            [{**common, **row} for row in to_rows(detections)],
        )
        self.detections += len(detections)

    def add_failure(self, position: int, entry: Entry, error: PictureError, reason: str) -> None:
        """Adds a picture that could not be read."""
        told = {"position": position, "picture": entry.name, "image_id": entry.image_id}
        self._pictures[position] = ({**told, "reason": reason, "error": str(error)}, [])
        self.failures += 1
        self.unreached += isinstance(error, UnreachedError)

    def pictures_parquet(self) -> bytes:
        """The file of `pictures/`, in the source's order; the same rows give the same bytes."""
        return _parquet([self._pictures[key][0] for key in sorted(self._pictures)], picture_schema())

    def detections_parquet(self) -> bytes:
        """The file of `detections/`, in the source's order, a picture's most confident detection first."""
        return _parquet([row for key in sorted(self._pictures) for row in self._pictures[key][1]], detection_schema())


def _parquet(rows: list[dict[str, Any]], schema: Any) -> bytes:  # noqa: ANN401
    file = BytesIO()
    columns = [arrow().array([row.get(field.name) for row in rows], field.type) for field in schema]
    parquet().write_table(arrow().Table.from_arrays(columns, schema=schema), file, compression="zstd")
    return file.getvalue()
