"""The `dirdet` command: finds the subcommands that the three packages register and loads only the one called."""

import ast
import gc
import importlib.util
import sys
from collections.abc import Generator
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import click

from dirdet.errors import DirdetError, MissingExtraError, ParameterError, install_hint

ENTRY_POINT_GROUP = "dirdet.commands"

# Which extra brings a top-level package that a subcommand may miss.
EXTRA_OF_PACKAGE = {"dirdet_training": "train", "dirdet_export": "export"}


def _registered(group: str) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=group)}


@contextmanager
def _without_garbage_collection() -> Generator[None]:
    """Imports make a great many objects, none of them garbage; looking through them took a tenth of their time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _first_docstring_line(module: str) -> str:
    """The module's one-sentence docstring, read from its source so that nothing is imported."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        return ""
    doc = ast.get_docstring(ast.parse(Path(spec.origin).read_text(encoding="utf-8")))
    return doc.splitlines()[0] if doc else ""


class LazyGroup(click.Group):
    """A click group whose subcommands are entry points, imported when they are called."""

    registered_as = ENTRY_POINT_GROUP

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Names of all registered subcommands, sorted."""
        return sorted(_registered(self.registered_as))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The subcommand, imported now; where one of its optional dependencies is not installed, what says so."""
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
        """Runs the subcommand; a parameter that it refuses is a usage error, as one that click refuses.

        Raises:
            click.BadParameter: names the option as it is typed.
            MissingExtraError: an optional dependency that the subcommand imports late is not installed.
        """
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as exc:
            raise _missing_extra(_registered(self.registered_as)[ctx.invoked_subcommand or ""], exc) from exc
        except ParameterError as exc:
            command = self.get_command(ctx, ctx.invoked_subcommand or "")
            raise click.BadParameter(exc.message, param_hint=f"'{_as_typed(exc.parameter, command)}'") from exc

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
    """Stands for a subcommand that cannot be imported: `--help` says what it is for and what it needs."""

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
    """What to say of a package that a subcommand misses; the error itself where no extra brings it."""
    extra = EXTRA_OF_PACKAGE.get(point.module.split(".")[0])
    if extra is None:
        return error
    return MissingExtraError(
        f"`{point.name}` needs the package '{error.name}', which is not installed: {install_hint(extra)}"
    )


def _as_typed(parameter: str, command: click.Command | None) -> str:
    """`min_iou`, which the API has too, as `--min-iou`; what is no option of the command stays as it is."""
    options = [each for each in command.params if isinstance(each, click.Option)] if command else []
    return next((max(each.opts, key=len) for each in options if each.name == parameter), parameter)


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="dirdet")
def cli() -> None:
    """A detector that knows how well its boxes fit: train it, export it, serve it."""


def main(arguments: list[str] | None = None) -> None:
    """Runs `dirdet`; an error that dirdet raises on purpose becomes one line and exit status 1, of usage 2."""
    try:
        cli.main(args=arguments, prog_name="dirdet")
    except DirdetError as exc:
        click.echo(f"dirdet: {exc}", err=True)
        sys.exit(1)
    except OSError as exc:  # a full disk, a folder without rights
        where = f"{exc.filename}: " if exc.filename else ""
        click.echo(f"dirdet: {where}{exc.strerror or exc}", err=True)
        sys.exit(1)
