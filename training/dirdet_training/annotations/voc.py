"""Pascal VOC: an XML file to a picture."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

from globox import BoundingBox
from globox.errors import ParsingError

from dirdet_training.annotations.classes import unknown
from dirdet_training.annotations.dataset import Converted, DrawnBox, Picture, chosen, classes_of
from dirdet_training.annotations.errors import AnnotationError
from dirdet_training.annotations.pictures import files_below, pictures_below, size_wh

# What xmin and xmax mean: numbers of the first and the last pixel inside, counted from 1, as in the VOC development
# kit; or the edges themselves, 0 at the picture's left, as several tools write.
Corners = Literal["pixels", "edges"]


def read_voc(
    source: Path,
    pictures: Path,
    *,
    classes: Sequence[str] | None = None,
    stems: frozenset[str] | None = None,
    corners: Corners = "pixels",
) -> Converted:
    """Reads the XML files below a folder; a `difficult` object becomes a crowd, which training passes over too.

    Args:
        source: holds the XML files.
        pictures: the folder below which the pictures are found by name.
        classes: what labels may occur, in the order of their ids; None takes those that occur.
        stems: the files to read, without folders and suffix; None reads all.
        corners: what the coordinates mean.

    Raises:
        AnnotationError: a folder is missing, or there are no XML files.
    """
    if not source.is_dir():
        raise AnnotationError(f"folder {source} does not exist")
    by_name: defaultdict[str, list[Path]] = defaultdict(list)
    for path in pictures_below(pictures):
        by_name[path.name].append(path)
    files = chosen((path for path in files_below(source) if path.suffix.lower() == ".xml"), stems, source)
    if not files:
        raise AnnotationError(f"there are no XML files below {source}")
    reader = _Reader(source, pictures, by_name, classes, corners)
    found = [picture for path in files if (picture := reader.read(path)) is not None]
    labels = [box.label for picture in found for box in picture.boxes]
    notes = [f"{reader.difficult:,} objects marked `difficult` become crowds"] if reader.difficult else []
    if reader.zeros and corners == "pixels":
        notes.append(
            f"{reader.zeros:,} boxes have a corner at 0, where counting pixels from 1 has none: "
            "if a tool wrote edges, say --voc-corners edges"
        )
    return Converted(tuple(found), classes_of(labels, classes, source), tuple(reader.unreadable), tuple(notes))


class _Reader:
    """Reads files one by one and keeps what could not be read."""

    def __init__(
        self,
        source: Path,
        pictures: Path,
        by_name: dict[str, list[Path]],
        classes: Sequence[str] | None,
        corners: Corners,
    ) -> None:
        self.source = source
        self.pictures = pictures
        self.by_name = by_name
        self.classes = classes
        self.corners = corners
        self.unreadable: list[str] = []
        self.difficult = 0
        self.zeros = 0

    def read(self, path: Path) -> Picture | None:
        try:
            root = ElementTree.fromstring(path.read_bytes())
            picture = self._picture(root, path)
            size = _stated_size(root) or size_wh(picture)
        except (OSError, ElementTree.ParseError, AnnotationError) as exc:
            self.unreadable.append(f"{path}: {exc}")
            return None
        boxes: list[DrawnBox] = []
        for number, node in enumerate(root.iter("object"), start=1):
            try:
                boxes.append(self._box(node))
            except (ParsingError, ValueError, AssertionError, AnnotationError) as exc:
                self.unreadable.append(f"{path}, object {number}: {exc}")
        return Picture(picture.relative_to(self.pictures).as_posix(), size, tuple(boxes))

    def _picture(self, root: ElementTree.Element, path: Path) -> Path:
        """The one picture of the stated name; without one, of the XML file's own name and any suffix.

        Of several it is the one whose folder mirrors the XML file's: `Annotations/a/1.xml`, `JPEGImages/a/1.jpg`.
        """
        name = Path((root.findtext("filename") or "").strip().replace("\\", "/")).name
        found = self.by_name.get(name, [])
        if not found:
            found = [entry for names in self.by_name.values() for entry in names if entry.stem == path.stem]
        if len(found) > 1:
            below = path.relative_to(self.source).parent.parts[1:]
            folders = ((entry, entry.relative_to(self.pictures).parent.parts) for entry in found)
            found = [entry for entry, folder in folders if below in (folder, folder[1:])] or found
        if len(found) != 1:
            what = "no picture" if not found else f"{len(found)} pictures"
            raise AnnotationError(f"{what} named {name or path.stem!r} below {self.pictures}")
        return found[0]

    def _box(self, node: ElementTree.Element) -> DrawnBox:
        box = BoundingBox.from_xml(node)
        label = box.label.strip()
        if self.classes is not None and label not in self.classes:
            raise AnnotationError(f"unknown class {unknown(label, self.classes)}")
        x1, y1, x2, y2 = box.ltrb
        if self.corners == "pixels":
            self.zeros += x1 <= 0 or y1 <= 0
            x1, y1 = x1 - 1, y1 - 1
        is_difficult = (node.findtext("difficult") or "").strip() in {"1", "true", "True"}
        self.difficult += is_difficult
        return DrawnBox(label, (x1, y1, x2, y2), is_difficult)


def _stated_size(root: ElementTree.Element) -> tuple[int, int] | None:
    """Width and height in the file; None where it has none or zeros, as some tools write."""
    try:
        width, height = (int(float(root.findtext(f"size/{side}") or 0)) for side in ("width", "height"))
    except (ValueError, OverflowError):
        return None
    return (width, height) if width > 0 and height > 0 else None
