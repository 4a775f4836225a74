"""Reads Pascal VOC: an XML file for each picture."""

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

from globox import BoundingBox
from globox.errors import ParsingError

from dirdet.errors import counted
from dirdet_training.annotations.classes import unknown
from dirdet_training.annotations.dataset import Converted, DrawnBox, Picture, classes_of
from dirdet_training.annotations.errors import AnnotationError
from dirdet_training.annotations.lists import chosen, without_suffix
from dirdet_training.annotations.pictures import files_below, pictures_below, size_wh
from dirdet_training.annotations.records import read_bytes

# The meaning of xmin and xmax: the numbers of the first and the last pixel inside, counted from 1, as in the VOC
# development kit; or the edges themselves, 0 at the picture's left edge, as several tools write.
Corners = Literal["pixels", "edges"]


def read_voc(
    source: Path,
    pictures: Path,
    *,
    classes: Sequence[str] | None = None,
    listed: tuple[str, ...] | None = None,
    corners: Corners = "pixels",
) -> Converted:
    """Reads the XML files below a folder; a `difficult` object becomes a crowd, which training also ignores.

    Args:
        source: the folder of the XML files.
        pictures: the folder below which the pictures are found by name.
        classes: the allowed labels in the order of their ids; None takes the labels that occur.
        listed: the lines of a list of the pictures to read; None reads all.
        corners: the meaning of the coordinates.

    Raises:
        AnnotationError: a folder is missing, or there are no XML files.
    """
    if not source.is_dir():
        raise AnnotationError(f"folder {source} does not exist")
    by_name: defaultdict[str, list[Path]] = defaultdict(list)
    for path in pictures_below(pictures):
        by_name[path.name].append(path)
    if listed is not None:  # of pictures, whose XML files are beside their folder
        listed = tuple(name.replace("JPEGImages/", "Annotations/") for name in listed)
    files = chosen((path for path in files_below(source) if path.suffix.lower() == ".xml"), listed, source)
    if not files:
        raise AnnotationError(f"there are no XML files below {source}")
    reader = _Reader(source, pictures, by_name, classes, corners)
    found = [picture for path in files if (picture := reader.read(path)) is not None]
    labels = [box.label for picture in found for box in picture.boxes]
    if reader.unreadable and not labels and classes is None:
        number = counted(len(reader.unreadable), "entry")
        raise AnnotationError(f"{source} names no classes: {number} cannot be read, the first {reader.unreadable[0]}")
    notes = [f"{counted(reader.difficult, 'object')} marked `difficult`, taken for a crowd"] if reader.difficult else []
    if reader.zeros and corners == "pixels":
        notes.append(
            f"{counted(reader.zeros, 'box')} with a corner at 0, where counting pixels from 1 has none: "
            "if a tool wrote edges, say --voc-corners edges"
        )
    return Converted(tuple(found), classes_of(labels, classes, source), tuple(reader.unreadable), tuple(notes))


class _Reader:
    """Reads files one by one and collects the entries that cannot be read."""

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
        self.by_stem = defaultdict[str, list[Path]](list)
        for name, paths in by_name.items():
            self.by_stem[without_suffix(name)] += paths
        self.classes = classes
        self.corners = corners
        self.unreadable: list[str] = []
        self.taken: dict[Path, Path] = {}
        self.difficult = 0
        self.zeros = 0

    def read(self, path: Path) -> Picture | None:
        try:
            root = ElementTree.fromstring(_text(read_bytes(path)))  # nosec B314: expat bounds what entities grow to
            picture = self._picture(root, path)
            size = _stated_size(root) or size_wh(picture)
            if (other := self.taken.setdefault(picture, path)) != path:
                raise AnnotationError(f"its picture {picture} is also that of {other}")
        except (ElementTree.ParseError, ValueError, LookupError, AnnotationError) as exc:
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
        """Finds the picture with the stated name, or else with the XML file's own name and any suffix.

        If several have the name, it is the picture whose folder mirrors the XML file's: `Annotations/a/1.xml`,
        `JPEGImages/a/1.jpg`.
        """
        name = Path((root.findtext("filename") or "").strip().replace("\\", "/")).name
        found = self.by_name.get(name, [])
        if not found:
            # `img.rf.0f3a.xml` is that of `img.rf.0f3a.jpg`
            found = self.by_stem.get(path.stem, [])
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
        if not label:
            raise AnnotationError("its class has no name")
        if self.classes is not None and label not in self.classes:
            raise AnnotationError(f"unknown class {unknown(label, self.classes)}")
        x1, y1, x2, y2 = box.ltrb
        if self.corners == "pixels":
            self.zeros += x1 <= 0 or y1 <= 0
            x1, y1 = x1 - 1, y1 - 1
        is_difficult = (node.findtext("difficult") or "").strip() in {"1", "true", "True"}
        self.difficult += is_difficult
        return DrawnBox(label, (x1, y1, x2, y2), is_difficult)


_DECLARED = re.compile(rb"\s*<\?xml[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"']")


def _text(data: bytes) -> bytes | str:
    """XML in an encoding that expat does not know, such as GB2312, as text; other XML as it is.

    Raises:
        LookupError: the encoding is unknown.
        UnicodeDecodeError: the bytes are in another encoding.
    """
    declared = _DECLARED.match(data)
    if declared is None or declared[1].lower() in (b"utf-8", b"utf-16", b"us-ascii", b"ascii"):
        return data
    name = declared[1].decode().lower()
    return data.decode("gb18030" if name in {"gb2312", "gbk"} else name)


def _stated_size(root: ElementTree.Element) -> tuple[int, int] | None:
    """Reads width and height in the file; None if they are missing or zero, as some tools write them."""
    try:
        width, height = (int(float(root.findtext(f"size/{side}") or 0)) for side in ("width", "height"))
    except (ValueError, OverflowError):
        return None
    return (width, height) if width > 0 and height > 0 else None
