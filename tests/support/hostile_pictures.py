"""Small files that ask for much: dimensions that lie, compression in compression, scans and directories without end."""

import struct
import zlib
from io import BytesIO

from PIL import Image

SIDES = ((65_535, 65_535), (2**31 - 1, 1), (1, 2**31 - 1), (2**31 - 1, 2**31 - 1), (9_999, 9_999), (30_000, 3_000))


def bombs() -> dict[str, bytes]:
    """By name."""
    made: dict[str, bytes] = {}
    for width, height in SIDES:
        size = f"{width} x {height}"
        made[f"PNG {size}"] = png(width, height)
        made[f"PNG {size}, interlaced, 16 bit"] = png(width, height, depth=16, interlaced=1)
        made[f"BMP {size}"] = bmp(width, height)
        made[f"BMP {size}, run lengths"] = bmp(width, height, compression=1, bits=8)
        made[f"TIFF {size}"] = tiff(width, height)
        made[f"TIFF {size}, deflated"] = tiff(width, height, compression=8)
        made[f"TIFF {size}, LZW"] = tiff(width, height, compression=5)
        if max(width, height) <= 2**24:
            made[f"WebP {size}"] = webp(width, height)
        if max(width, height) <= 65_535:
            made[f"JPEG {size}"] = jpeg(width, height)
    made |= {
        "PNG text": png(8, 8, extra=chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(40_000_000), 9))),
        "PNG texts": png(8, 8, extra=chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(1_000_000), 9)) * 200),
        "PNG profile": png(8, 8, extra=chunk(b"iCCP", b"k\0\0" + zlib.compress(bytes(40_000_000), 9))),
        "PNG nested": png(8, 8, extra=chunk(b"iTXt", b"k\0\1\0\0\0" + zlib.compress(zlib.compress(bytes(10**7), 9)))),
        "PNG chunks": png(8, 8, extra=chunk(b"tEXt", b"k\0v") * 50_000),
        "PNG pixels": png(9_000, 9_000, rows=9_000),
        "JPEG scans": jpeg_scans(200),
        "JPEG segments": b"\xff\xd8" + (b"\xff\xe1" + struct.pack(">H", 8) + b"Exif\0\0") * 50_000,
        "JPEG markers": b"\xff\xd8" + b"\xff" * 1_000_000,
        "TIFF circle": tiff(8, 8, following=8),
        "TIFF tags": tiff(8, 8, extra=[(40_000 + number, 2, 2**31, 0) for number in range(400)]),
        "TIFF strips": tiff(8, 8, extra=[(278, 4, 1, 0)]),
        "TIFF samples": tiff(8, 8, extra=[(277, 3, 1, 65_535)]),
        "TIFF predictor": tiff(8, 8, compression=5, extra=[(317, 3, 1, 65_535)]),
    }
    return made


def chunk(name: bytes, data: bytes) -> bytes:
    """Of a PNG."""
    return struct.pack(">I", len(data)) + name + data + zlib.crc32(name + data).to_bytes(4, "big")


def png(width: int, height: int, *, depth: int = 8, interlaced: int = 0, rows: int = 8, extra: bytes = b"") -> bytes:
    """A grey one with data for `rows` rows, as many as there are or not."""
    header = struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, interlaced)
    data = zlib.compress(bytes(min((width + 1) * rows, 10**8)), 9)
    body = chunk(b"IHDR", header) + extra + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def bmp(width: int, height: int, *, compression: int = 0, bits: int = 24) -> bytes:
    """A bitmap with a few bytes of pixels."""
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, 0, 0, 0, 0, 0)
    palette = bytes(1024) if bits == 8 else b""
    pixels = b"\xff\x07" * 200 + b"\0\1"
    start = 14 + len(info) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start) + info + palette + pixels


def tiff(
    width: int,
    height: int,
    *,
    compression: int = 1,
    extra: list[tuple[int, int, int, int]] | None = None,
    following: int = 0,
) -> bytes:
    """A grey one of one strip; `extra` are further entries: tag, type, count, value."""
    pixels = zlib.compress(bytes(10_000), 9)
    entries = {
        tag: (tag, kind, count, value)
        for tag, kind, count, value in [
            *((256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, compression)),
            *((262, 3, 1, 1), (277, 3, 1, 1), (278, 4, 1, height), (279, 4, 1, len(pixels))),
            *(extra or []),
        ]
    }
    start = 8 + 2 + 12 * (len(entries) + 1) + 4
    entries[273] = (273, 4, 1, start)
    packed = b"".join(struct.pack("<HHII", *entries[tag]) for tag in sorted(entries))
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + packed + struct.pack("<I", following) + pixels


def webp(width: int, height: int) -> bytes:
    """An extended one whose canvas is so large, with a small picture on it."""
    file = BytesIO()
    Image.new("RGB", (8, 8)).save(file, "WEBP", lossless=True)
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"VP8X" + struct.pack("<I", 10) + bytes(4) + sides + file.getvalue()[12:]
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def jpeg(width: int, height: int) -> bytes:
    """A small one that says it is so large."""
    file = BytesIO()
    Image.new("L", (16, 16)).save(file, "JPEG")
    data = bytearray(file.getvalue())
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def jpeg_scans(number: int) -> bytes:
    """A progressive one with one of its scans so many times."""
    file = BytesIO()
    Image.effect_noise((256, 256), 80).save(file, "JPEG", progressive=True)
    data = file.getvalue()
    at = data.rindex(b"\xff\xda")
    return data[:at] + data[at:-2] * number + data[-2:]
