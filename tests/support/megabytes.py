"""An answer that is larger than what the system takes at once."""

import random
from io import BytesIO

from PIL import Image


def asking_for_megabytes(width: int = 1200, height: int = 1000, *, lines: bytes = b"Host: x\r\n") -> bytes:
    """A request for a drawing on a picture of noise, about 3 bytes a pixel; `lines` are of its head."""
    body = BytesIO()
    Image.frombytes("RGB", (width, height), random.Random(0).randbytes(3 * width * height)).save(body, "PNG")
    head = b"POST /detect HTTP/1.1\r\n" + lines + b"Accept: image/png\r\nContent-Type: image/png\r\n"
    return head + b"Content-Length: %d\r\n\r\n" % len(body.getvalue()) + body.getvalue()
