"""How many pixels an AVIF's AV1 data decodes to: its decoder decodes what is there and scales it to what the file says.

The boxes are those of ISO 14496-12 and 23008-12, the sequence header is that of the AV1 specification, 5.5.
"""

import struct
from collections.abc import Iterator

# Boxes that hold boxes, and bytes before those.
_CONTAINERS = {b"meta": 4, b"moov": 0, b"trak": 0, b"mdia": 0, b"minf": 0, b"stbl": 0}
_SEQUENCE_HEADER = 1
# Pictures and extents of a file, and OBUs of a picture; far above those of a grid of tiles and of an animation.
MOST_PARTS, MOST_TRACKS, MOST_OBUS = 4096, 16, 2**17


def decoded_pixels(data: bytes) -> int:
    """An upper bound on the pixels of all frames of the still picture, and of the first ones of the tracks.

    Raises:
        ValueError: the file's boxes or its AV1 data are broken, or it has too many of them.
    """
    try:
        pixels = [_pixels(part) for part in _parts(data)]
    except (struct.error, IndexError, RecursionError) as exc:
        raise ValueError("a box is truncated") from exc
    if not pixels:
        raise ValueError("the file has no picture")
    return sum(pixels)


def _boxes(data: bytes, begin: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Type, begin and end of the content of each box, and of those inside."""
    while begin + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, begin)
        head = 8
        if size == 1:
            [size], head = struct.unpack_from(">Q", data, begin + 8), 16
        last = end if size == 0 else begin + size
        if last < begin + head or last > end:
            raise ValueError(f"the box {kind!r} does not end in its file")
        yield kind, begin + head, last
        if kind in _CONTAINERS:
            yield from _boxes(data, begin + head + _CONTAINERS[kind], last)
        begin = last


def _parts(data: bytes) -> Iterator[bytes]:
    """The AV1 data of each item, and of each track from its first sample on."""
    coded: set[int] = set()
    idat, tracks = b"", 0
    places: list[tuple[int, int, list[tuple[int, int]]]] = []
    for kind, begin, end in _boxes(data, 0, len(data)):
        if kind == b"iinf":
            coded |= set(_coded_items(data, begin, end))
        elif kind == b"iloc":
            places += _locations(data[begin:end])
        elif kind == b"idat":
            idat = data[begin:end]
        elif kind in (b"stco", b"co64"):
            [offset] = struct.unpack_from(">I" if kind == b"stco" else ">Q", data, begin + 8)
            tracks += 1
            if tracks > MOST_TRACKS:
                raise ValueError("the file has too many tracks")
            yield data[offset:]
    left = 2 * len(data)
    for item, method, extents in places:
        if item not in coded:
            continue
        source = idat if method == 1 else data
        spans = [(at, min(at + length, len(source)) if length else len(source)) for at, length in extents]
        left -= sum(max(0, end - at) for at, end in spans)
        if left < 0:
            raise ValueError("the file's pictures share their data")
        yield b"".join(source[at:end] for at, end in spans)


def _coded_items(data: bytes, begin: int, end: int) -> Iterator[int]:
    for kind, at, _ in _boxes(data, begin + (6 if data[begin] == 0 else 8), end):
        if kind == b"infe":
            item, _, name = struct.unpack_from(">HH4s" if data[at] == 2 else ">IH4s", data, at + 4)
            if name == b"av01":
                yield item


def _locations(box: bytes) -> Iterator[tuple[int, int, list[tuple[int, int]]]]:
    """Id, method and extents (begin, length) of each item."""
    version, at, left = box[0], 6, MOST_PARTS
    sizes = [box[4] >> 4, box[4] & 15, box[5] >> 4, box[5] & 15 if version else 0]

    def number(size: int) -> int:
        nonlocal at
        at += size
        if at > len(box):
            raise IndexError
        return int.from_bytes(box[at - size : at])

    wide = 4 if version == 2 else 2
    for _ in range(number(wide)):
        item = number(wide)
        method = number(2) & 15 if version else 0
        number(2)
        base = number(sizes[2])
        extents: list[tuple[int, int]] = []
        count = number(2)
        left -= 1 + count
        if left < 0:  # extents may take no bytes of the box
            raise ValueError("the file has too many pictures")
        for _ in range(count):
            number(sizes[3])
            begin = base + number(sizes[0])
            extents.append((begin, number(sizes[1])))
        yield item, method, extents


def _pixels(data: bytes) -> int:
    """The largest frame of a picture's OBUs."""
    most, at, obus = 0, 0, 0
    while at < len(data):
        obus += 1
        if obus > MOST_OBUS:
            raise ValueError("a picture has too many parts")
        head, begin = data[at], at + 1 + (data[at] >> 2 & 1)
        size, end = 0, len(data)
        if head & 2:
            for place in range(8):
                byte = data[begin]
                begin += 1
                size |= (byte & 127) << (7 * place)
                if byte < 128:
                    break
            end = min(begin + size, len(data))
        if head >> 3 & 15 == _SEQUENCE_HEADER:
            most = max(most, _largest_frame(data[begin : min(end, begin + 1024)]))
        at = end
    if not most:
        raise ValueError("the AV1 data has no sequence header")
    return most


class _Bits:
    """Reads numbers of some bits; IndexError at the end."""

    def __init__(self, data: bytes) -> None:
        self._all, self._left = int.from_bytes(data), 8 * len(data)

    def read(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise IndexError
        return self._all >> self._left & ((1 << count) - 1)


def _largest_frame(header: bytes) -> int:
    """Pixels of the largest frame that a sequence header allows."""
    bits = _Bits(header)
    bits.read(4)  # profile, still picture
    reduced = bits.read(1)
    if reduced:
        bits.read(5)
    else:
        _skip_operating_points(bits, _skip_timing(bits))
    width_bits, height_bits = bits.read(4) + 1, bits.read(4) + 1
    if reduced:
        return (bits.read(width_bits) + 1) * (bits.read(height_bits) + 1)
    # A frame may have another size than the largest that is said, of as many bits.
    return 1 << width_bits + height_bits


def _skip_timing(bits: _Bits) -> int:
    """Skips the timing and the decoder's model; returns the bits of its delays, 0 without a model."""
    if not bits.read(1):
        return 0
    bits.read(64)
    if bits.read(1):
        zeros = 0
        while not bits.read(1):
            zeros += 1
        bits.read(zeros)
    if not bits.read(1):
        return 0
    delay_bits = bits.read(5) + 1
    bits.read(42)
    return delay_bits


def _skip_operating_points(bits: _Bits, delay_bits: int) -> None:
    delays = bits.read(1)
    for _ in range(bits.read(5) + 1):
        bits.read(12)
        if bits.read(5) > 7:
            bits.read(1)
        if delay_bits and bits.read(1):
            bits.read(2 * delay_bits + 1)
        if delays and bits.read(1):
            bits.read(4)
