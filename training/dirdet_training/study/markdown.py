"""A study's tables as Markdown: measured figures, with the paper's in brackets."""

from collections.abc import Iterable, Mapping, Sequence

from dirdet_training.study.intervals import Interval
from dirdet_training.study.results import Measurement, RowResult, Statement, TableResult

COLUMNS = ("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large")
GAINS = ("AP", "AP75", "AP_agnostic")
LEGEND = (
    "Each cell: the mean over seeds ± its 95% interval (Student's t), and the paper's figure in brackets. Gains are "
    "over the same checkpoints ranked by their score, paired by seed. The interval of one seed is that of a paired "
    "bootstrap over pictures, which does not include other trainings."
)


def document(
    results: Sequence[TableResult],
    *,
    facts: Sequence[str],
    pearson: Sequence[Statement],
    over_plain: Mapping[str, Interval],
    speed: Mapping[str, str],
) -> str:
    """Formats the whole study as Markdown.

    Args:
        results: the results of every table.
        facts: facts about the measurement, one on each line.
        pearson: the statements of Figure 4.
        over_plain: gains of DIR over the detector trained without it.
        speed: the text on frames per second of a row's way.
    """
    parts = ["# Study", "\n".join(f"- {fact}" for fact in facts), LEGEND]
    for result in results:
        parts += [f"## Table {result.table.number}: {result.table.title}", _rows(result, speed)]
        parts += [_notes(result)] if any(row.row.note for row in result.rows) else []
        if result.table.number == 1 and over_plain:
            gains = ", ".join(f"{name} {gain.shown(sign=True)}" for name, gain in over_plain.items())
            parts.append(f"DIR over Faster R-CNN trained without DIR: {gains}.")
        parts += [statements_table(result.statements)] if result.statements else []
    if pearson:
        parts += ["## Figure 4: correlation with the true IoU", statements_table(pearson, digits=3)]
    return "\n\n".join(parts) + "\n"


def _rows(result: TableResult, speed: Mapping[str, str]) -> str:
    tuned = any(row.tuned is not None for row in result.rows)
    heads = [*COLUMNS, "Pearson", *(f"gain in {name}" for name in GAINS)]
    if tuned:
        heads += ["tuned AP", "tuned AP75", "tuned gain in AP"]
    told = [f for row in result.rows if (f := _fps(row, speed))]
    heads += ["FPS"] if told else []
    lines = ["| ranked by | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    for row in result.rows:
        if row.untuned is None and not row.row.paper:
            continue
        cells = [*_cells(row), *(_gain(row.untuned, name) for name in GAINS)]
        if tuned:
            cells += [_tuned(row.tuned, "AP"), _tuned(row.tuned, "AP75"), _gain(row.tuned, "AP")]
        cells += [_fps(row, speed)] if told else []
        lines.append(f"| {row.row.label} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cells(result: RowResult) -> Iterable[str]:
    figures = {} if result.untuned is None else result.untuned.figures
    for name in COLUMNS:
        ours = figures[name].shown() if name in figures else ""
        paper = f"({result.row.paper[name]:.1f})" if name in result.row.paper else ""
        yield f"{ours} {paper}".strip() or "-"
    yield figures["Pearson"].shown(3) or "-" if figures else "-"


def _gain(measurement: Measurement | None, name: str) -> str:
    return "-" if measurement is None or name not in measurement.gains else measurement.gains[name].shown(sign=True)


def _tuned(measurement: Measurement | None, name: str) -> str:
    return "-" if measurement is None else measurement.figures[name].shown()


def _fps(result: RowResult, speed: Mapping[str, str]) -> str:
    ours = speed.get(result.row.way, "") if result.row.role == "faster" and result.row.fps else ""
    paper = f"({result.row.fps:.1f})" if result.row.fps else ""
    return f"{ours} {paper}".strip()


def _notes(result: TableResult) -> str:
    told = (row for row in result.rows if row.row.note and (row.untuned is not None or row.row.paper))
    return "\n".join(f"- {row.row.label}: {row.row.note}." for row in told)


def statements_table(statements: Sequence[Statement], *, digits: int = 1) -> str:
    """Formats the statements of the paper's order and whether they hold in this study."""
    lines = ["| the paper's order | difference there | here | |", "|---|---|---|---|"]
    for told in statements:
        ours = told.difference.shown(digits, sign=True) or "-"
        there = "" if told.paper is None else f"{told.paper:+.{digits}f}"
        lines.append(f"| {told.text} | {there} | {ours} | {told.verdict} |")
    return "\n".join(lines)
