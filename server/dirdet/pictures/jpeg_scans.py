"""Counts the scans of a JPEG by its markers; each scan can require a pass over every pixel of the picture."""

import re

# A marker is 0xFF and a byte; in coded data 0xFF is followed by 0 or a restart marker (ITU T.81, B.1.1.2), and more
# 0xFF may fill the space before a marker.
MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")
START_OF_SCAN = b"\xff\xda"
END_OF_IMAGE = 0xD9
# Markers without a length: TEM, start and end of image.
ALONE = frozenset({0x01, 0xD8, END_OF_IMAGE})


def count_scans(data: bytes, *, at_most: int) -> int:
    """Number of scans up to the end of the picture; counting stops above `at_most`.

    Args:
        data: bytes of a JPEG; may be truncated or broken.
        at_most: scans after which counting stops.
    """
    scans, position = 0, 2
    while (marker := MARKER.search(data, position)) is not None:
        code, position = marker[1][0], marker.end()
        if code == END_OF_IMAGE:
            break
        if code == START_OF_SCAN[1]:
            scans += 1
            if scans > at_most:
                break
        if code not in ALONE:
            position += int.from_bytes(data[position : position + 2], "big")
    return scans
