"""Writes the tables of a document that come from measurements' files."""

import sys
from pathlib import Path

import click

from dirdet.bench.document import filled
from dirdet.files import write_whole


@click.command("table")
@click.argument("document", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--check", is_flag=True, help="Change nothing; fail if a table is not what its file gives.")
def command(document: Path, *, check: bool) -> None:
    """Write the tables of DOCUMENT, a Markdown file, anew.

    What stands between `<!-- from FILE -->` and `<!-- end -->` is replaced by the table of FILE, which a `dirdet bench`
    wrote with --json; its path begins at the document's folder. `<!-- from FILE, goals -->` leaves out rows without a
    goal.
    """
    text = filled(document)
    if text == document.read_text(encoding="utf-8"):
        return
    if check:
        click.echo(f"{document}: tables differ from their files; `dirdet bench table {document}` writes them", err=True)
        sys.exit(1)
    write_whole(document, lambda file: file.write(text.encode()))
