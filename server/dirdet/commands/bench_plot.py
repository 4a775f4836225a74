"""Draws a measurement's file."""

from pathlib import Path

import click

from dirdet.bench.bars import plot
from dirdet.bench.document import read_report


@click.command("plot")
@click.argument("report", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("picture", type=click.Path(path_type=Path, dir_okay=False))
def command(report: Path, picture: Path) -> None:
    """Draw REPORT, which a `dirdet bench` wrote with --json, as bars into PICTURE, an SVG or PNG."""
    plot(read_report(report, named_by="report"), picture)
