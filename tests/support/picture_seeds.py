"""Small pictures of every type, mode and compression that is read: what mutations begin with."""

from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 48, 36


def _picture() -> Image.Image:
    """A gradient with noise: codecs have something to do."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    pixels = np.stack([rows * 5, columns * 4, (rows + columns) * 2], axis=2)
    pixels += np.random.default_rng(0).integers(0, 40, pixels.shape)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def _exif() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "a picture with words"
    exif.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0a comment"
    exif.get_ifd(0x8825)[0x0002] = (1.0, 2.0, 3.0)
    return exif.tobytes()


def _encode(picture: Image.Image, kind: str, **options: Any) -> bytes:
    file = BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def seeds() -> dict[str, tuple[str, bytes]]:
    """By name: the type as Pillow calls it, and the file."""
    rgb = _picture()
    exif = _exif()
    sixteen = Image.fromarray((np.asarray(rgb.convert("L")).astype(np.uint16) << 8) + 7)
    alpha = rgb.copy()
    alpha.putalpha(Image.linear_gradient("L").resize(rgb.size))
    several: dict[str, Any] = {"save_all": True, "append_images": [rgb.rotate(90), rgb.rotate(180)]}
    made: list[tuple[str, str, Image.Image, dict[str, Any]]] = [
        ("baseline", "JPEG", rgb, {}),
        ("progressive", "JPEG", rgb, {"progressive": True, "exif": exif}),
        ("restarts", "JPEG", rgb, {"restart_marker_rows": 1, "subsampling": 0, "icc_profile": bytes(400)}),
        ("grey", "JPEG", rgb.convert("L"), {"comment": b"grey"}),
        ("cmyk", "JPEG", rgb.convert("CMYK"), {"exif": exif}),
        *((f"mode {mode}", "PNG", rgb.convert(mode), {}) for mode in ("1", "L", "P", "LA", "RGB")),
        ("alpha", "PNG", alpha, {"exif": exif, "icc_profile": bytes(400)}),
        ("sixteen bits", "PNG", sixteen, {}),
        ("transparent entry", "PNG", rgb.quantize(16), {"transparency": 3}),
        ("frames", "PNG", rgb, several),
        ("lossy", "WEBP", rgb, {"exif": exif, "method": 0}),
        ("lossless", "WEBP", rgb, {"lossless": True, "method": 0}),
        ("alpha", "WEBP", alpha, {"method": 0}),
        ("frames", "WEBP", rgb, {**several, "method": 0}),
        *((f"mode {mode}", "BMP", rgb.convert(mode), {}) for mode in ("1", "L", "P", "RGB")),
        ("alpha", "BMP", alpha, {}),
        *(
            (compression, "TIFF", rgb, {"compression": compression})
            for compression in ("raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "jpeg", "zstd")
        ),
        ("big", "TIFF", rgb, {"big_tiff": True, "exif": exif}),
        ("pages", "TIFF", rgb, several),
        ("fax", "TIFF", rgb.convert("1"), {"compression": "group4"}),
        ("alpha", "TIFF", alpha, {"compression": "tiff_lzw"}),
        ("cmyk", "TIFF", rgb.convert("CMYK"), {}),
        ("lab", "TIFF", rgb.convert("RGB").convert("YCbCr"), {}),
        ("sixteen bits", "TIFF", sixteen, {}),
        ("float", "TIFF", rgb.convert("F"), {}),
        ("transparent entry", "GIF", rgb.quantize(16), {"transparency": 3}),
        ("frames", "GIF", rgb, several),
        ("plain", "AVIF", rgb, {"speed": 10, "exif": exif}),
        ("alpha", "AVIF", alpha, {"speed": 10}),
    ]
    return {f"{kind} {name}": (kind, _encode(picture, kind, **options)) for name, kind, picture, options in made}
