"""Make an API key for `dirdet serve --keys`."""

from pathlib import Path

import click

from dirdet.errors import ParameterError
from dirdet.gateway.access.api_keys import Key, check_name, digest, new_key
from dirdet.gateway.access.key_file import append_key
from dirdet.gateway.access.rate_limits import Rate


@click.command()
@click.argument("name")
@click.option("--rate", metavar="N/UNIT", help="Average limit of pictures: 10/s, 100/min, 1000/h or 5000/d.")
@click.option(
    "--burst", type=click.IntRange(min=1, max=10**9 - 1), help="Most pictures at once after a pause; default: N."
)
@click.option("--admin", is_flag=True, help="Allow the key to change the server, too.")
@click.option(
    "--append", "file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Append the key's line to this file, created if missing; a running server accepts the key a second later.",
)  # fmt: skip
def command(*, name: str, rate: str | None, burst: int | None, admin: bool, file: Path | None) -> None:
    """Make an API key whose owner is NAME.

    The key is printed once and stored nowhere: the file of `dirdet serve --keys` holds its hash. Prints the key and,
    without --append, the line for that file. To revoke a key, delete its line.
    """
    try:
        check_name(name)
    except ValueError as exc:
        raise ParameterError("NAME", str(exc)) from exc
    if burst is not None and rate is None:
        raise ParameterError("burst", "is the burst of a rate; expected --rate too")
    try:
        limit = None if rate is None else Rate.parse(rate, burst=burst)
    except ValueError as exc:
        raise ParameterError("rate", str(exc)) from exc
    secret = new_key()
    key = Key(name, digest(secret), limit, admin)
    if file is not None:
        append_key(file, key)
    click.echo(secret)
    if file is None:
        click.echo(key.line())
        click.echo("The first line is the key for its owner; the second is for the file of --keys.", err=True)
    else:
        click.echo(f"added {name!r} to {file}; the key is not shown again", err=True)
