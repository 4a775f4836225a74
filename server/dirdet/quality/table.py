"""Prints measured figures as a table: one block for each question."""

import math

from dirdet.terminal import aligned

# Title, heading of the first column, and the part of the figures' names before the slash.
BY_NAME = {
    "correlation with the true IoU": ("pearson", "spearman", "kendall_within_objects"),
    "calibration error": ("calibration_error", "absolute_error", "D-ECE", "LaECE", "candidates_error"),
    "keeping the surest": ("risk_coverage_area", "auroc75"),
}


def figures_table(figures: dict[str, float]) -> str:
    """Aligned columns: single figures first, then one table for each question with a row for each prediction."""
    blocks = [_single({name: value for name, value in figures.items() if "/" not in name})]
    for title, columns in BY_NAME.items():
        rows = list(dict.fromkeys(name.partition("/")[2] for name in figures if name.partition("/")[0] in columns))
        if rows:
            blocks.append(_block(title, rows, columns, figures))
    return "\n\n".join(blocks)


def _single(figures: dict[str, float]) -> str:
    return aligned([[name, shown(name, value)] for name, value in figures.items()])


def _block(title: str, rows: list[str], columns: tuple[str, ...], figures: dict[str, float]) -> str:
    lines: list[list[str]] = []
    for row in rows:
        cells = (figures.get(f"{column}/{row}") for column in columns)
        lines.append([row, *("" if cell is None else shown("", cell) for cell in cells)])
    return aligned([[title, *columns], *lines])


def shown(name: str, value: float) -> str:
    """Formats one figure: AP in percent with one decimal, counts whole, others with three decimals; nan as '-'."""
    if math.isnan(value):
        return "-"
    if name.startswith("AP"):
        return f"{value:.1f}"
    return f"{value:.0f}" if name in COUNTS else f"{value:.3f}"


COUNTS = frozenset({"pictures", "objects", "candidates", "detections", "correlated_boxes", "NMS_regret_clusters"})
