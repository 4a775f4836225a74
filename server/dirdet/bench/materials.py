"""What `dirdet bench all` measures on, all of it made from one picture: JPEG files, small pictures, and a data set."""

import json
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import count, islice
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from dirdet.detector import Detector
from dirdet.errors import NotFoundError
from dirdet.pictures import read_picture

# Of a part of the picture: that of the scenes, which the shipped detector knows.
PART_WH = (320, 240)
# In a folder, so that what a job does once is little of it; and in a data set.
PARTS, LEARNED = 160, 64
# The plain detector that every scenes detector begins from, in a clone.
TRUNK = Path("training/weights/scenes_trunk_float16.pth")


class Materials:
    """Makes each kind when it is first asked for.

    Attributes:
        kinds: by the name that stands in braces among a bench's arguments, what makes it and tells its place.
    """

    def __init__(self, picture: Path, folder: Path) -> None:
        """Makes nothing yet.

        Args:
            picture: any that can be read.
            folder: where all is put.
        """
        self.kinds: dict[str, Callable[[], Path]] = {
            "picture": lambda: picture,
            "jpegs": cache(lambda: _jpegs(picture, folder / "jpegs")),
            "parts": cache(lambda: _parts(picture, folder / "parts")),
            "data": cache(lambda: _data_set(picture, folder / "data")),
            "trunk": _trunk,
        }

    def fill(self, words: Sequence[str]) -> list[str]:
        """The words with places where names stood in braces.

        Raises:
            NotFoundError: one cannot be had here.
            PictureError: the picture cannot be read.
        """
        return [str(self.kinds[word[1:-1]]()) if word[:1] == "{" else word for word in words]


def _read(picture: Path) -> Image.Image:
    with picture.open("rb") as file:
        return read_picture(file)


def _jpegs(picture: Path, folder: Path) -> Path:
    """Four files of twice its width and height, each of its four mirrorings in another order."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = _read(picture)
    mirrored = [whole, ImageOps.mirror(whole), ImageOps.flip(whole), ImageOps.flip(ImageOps.mirror(whole))]
    width, height = whole.size
    for number in range(4):
        made = Image.new("RGB", (2 * width, 2 * height))
        for place in range(4):
            made.paste(mirrored[(place + number) % 4], ((place % 2) * width, (place // 2) * height))
        made.save(folder / f"{number}.jpg", quality=90)
    return folder


def _cut(picture: Path) -> Iterator[Image.Image]:
    """Parts of the picture without end, from anywhere, every other one mirrored."""
    whole, (width, height) = _read(picture), PART_WH
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
    """The parts with what the shipped detector finds in them, as if it were true: good for nothing but timing."""
    _parts(picture, folder, LEARNED)
    detector = Detector.open()
    images: list[dict[str, object]] = []
    annotations: list[dict[str, object]] = []
    for path in sorted(folder.glob("*.jpg")):
        [found] = detector.detect([_read(path)])
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
