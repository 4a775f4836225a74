"""Prints comparisons as a table."""

import math

from dirdet.terminal import aligned
from dirdet_export.parity.compare import Comparison
from dirdet_export.parity.match import MAX_BOX_DIFFERENCE_PX, MAX_FIGURE_DIFFERENCE
from dirdet_export.parity.proof import MAX_LEVELS, Causes

FIGURES = ("box", "score", "purity", "integrity", "iou", "confidence", "mask")
HEADINGS = (
    "pictures", "detections", "matched", "box px", *FIGURES[1:], "near-ties", "beyond", "missing", "surplus",
)  # fmt: skip


def _cells(row: Comparison) -> list[str]:
    figures = [f"{row.largest[name]:.1e}" if name in row.largest else "-" for name in FIGURES]
    counts = [row.pictures, row.detections, row.matched], [row.near_ties, row.beyond, row.missing, row.surplus]
    return [*map(str, counts[0]), *figures, *map(str, counts[1])]


def render(rows: list[Comparison]) -> str:
    """One line per comparison: counts, and the largest difference of each figure among matched detections."""
    return aligned([["", *HEADINGS], *([row.name, *_cells(row)] for row in rows)])


def render_causes(causes: list[Causes], rounding: list[Comparison]) -> str:
    """One line per file: the largest difference that each step alone makes; below, the tolerances."""
    names = ["", "decoder levels", "resize levels", "padding px", "padding figures", "rounding px", "rounding figures"]
    lines = [
        [each.name, *(_short(value) for value in (*each.steps, row.largest.get("box", 0.0), _figures(row)))]
        for each, row in zip(causes, rounding, strict=False)
    ]
    boxes, figures = _short(MAX_BOX_DIFFERENCE_PX), _short(MAX_FIGURE_DIFFERENCE)
    levels = _short(MAX_LEVELS)
    return aligned([names, *lines, ["tolerance", levels, levels, boxes, figures, boxes, figures]])


def _figures(row: Comparison) -> float:
    return max((value for name, value in row.largest.items() if name not in ("box", "mask")), default=0.0)


def _short(value: float) -> str:
    return "-" if math.isinf(value) else f"{value:.2g}"
