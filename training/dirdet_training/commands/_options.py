"""Options that the training subcommands share."""

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

trust_checkpoint = click.option(
    "--trust-checkpoint",
    is_flag=True,
    help="Allow a checkpoint to hold pickled objects, which can run any code when it is read.",
)

ema = click.option(
    "--ema/--no-ema",
    "averaged",
    default=True,
    show_default=True,
    help="Use the averaged weights of a checkpoint whose training averaged them, or those of its last step.",
)

skip_broken = click.option(
    "--skip-broken",
    is_flag=True,
    help="Leave broken annotations out, listed in the work directory, instead of refusing the file.",
)

classes_from = click.option(
    "--classes-from",
    type=click.Path(path_type=Path),
    help="The classes of this COCO JSON, or of a text file with one to a line [the config's].",
)


def _parse(_ctx: click.Context, _param: click.Parameter, pairs: tuple[str, ...]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not key or not equals:
            raise click.BadParameter(f"expected KEY=VALUE, found {pair!r}")
        try:
            settings[key] = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            settings[key] = text
    return settings


cfg_options: Callable[..., Any] = click.option(
    "--cfg-options",
    "-o",
    multiple=True,
    metavar="KEY=VALUE",
    callback=_parse,
    help="Override a setting of the config, e.g. -o optim_wrapper.optimizer.lr=0.01; repeatable.",
)
