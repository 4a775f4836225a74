"""Counts the scans of a JPEG by its markers; each scan can require a pass over every pixel of the picture."""

import re

# A marker is 0xFF and a byte; in coded data 0xFF is followed by 0 or a restart marker (ITU T.81, B.1.1.2), and more
# 0xFF may fill the space before a marker.
_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")
START_OF_SCAN = b"\xff\xda"
# Frames that are baseline or extended sequential, by Huffman's code.
_SEQUENTIAL = frozenset({0xC0, 0xC1})
# Where a segment, from its length on, has its number of components: of a frame and of a scan (B.2.2, B.2.3).
_FRAME_COMPONENTS, _SCAN_COMPONENTS = 7, 2
END_OF_IMAGE = 0xD9
# Markers without a length: TEM, start and end of image.
_ALONE = frozenset({0x01, 0xD8, END_OF_IMAGE})


def has_one_scan(data: bytes) -> bool:
    """Whether the header tells that only one scan is decoded; a look at a few bytes, where counting reads them all.

    That is so if the frame is sequential and its first scan has all its components: libjpeg reads no scan after it.

    Args:
        data: bytes of a JPEG; may be truncated or broken.
    """
    components, position = None, 2
    while (marker := _MARKER.search(data, position)) is not None:
        code, position = marker[1][0], marker.end()
        if code == START_OF_SCAN[1]:
            scanned = data[position + _SCAN_COMPONENTS : position + _SCAN_COMPONENTS + 1]
            return components is not None and scanned == components
        if code == END_OF_IMAGE:
            break
        if code in _SEQUENTIAL:
            components = data[position + _FRAME_COMPONENTS : position + _FRAME_COMPONENTS + 1]
        if code not in _ALONE:
            position += int.from_bytes(data[position : position + 2], "big")
    return False


def count_scans(data: bytes, *, at_most: int) -> int:
    """Number of scans up to the end of the picture; counting stops above `at_most`.

    Args:
        data: bytes of a JPEG; may be truncated or broken.
        at_most: scans after which counting stops.
    """
    scans, position = 0, 2
    while (marker := _MARKER.search(data, position)) is not None:
        code, position = marker[1][0], marker.end()
        if code == END_OF_IMAGE:
            break
        if code == START_OF_SCAN[1]:
            scans += 1
            if scans > at_most:
                break
        if code not in _ALONE:
            position += int.from_bytes(data[position : position + 2], "big")
    return scans
