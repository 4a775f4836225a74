"""Draws a measurement's file."""

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import click

from dirdet.quality.optional_libraries import library
from dirdet.quality.plots import COLOURS, MARKERS
from dirdet_bench.harness.report import read_report

Content: TypeAlias = Mapping[str, Any]
# Draws a report's content into an image whose suffix decides the format.
Plot: TypeAlias = Callable[[Content, Path], None]
UNITS = {"": "share", "s": "seconds", "/s": "a second"}


@click.command("plot")
@click.argument("report", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("picture", type=click.Path(path_type=Path, dir_okay=False))
def command(report: Path, picture: Path) -> None:
    """Draw REPORT, which a `dirdet bench` wrote with --json, as bars into PICTURE, an SVG or PNG."""
    bars(read_report(report, named_by="report"), picture)


@contextmanager
def panels(
    path: Path,
    number: int,
    *,
    size: tuple[float, float],
    columns: int | None = None,
    **settings: Any,  # noqa: ANN401
) -> Generator[tuple[Any, list[Any]]]:
    """A figure and its axes, which the block fills; it is written at the end.

    Args:
        path: of the image.
        number: of the panels.
        size: inches of one.
        columns: of the panels; None for all side by side.
        settings: of matplotlib's `subplots`.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    columns = min(columns or number, number)
    lines = math.ceil(number / columns)
    with library("matplotlib").rc_context({"svg.hashsalt": "dirdet bench"}):
        figure = library("matplotlib.figure").Figure(figsize=(size[0] * columns, size[1] * lines), layout="constrained")
        axes: list[Any] = list(figure.subplots(lines, columns, squeeze=False, **settings).flat)
        yield figure, axes[:number]
        for each in axes[number:]:
            each.set_visible(False)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def bars(content: Content, path: Path) -> None:
    """A bar for each row, with the middle half of the rounds; a panel for each unit. Equal rows are drawn once."""
    by_unit: dict[str, list[Content]] = {}
    for row in content["rows"]:
        rows = by_unit.setdefault(row["unit"], [])
        if row["median"] is not None and all(row["values"] != each["values"] for each in rows):
            rows.append(row)
    by_unit = {unit: rows for unit, rows in by_unit.items() if rows}
    counts = [len(rows) for rows in by_unit.values()]
    height = (sum(counts) * 0.36 + len(counts)) / len(counts)
    ratios = {"height_ratios": [2 + count for count in counts]}
    with panels(path, len(counts), size=(7.0, height), columns=1, gridspec_kw=ratios) as (figure, axes):
        for each, (unit, rows) in zip(axes, by_unit.items(), strict=True):
            medians = [row["median"] for row in rows]
            around = [[row["median"] - row["low"] for row in rows], [row["high"] - row["median"] for row in rows]]
            names = [": ".join(part for part in (row["group"], row["name"]) if part) for row in rows]
            each.barh(names, medians, xerr=around, color=COLOURS[0], height=0.6)
            each.invert_yaxis()
            each.set_xlabel(UNITS.get(unit, unit))
            each.grid(visible=True, axis="x", alpha=0.3)
        figure.suptitle(str(content["what"]).replace("; ", "\n").replace(", ", "\n"), fontsize=10)


def lines(
    place: Callable[[Content], tuple[str, int]],
    *,
    x: str,
    y: str,
    scale: float = 1.0,
    names: Sequence[str] = (),
    logarithmic: bool = False,
) -> Plot:
    """A plot of medians by a number that the group has: a panel for each kind of group, a line for each name.

    Args:
        place: the panel's title and the number, of a row.
        x: what the number is.
        y: what the median is.
        scale: of the medians.
        names: of the rows that are drawn; all if there are none.
        logarithmic: both axes, which all panels then share.
    """

    def plot(content: Content, path: Path) -> None:
        found: dict[str, dict[str, list[tuple[int, float]]]] = {}
        for row in content["rows"]:
            if row["name"] in names or not names:
                title, number = place(row)
                found.setdefault(title, {}).setdefault(row["name"], []).append((number, scale * row["median"]))
        drawn = names or list(dict.fromkeys(row["name"] for row in content["rows"]))
        colours = library("matplotlib").colormaps["tab10"].colors
        with panels(path, len(found), size=(3.8, 3.5), sharey=logarithmic) as (_, axes):
            for each, (title, named) in zip(axes, found.items(), strict=True):
                for name, points in named.items():
                    at = drawn.index(name)
                    style = {"color": colours[at % len(colours)], "marker": MARKERS[at % len(MARKERS)]}
                    each.plot(*zip(*sorted(points), strict=True), label=name, **style)
                each.set(xlabel=x, title=title)
                if logarithmic:
                    each.loglog()
                else:
                    each.set_xticks(sorted({point[0] for points in named.values() for point in points}))
                    each.set_ylim(bottom=0)
                each.grid(visible=True, alpha=0.3)
            axes[0].set_ylabel(y)
            axes[0].legend(fontsize=7)

    return plot
