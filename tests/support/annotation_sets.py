"""Small data sets of Pascal VOC and YOLO, and the command that converts them."""

from collections.abc import Sequence
from pathlib import Path

from click.testing import CliRunner, Result
from PIL import Image

from dirdet.errors import DirdetError
from dirdet_training.commands.annotations import command

WIDTH, HEIGHT = 96, 64
CLASSES = ("blue", "red")

VOC = """<annotation><folder>x</folder><filename>{name}</filename>
<size><width>{width}</width><height>{height}</height><depth>3</depth></size>{objects}</annotation>"""
VOC_OBJECT = """<object><name>{label}</name><difficult>{difficult}</difficult><bndbox>
<xmin>{x1}</xmin><ymin>{y1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox>
<part><name>head</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox></part></object>"""


def call(*arguments: object) -> Result:
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    if isinstance(result.exception, DirdetError):
        raise result.exception
    return result


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (WIDTH, HEIGHT)).save(path)


def voc(
    folder: Path, boxes: Sequence[tuple[object, ...]], *, name: str = "a", width: int = WIDTH, height: int = HEIGHT
) -> Path:
    """A VOC data set of one picture; boxes are (label, x1, y1, x2, y2, difficult) as the files write them."""
    picture(folder / "JPEGImages" / f"{name}.png")
    keys = ("label", "x1", "y1", "x2", "y2", "difficult")
    objects = "".join(VOC_OBJECT.format(**dict(zip(keys, box, strict=True))) for box in boxes)
    (folder / "Annotations").mkdir(exist_ok=True)
    text = VOC.format(name=f"{name}.png", width=width, height=height, objects=objects)
    (folder / "Annotations" / f"{name}.xml").write_text(text)
    return folder


def yolo(folder: Path, text: str | None, *, name: str = "a") -> Path:
    picture(folder / "images" / "train" / f"{name}.png")
    if text is not None:
        (folder / "labels" / "train").mkdir(parents=True, exist_ok=True)
        (folder / "labels" / "train" / f"{name}.txt").write_text(text)
    (folder / "data.yaml").write_text("names: {0: blue, 1: red}\n")
    return folder
