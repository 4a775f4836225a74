"""The `dirdet` command: finds the subcommands that the three packages register and loads only the one called."""

import ast
import difflib
import gc
import importlib.util
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import click

from dirdet.errors import DirdetError, MissingExtraError, ParameterError, install_hint
from dirdet.terminal import visible_output
from dirdet.untrusted_text import indented, one_line

ENTRY_POINT_GROUP = "dirdet.commands"
TRACEBACK_VARIABLE = "DIRDET_TRACEBACK"
# EX_SOFTWARE of sysexits.h.
FAULT = 70

# The extra that installs a top-level package that a subcommand may import.
EXTRA_OF_PACKAGE = {"dirdet_training": "train", "dirdet_export": "export"}


def _registered(group: str) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=group)}


@contextmanager
def _without_garbage_collection() -> Generator[None]:
    """Turns garbage collection off: imports create only objects that stay, and scanning them took 10% of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _first_docstring_line(module: str) -> str:
    """The module's one-sentence docstring, read from its source, so that the module is not imported."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        return ""
    doc = ast.get_docstring(ast.parse(Path(spec.origin).read_text(encoding="utf-8")))
    return doc.splitlines()[0] if doc else ""


class SuggestingGroup(click.Group):
    """A click group that names the subcommand closest to an unknown one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Finds the subcommand.

        Raises:
            click.UsageError: there is no such subcommand.
        """
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as exc:
            close = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
            if not close:
                raise
            raise click.UsageError(f"{exc.message} Did you mean {close[0]!r}?", ctx) from exc


class LazyGroup(SuggestingGroup):
    """A click group whose subcommands are entry points, imported when they are called."""

    registered_as = ENTRY_POINT_GROUP

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return sorted(_registered(self.registered_as))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Imports the subcommand; if an optional dependency is missing, returns a stand-in that reports it."""
        point = _registered(self.registered_as).get(cmd_name)
        if point is None:
            return None
        try:
            with _without_garbage_collection():
                return point.load()
        except ModuleNotFoundError as exc:
            error = _missing_extra(point, exc)
            if not isinstance(error, MissingExtraError):
                raise
            return _unavailable(point, error)

    def invoke(self, ctx: click.Context) -> object:
        """Runs the subcommand; a parameter that the subcommand refuses is a usage error, like one that click refuses.

        Raises:
            click.BadParameter: names the option as the user types it.
            MissingExtraError: an optional dependency that the subcommand imports late is not installed.
        """
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as exc:
            raise _missing_extra(_registered(self.registered_as)[ctx.invoked_subcommand or ""], exc) from exc
        except click.ClickException as exc:
            exc.message = indented(exc.message)  # pyright: ignore[reportAttributeAccessIssue]
            raise
        except ParameterError as exc:
            command = self.get_command(ctx, ctx.invoked_subcommand or "")
            raise click.BadParameter(
                indented(exc.message), param_hint=f"'{_as_typed(exc.parameter, command)}'"
            ) from exc

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Lists the subcommands without importing any of them."""
        rows = [
            (name, _first_docstring_line(point.module))
            for name, point in sorted(_registered(self.registered_as).items())
        ]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)


def _unavailable(point: EntryPoint, error: MissingExtraError) -> click.Command:
    """A stand-in for a subcommand that cannot be imported: `--help` shows its purpose and the missing package."""

    def refuse(**_: object) -> None:
        raise error

    return click.Command(
        point.name,
        help=f"{_first_docstring_line(point.module)}\n\nNot installed: {error}",
        callback=refuse,
        params=[click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED)],
        context_settings={"ignore_unknown_options": True},
    )


def _missing_extra(point: EntryPoint, error: ModuleNotFoundError) -> Exception:
    """The error for a missing package of a subcommand; the original error if no extra installs the package."""
    extra = EXTRA_OF_PACKAGE.get(point.module.split(".")[0])
    if extra is None:
        return error
    return MissingExtraError(
        f"`{point.name}` needs the package '{error.name}', which is not installed: {install_hint(extra)}"
    )


def _as_typed(parameter: str, command: click.Command | None) -> str:
    """Converts `min_iou`, the API's name, to `--min-iou`; a name that is no option of the command stays unchanged."""
    options = [each for each in command.params if isinstance(each, click.Option)] if command else []
    return next((max(each.opts, key=len) for each in options if each.name == parameter), parameter)


# What `dirdet` alone shows: what people do, each in the form that does it.
START = """\
A detector that knows how well its boxes fit.

  dirdet serve                       a page and an API on http://127.0.0.1:8000
  dirdet detect photo.jpg            the objects in a picture, as a table
  dirdet batch photos --out found    a folder: tables, labels, a report of what to review
  dirdet train my_config.py --retrofit my_checkpoint.pth --work-dir fits
                                     the confidence for your MMDetection checkpoint
  dirdet export fits/my_config.py fits/retrofitted.pth --out my-bundle --pictures some/pictures
                                     what `dirdet serve --detector my-bundle` serves

dirdet --help lists all commands, dirdet COMMAND --help the options of one.
"""


@click.command(cls=LazyGroup, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="dirdet")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """A detector that knows how well its boxes fit: train it, export it, serve it."""
    if ctx.invoked_subcommand is None:
        click.echo(START, nl=False)


def main(arguments: list[str] | None = None) -> None:
    """Runs `dirdet`; prints any error as one line; exit status 1, 2 for usage, 70 for a fault of dirdet itself.

    The environment variable DIRDET_TRACEBACK=1 lets the traceback of such a fault through.
    """
    with visible_output():
        try:
            cli.main(args=arguments, prog_name="dirdet")
        except DirdetError as exc:
            click.echo(f"dirdet: {indented(str(exc))}", err=True)
            sys.exit(1)
        except OSError as exc:  # For example a full disk, or a folder without write permission.
            where = f"{exc.filename}: " if exc.filename else ""
            click.echo(f"dirdet: {indented(f'{where}{exc.strerror or exc}')}", err=True)
            sys.exit(1)
        except Exception as exc:
            if os.environ.get(TRACEBACK_VARIABLE):
                raise
            click.echo(f"dirdet: unexpected error: {one_line(f'{type(exc).__name__}: {exc}')}", err=True)
            click.echo(f"dirdet: this is a fault of dirdet; {TRACEBACK_VARIABLE}=1 shows where it is", err=True)
            sys.exit(FAULT)
