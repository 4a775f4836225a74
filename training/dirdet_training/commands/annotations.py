"""Checks annotation files, and converts Pascal VOC and YOLO data sets to the COCO JSON that training reads."""

import dataclasses
import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from dirdet.cli import SuggestingGroup
from dirdet.commands.option_groups import refuse_without_effect
from dirdet.errors import counted
from dirdet.files import write_whole
from dirdet.untrusted_text import one_line
from dirdet_training.annotations.check import check, check_file
from dirdet_training.annotations.classes import class_names
from dirdet_training.annotations.coco import completed
from dirdet_training.annotations.config_use import ALL_BOXES
from dirdet_training.annotations.dataset import to_coco
from dirdet_training.annotations.errors import AnnotationError
from dirdet_training.annotations.findings import summary
from dirdet_training.annotations.lists import listed_names
from dirdet_training.annotations.masks import read_masks
from dirdet_training.annotations.records import read_whole, records_of
from dirdet_training.annotations.split import split
from dirdet_training.annotations.tiles import Tiling, cut
from dirdet_training.annotations.voc import Corners, read_voc
from dirdet_training.annotations.without_broken import without_broken
from dirdet_training.annotations.yolo import PARTS, named_parts, part_pictures, read_yolo

_PATH = click.Path(path_type=Path)
_SHOWN = 10
FORMATS = ("coco", "voc", "yolo", "masks")


@click.group("annotations", cls=SuggestingGroup)
def command() -> None:
    """Use your own data: check COCO JSON, or make it from Pascal VOC or YOLO."""


@command.command("check")
@click.argument("file", type=_PATH)
@click.option("--pictures", type=_PATH, help="Folder of the pictures; without it, pictures are not checked.")
@click.option("--open-pictures", is_flag=True, help="Also compare the stated sizes with the picture files.")
@click.option("--classes", type=_PATH, help="Text file or COCO JSON whose classes the file must have [the config's].")
@click.option("--config", help="Check FILE as this config's training uses it, with its classes, masks and filters.")
@click.option(
    "--shown", type=click.IntRange(min=0), default=_SHOWN, show_default=True, help="Entries to list of each kind."
)
def check_command(
    file: Path, pictures: Path | None, open_pictures: bool, classes: Path | None, config: str | None, shown: int
) -> None:
    """Report what is broken in FILE, a COCO JSON, and what training would leave out.

    The exit status is 1 if anything is broken, or if nothing is left to learn from.
    """
    refuse_without_effect(needs={"open_pictures": "pictures"})
    use = ALL_BOXES
    if config is not None:
        # MMDetection takes seconds to import.
        from dirdet_training.mm.configs import read_config
        from dirdet_training.mm.data import only_dataset, use_of

        use = use_of(only_dataset(read_config(config), "train"))
    if classes is not None:
        use = dataclasses.replace(use, classes=class_names(classes))
    report = check_file(file, pictures, use, open_pictures=open_pictures)
    click.echo(summary(report, shown=shown, shown_notes=min(shown, 3)))
    if report.order:
        click.echo("  the classes are in another order: training reads a copy in which they are in this order")
    if report.broken or not report.used[0]:
        sys.exit(1)


# The formats for which an option has an effect.
_KINDS_OF = {
    "listed": ("voc", "yolo", "masks"),
    "classes": ("voc", "yolo"),
    "label": ("masks",),
    "voc_corners": ("voc",),
    "part": ("yolo",),
}


@command.command("convert")
@click.argument("source", type=_PATH)
@click.option(
    "--format", "kind", type=click.Choice(["coco", "voc", "yolo", "masks"]), required=True, help="What SOURCE is."
)
@click.option("--out", type=_PATH, required=True, help="The COCO JSON to write.")
@click.option("--pictures", type=_PATH, help="Folder of the pictures [SOURCE, or the folder of a COCO JSON].")
@click.option("--classes", type=_PATH, help="Text file with one class a line, or a COCO JSON [the data set's own].")
@click.option(
    "--list", "listed", type=_PATH, help="Text file with one picture a line: convert only these (not for COCO)."
)
@click.option("--label", default="object", show_default=True, help="Class of all objects, as masks do not name one.")
@click.option(
    "--voc-corners",
    type=click.Choice(["pixels", "edges"]),
    default="pixels",
    show_default=True,
    help="pixels: xmin and xmax count pixels from 1, as in VOC itself; edges: they are edges, as some tools write.",
)
@click.option("--part", type=click.Choice(PARTS), help="With --format yolo: the pictures that its YAML file names so.")
@click.option("--skip-broken", is_flag=True, help="Leave out what is broken; otherwise nothing is written.")
def convert_command(
    source: Path,
    kind: str,
    out: Path,
    pictures: Path | None,
    classes: Path | None,
    listed: Path | None,
    label: str,
    voc_corners: Corners,
    part: str | None,
    skip_broken: bool,
) -> None:
    """Convert SOURCE to COCO JSON: a folder of Pascal VOC, YOLO or masks, or a COCO JSON to check and complete.

    A folder of masks has a folder NAME for each picture: the picture in NAME/images, a mask file for each object in
    NAME/masks.
    """
    idle = [option for option, kinds in _KINDS_OF.items() if kind not in kinds]
    refuse_without_effect(excludes={"kind": idle, "part": ("pictures",)})
    folder = pictures or (source.parent if kind == "coco" else source)
    if part is not None:
        folder = part_pictures(source, part)
    unreadable: tuple[str, ...] = ()
    if kind == "coco":
        content, notes = completed(source)
    else:
        names = None if classes is None else class_names(classes)
        lines = None if listed is None else listed_names(listed)
        if kind == "masks":
            converted = read_masks(source, folder, label=label, listed=lines)
        elif kind == "voc":
            converted = read_voc(source, folder, classes=names, listed=lines, corners=voc_corners)
        else:
            converted = read_yolo(source, folder, classes=names, listed=lines)
            if folder == source and len(parts := named_parts(source)) > 1:
                click.echo(f"the parts {', '.join(parts)} are read together; --part reads one", err=True)
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
    _write(content=without_broken(content, report), out=out)


@command.command("split")
@click.argument("file", type=_PATH)
@click.option("--part", "parts", multiple=True, required=True, metavar="NAME=SHARE", help="e.g. train=0.8; repeatable.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the random split.")
@click.option("--out", type=_PATH, help="Folder for the parts, NAME.json each [the folder of FILE].")
def split_command(file: Path, parts: tuple[str, ...], seed: int, out: Path | None) -> None:
    """Split FILE, a COCO JSON, by picture; the same names and seed always give the same parts."""
    content = _sound(file)
    for name, part in split(content, _shares(parts), seed=seed).items():
        _write(content=part, out=(out or file.parent) / f"{name}.json")


def _shares(parts: tuple[str, ...]) -> dict[str, float]:
    shares: dict[str, float] = {}
    for text in parts:
        name, _, share = text.partition("=")
        try:
            if not name or name in shares or Path(name).name != name:
                raise ValueError(name)
            shares[name] = float(share)
        except ValueError as exc:
            raise click.BadParameter(f"expected NAME=SHARE, each NAME once, not {text!r}", param_hint="--part") from exc
    return shares


@command.command("tiles")
@click.argument("file", type=_PATH)
@click.option("--pictures", type=_PATH, required=True, help="Folder of the pictures that FILE names.")
@click.option("--out", type=_PATH, required=True, help="Folder for the tiles, ID_NUMBER.png with the picture's id.")
@click.option("--ann-out", type=_PATH, required=True, help="The COCO JSON to write; file names are relative to --out.")
@click.option(
    "--tile", "tile_wh", type=(int, int), default=(160, 128), show_default=True, help="Width and height, pixels."
)
@click.option(
    "--enlarged",
    type=click.IntRange(min=1),
    default=2,
    show_default=True,
    help="Factor by which a tile is enlarged when it is written.",
)
@click.option(
    "--usual", "usual_px", type=(float, float), default=(14.0, 40.0), show_default=True,
    help="A picture is resized first if the median size of its objects is outside this range. The size is the square "
    "root of the box's area, in pixels.",
)  # fmt: skip
@click.option(
    "--wanted",
    "wanted_px",
    type=float,
    default=20.0,
    show_default=True,
    help="Median size to which such a picture is resized.",
)
@click.option("--most", type=click.IntRange(min=0), default=0, help="Most tiles of one picture; 0 means all.")
def tiles_command(
    file: Path,
    pictures: Path,
    out: Path,
    ann_out: Path,
    tile_wh: tuple[int, int],
    enlarged: int,
    usual_px: tuple[float, float],
    wanted_px: float,
    most: int,
) -> None:
    """Cut the pictures of FILE, a COCO JSON with masks as run lengths, into tiles for a small canvas.

    Tiles do not overlap. A box encloses the part of the mask that is in the tile. If less than a quarter of an object
    is in a tile, the object becomes a crowd there.
    """
    if min(tile_wh) < 1 or not 0 < usual_px[0] <= wanted_px <= usual_px[1]:
        raise click.UsageError("expected --tile of at least 1 pixel, and 0 < --usual LOW <= --wanted <= --usual HIGH")
    content = _sound(file, pictures)
    tiling = Tiling(tile_wh, enlarged, usual_px, wanted_px, most)
    _write(content=to_coco(cut(content, pictures, out, tiling)), out=ann_out)


def _sound(file: Path, pictures: Path | None = None) -> dict[str, Any]:
    """Reads a COCO JSON without broken entries.

    Raises:
        AnnotationError: it has some.
    """
    report = check_file(file, pictures)
    if report.broken:
        click.echo(summary(report), err=True)
        raise AnnotationError(f"{file} has broken entries; `dirdet annotations convert` can leave them out")
    return read_whole(file)


def _write(*, content: dict[str, Any], out: Path) -> None:
    write_whole(out, lambda file: file.write(msgspec.json.encode(content)))
    counts = f"{counted(len(content['images']), 'picture')}, {counted(len(content['annotations']), 'annotation')}"
    classes = ", ".join(category["name"] for category in content["categories"])
    click.echo(f"{out}: {counts}, classes {one_line(classes)}")


def _say_unreadable(source: Path, unreadable: tuple[str, ...]) -> None:
    click.echo(f"{source}: {counted(len(unreadable), 'entry')} cannot be read", err=True)
    for words in unreadable[:_SHOWN]:
        click.echo(one_line(f"  {words}"), err=True)
    if len(unreadable) > _SHOWN:
        click.echo(f"  and {len(unreadable) - _SHOWN:,} more", err=True)
