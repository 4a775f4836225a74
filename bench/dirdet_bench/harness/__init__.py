"""Measure speed, side by side with the alternatives."""

import click

from dirdet.cli import LazyGroup


class BenchGroup(LazyGroup):
    registered_as = "dirdet.bench"


@click.command("bench", cls=BenchGroup)
def command() -> None:
    """Measure speed: each prints ratios from one interleaved run, and the machine it ran on."""
