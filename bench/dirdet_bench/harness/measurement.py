"""What all measuring commands share: options for rounds, file and plot, and what becomes of the result."""

import functools
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import click
from click.core import ParameterSource

from dirdet_bench.harness import plots
from dirdet_bench.harness.machine import machine
from dirdet_bench.harness.report import Report, Row

# Where the report goes does not belong to the command that repeats the measurement.
OUTPUTS = frozenset({"out", "plot"})


@dataclass(frozen=True, slots=True)
class Result:
    """What a measuring command returns; `details` is Markdown that is printed before the report, and not written."""

    what: str
    rows: Sequence[Row]
    facts: Mapping[str, object] = field(default_factory=dict[str, object])
    details: str = ""


def measurement(
    name: str, *, packages: Sequence[str], rounds: int | None, plot: plots.Plot = plots.bars
) -> Callable[[Callable[..., Result]], click.Command]:
    """Makes a command of a function, with the options --rounds, --json and --plot.

    Args:
        name: of the subcommand of `dirdet bench`.
        packages: whose versions the report has, beside dirdet's.
        rounds: how many count unless the user says otherwise; the function is called with `rounds`. None: no option.
        plot: draws the report.
    """

    def made(function: Callable[..., Result]) -> click.Command:
        @functools.wraps(function)
        def run(out: Path | None, plot: Path | None, **given: Any) -> None:  # noqa: ANN401
            result = function(**given)
            on = machine(("dirdet", *packages))
            report = Report(result.what, command_line(), on, result.rows, result.facts)
            if result.details:
                click.echo(f"{result.details}\n")
            click.echo(f"{report.what}\n\n{report.table()}\n")
            for key, value in {**report.facts, **on}.items():
                click.echo(f"{key}: {value}")
            if out is not None:
                report.write(out)
            if plot is not None:
                draw(report.content(), plot)

        draw, path = plot, click.Path(path_type=Path)
        command = click.command(name)(run)
        if rounds is not None:
            kind = click.IntRange(min=1)
            command.params.append(
                click.Option(["--rounds"], type=kind, default=rounds, show_default=True, help="Rounds that count.")
            )
        command.params += [
            click.Option(["--json", "out"], type=path, help="Also write the report to this file."),
            click.Option(["--plot"], type=path, help="Also draw the report into this SVG or PNG."),
        ]
        return command

    return made


detector_option = click.option(
    "--detector", "folder", type=click.Path(path_type=Path), help="Folder of a bundle [the shipped one]."
)


def command_line() -> str:
    """The running command with the options that were typed, without those of `OUTPUTS`."""
    context = click.get_current_context()
    words = ["dirdet", *context.command_path.split()[1:]]
    for parameter in context.command.params:
        name = parameter.name or ""
        if name not in OUTPUTS and context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            words += _typed(parameter, context.params[name])
    return shlex.join(words)


def _typed(parameter: click.Parameter, value: Any) -> list[str]:  # noqa: ANN401 - converted to any type
    several: list[Any] = [value]
    if isinstance(value, dict):
        several = [f"{key}={text}" for key, text in cast(dict[str, Any], value).items()]
    elif isinstance(value, list | tuple):
        several = list(cast(Sequence[Any], value))
    if isinstance(parameter, click.Argument):
        return [str(getattr(each, "name", each)) for each in several]
    if isinstance(value, bool):
        return [max(parameter.opts if value else parameter.secondary_opts, key=len)]
    option = max(parameter.opts, key=len)
    if parameter.multiple or parameter.nargs == 1:  # pyright: ignore[reportAttributeAccessIssue]
        return [word for each in several for word in (option, *map(str, each if isinstance(each, tuple) else [each]))]
    return [option, *map(str, several)]
