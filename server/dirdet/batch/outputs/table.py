"""CSV: a row for each detection, and a row for each picture that could not be read."""

from collections.abc import Iterator
from io import TextIOWrapper
from typing import IO

from dirdet.batch.outputs.context import Context, Written
from dirdet.batch.outputs.request import Of
from dirdet.batch.outputs.results import selected
from dirdet.convert.image_result import ImageResult
from dirdet.convert.table import to_csv
from dirdet.files import write_whole


def write_csv(context: Context, of: Of) -> Written:
    """Writes `detections.csv`, in UTF-8."""
    written = Written(of)

    def results() -> Iterator[ImageResult]:
        for each in context.everything():
            if each.result.error is not None:
                yield each.result
            for chosen in selected(iter([each]), of):
                yield chosen.result
                written.add(chosen)

    def fill(file: IO[bytes]) -> None:
        text = TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        to_csv(results(), text)
        text.flush()
        text.detach()

    write_whole(context.folder / "detections.csv", fill)
    return written
