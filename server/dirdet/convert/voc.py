"""Results as Pascal VOC's annotations: an XML file to a picture."""

import re
from pathlib import PurePosixPath
from xml.etree import ElementTree

from dirdet.client.results import ImageResult
from dirdet.convert.common import detections_of, figures_of

# What XML 1.0 cannot say, however it is escaped; lone surrogates stand for bytes that are no UTF-8.
_UNSAYABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_voc(result: ImageResult, *, file_name: str | None = None, path: str | None = None) -> bytes:
    """The XML file of a picture; every figure of an object stands beside its box, masks are left out.

    Corners are those of the VOC development kit: numbers of the first and the last pixel inside, counted from 1, but
    not rounded. So xmin = x1 + 1 and xmax = x2, x1 being 0 at the picture's left edge.

    Args:
        result: of one picture.
        file_name: of the picture, below the folder of pictures; the result's name unless given.
        path: where the picture is, for tools that look there.

    Raises:
        ResultsError: the picture could not be read.
    """
    file = PurePosixPath(file_name if file_name is not None else result.name)
    root = ElementTree.Element("annotation")
    _add(root, "folder", str(file.parent) if file.parent.name else "")
    _add(root, "filename", file.name)
    if path is not None:
        _add(root, "path", path)
    _add(ElementTree.SubElement(root, "source"), "database", f"dirdet {result.detector}".strip())
    size = ElementTree.SubElement(root, "size")
    for side, value in (("width", result.width), ("height", result.height), ("depth", 3)):
        _add(size, side, str(value))
    _add(root, "segmented", "0")
    for each in detections_of(result):
        node = ElementTree.SubElement(root, "object")
        _add(node, "name", each.label)
        for name, value in (("pose", "Unspecified"), ("truncated", "0"), ("difficult", "0")):
            _add(node, name, value)
        x1, y1, x2, y2 = each.box_xyxy
        box = ElementTree.SubElement(node, "bndbox")
        # A box of less than a pixel would have its first pixel after its last.
        corners = {"xmin": min(x1 + 1, x2), "ymin": min(y1 + 1, y2), "xmax": x2, "ymax": y2}
        for corner, value in corners.items():
            _add(box, corner, f"{value:.2f}".removesuffix(".00"))
        for name, value in figures_of(each).items():
            _add(node, name, f"{value:.6g}")
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="utf-8") + b"\n"


def _add(above: ElementTree.Element, name: str, text: str) -> None:
    node = ElementTree.SubElement(above, name)
    node.text = _UNSAYABLE.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
