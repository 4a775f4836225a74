"""The reference of `dirdet`'s commands: each with its arguments and options, from click."""

import inspect
from collections.abc import Iterator, Mapping, Sequence

import click

from dirdet.cli import cli
from reference_text import cell, code, table

# In the development environment alone.
LEFT_OUT = frozenset({"bench"})


def commands() -> dict[str, click.Command]:
    """Every command and group by what is typed, such as `dirdet annotations check`."""
    context = click.Context(cli, info_name="dirdet")
    return {
        name: each
        for first in cli.list_commands(context)
        if first not in LEFT_OUT and (command := cli.get_command(context, first)) is not None
        for name, each in _with_subcommands(f"dirdet {first}", command)
    }


def _with_subcommands(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        for part, each in command.commands.items():
            yield from _with_subcommands(f"{name} {part}", each)


def commands_page(found: Mapping[str, click.Command]) -> Iterator[str]:
    """A heading, the usage, the help and the options of each command."""
    yield "# Commands"
    yield "`dirdet COMMAND --help` prints the same. [The command line](../command-line.md) has the commands' purposes."
    for name, command in found.items():
        yield f"## `{name}`"
        yield f"    {name} {_usage(command)}"
        yield "\n\n".join(cell(part) for part in inspect.cleandoc(command.help or "").split("\n\n"))
        rows = [_row(each) for each in options(command)]
        if rows:
            yield table(("option", "default", "meaning"), rows)


def options(command: click.Command) -> list[click.Option]:
    """What a user can give, without --help."""
    return [each for each in command.params if isinstance(each, click.Option) and not each.hidden]


def environment_rows() -> Iterator[tuple[str, str, str]]:
    """Variables in place of options: the variable, the command's option, its meaning."""
    rows: dict[str, tuple[list[str], str]] = {}
    for name, command in commands().items():
        for option in options(command):
            for variable in [option.envvar] if isinstance(option.envvar, str) else option.envvar or ():
                rows.setdefault(variable, ([], option.help or ""))[0].append(f"`{name} {max(option.opts, key=len)}`")
    for variable, (places, meaning) in rows.items():
        yield f"`{variable}`", ", ".join(places), cell(meaning)


def _usage(command: click.Command) -> str:
    words = ["[OPTIONS]"] if options(command) else []
    for each in command.params:
        if isinstance(each, click.Argument):
            name = (each.metavar or each.name or "").upper() + "..." * (each.nargs == -1)
            words.append(name if each.required else f"[{name}]")
    return " ".join(words + ["COMMAND ..."] * isinstance(command, click.Group))


def _row(option: click.Option) -> tuple[str, str, str]:
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    taken = "" if option.is_flag else f" {code(_metavar(option))}"
    notes = [option.help or ""]
    if isinstance(option.type, click.Choice):
        choices: Sequence[object] = option.type.choices
        notes.append(f"One of {', '.join(f'`{each}`' for each in choices)}.")
    return names + taken, _default(option), cell(" ".join(notes))


def _metavar(option: click.Option) -> str:
    if option.metavar:
        return option.metavar
    if isinstance(option.type, click.Tuple):
        return " ".join(each.name.upper() for each in option.type.types)
    kind = "CHOICE" if isinstance(option.type, click.Choice) else option.type.name.partition(" ")[0].upper()
    return " ".join([kind] * max(1, option.nargs))


def _default(option: click.Option) -> str:
    if option.required:
        return "required"
    if not option.show_default:
        return ""
    if isinstance(option.show_default, str):
        return cell(option.show_default)
    value: object = option.default
    if isinstance(value, bool) and option.secondary_opts:
        return f"`{(option.opts if value else option.secondary_opts)[0]}`"
    several: Sequence[object] = value if isinstance(value, list | tuple) else [value]  # pyright: ignore[reportUnknownVariableType]
    return ", ".join(f"`{each}`" for each in several)
