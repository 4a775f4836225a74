"""Converts results to Pascal VOC's annotations: an XML file for each picture."""

import re
from pathlib import PurePosixPath
from xml.etree import ElementTree

from dirdet.convert.common import detections_of, figures_of
from dirdet.convert.image_result import ImageResult

# Characters that XML 1.0 cannot contain, even escaped; lone surrogates stand for bytes that are not UTF-8.
_UNSAYABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_voc(result: ImageResult, *, file_name: str | None = None, path: str | None = None) -> bytes:
    """Returns the XML of a picture; an object has its figures beside its box, and no mask.

    Corners follow the VOC development kit: the numbers of the first and the last pixel inside, counted from 1, but not
    rounded. So xmin = x1 + 1 and xmax = x2, where x1 is 0 at the picture's left edge.

    Args:
        result: of one picture.
        file_name: path of the picture below the folder of pictures; None takes the result's name.
        path: path of the picture, for tools that read it.

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
        # In a box of less than a pixel the first pixel would come after the last.
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
