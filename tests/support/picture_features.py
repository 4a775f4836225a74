"""Small pictures of every format and feature whose reading could differ between programs, as bytes by name."""

import itertools
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from io import BytesIO
from typing import Any

import numpy as np
from hostile_pictures import chunk
from PIL import Image, PngImagePlugin

Feature = tuple[str, str]  # the format and the feature
XMP_TURNED = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
ORIENTATION = 0x0112


def scene(width: int = 40, height: int = 24) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """[H, W, 3]: smooth, so that codecs agree, and without symmetry, so that each turn looks different."""
    rows, columns = np.mgrid[0:height, 0:width]
    channels = [30 + 4 * columns, 20 + 8 * rows, 230 - 3 * columns - 2 * rows]
    return np.stack(channels, axis=2).clip(0, 255).astype(np.uint8)


RGB = Image.fromarray(scene())
GREY = scene()[..., 0]
SEVERAL: dict[str, Any] = {"save_all": True, "append_images": [RGB.rotate(180)]}
ALPHA = np.tile(np.linspace(0, 255, 40).astype(np.uint8), (24, 1))


def saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    file = BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def of_mode(mode: str) -> Image.Image:
    """The scene in a mode of Pillow, with an alpha channel from 0 to 255 where the mode has one."""
    if mode in ("RGBA", "LA", "PA"):
        picture = RGB.convert(mode[:-1]).convert(mode) if mode == "PA" else RGB.convert(mode)
        picture.putalpha(Image.fromarray(ALPHA))
        return picture
    if mode == "I;16":
        return Image.fromarray(GREY.astype(np.uint16) * 257)
    return RGB.convert(mode)


def exif(orientation: int) -> bytes:
    block = Image.Exif()
    block[ORIENTATION] = orientation
    return block.tobytes()


def png_with(*chunks: bytes, at_end: bool = False) -> bytes:
    """The scene as PNG with further chunks before its pixels, or after them."""
    data = saved(RGB, "PNG")
    place = data.index(b"IEND" if at_end else b"IDAT") - 4
    return data[:place] + b"".join(chunks) + data[place:]


def without_checksum(whole: bytes) -> bytes:
    """A chunk with a wrong checksum."""
    return whole[:-1] + bytes([whole[-1] ^ 1])


def tiff(
    samples: np.ndarray[Any, Any],
    *,
    bits: int = 8,
    photometric: int = 1,
    order: str = "<",
    extra_samples: int | None = None,
    planar: bool = False,
    more: dict[int, tuple[int, bytes]] | None = None,
) -> bytes:
    """An uncompressed TIFF of [H, W] or [H, W, C] in one strip, or in one a channel.

    Args:
        samples: whole numbers below 2^bits.
        bits: of a sample.
        photometric: 0 white is zero, 1 black is zero, 2 RGB, 8 CIE L*a*b*.
        order: of bytes, `<` or `>`.
        extra_samples: of the last channel: 0 unspecified, 1 associated, 2 unassociated alpha.
        planar: each channel by itself.
        more: further tags: type and value.
    """
    height, width = samples.shape[:2]
    channels = 1 if samples.ndim == 2 else samples.shape[2]
    planes = [samples[..., n] for n in range(channels)] if planar else [samples.reshape(height, -1)]
    strips = [_packed(plane, bits, order) for plane in planes]
    long = struct.Struct(f"{order}I").pack

    def short(*values: int) -> bytes:
        return struct.pack(f"{order}{len(values)}H", *values)

    begins = [8 + sum(map(len, strips[:n])) for n in range(len(strips))]
    tags: dict[int, tuple[int, bytes]] = {
        256: (3, short(width)),
        257: (3, short(height)),
        258: (3, short(*[bits] * channels)),
        259: (3, short(1)),
        262: (3, short(photometric)),
        273: (4, b"".join(map(long, begins))),
        277: (3, short(channels)),
        278: (3, short(height)),
        279: (4, b"".join(long(len(strip)) for strip in strips)),
        284: (3, short(2 if planar else 1)),
        **({} if extra_samples is None else {338: (3, short(extra_samples))}),
        **(more or {}),
    }
    head = 8 + sum(map(len, strips))
    far = head + 2 + 12 * len(tags) + 4
    entries, values = b"", b""
    for tag, (kind, value) in sorted(tags.items()):
        count = len(value) // {1: 1, 3: 2, 4: 4}[kind]
        entries += struct.pack(f"{order}HHI", tag, kind, count)
        entries += value.ljust(4, b"\0") if len(value) <= 4 else long(far + len(values))
        values += value if len(value) > 4 else b""
    start = (b"II*\0" if order == "<" else b"MM\0*") + long(head)
    return start + b"".join(strips) + short(len(tags)) + entries + long(0) + values


def _packed(plane: np.ndarray[Any, Any], bits: int, order: str) -> bytes:
    if bits == 16:
        return plane.astype(f"{order}u2").tobytes()
    if bits == 8:
        return plane.astype(np.uint8).tobytes()
    spread = (plane[..., None].astype(np.int64) >> np.arange(bits - 1, -1, -1)) & 1  # each row begins with a byte
    return np.packbits(spread.reshape(len(plane), -1), axis=1).tobytes()


def bmp_of_16_bits(masks: tuple[int, int, int]) -> bytes:
    """A bitmap whose colours have the bits of their masks."""
    packed = np.zeros(GREY.shape, np.int64)
    for channel, mask in enumerate(masks):
        bits = mask.bit_count()
        packed |= (scene()[..., channel].astype(np.int64) >> (8 - bits)) << (mask.bit_length() - bits)
    head = struct.pack("<IiiHHIIiiIIIII", 40, 40, 24, 1, 16, 3, 1920, 0, 0, 0, 0, *masks)
    return b"BM" + struct.pack("<IHHI", 66 + 1920, 0, 0, 66) + head + packed[::-1].astype("<u2").tobytes()


def bmp_with_alpha(alpha: int) -> bytes:
    """A bitmap of 32 bits whose header (BITMAPV4) states an alpha channel, the same for every pixel."""
    pixels = np.dstack([scene()[..., ::-1], np.full(GREY.shape, alpha, np.uint8)])[::-1].tobytes()
    head = struct.pack("<IiiHHIIiiII", 108, 40, 24, 1, 32, 3, len(pixels), 0, 0, 0, 0)
    head += struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000) + b"sRGB" + bytes(48)
    return b"BM" + struct.pack("<IHHI", 14 + len(head) + len(pixels), 0, 0, 14 + len(head)) + head + pixels


def _png_trns(depth: int) -> bytes:
    """Grey of a few bits in which one value is transparent."""
    head = struct.pack(">IIBBBBB", 40, 24, depth, 0, 0, 0, 0)
    samples = GREY.astype(np.int64) * (2**depth - 1) // 255
    rows = _packed(samples, depth, ">")
    lines = b"".join(b"\0" + rows[start : start + len(rows) // 24] for start in range(0, len(rows), len(rows) // 24))
    parts = [(b"IHDR", head), (b"tRNS", struct.pack(">H", 1)), (b"IDAT", zlib.compress(lines)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(name, data) for name, data in parts)


def _gif(**options: Any) -> bytes:
    picture = Image.new("P", (40, 24))
    picture.putpalette([10, 20, 30, 200, 100, 50, 0, 255, 0, 9, 9, 9] + [0] * 756)
    picture.putdata([(x // 5 + y // 7) % 4 for y in range(24) for x in range(40)])
    return saved(picture, "GIF", optimize=False, **options)


def _raw_profile() -> PngImagePlugin.PngInfo:
    """EXIF as ImageMagick stored it in PNG before there was a chunk for it."""
    block = exif(6)
    info = PngImagePlugin.PngInfo()
    info.add_text("Raw profile type exif", f"\nexif\n{len(block):8}\n{block.hex()}\n", zip=True)
    return info


def features() -> Iterator[tuple[Feature, Callable[[], bytes]]]:
    """Every format and feature with the file's maker."""
    yield from _orientations()
    yield from _modes()
    yield from _jpeg()
    yield from _png()
    yield from _tiff()
    yield ("WebP", "lossy"), lambda: saved(RGB, "WEBP")
    yield ("WebP", "frames"), lambda: saved(RGB, "WEBP", lossless=True, **SEVERAL)
    for alpha in (0, 128):
        yield ("BMP", f"alpha {alpha} everywhere"), partial(bmp_with_alpha, alpha)
    yield ("BMP", "16 bits, 5-5-5"), partial(bmp_of_16_bits, (0x7C00, 0x3E0, 0x1F))
    yield ("BMP", "16 bits, 5-6-5"), partial(bmp_of_16_bits, (0xF800, 0x7E0, 0x1F))
    yield ("BMP", "16 bits, 4-4-4"), partial(bmp_of_16_bits, (0xF00, 0xF0, 0xF))
    yield ("GIF", "frames"), partial(_gif, save_all=True, append_images=[RGB.convert("P")])
    yield ("GIF", "transparent entry"), partial(_gif, transparency=1)
    yield ("GIF", "transparent entry, another background"), partial(_gif, transparency=1, background=2)
    yield ("AVIF", "frames"), lambda: saved(RGB, "AVIF", **SEVERAL)
    # of what no library here writes, the beginning, by which it is known
    yield ("HEIF", "any"), lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40)
    yield ("JPEG XL", "any"), lambda: b"\xff\x0a" + bytes(40)
    yield ("JPEG 2000", "any"), lambda: saved(RGB, "JPEG2000")


def _orientations() -> Iterator[tuple[Feature, Callable[[], bytes]]]:
    for name in ("JPEG", "PNG", "TIFF", "WebP", "AVIF"):
        lossless = {"lossless": True} if name == "WebP" else {}
        for number in range(1, 9):
            yield (name, f"EXIF orientation {number}"), partial(saved, RGB, name.upper(), exif=exif(number), **lossless)


def _modes() -> Iterator[tuple[Feature, Callable[[], bytes]]]:
    modes = {
        "JPEG": ("L", "RGB", "CMYK"),
        "PNG": ("1", "L", "P", "RGB", "LA", "RGBA", "I;16"),
        "WebP": ("RGB", "RGBA"),
        "BMP": ("1", "L", "P", "RGB", "RGBA"),
        "TIFF": ("1", "L", "P", "RGB", "LA", "PA", "RGBA", "I;16", "CMYK", "YCbCr", "LAB", "I", "F"),
        "GIF": ("1", "L", "P", "RGB"),
        "AVIF": ("L", "RGB", "RGBA"),
    }
    for name, kinds in modes.items():
        exact = {"lossless": True, "exact": True} if name == "WebP" else {}
        for mode in kinds:
            yield (name, f"mode {mode}"), partial(_saved_mode, mode, name.upper(), **exact)


def _saved_mode(mode: str, kind: str, **options: Any) -> bytes:
    return saved(of_mode(mode), kind, **options)


def _jpeg() -> Iterator[tuple[Feature, Callable[[], bytes]]]:
    yield ("JPEG", "progressive"), lambda: saved(RGB, "JPEG", progressive=True)
    yield ("JPEG", "orientation in XMP alone"), lambda: saved(RGB, "JPEG", xmp=XMP_TURNED)
    empty = b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0"
    yield ("JPEG", "orientation in XMP, EXIF without one"), lambda: saved(RGB, "JPEG", xmp=XMP_TURNED, exif=empty)
    for order, kind in itertools.product("<>", (1, 3, 4)):  # a byte, a short as it should be, a long
        entry = struct.pack(f"{order}HHI", ORIENTATION, kind, 1) + struct.pack(f"{order}{'?B?HI'[kind]}", 6)
        head = b"Exif\0\0" + struct.pack(f"{order}2sHIH", b"II" if order == "<" else b"MM", 42, 8, 1)
        yield (
            ("JPEG", f"EXIF orientation of type {kind}, {order}"),
            partial(saved, RGB, "JPEG", exif=head + entry.ljust(16, b"\0")),
        )
    yield ("JPEG", "broken EXIF"), lambda: saved(RGB, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")


def _png() -> Iterator[tuple[Feature, Callable[[], bytes]]]:
    turned, text = chunk(b"eXIf", exif(6)[6:]), chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(2**21)))
    yield ("PNG", "EXIF in a text chunk"), lambda: saved(RGB, "PNG", pnginfo=_raw_profile())
    yield ("PNG", "EXIF after the pixels"), lambda: png_with(turned, at_end=True)
    yield ("PNG", "EXIF with a wrong checksum"), lambda: png_with(without_checksum(turned))
    yield ("PNG", "text with a wrong checksum"), lambda: png_with(without_checksum(chunk(b"tEXt", b"k\0v")))
    yield ("PNG", "2 MB of text"), lambda: png_with(text)
    yield ("PNG", "2 MB of text after the pixels"), lambda: png_with(text, at_end=True)
    yield ("PNG", "2 MB of ICC profile"), lambda: png_with(chunk(b"iCCP", b"k\0\0" + zlib.compress(bytes(2**21))))
    yield ("PNG", "broken ICC profile"), lambda: png_with(chunk(b"iCCP", b"k\0\0nothing"))
    for depth in (2, 4, 16):
        yield ("PNG", f"tRNS at {depth} bits"), partial(_png_trns, depth)
    others = [RGB.rotate(180), RGB]
    yield ("PNG", "frames"), lambda: saved(RGB, "PNG", **SEVERAL)
    yield (
        ("PNG", "frames and a default picture"),
        lambda: saved(RGB, "PNG", default_image=True, save_all=True, append_images=others),
    )


def _tiff() -> Iterator[tuple[Feature, Callable[[], bytes]]]:
    for order, endian in (("<", "little"), (">", "big")):
        for photometric, zero in ((1, "black"), (0, "white")):
            for bits in (1, 8, 16):
                # 16 bits whose two bytes differ
                values = GREY.astype(np.int64) * 259 >> (16 - bits)
                yield (
                    ("TIFF", f"{bits} bits, {zero} is zero, {endian}-endian"),
                    partial(tiff, values, bits=bits, photometric=photometric, order=order),
                )
        for planar in (False, True):
            yield (
                ("TIFF", f"RGB of 16 bits{', planar' if planar else ''}, {endian}-endian"),
                partial(tiff, scene().astype(np.int64) * 257, bits=16, photometric=2, order=order, planar=planar),
            )
        for bits in (6, 10, 14):
            values = GREY.astype(np.int64) * (2**bits - 1) // 255
            yield ("TIFF", f"{bits} bits"), partial(tiff, values, bits=bits, order=order)
        colours = scene().astype(np.int64) * 16
        yield ("TIFF", "RGB of 12 bits"), partial(tiff, colours, bits=12, photometric=2, order=order)
        both = np.dstack([GREY, ALPHA]).astype(np.int64) * 257
        for planar in (False, True):
            yield (
                ("TIFF", f"grey and alpha of 16 bits{', planar' if planar else ''}, {endian}-endian"),
                partial(tiff, both, bits=16, extra_samples=2, order=order, planar=planar),
            )
    for extra, kind in ((1, "associated"), (2, "unassociated"), (0, "unspecified"), (None, "undeclared")):
        both = np.dstack([scene(), ALPHA])
        yield ("TIFF", f"{kind} alpha"), partial(tiff, both, photometric=2, extra_samples=extra)
    xmp = {700: (1, XMP_TURNED)}
    yield ("TIFF", "orientation in XMP alone"), lambda: tiff(scene(), photometric=2, more=xmp)
    yield ("TIFF", "pages"), lambda: saved(RGB, "TIFF", **SEVERAL)
    yield ("TIFF", "BigTIFF, big-endian"), lambda: b"MM\0\x2b\0\x08\0\0" + bytes(40)
    yield ("TIFF", "BigTIFF, little-endian"), lambda: saved(RGB, "TIFF", big_tiff=True)
    for compression in ("packbits", "tiff_lzw", "tiff_adobe_deflate", "jpeg"):
        yield ("TIFF", compression), partial(saved, RGB, "TIFF", compression=compression)
    yield ("TIFF", "signed 16 bits"), _signed


def _signed() -> bytes:
    values = (GREY.astype(np.int64) * 257 - 2**15) & 0xFFFF
    return tiff(values, bits=16, more={339: (3, b"\2\0")})


# What OpenCV does not decode and the reading here does, by the format's specification.
TWELVE_BITS: dict[str, bytes] = {
    f"{'white' if photometric == 0 else 'black'} is zero, {order}": tiff(
        GREY.astype(np.int64) * 16 + 5, bits=12, photometric=photometric, order=order
    )
    for photometric in (0, 1)
    for order in "<>"
}
