"""The inputs of `dirdet bench all`, made from one picture: JPEG files, small pictures, and a data set."""

import json
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import count, islice
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from dirdet.detector.detector import Detector
from dirdet.errors import NotFoundError
from dirdet_bench.harness.canvases import open_picture

# Size of a part of the picture: that of the scenes, which the shipped detector was trained on.
PART_WH = (320, 240)
PHOTOGRAPH_WH = (4000, 3000)
# Parts in a folder, so many that a job's set-up takes little of its time; and in a data set.
PARTS, LEARNED = 160, 64
# The plain detector that every scenes detector begins from; in a clone.
TRUNK = Path("training/weights/scenes_trunk_float16.pth")


class Materials:
    """By the name in braces among a measurement's arguments, what makes it, once, and returns its path."""

    def __init__(self, picture: Path, folder: Path) -> None:
        self.kinds: dict[str, Callable[[], Path]] = {
            "picture": lambda: picture,
            "jpegs": cache(lambda: _jpegs(picture, folder / "jpegs")),
            "photograph": cache(lambda: _photograph(picture, folder / "photograph.jpg")),
            "parts": cache(lambda: _parts(picture, folder / "parts")),
            "data": cache(lambda: _data_set(picture, folder / "data")),
            "trunk": _trunk,
        }

    def fill(self, words: Sequence[str]) -> list[str]:
        """The words with paths in place of names in braces.

        Raises:
            NotFoundError: one cannot be made here.
            PictureError: the picture cannot be read.
        """
        return [str(self.kinds[word[1:-1]]()) if word[:1] == "{" else word for word in words]


def _jpegs(picture: Path, folder: Path) -> Path:
    """Four files of twice its width and height: its four mirror images in four orders."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = open_picture(picture)
    mirrored = [whole, ImageOps.mirror(whole), ImageOps.flip(whole), ImageOps.flip(ImageOps.mirror(whole))]
    width, height = whole.size
    for number in range(4):
        made = Image.new("RGB", (2 * width, 2 * height))
        for place in range(4):
            made.paste(mirrored[(place + number) % 4], ((place % 2) * width, (place // 2) * height))
        made.save(folder / f"{number}.jpg", quality=90)
    return folder


def _photograph(picture: Path, file: Path) -> Path:
    """A JPEG of twelve megapixels: the picture and its mirror images beside and below each other."""
    file.parent.mkdir(parents=True, exist_ok=True)
    whole = open_picture(picture)
    made = Image.new("RGB", PHOTOGRAPH_WH)
    for row, top in enumerate(range(0, made.height, whole.height)):
        for column, left in enumerate(range(0, made.width, whole.width)):
            part = ImageOps.mirror(whole) if column % 2 else whole
            made.paste(ImageOps.flip(part) if row % 2 else part, (left, top))
    made.save(file, quality=90)
    return file


def _cut(picture: Path) -> Iterator[Image.Image]:
    """Random parts of the picture without end, every other one mirrored."""
    whole, (width, height) = open_picture(picture), PART_WH
    scale = max(1.0, width / whole.width, height / whole.height)
    whole = whole.resize((round(whole.width * scale), round(whole.height * scale)))
    places = np.random.default_rng(0)
    for number in count():
        left, top = (int(places.integers(0, room + 1)) for room in (whole.width - width, whole.height - height))
        part = whole.crop((left, top, left + width, top + height))
        yield ImageOps.mirror(part) if number % 2 else part


def _parts(picture: Path, folder: Path, number_of: int = PARTS) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, part in enumerate(islice(_cut(picture), number_of)):
        part.save(folder / f"{number:03d}.jpg", quality=95)
    return folder


def _data_set(picture: Path, folder: Path) -> Path:
    """Parts annotated with what the shipped detector finds in them: for timing alone."""
    _parts(picture, folder, LEARNED)
    detector = Detector.open()
    images: list[dict[str, object]] = []
    annotations: list[dict[str, object]] = []
    for path in sorted(folder.glob("*.jpg")):
        [found] = detector.detect([open_picture(path)])
        images.append({"id": len(images), "file_name": path.name, "width": PART_WH[0], "height": PART_WH[1]})
        for each in found:
            x1, y1, x2, y2 = each.box_xyxy
            box = {"bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1), "iscrowd": 0}
            about = {"id": len(annotations), "image_id": images[-1]["id"], "category_id": each.category_id}
            annotations.append(about | box)
    categories = [{"id": each.category_id, "name": each.name} for each in detector.manifest.categories]
    text = json.dumps({"images": images, "annotations": annotations, "categories": categories})
    (folder / "annotations").mkdir(exist_ok=True)
    for split in ("train", "val"):
        (folder / "annotations" / f"{split}.json").write_text(text, encoding="utf-8")
    return folder


def _trunk() -> Path:
    if not TRUNK.is_file():
        raise NotFoundError(f"{TRUNK} is not here: it comes with a clone, not with the wheel")
    return TRUNK
