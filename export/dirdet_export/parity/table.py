"""Shows comparisons as a table."""

from dirdet_export.parity.compare import Comparison

FIGURES = ("box", "score", "purity", "integrity", "iou", "confidence", "mask")
HEADINGS = (
    "pictures", "detections", "matched", "box px", *FIGURES[1:], "near-ties", "beyond", "missing", "surplus",
)  # fmt: skip


def _cells(row: Comparison) -> list[str]:
    figures = [f"{row.largest[name]:.1e}" if name in row.largest else "-" for name in FIGURES]
    counts = [row.pictures, row.detections, row.matched], [row.near_ties, row.beyond, row.missing, row.surplus]
    return [*map(str, counts[0]), *figures, *map(str, counts[1])]


def render(rows: list[Comparison]) -> str:
    """One line a comparison: counts, and the largest difference of each figure among matched detections."""
    table = [["", *HEADINGS], *([row.name, *_cells(row)] for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    lines = [
        "  ".join(cell.ljust(width) if column == 0 else cell.rjust(width) for column, (cell, width) in enumerate(pairs))
        for pairs in (list(zip(line, widths, strict=True)) for line in table)
    ]
    return "\n".join(line.rstrip() for line in lines)
