"""Shows Pillow a PNG without the chunks that do not change its pixels: text, profiles, times.

A fault in such a chunk, or its size, is no reason to refuse the picture; libpng, and so OpenCV, ignores both.
"""

import io
import zlib
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dirdet.pictures.reading import Readable

SIGNATURE_BYTES, _IHDR_BYTES = 8, 25
# A chunk is its length, its name, its data and its checksum (PNG, third edition, 5.3).
_HEAD_BYTES, _CRC_BYTES = 8, 4
ORIENTATION = b"eXIf"
# Chunks that a decoder must know begin with a capital. Transparency (tRNS) is not used.
_ANIMATION = frozenset({b"acTL", b"fcTL", b"fdAT"})
# EXIF blocks have at most 64 KiB in a JPEG; the orientation stands at their beginning.
_MOST_EXIF = 2**20


class PngWithoutMetadata(io.RawIOBase):
    """The file's kept chunks, one after the other; reads as the file does, errors included."""

    def __init__(self, file: "Readable") -> None:
        """Reads the chunks' heads from the file's start on."""
        self._file = file
        self._spans = _kept(file)
        self._ends = list(accumulate(end - start for start, end in self._spans))
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._ends[-1]}[whence]
        self._position = max(0, origin + offset)
        return self._position

    def read(self, size: int = -1, /) -> bytes:
        left = self._ends[-1] - self._position if size < 0 else size
        parts: list[bytes] = []
        span = bisect_right(self._ends, self._position)
        while left > 0 and span < len(self._spans):
            wanted = min(left, self._ends[span] - self._position)
            self._file.seek(self._spans[span][1] - (self._ends[span] - self._position))
            parts.append(found := self._file.read(wanted))
            self._position += len(found)
            left -= len(found)
            if len(found) < wanted:
                break
            span += 1
        return b"".join(parts)


def _kept(file: "Readable") -> list[tuple[int, int]]:
    """Start and end of each run of kept chunks; a damaged rest is kept, so that Pillow reports it.

    The orientation comes before the pixels, also where the file has it after them.
    """
    size = file.seek(0, io.SEEK_END)
    head = (0, min(SIGNATURE_BYTES + _IHDR_BYTES, size))
    spans: list[tuple[int, int]] = []
    turned: list[tuple[int, int]] = []
    position = head[1]
    while position < size:
        file.seek(position)
        begin = file.read(_HEAD_BYTES)
        length, name = int.from_bytes(begin[:4], "big"), begin[4:]
        end = position + _HEAD_BYTES + length + _CRC_BYTES
        damaged = len(begin) < _HEAD_BYTES or not name.isalpha() or end > size
        if damaged or name in _ANIMATION or name[:1].isupper():
            _join(spans, position, size if damaged else end)
        elif name == ORIENTATION and not turned and _is_sound(file, name, length):
            turned.append((position, end))
        if damaged or name == b"IEND":
            break
        position = end
    return [head, *turned, *spans]


def _join(spans: list[tuple[int, int]], start: int, end: int) -> None:
    if spans and spans[-1][1] == start:
        start = spans.pop()[0]
    spans.append((start, end))


def _is_sound(file: "Readable", name: bytes, length: int) -> bool:
    """Whether the checksum of a chunk, whose head has just been read, is right."""
    if length > _MOST_EXIF:
        return False
    data = file.read(length + _CRC_BYTES)
    return zlib.crc32(name + data[:length]) == int.from_bytes(data[length:], "big")
