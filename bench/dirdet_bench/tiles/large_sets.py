"""Data sets of large pictures with known boxes: mosaics of pictures, and composed scenes; as COCO."""

import json
import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import click
from PIL import Image

from dirdet.errors import ParameterError
from dirdet_bench.tiles.large_scenes import compose_large
from dirdet_training.scenes.backgrounds import BACKGROUND_FOLDERS
from dirdet_training.scenes.library import load_library
from dirdet_training.scenes.stamps import STAMPS_FOLDER
from dirdet_training.scenes.taxonomy import SPLITS, category_id, coco_categories

FOLDER = click.Path(path_type=Path)


@click.group("tiles-sets")
def command() -> None:
    """Make data sets of large pictures, for `dirdet bench tiles-quality`."""


@command.command("mosaics")
@click.argument("annotations", type=FOLDER)
@click.argument("pictures", type=FOLDER)
@click.argument("out", type=FOLDER)
@click.option("--side", default=4, show_default=True, help="Pictures in a row and in a column.")
def mosaics(annotations: Path, pictures: Path, out: Path, side: int) -> None:
    """Paste the pictures of a COCO file, those of the most frequent size in random order, into mosaics."""
    content: dict[str, Any] = json.loads(annotations.read_text())
    objects: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    for each in content["annotations"]:
        objects[each["image_id"]].append(each)
    of_size: defaultdict[tuple[int, int], list[dict[str, Any]]] = defaultdict(list)
    for each in sorted(content["images"], key=lambda image: image["id"]):
        of_size[each["width"], each["height"]].append(each)
    (width, height), images = max(of_size.items(), key=lambda item: len(item[1]))
    random.Random(0).shuffle(images)
    if len(images) < side**2:
        raise ParameterError("ANNOTATIONS", f"expected {side**2} pictures of one size, found {len(images)}")
    made: list[tuple[Image.Image, list[tuple[list[float], int]]]] = []
    for first in range(0, len(images) - side**2 + 1, side**2):
        mosaic = Image.new("RGB", (side * width, side * height))
        boxes: list[tuple[list[float], int]] = []
        for place, image in enumerate(images[first : first + side**2]):
            left, top = width * (place % side), height * (place // side)
            with Image.open(pictures / image["file_name"]) as picture:
                mosaic.paste(picture.convert("RGB"), (left, top))
            for each in objects[image["id"]]:
                x, y, w, h = each["bbox"]
                boxes.append(([x + left, y + top, w, h], each["category_id"]))
        made.append((mosaic, boxes))
    _write(out, made, content["categories"], ".png")


@command.command("scenes")
@click.argument("out", type=FOLDER)
@click.option("--split", type=click.Choice(SPLITS), default="test", show_default=True)
@click.option("--pictures", default=6, show_default=True)
@click.option("--objects", default=100, show_default=True, help="On each picture.")
@click.option("--stamps", type=FOLDER, default=STAMPS_FOLDER, show_default=True)
@click.option("--backgrounds", type=FOLDER, multiple=True, default=BACKGROUND_FOLDERS, show_default=True)
def scenes(out: Path, split: str, pictures: int, objects: int, stamps: Path, backgrounds: tuple[Path, ...]) -> None:
    """Compose scenes of 4000 x 3000 pixels with objects at their usual size; needs the packages of `dirdet scenes`."""
    shelf = load_library(stamps, backgrounds).shelves[split]
    made: list[tuple[Image.Image, list[tuple[list[float], int]]]] = []
    for index in range(pictures):
        picture, laid = compose_large(shelf, split=split, index=index, size_wh=(4000, 3000), objects=objects)
        boxes: list[tuple[list[float], int]] = []
        for each in laid:
            x1, y1, x2, y2 = each.box_xyxy
            boxes.append(([x1, y1, x2 - x1, y2 - y1], category_id(each.class_id)))
        made.append((picture, boxes))
    _write(out, made, coco_categories(), ".jpg")


def _write(
    out: Path, made: list[tuple[Image.Image, list[tuple[list[float], int]]]], categories: list[Any], suffix: str
) -> None:
    out.mkdir(parents=True, exist_ok=True)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, (picture, boxes) in enumerate(made, 1):
        name = f"{number:03d}{suffix}"
        picture.save(out / name, quality=92)  # of a JPEG
        images.append({"id": number, "file_name": name, "width": picture.width, "height": picture.height})
        for bbox, category in boxes:
            annotations.append(
                {"id": len(annotations) + 1, "image_id": number, "category_id": category, "bbox": bbox, "iscrowd": 0}
                | {"area": bbox[2] * bbox[3]}
            )
    content = {"images": images, "annotations": annotations, "categories": categories}
    (out / "annotations.json").write_text(json.dumps(content))
    click.echo(f"{out}: {len(images)} pictures with {len(annotations)} objects")
