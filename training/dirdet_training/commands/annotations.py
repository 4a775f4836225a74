"""Check annotation files, and turn Pascal VOC or YOLO data sets into the COCO JSON that training reads."""

import sys
from pathlib import Path

import click
import msgspec

from dirdet.files import write_whole
from dirdet_training.annotations.check import check, check_file
from dirdet_training.annotations.classes import class_names
from dirdet_training.annotations.coco import completed
from dirdet_training.annotations.dataset import listed_stems, to_coco
from dirdet_training.annotations.errors import AnnotationError
from dirdet_training.annotations.findings import summary
from dirdet_training.annotations.records import records_of
from dirdet_training.annotations.skip import without_broken
from dirdet_training.annotations.voc import Corners, read_voc
from dirdet_training.annotations.yolo import read_yolo

_PATH = click.Path(path_type=Path)
_SHOWN = 10


@click.group("annotations")
def command() -> None:
    """Bring your own data: check COCO JSON, or make it from Pascal VOC or YOLO."""


@command.command("check")
@click.argument("file", type=_PATH)
@click.option(
    "--pictures", type=_PATH, help="What the file names are relative to; without it no picture is looked for."
)
@click.option("--open-pictures", is_flag=True, help="Also compare the stated sizes with the picture files.")
@click.option("--classes", type=_PATH, help="A list, or a COCO JSON, whose classes the file must have in that order.")
@click.option("--shown", type=click.IntRange(min=0), default=_SHOWN, show_default=True, help="Entries of each kind.")
def check_command(file: Path, pictures: Path | None, open_pictures: bool, classes: Path | None, shown: int) -> None:
    """Say what is broken in FILE, a COCO JSON, and what training would leave out.

    The exit status is 1 if anything is broken.
    """
    if open_pictures and pictures is None:
        raise click.UsageError("--open-pictures needs --pictures")
    names = None if classes is None else class_names(classes)
    report = check_file(file, pictures, classes=names, open_pictures=open_pictures)
    click.echo(summary(report, shown=shown, shown_notes=min(shown, 3)))
    if report.broken:
        sys.exit(1)


@command.command("convert")
@click.argument("source", type=_PATH)
@click.option("--format", "kind", type=click.Choice(["coco", "voc", "yolo"]), required=True, help="What SOURCE is.")
@click.option("--out", type=_PATH, required=True, help="The COCO JSON to write.")
@click.option("--pictures", type=_PATH, help="Their folder, which file names are relative to [SOURCE; its folder].")
@click.option("--classes", type=_PATH, help="Text file with one class to a line, or a COCO JSON [the data set's own].")
@click.option("--list", "listed", type=_PATH, help="Only these: a text file with a picture to a line (VOC, YOLO).")
@click.option(
    "--voc-corners",
    type=click.Choice(["pixels", "edges"]),
    default="pixels",
    show_default=True,
    help="Whether xmin and xmax are the first and last pixel, counted from 1 (VOC's own), or edges (several tools).",
)
@click.option("--skip-broken", is_flag=True, help="Leave out what is broken instead of writing nothing.")
def convert_command(
    source: Path,
    kind: str,
    out: Path,
    pictures: Path | None,
    classes: Path | None,
    listed: Path | None,
    voc_corners: Corners,
    skip_broken: bool,
) -> None:
    """Write the COCO JSON of SOURCE: a folder of Pascal VOC or YOLO, or a COCO JSON to check and complete."""
    if kind == "coco" and (classes or listed):
        raise click.UsageError("--classes and --list are for voc and yolo")
    folder = pictures or (source.parent if kind == "coco" else source)
    unreadable: tuple[str, ...] = ()
    if kind == "coco":
        content, notes = completed(source)
    else:
        names = None if classes is None else class_names(classes)
        stems = None if listed is None else listed_stems(listed)
        if kind == "voc":
            converted = read_voc(source, folder, classes=names, stems=stems, corners=voc_corners)
        else:
            converted = read_yolo(source, folder, classes=names, stems=stems)
        content, notes, unreadable = to_coco(converted), converted.notes, converted.unreadable
    if unreadable:
        _say_unreadable(source, unreadable)
    for note in notes:
        click.echo(note, err=True)
    report = check(records_of(content, source), source, folder)
    if report.findings:
        click.echo(summary(report), err=True)
    if (unreadable or report.broken) and not skip_broken:
        raise AnnotationError(f"{source} has broken entries, so {out} was not written; --skip-broken leaves them out")
    content = without_broken(content, report)
    write_whole(out, lambda file: file.write(msgspec.json.encode(content)))
    counts = f"{len(content['images']):,} pictures, {len(content['annotations']):,} annotations"
    click.echo(f"{out}: {counts}, classes {', '.join(category['name'] for category in content['categories'])}")


def _say_unreadable(source: Path, unreadable: tuple[str, ...]) -> None:
    click.echo(f"{source}: {len(unreadable):,} entries cannot be read", err=True)
    for words in unreadable[:_SHOWN]:
        click.echo(f"  {words}", err=True)
    if len(unreadable) > _SHOWN:
        click.echo(f"  and {len(unreadable) - _SHOWN:,} more", err=True)
