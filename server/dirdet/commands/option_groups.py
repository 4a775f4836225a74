"""Groups options of a command into one typed argument, and refuses combinations of options."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import fields
from functools import wraps
from types import MappingProxyType
from typing import Any, TypeVar

import click
from click.core import ParameterSource

F = TypeVar("F", bound=Callable[..., Any])
Option = Callable[[F], F]


def as_one(name: str, kind: type, *options: Option[Any]) -> Option[Any]:
    """Adds options to a command, in the order of `--help`, and passes their values as one argument.

    Args:
        name: of the argument.
        kind: its type: a dataclass with a field for each option.
        options: made by `click.option`; a nested group passes its own argument under its own name.
    """
    names = [field.name for field in fields(kind)]

    def decorate(command: Callable[..., object]) -> Callable[..., object]:
        @wraps(command)
        def filled(**values: object) -> object:
            own = {each: values.pop(each) for each in names}
            return command(**values, **{name: kind(**own)})

        for option in reversed(options):
            filled = option(filled)
        return filled

    return decorate


def refuse_without_effect(
    *,
    needs: Mapping[str, str] = MappingProxyType({}),
    excludes: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> None:
    """Refuses a combination of options of the running command in which one has no effect.

    Args:
        needs: the option that each option needs, by parameter names.
        excludes: the options that have no effect beside each option, by parameter names.

    Raises:
        click.UsageError: names both options.
    """
    ctx = click.get_current_context()
    typed = {each.name: max(each.opts, key=len) for each in ctx.command.params if isinstance(each, click.Option)}

    def given(name: str) -> bool:
        return ctx.get_parameter_source(name) in (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)

    for name, needed in needs.items():
        if given(name) and not ctx.params.get(needed):
            raise click.UsageError(f"{typed[name]} has no effect without {typed[needed]}", ctx)
    for name, idle in excludes.items():
        for other in idle:
            if ctx.params.get(name) and given(other):
                value = f" {ctx.params[name]}" if isinstance(ctx.params[name], str) else ""
                raise click.UsageError(f"{typed[other]} has no effect with {typed[name]}{value}", ctx)
