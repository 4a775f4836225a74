"""Measure speed, side by side with what one would use else."""

import click

from dirdet.cli import LazyGroup


class BenchGroup(LazyGroup):
    """The measurements that the three packages register."""

    registered_as = "dirdet.bench"


@click.command("bench", cls=BenchGroup)
def command() -> None:
    """Measure speed: each prints ratios from one interleaved run, and the machine it ran on."""
