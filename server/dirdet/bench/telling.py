"""What every measuring command says: the command that repeats it, its progress, and in the end its report."""

import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import click
from click.core import ParameterSource

from dirdet.bench.report import Report

# Where a report goes is no part of the measurement.
PLACES = frozenset({"out", "plot"})


def command_line() -> str:
    """The command that is running, as it was typed, without where its report goes."""
    context = click.get_current_context()
    words = ["dirdet", *(context.command_path.split()[1:])]
    for parameter in context.command.params:
        name = parameter.name or ""
        if name in PLACES or context.get_parameter_source(name) is not ParameterSource.COMMANDLINE:
            continue
        words += _typed(parameter, context.params[name])
    return shlex.join(words)


def _typed(parameter: click.Parameter, value: Any) -> list[str]:  # noqa: ANN401 - what a parameter is converted to
    """A parameter with its value, or with each of its values."""
    several: list[Any] = [value]
    if isinstance(value, list | tuple):
        several = list(cast(Sequence[Any], value))
    elif isinstance(value, dict):
        several = [f"{key}={text}" for key, text in cast(dict[str, Any], value).items()]
    if isinstance(parameter, click.Argument):
        return [str(getattr(each, "name", each)) for each in several]
    if isinstance(value, bool):
        return [max(parameter.opts if value else parameter.secondary_opts, key=len)]
    return [word for each in several for word in (max(parameter.opts, key=len), str(each))]


def shown(count: int, label: str) -> Iterator[int]:
    """Numbers of rounds with a progress bar on standard error."""
    with click.progressbar(range(count), label=label, file=sys.stderr, show_pos=True) as bar:
        yield from bar


def tell(report: Report, out: Path | None) -> None:
    """Prints a report, and writes the file that was asked for."""
    click.echo(f"{report.what}\n\n{report.table()}\n")
    for name, value in {**report.facts, **report.machine}.items():
        click.echo(f"{name}: {value}")
    if out is not None:
        report.write(out)
