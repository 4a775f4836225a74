"""Groups of options become one typed value of a command."""

from dataclasses import dataclass

import click
import pytest
from click.testing import CliRunner

from dirdet.commands.option_groups import as_one


@dataclass(frozen=True)
class Size:
    width: int
    height: int


@dataclass(frozen=True)
class Look:
    colour: str


look_options = as_one("look", Look, click.option("--colour", default="red"))
SIZE = (click.option("--width", type=int, required=True), look_options, click.option("--height", type=int, default=2))


@click.command()
@as_one("size", Size, *SIZE)
@click.option("--name", default="it")
def command(size: Size, look: Look, name: str) -> None:
    """Shows what it is given."""
    click.echo(f"{size} {look} {name}")


def run(*arguments: str) -> str:
    return CliRunner().invoke(command, arguments).output


def test_a_command_gets_each_groups_values_as_one() -> None:
    assert run("--width", "3", "--colour", "blue") == "Size(width=3, height=2) Look(colour='blue') it\n"


@pytest.mark.parametrize("wrong", [[], ["--width", "wide"], ["--width", "1", "--depth", "1"]])
def test_clicks_own_checks_stay(wrong: list[str]) -> None:
    assert "Error" in run(*wrong)


def test_help_shows_the_options_in_their_order() -> None:
    shown = run("--help")
    places = [shown.index(option) for option in ("--width", "--colour", "--height", "--name")]
    assert places == sorted(places)


def test_what_no_option_fills_is_an_error_of_the_program() -> None:
    def use(size: Size) -> Size:
        return size

    lacking = click.command()(as_one("size", Size, click.option("--width", type=int))(use))
    assert isinstance(CliRunner().invoke(lacking, []).exception, KeyError)
