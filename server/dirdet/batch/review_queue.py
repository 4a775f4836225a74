"""The detections that a person should review, the most doubtful first, each with the reason why it is not kept."""

import csv
from io import TextIOWrapper
from typing import IO, Any

from dirdet.batch.arrow import arrow
from dirdet.batch.filter_conditions import Condition
from dirdet.untrusted_text import cells

REASON = "reason"
CSV_COLUMNS = (
    "picture", "label", REASON, "score_calibrated", "iou_calibrated", "score", "iou", "purity", "integrity",
    "confidence", "x1", "y1", "x2", "y2", "position",
)  # fmt: skip
ROWS = 65_536


def queue_of(table: Any, *, keep: Condition | None, review: Condition) -> Any:  # noqa: ANN401 - pyarrow says no types
    """The rows by rising confidence, with a column `reason`.

    Args:
        table: of detections that meet `review` and not `keep`.
        keep: the condition for labels.
        review: the condition for detections that a person should review.
    """
    queue = table.sort_by([("confidence", "ascending"), ("position", "ascending")])
    return queue.append_column(REASON, arrow().array(_reasons(queue, keep, review), "string"))


def write_queue_csv(queue: Any, file: IO[bytes]) -> None:  # noqa: ANN401
    """Writes the queue as CSV in UTF-8; text that a spreadsheet would run as a formula gets an apostrophe in front."""
    text = TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    rows = csv.writer(text)
    rows.writerow(CSV_COLUMNS)
    for batch in queue.select(list(CSV_COLUMNS)).to_batches(max_chunksize=ROWS):
        rows.writerows(map(cells, zip(*(column.to_pylist() for column in batch.columns), strict=True)))
    text.flush()
    text.detach()


def _reasons(queue: Any, keep: Condition | None, review: Condition) -> list[str]:  # noqa: ANN401
    """Which terms of --keep each row does not meet, with the row's values: `iou 0.41: not iou >= 0.8`."""
    if keep is None:
        return [f"meets {review.text}"] * queue.num_rows
    found: list[list[str]] = [[] for _ in range(queue.num_rows)]
    for term in keep.terms or (keep,):
        values = {name: queue[name].to_pylist() for name in term.columns if name != "mask"}
        for row, holds in enumerate(term.holds(queue).to_pylist()):
            if not holds:
                told = ", ".join(f"{name} {_shown(column[row])}" for name, column in values.items())
                found[row].append(f"{told}: not {term.text}" if told else f"not {term.text}")
    return ["; ".join(each) for each in found]


def _shown(value: object) -> str:
    return "missing" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)
