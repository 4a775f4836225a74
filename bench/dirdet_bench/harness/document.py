"""Writes the tables of a document that come from measurements' files."""

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from dirdet.files import write_whole
from dirdet_bench.harness.report import read_report
from dirdet_bench.harness.tables import table

PART = re.compile(r"(?P<mark><!-- from (?P<path>[^\s,]+)(?P<goals>, goals)? -->\n).*?(?P<end><!-- end -->)", re.DOTALL)


@click.command("table")
@click.argument("document", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--check", is_flag=True, help="Change nothing; fail if a table is not what its file gives.")
def command(document: Path, *, check: bool) -> None:
    """Write the tables of DOCUMENT, a Markdown file, again.

    The text between `<!-- from FILE -->` and `<!-- end -->` is replaced by the table of FILE, which a `dirdet bench`
    wrote with --json; its path begins at the document's folder. `<!-- from FILE, goals -->` leaves out rows without a
    goal.
    """
    text = filled(document)
    if text == document.read_text(encoding="utf-8"):
        return
    if check:
        click.echo(f"{document}: tables differ from their files; `dirdet bench table {document}` writes them", err=True)
        sys.exit(1)
    write_whole(document, lambda file: file.write(text.encode()))


def filled(document: Path) -> str:
    """The document's text with the tables that its files give.

    Raises:
        ParameterError: a file cannot be read, or is no report.
    """

    def part(found: re.Match[str]) -> str:
        content = read_report(document.parent / found["path"])
        shown = table(content, only_goals=found["goals"] is not None)
        return f"{found['mark']}\n{shown}\n\n{_origin(content)}\n{found['end']}"

    return PART.sub(part, document.read_text(encoding="utf-8"))


def _origin(content: Mapping[str, Any]) -> str:
    """The machine that the report is from, and the command that repeats it."""
    machine: Mapping[str, Any] = content["machine"]
    told = [f"{machine['cores']} cores of an {machine['processor']}", f"Python {machine['python']}"]
    if content["facts"].get("gpu"):
        told.append(str(content["facts"]["gpu"]))
    told += [f"{name} {number}" for name, number in machine["packages"].items() if name != "dirdet"]
    load = f"load average {machine['load_average']:g} before"
    return f"{content['what']}. {', '.join(told)}; {load}.\n\n    {content['command']}"
